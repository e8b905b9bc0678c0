// Certificates as Traefik's API shows them: never a key.

import { createHash, X509Certificate } from "node:crypto";
import type { CertificateInUse } from "../../compile/certificates.ts";
import { formatIp, parseAddress } from "../../ip/address.ts";
import type { InForce } from "../sources.ts";

const DAY_MS = 86_400_000;
/** With less left it is a warning, as in Traefik. */
const SOON_MS = 30 * DAY_MS;

export interface ApiCertificate {
  /** The SHA-256 of the certificate, in hexadecimal. */
  readonly name: string;
  readonly sans: readonly string[];
  readonly notAfter: string;
  readonly notBefore: string;
  /** Decimal. */
  readonly serialNumber: string;
  readonly commonName: string;
  readonly issuerOrg?: string;
  readonly issuerCN?: string;
  readonly issuerCountry?: string;
  readonly organization?: string;
  readonly country?: string;
  readonly version: string;
  readonly keyType: "RSA" | "ECDSA" | "Unknown";
  readonly keySize?: number;
  readonly certFingerprint: string;
  readonly publicKeyFingerprint: string;
  readonly status: "enabled" | "warning" | "expired";
}

/** What is read of a certificate, which never changes, by its hash in the configuration. */
const read = new Map<string, Omit<ApiCertificate, "status">>();

export function certificatesOf({ compiled }: InForce, now = Date.now()): ApiCertificate[] {
  const inUse = new Set(compiled.certificates.map(({ hash }) => hash));
  for (const hash of read.keys()) if (!inUse.has(hash)) read.delete(hash);
  return compiled.certificates.flatMap((each) => {
    const certificate = detailsOf(compiled, each);
    return certificate === null ? [] : [{ ...certificate, status: statusOf(each.notAfter, now) }];
  });
}

export function statusOf(notAfter: number, now: number): ApiCertificate["status"] {
  if (notAfter <= now) return "expired";
  return notAfter - now < SOON_MS ? "warning" : "enabled";
}

/** null for the one that is made at each start. */
export function detailsOf(
  { rows }: Pick<InForce["compiled"], "rows">,
  { hash }: Pick<CertificateInUse, "hash">,
): Omit<ApiCertificate, "status"> | null {
  const known = read.get(hash);
  if (known !== undefined) return known;
  const row = rows.get(`certificate/${hash}`);
  if (row?.kind !== "certificate") return null;
  const details = detailsIn(new X509Certificate(row.value.cert));
  read.set(hash, details);
  return details;
}

function detailsIn(x509: X509Certificate): Omit<ApiCertificate, "status"> {
  const { publicKey } = x509;
  const subject = fieldsOf(x509.subject);
  const issuer = fieldsOf(x509.issuer);
  const fingerprint = createHash("sha256").update(x509.raw).digest("hex");
  const bits = publicKey.asymmetricKeyDetails?.modulusLength ?? curveBits(publicKey.asymmetricKeyDetails?.namedCurve);
  const type = publicKey.asymmetricKeyType;
  return {
    name: fingerprint,
    sans: namesOf(x509.subjectAltName ?? "").sort(),
    notAfter: iso(x509.validTo),
    notBefore: iso(x509.validFrom),
    serialNumber: BigInt(`0x${x509.serialNumber}`).toString(),
    commonName: subject.get("CN") ?? "",
    ...optional("issuerOrg", issuer.get("O")),
    ...optional("issuerCN", issuer.get("CN")),
    ...optional("issuerCountry", issuer.get("C")),
    ...optional("organization", subject.get("O")),
    ...optional("country", subject.get("C")),
    version: "v3",
    keyType: type === "rsa" || type === "rsa-pss" ? "RSA" : type === "ec" ? "ECDSA" : "Unknown",
    ...(bits !== undefined && { keySize: bits }),
    certFingerprint: fingerprint,
    publicKeyFingerprint: createHash("sha256")
      .update(publicKey.export({ type: "spki", format: "der" }))
      .digest("hex"),
  };
}

function optional<K extends string>(key: K, value: string | undefined): { readonly [key in K]?: string } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [key in K]?: string };
}

/** Names and addresses; Traefik shows neither URIs nor e-mail addresses. */
function namesOf(text: string): string[] {
  return [...text.matchAll(/(?:DNS|IP Address):([^,"]+)/g)].map(([, name]) => plain(name!.trim()));
}

/** An address in its shortest form, as Go writes it. */
function plain(name: string): string {
  const address = parseAddress(name);
  return address === null ? name : formatIp(address);
}

function fieldsOf(name: string): Map<string, string> {
  return new Map(
    (name ?? "").split("\n").map((line): [string, string] => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
}

function curveBits(curve: string | undefined): number | undefined {
  return ({ prime256v1: 256, secp384r1: 384, secp521r1: 521 } as Record<string, number>)[curve ?? ""];
}

function iso(text: string): string {
  return new Date(text).toISOString().replace(".000Z", "Z");
}
