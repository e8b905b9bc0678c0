// certificatesResolvers.<name>.acme: Traefik's fields, and a command for DNS.

import { z } from "zod";
import { duration, field, LATER, section, unsupported } from "./field.ts";
import type { Say } from "./subject.ts";

/** Where Let's Encrypt is asked; Traefik's default too. */
const LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory";

const DNS_LOOK = "has no effect: the authority's own look is what counts";

const beforeLook = field("Wait before the authority is told to look.", duration(0).default(0), { example: "5s" });

export const acme = z.object({
  email: field(
    "The address that the authority writes to. With Let's Encrypt, Sluice warns if there is none.",
    z.string().max(254).default(""),
    {
      otherwise: "none",
      example: "admin@example.com",
    },
  ),
  caServer: field(
    "The authority's directory.",
    z
      .string()
      .refine((value) => URL.canParse(value) && value.startsWith("https://"), { message: "must be an https:// URL" })
      .default(LETS_ENCRYPT),
    { kind: "https URL", example: "https://acme-staging-v02.api.letsencrypt.org/directory" },
  ),
  storage: field(
    "The file with account and certificates, in Traefik's form. It must have mode 600, or it is refused. Several resolvers may share one file, and so may several Sluices on one file system: they take turns, and use what another one has obtained.",
    z.string().min(1).default("acme.json"),
    { kind: "file", example: "/var/lib/sluice/acme.json" },
  ),
  keyType: field(
    "The kind of key. Without the field a renewal keeps the kind of the certificate that is stored, as one that Traefik has obtained, and a new certificate gets what small devices verify fastest. Traefik's default is RSA4096.",
    z.enum(["EC256", "EC384", "RSA2048", "RSA4096", "RSA8192"]).optional(),
    { otherwise: "`EC256`, or the kind that is stored", example: "RSA2048" },
  ),
  eab: field(
    "External account binding: what some authorities give out to their customers.",
    z
      .object({
        kid: field("The key's name.", z.string().min(1), { example: "kid-1" }),
        hmacEncoded: field("The key, in base64url, as the authority shows it.", z.string().min(1), {
          secret: true,
          example: "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajV",
        }),
      })
      .optional(),
    { otherwise: "none" },
  ),
  caCertificates: field("Whom to trust for `caServer`.", z.array(z.string().min(1)).default([]), {
    kind: "file or content",
    otherwise: "the public authorities",
    example: ["certs/acme-ca.crt"],
  }),
  caSystemCertPool: field("Trust the public authorities beside `caCertificates`.", z.boolean().default(false), {
    example: true,
  }),
  caServerName: field("The name to ask for and to check.", z.string().min(1).optional(), {
    otherwise: "the URL's host",
    example: "acme.internal",
  }),
  preferredChain: field("Common name of the issuer at the end of the chain.", z.string().min(1).optional(), {
    otherwise: "the authority's choice",
    example: "ISRG Root X1",
  }),
  profile: field("One of the profiles that the authority offers.", z.string().min(1).optional(), {
    otherwise: "the authority's choice",
    example: "tlsserver",
  }),
  certificatesDuration: field(
    "Accepted, without effect: a certificate itself says how long it is good.",
    z.number().int().min(1).default(2160),
    { unit: "hours", example: 2160 },
  ),
  disableCommonName: unsupported("warn", LATER),
  emailAddresses: unsupported("warn", LATER),
  clientTimeout: field("For each exchange with the authority.", duration(1).default(120_000), { example: "30s" }),
  clientResponseHeaderTimeout: unsupported("warn", "is bounded by clientTimeout here"),
  certificateTimeout: unsupported("warn", "is 90s here"),
  tlsChallenge: field(
    "Prove names by TLS-ALPN-01, on every entry point with TLS. The authority connects to port 443, which must lead to one of them.",
    section({ delay: beforeLook }).optional(),
    { otherwise: "off" },
  ),
  httpChallenge: field(
    "Prove names by HTTP-01.",
    section({
      entryPoint: field("The entry point to answer on, which the authority must reach as port 80.", z.string().min(1), {
        example: "web",
      }),
      delay: beforeLook,
    }).optional(),
    { otherwise: "off" },
  ),
  dnsChallenge: field(
    "Prove names by DNS-01. Wildcards need it.",
    section({
      exec: field(
        "This command is called with `present` or `cleanup`, the record's name and its value.",
        z.string().min(1),
        { kind: "command", example: "/usr/local/bin/dns-hook" },
      ),
      propagation: field(
        "What is done between `present` and the authority's look.",
        section({
          delayBeforeChecks: field(
            "Wait after `present`, for DNS servers that are slow to publish.",
            duration(0).default(0),
            {
              example: "30s",
            },
          ),
          disableChecks: unsupported("warn", DNS_LOOK),
          disableANSChecks: unsupported("warn", DNS_LOOK),
          requireAllRNS: unsupported("warn", DNS_LOOK),
        }).prefault({}),
      ),
      provider: unsupported("error", "is not built into Sluice: give the command that changes your DNS as exec"),
      resolvers: unsupported("warn", DNS_LOOK),
      delayBeforeCheck: unsupported("warn", "is called propagation.delayBeforeChecks"),
      disablePropagationCheck: unsupported("warn", DNS_LOOK),
    }).optional(),
    { otherwise: "off" },
  ),
});

