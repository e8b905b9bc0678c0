// The dynamic configuration: routers, services, transports and TLS, as one file gives them. Traefik's schema.

import { z } from "zod";
import { type Decoded, decode, type FieldMeta, section, unsupported } from "./decode.ts";
import type { Diagnostics } from "./diagnostics.ts";
import { parsePort } from "./scalars.ts";
import { readSource, type SourceFile } from "./source.ts";
import { STATIC_ROOT_KEYS } from "./static.ts";
import { transport } from "./transport.ts";

const LATER = "is not built into Sluice yet and is ignored";

const router = z.object({
  entryPoints: z.array(z.string().min(1)).optional(),
  rule: z.string().optional(),
  service: z.string().optional(),
  priority: z
    .number()
    .min(-(2 ** 53))
    .max(2 ** 53 - 1000)
    .default(0),
  middlewares: unsupported("off", "is not built into Sluice yet; ignoring a middleware could admit someone"),
  ruleSyntax: z.enum(["default", "v3", "v2"]).optional(),
  tls: section({
    passthrough: z.boolean().default(false),
    options: z.string().min(1).optional(),
    certResolver: z.string().min(1).optional(),
    domains: z.array(z.object({ main: z.string(), sans: z.array(z.string()).default([]) })).default([]),
  }).optional(),
});

const server = z.object({
  address: z.string().optional(),
  /** An extension that people already write: without an address the broker is on this machine. */
  port: z
    .string()
    .refine((value) => (parsePort(value) ?? 0) > 0, { message: "must be a port from 1 to 65535" })
    .optional(),
  tls: z.boolean().default(false),
  weight: unsupported("warn", "does not exist for a TCP server: use a weighted service"),
});

const service = z.object({
  loadBalancer: section({
    servers: z.array(server).default([]),
    serversTransport: z.string().min(1).optional(),
    /** Deprecated in Traefik, where it is taken for nanoseconds; here it means what its documentation says: milliseconds. */
    terminationDelay: z.number().int().optional(),
    proxyProtocol: unsupported(
      "off",
      "is not built into Sluice yet; ignoring it would tell the broker another client address",
    ),
    healthCheck: unsupported("warn", LATER),
  }).optional(),
  weighted: section({
    services: z
      .array(z.object({ name: z.string().min(1), weight: z.number().int().min(0).max(1_000_000).default(1) }))
      .default([]),
    healthCheck: unsupported("warn", LATER),
  }).optional(),
});

const secret = z
  .string()
  .min(1)
  .max(1024)
  .meta({ secret: true } satisfies FieldMeta)
  .optional();

/** A certificate with its key: two PEM files, one with both, or an entry of a key store. */
const certificateFields = z.object({
  certFile: z.string().min(1).optional(),
  /** Without it the key is looked for in certFile. */
  keyFile: z.string().min(1).optional(),
  /** Opens the key: of PEM, or of the entry in a key store, where the store's password is tried if it is not given. */
  keyPassword: secret,
  keyPasswordFile: z.string().min(1).optional(),
  keyStore: z.string().min(1).optional(),
  /** The bytes decide; another type than this is a warning. */
  keyStoreType: z.enum(["PKCS12", "JKS", "JCEKS", "BKS"]).optional(),
  keyStorePassword: secret,
  keyStorePasswordFile: z.string().min(1).optional(),
  /** Needed where the store has several keys. */
  keyAlias: z.string().min(1).optional(),
  /** Traefik's: every certificate is in the one store that Traefik uses, too. */
  stores: z.array(z.string()).optional(),
});

const certificate = certificateFields.superRefine((value, context) => {
  const issue = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
  if (value.certFile === undefined && value.keyStore === undefined) issue([], "needs certFile or keyStore");
  if (value.certFile !== undefined && value.keyStore !== undefined)
    issue(["keyStore"], "and certFile are two sources: give one of them");
  if (value.keyStore === undefined)
    for (const field of ["keyStoreType", "keyStorePassword", "keyStorePasswordFile", "keyAlias"] as const)
      if (value[field] !== undefined) issue([field], "is for a keyStore, and there is none");
  if (value.keyStore !== undefined && value.keyFile !== undefined)
    issue(["keyFile"], "does not go with keyStore, which holds the key");
  if (value.keyPassword !== undefined && value.keyPasswordFile !== undefined)
    issue(["keyPasswordFile"], "and keyPassword are two sources: give one of them");
  if (value.keyStorePassword !== undefined && value.keyStorePasswordFile !== undefined)
    issue(["keyStorePasswordFile"], "and keyStorePassword are two sources: give one of them");
});

