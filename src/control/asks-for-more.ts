// Whether TLS settings ask clients for more than others did: then those who came by the others would perhaps not come in any more.

import type { RouterAction } from "../protocol/messages.ts";
import type { ClientAuthType, ServerTlsOptions, TlsVersion } from "../tls/options.ts";

type OptionsByName = ReadonlyMap<string, ServerTlsOptions>;

/** From the laxest to the strictest. */
const AUTH: readonly ClientAuthType[] = [
  "NoClientCert",
  "RequestClientCert",
  "VerifyClientCertIfGiven",
  "RequireAnyClientCert",
  "RequireAndVerifyClientCert",
];
const VERSIONS: readonly TlsVersion[] = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

/** Of an action whose options are not known nothing is said. */
export function asksForMore(
  before: RouterAction,
  formerly: OptionsByName,
  now: RouterAction,
  options: OptionsByName,
): boolean {
  if (before.kind === "off" || now.kind === "off") return false;
  if (before.kind !== now.kind) return true;
  if (before.kind !== "terminate" || now.kind !== "terminate") return false;
  const old = formerly.get(before.options);
  const young = options.get(now.options);
  return old !== undefined && young !== undefined && old.key !== young.key && isStricter(young, old);
}

function isStricter(young: ServerTlsOptions, old: ServerTlsOptions): boolean {
  if (AUTH.indexOf(young.clientAuth) > AUTH.indexOf(old.clientAuth)) return true;
  if (VERSIONS.indexOf(young.minVersion) > VERSIONS.indexOf(old.minVersion)) return true;
  if (young.clientAuth === "NoClientCert") return false;
  const authorities = new Set(blocksOf(young.clientCa));
  if (!blocksOf(old.clientCa).every((each) => authorities.has(each))) return true;
  if (young.allowedNames.length === 0) return false;
  return old.allowedNames.length === 0 || !old.allowedNames.every((each) => young.allowedNames.includes(each));
}

/** The certificates of a PEM text. */
function blocksOf(pem: string): string[] {
  return pem
    .split("-----END CERTIFICATE-----")
    .map((each) => each.trim())
    .filter((each) => each !== "");
}