export type AcmeConfig = z.output<typeof acme>;

/** The entry points that answer HTTP-01 challenges. */
export function challengeEntryPoints(
  resolvers: Readonly<Record<string, { readonly acme?: AcmeConfig | undefined }>>,
): Set<string> {
  return new Set(Object.values(resolvers).flatMap(({ acme }) => acme?.httpChallenge?.entryPoint ?? []));
}

/** What is wrong with a resolver before any authority is asked. */
export function checkResolver(
  name: string,
  acme: AcmeConfig,
  points: ReadonlyMap<
    string,
    { readonly name: string; readonly address: string; readonly port: number; readonly admin: boolean }
  >,
  problem: Say,
  warn: Say,
): void {
  const at = (...rest: string[]) => ["certificatesResolvers", name, "acme", ...rest];
  const { tlsChallenge, httpChallenge, dnsChallenge, eab } = acme;
  if (tlsChallenge === undefined && httpChallenge === undefined && dnsChallenge === undefined)
    problem(
      "resolver-without-challenge",
      at(),
      `the resolver "${name}" has no challenge: add for example  tlsChallenge: {}`,
    );
  if (httpChallenge !== undefined && !points.has(httpChallenge.entryPoint))
    problem(
      "entry-point-unknown",
      at("httpChallenge", "entryPoint"),
      `the entry point "${httpChallenge.entryPoint}" does not exist: add for example  entryPoints: { ${httpChallenge.entryPoint}: { address: ":80" } }`,
    );
  if (eab !== undefined && Buffer.from(eab.hmacEncoded, "base64url").length === 0)
    problem(
      "field-value",
      at("eab", "hmacEncoded"),
      "eab.hmacEncoded must be the key in base64url, as the authority shows it",
    );
  if (tlsChallenge !== undefined && ![...points.values()].some((point) => !point.admin && point.port === 443)) {
    const others = [...points.values()]
      .filter((point) => !point.admin)
      .map((point) => `${point.name} (${point.address})`);
    warn(
      "challenge-port",
      at("tlsChallenge"),
      `the authority connects to port 443 for tlsChallenge, and no entry point listens there: lead 443 to ${others.join(" or ")} (docs/guides/acme.md says how)`,
    );
  }
  if (acme.email === "" && acme.caServer === LETS_ENCRYPT)
    warn(
      "resolver-without-email",
      at(),
      `the resolver "${name}" has no email: the authority cannot write to you when something is wrong`,
    );
}