/** Every pair in a directory tree. */
const certificateDirectory = z
  .object({
    directory: z.string().min(1),
    keyPassword: secret,
    keyPasswordFile: z.string().min(1).optional(),
    /** Its first pair is shown where no certificate fits, unless the default store names another. */
    default: z.boolean().default(false),
  })
  .superRefine((value, context) => {
    if (value.keyPassword !== undefined && value.keyPasswordFile !== undefined)
      context.addIssue({
        code: "custom",
        path: ["keyPasswordFile"],
        message: "and keyPassword are two sources: give one of them",
      });
  })
  .meta({ scalarKey: "directory" });

const version = z.enum(["VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13"]);

const tlsOptions = z.object({
  minVersion: version.optional(),
  maxVersion: version.optional(),
  cipherSuites: z.array(z.string().min(1)).optional(),
  curvePreferences: z.array(z.string().min(1)).optional(),
  alpnProtocols: z.array(z.string().min(1).max(255)).optional(),
  sniStrict: z.boolean().default(false),
  clientAuth: section({
    caFiles: z.array(z.string().min(1)).default([]),
    /** Opens key stores among caFiles. */
    caPassword: secret,
    caPasswordFile: z.string().min(1).optional(),
    /** Revocation lists of the authorities in caFiles, PEM or DER. */
    crlFiles: z.array(z.string().min(1)).default([]),
    /** Also ends connections that are open when their certificate is revoked. */
    closeRevoked: z.boolean().default(false),
    /** Of the certificate's names one must match one of these. */
    allowedNames: z.array(z.string().min(1)).default([]),
    clientAuthType: z
      .enum([
        "NoClientCert",
        "RequestClientCert",
        "RequireAnyClientCert",
        "VerifyClientCertIfGiven",
        "RequireAndVerifyClientCert",
      ])
      .optional(),
  }).optional(),
  disableSessionTickets: unsupported("warn", LATER),
  preferServerCipherSuites: unsupported("warn", "has no effect in Traefik either"),
});

export const dynamicSchema = z.object({
  tcp: section({
    routers: z.record(z.string(), router).default({}),
    services: z.record(z.string(), service).default({}),
    serversTransports: z.record(z.string(), transport).default({}),
    middlewares: unsupported("warn", "is not built into Sluice yet: routers that name a middleware are off"),
  }).prefault({}),
  tls: section({
    certificates: z.array(certificate).default([]),
    /** Directory trees with pairs of certificate and key, whatever they are called. */
    certificateDirectories: z.array(certificateDirectory).default([]),
    options: z.record(z.string(), tlsOptions).default({}),
    stores: z
      .record(
        z.string(),
        z.object({ defaultCertificate: certificate.optional(), defaultGeneratedCert: unsupported("warn", LATER) }),
      )
      .default({}),
  }).prefault({}),
  http: unsupported("warn", "is for HTTP, which Sluice does not serve"),
  udp: unsupported("warn", "is for UDP, which Sluice does not serve"),
  // Traefik lets one file hold both configurations; the other half is not read here.
  ...Object.fromEntries(
    STATIC_ROOT_KEYS.filter((key) => !["tcp", "tls", "http", "udp"].includes(key)).map((key) => [
      key,
      z.unknown().optional(),
    ]),
  ),
});

export type DynamicConfig = z.output<typeof dynamicSchema>;
export type RouterConfig = z.output<typeof router>;
export type ServiceConfig = z.output<typeof service>;
export type TlsOptionsConfig = z.output<typeof tlsOptions>;
export type CertificateConfig = z.output<typeof certificate>;
export type CertificateDirectoryConfig = z.output<typeof certificateDirectory>;

export interface DynamicFile extends Decoded<DynamicConfig> {
  readonly source: SourceFile;
  /** What stands behind the @ in names of its routers. */
  readonly provider: string;
}

/** Decodes a dynamic file's text. Every problem goes to `diagnostics`; null when one of them is an error. */
export function parseDynamic(
  file: string,
  text: string,
  diagnostics: Diagnostics,
  provider = "file",
): DynamicFile | null {
  const source = readSource(file, text, diagnostics);
  return source === null ? null : decodeDynamic(source, diagnostics, provider);
}

/** The same for what is read already. */
export function decodeDynamic(source: SourceFile, diagnostics: Diagnostics, provider: string): DynamicFile | null {
  const decoded = decode(dynamicSchema, source, diagnostics);
  return decoded === null ? null : { ...decoded, source, provider };
}
