// certificatesResolvers.<name>.acme: Traefik's fields, and a command for DNS.

import { z } from "zod";
import { duration, type FieldMeta, section, unsupported } from "./decode.ts";
import type { Path } from "./source.ts";

const LATER = "is not built into Sluice yet and is ignored";

/** Where Let's Encrypt is asked; Traefik's default too. */
const LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory";

export const acme = z.object({
  email: z.string().max(254).default(""),
  caServer: z
    .string()
    .refine((value) => URL.canParse(value) && value.startsWith("https://"), { message: "must be an https:// URL" })
    .default(LETS_ENCRYPT),
  storage: z.string().min(1).default("acme.json"),
  keyType: z.enum(["EC256", "EC384", "RSA2048", "RSA4096", "RSA8192"]).default("EC256"),
  eab: z
    .object({
      kid: z.string().min(1),
      hmacEncoded: z
        .string()
        .min(1)
        .meta({ secret: true } satisfies FieldMeta),
    })
    .optional(),
  caCertificates: z.array(z.string().min(1)).default([]),
  caSystemCertPool: z.boolean().default(false),
  caServerName: z.string().min(1).optional(),
  preferredChain: z.string().min(1).optional(),
  profile: z.string().min(1).optional(),
  /** Traefik renews by it; here each certificate says itself how long it is good. */
  certificatesDuration: z.number().int().min(1).default(2160),
  disableCommonName: unsupported("warn", LATER),
  emailAddresses: unsupported("warn", LATER),
  clientTimeout: duration(1).default(120_000),
  clientResponseHeaderTimeout: unsupported("warn", "is bounded by clientTimeout here"),
  certificateTimeout: unsupported("warn", "is 90s here"),
  tlsChallenge: section({ delay: duration(0).default(0) }).optional(),
  httpChallenge: section({ entryPoint: z.string().min(1), delay: duration(0).default(0) }).optional(),
  dnsChallenge: section({
    /** Called with present or cleanup, the record's name and its value. */
    exec: z.string().min(1),
    propagation: section({
      delayBeforeChecks: duration(0).default(0),
      disableChecks: unsupported("warn", "has no effect: the authority's own look is what counts"),
      disableANSChecks: unsupported("warn", "has no effect: the authority's own look is what counts"),
      requireAllRNS: unsupported("warn", "has no effect: the authority's own look is what counts"),
    }).prefault({}),
    provider: unsupported("error", "is not built into Sluice: give the command that changes your DNS as exec"),
    resolvers: unsupported("warn", "has no effect: the authority's own look is what counts"),
    delayBeforeCheck: unsupported("warn", "is called propagation.delayBeforeChecks"),
    disablePropagationCheck: unsupported("warn", "has no effect: the authority's own look is what counts"),
  }).optional(),
});

export type AcmeConfig = z.output<typeof acme>;

/** What is wrong with a resolver before any authority is asked. */
export function checkResolver(
  name: string,
  acme: AcmeConfig,
  points: ReadonlyMap<
    string,
    { readonly name: string; readonly address: string; readonly port: number; readonly admin: boolean }
  >,
  problem: (path: Path, message: string) => void,
  warn: (path: Path, message: string) => void,
): void {
  const at = (...rest: string[]) => ["certificatesResolvers", name, "acme", ...rest];
  const { tlsChallenge, httpChallenge, dnsChallenge, eab } = acme;
  if (tlsChallenge === undefined && httpChallenge === undefined && dnsChallenge === undefined)
    problem(at(), `the resolver "${name}" has no challenge: add for example  tlsChallenge: {}`);
  if (httpChallenge !== undefined && !points.has(httpChallenge.entryPoint))
    problem(
      at("httpChallenge", "entryPoint"),
      `the entry point "${httpChallenge.entryPoint}" does not exist: add for example  entryPoints: { ${httpChallenge.entryPoint}: { address: ":80" } }`,
    );
  if (eab !== undefined && Buffer.from(eab.hmacEncoded, "base64url").length === 0)
    problem(at("eab", "hmacEncoded"), "eab.hmacEncoded must be the key in base64url, as the authority shows it");
  if (tlsChallenge !== undefined && ![...points.values()].some((point) => !point.admin && point.port === 443)) {
    const others = [...points.values()]
      .filter((point) => !point.admin)
      .map((point) => `${point.name} (${point.address})`);
    warn(
      at("tlsChallenge"),
      `the authority connects to port 443 for tlsChallenge, and no entry point listens there: lead 443 to ${others.join(" or ")} (docs/guides/acme.md says how)`,
    );
  }
  if (acme.email === "" && acme.caServer === LETS_ENCRYPT)
    warn(at(), `the resolver "${name}" has no email: the authority cannot write to you when something is wrong`);
}
