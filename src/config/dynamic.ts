// The dynamic configuration: routers, services, transports and TLS, as one file gives them. Traefik's schema.

import { z } from "zod";
import { certificate, password, passwordFile } from "./certificate.ts";
import type { Code } from "./codes.ts";
import { type Decoded, decode } from "./decode.ts";
import type { Diagnostics } from "./diagnostics.ts";
import { field, otherHalf, section, unsupported } from "./field.ts";
import { middleware } from "./middlewares.ts";
import { proxyProtocolOut } from "./proxy-protocol.ts";
import { parsePort } from "./scalars.ts";
import { readSource, type SourceFile } from "./source.ts";
import { STATIC_ROOT_KEYS } from "./static-schema.ts";
import { transport } from "./transport.ts";

const LATER = "is not built into Sluice yet and is ignored";

const word = z.string().min(1);

const domain = z.object({
  main: field("The certificate's first name.", z.string(), { example: "mqtt.example.com" }),
  sans: field("Its other names.", z.array(z.string()).default([]), {
    otherwise: "none",
    example: ["*.mqtt.example.com"],
  }),
});

const router = z.object({
  entryPoints: field(
    "The entry points that it is on. Sluice warns about one that does not exist; if none exists, the load is refused: see [When something is wrong](configuration.md#when-something-is-wrong).",
    z.array(word).optional(),
    { otherwise: "all, or those with `asDefault`", example: ["mqtts"] },
  ),
  rule: field("The connections that it takes: see [Rules](configuration.md#rules).", z.string().optional(), {
    otherwise: "required",
    example: "HostSNI(`mqtt.example.com`)",
  }),
  service: field("The service that they go to: the name of an entry of `tcp.services`.", z.string().optional(), {
    otherwise: "required",
    example: "brokers",
  }),
  priority: field(
    "Higher is asked first: see [Priorities](configuration.md#priorities).",
    z
      .number()
      .min(-(2 ** 53))
      .max(2 ** 53 - 1000)
      .default(0),
    { otherwise: "`0`: from the rule", example: 100 },
  ),
  middlewares: field(
    "What is asked about a client before it is let in: names of entries of `tcp.middlewares`, asked in this order.",
    z.array(word).default([]),
    { otherwise: "none", example: ["office"] },
  ),
  ruleSyntax: field(
    "`default` and `v3` are the same. `v2` refuses the load: Sluice does not read the rules of Traefik v2.",
    z.enum(["default", "v3", "v2"]).optional(),
    { otherwise: "`v3`", example: "v3" },
  ),
  tls: field(
    "Absent: the router is for plain MQTT. `{}`: TLS is terminated here.",
    section({
      passthrough: field(
        "The TLS bytes go to the broker as they are. `tls.options` then has no effect.",
        z.boolean().default(false),
        { example: true },
      ),
      options: field("The name of an entry of `tls.options`.", word.optional(), {
        otherwise: "`default`",
        example: "modern",
      }),
      certResolver: field(
        "The [resolver](reference/static.md#certificatesresolvers) that obtains a certificate for the names in the rule, one for all of them, unless configured certificates serve them already.",
        word.optional(),
        { otherwise: "none", example: "letsencrypt" },
      ),
      domains: field("One certificate for each entry, instead.", z.array(domain).default([]), {
        otherwise: "the names in the rule",
      }),
    }).optional(),
    { otherwise: "absent" },
  ),
});

const server = z.object({
  address: field(
    "`host:port`. Names are resolved again for a dial when the answer is older than 3 s, and all addresses are tried.",
    z.string().optional(),
    { otherwise: "`port` on 127.0.0.1", example: "broker-a.internal:1883" },
  ),
  port: field(
    "Without an `address`, this port on 127.0.0.1. With an `address` that has no port, the port.",
    z
      .string()
      .refine((value) => (parsePort(value) ?? 0) > 0, { message: "must be a port from 1 to 65535" })
      .optional(),
    { kind: "port", numbers: [1, 65_535], otherwise: "in `address`", example: 1883 },
  ),
  tls: field("Speak TLS to this server.", z.boolean().default(false), { example: true }),
  weight: unsupported("warn", "does not exist for a TCP server: use a weighted service"),
});

const service = z.object({
  loadBalancer: field(
    "Servers. A service has either this or `weighted`.",
    section({
      servers: field(
        "The brokers. Connections go to them in turn. When one fails, the next is tried, until all have been. Without any, clients are disconnected.",
        z.array(server).default([]),
        { otherwise: "empty" },
      ),
      serversTransport: field("The name of an entry of `tcp.serversTransports`.", word.optional(), {
        otherwise: "`tcpServersTransport` of the static file",
        example: "quick",
      }),
      terminationDelay: field(
        "The same as in a transport, but an integer and not a duration. It is ignored when `serversTransport` is set.",
        // Deprecated in Traefik, where it is taken for nanoseconds; here it means what its documentation says.
        z.number().int().optional(),
        { unit: "milliseconds", otherwise: "that of the transport", example: 100 },
      ),
      proxyProtocol: field(
        "Traefik's old place of the transport's field; ignored with a warning when `serversTransport` is set.",
        proxyProtocolOut.optional(),
        { otherwise: "that of the transport" },
      ),
      healthCheck: unsupported("warn", LATER),
    }).optional(),
    { otherwise: "absent" },
  ),
  weighted: field(
    "Other services, in turn by weight.",
    section({
      services: field(
        "The services, each with its weight. They may be weighted too, up to 50 inside one another. If the weights add up to 10, a service with the weight 3 gets three of any ten connections in a row. If all servers of one service fail, the others are tried.",
        z
          .array(
            z.object({
              name: field("The service.", word, { example: "brokers" }),
              weight: field("0 is never used.", z.number().int().min(0).max(1_000_000).default(1), { example: 3 }),
            }),
          )
          .default([]),
        { otherwise: "empty" },
      ),
      healthCheck: unsupported("warn", LATER),
    }).optional(),
    { otherwise: "absent" },
  ),
});

/** Every pair in a directory tree. */
const certificateDirectory = z
  .object({
    directory: field(
      "Read with its sub-directories, 4 levels deep. An entry that is only a path stands for this field.",
      word,
      { kind: "directory", example: "/etc/letsencrypt/live" },
    ),
    keyPassword: password("Opens encrypted keys, also in the old form with `Proc-Type: 4,ENCRYPTED`."),
    keyPasswordFile: passwordFile("the keys' password"),
    default: field(
      "Show the first of its pairs where no certificate fits, unless the store `default` names another one.",
      z.boolean().default(false),
      { example: true },
    ),
  })
  .superRefine((value, context) => {
    if (value.keyPassword !== undefined && value.keyPasswordFile !== undefined)
      context.addIssue({
        code: "custom",
        path: ["keyPasswordFile"],
        message: "and keyPassword are two sources: give one of them",
        params: { code: "fields-conflict" satisfies Code },
      });
  })
  .meta({ scalarKey: "directory" });

const version = z.enum(["VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13"]);

const tlsOptions = z.object({
  minVersion: field("The lowest TLS version.", version.optional(), {
    otherwise: "`VersionTLS12`",
    example: "VersionTLS13",
  }),
  maxVersion: field("The highest TLS version.", version.optional(), {
    otherwise: "`VersionTLS13`",
    example: "VersionTLS12",
  }),
  cipherSuites: field(
    "Go's names, for TLS 1.2 and below. Those of TLS 1.3 cannot be chosen; a list of these alone leaves only TLS 1.3. Sluice leaves out those that the TLS library (BoringSSL) lacks, and warns. If none is left, that is an error. A misspelled name is an error.",
    z.array(word).optional(),
    {
      otherwise: "[the suites with forward secrecy](security.md#cipher-suites)",
      example: ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"],
    },
  ),
  curvePreferences: field(
    "`X25519MLKEM768`, `X25519`, `CurveP256` or `secp256r1`, `CurveP384` or `secp384r1`, `CurveP521` or `secp521r1`, `SecP256r1MLKEM768`, `SecP384r1MLKEM1024`. Sluice leaves out those that the TLS library lacks, and warns. If none is left, that is an error. A misspelled name is an error.",
    z.array(word).optional(),
    { otherwise: "the TLS library's choice", example: ["X25519MLKEM768", "X25519"] },
  ),
  maxRecordSize: field(
    "The most bytes of content in a TLS record that Sluice sends, for clients with small buffers that do not say so themselves. A client's own max_fragment_length or record_size_limit is kept to without this field.",
    z.int().min(512).max(16_384).optional(),
    { unit: "bytes", otherwise: "16384", example: 4096 },
  ),
  alpnProtocols: field(
    "The protocols, in the order of preference. A client that offers only others is refused; one that offers none is served. Without the field, Sluice answers `mqtt` to clients that offer it, and serves every client.",
    z.array(z.string().min(1).max(255)).optional(),
    { otherwise: "none", example: ["mqtt"] },
  ),
  sniStrict: field(
    "Refuse a client for whose name there is no certificate, instead of showing the default one.",
    z.boolean().default(false),
    { example: true },
  ),
  clientAuth: field(
    "Certificates that clients show. A good one is issued by one of `caFiles`, for use by clients, and valid now.",
    section({
      caFiles: field(
        "Who may issue client certificates. PEM, a certificate in DER (`.cer`), or a trust store: the certificates of a PKCS#12, JKS, JCEKS or BKS file.",
        z.array(word).default([]),
        { kind: "file or content", otherwise: "none", example: ["certs/device-ca.crt"] },
      ),
      caPassword: password("Opens the trust stores among `caFiles`. JKS, JCEKS and BKS can be read without."),
      caPasswordFile: passwordFile("the trust stores' password"),
      crlFiles: field(
        "Files with the revocation lists of these authorities, in PEM or DER: see [Revocation lists](configuration.md#revocation-lists).",
        z.array(word).optional(),
        // Nor may it or `allowedNames` be taken for absent when its entries are gone: more clients would be let in.
        { kind: "file", otherwise: "none", example: ["certs/device-ca.crl"], nothingIsEmpty: true },
      ),
      closeRevoked: field(
        "When a certificate is revoked, also close the open connections of its client, within a second.",
        z.boolean().default(false),
        { example: true },
      ),
      allowedNames: field(
        "Patterns: one of the certificate's names must match one of them. See [allowedNames](configuration.md#allowednames).",
        z.array(word).optional(),
        { otherwise: "any", example: ["CN:sensor-*", "DNS:*.devices.example.com"], nothingIsEmpty: true },
      ),
      clientAuthType: field(
        "What is asked of clients. `NoClientCert`: not asked for. `RequestClientCert`: asked for, not required, not checked. `RequireAnyClientCert`: required, not checked. `VerifyClientCertIfGiven`: not required; one that is shown must be good. `RequireAndVerifyClientCert`: required, and must be good. The last two need `caFiles`.",
        z
          .enum([
            "NoClientCert",
            "RequestClientCert",
            "RequireAnyClientCert",
            "VerifyClientCertIfGiven",
            "RequireAndVerifyClientCert",
          ])
          .optional(),
        {
          otherwise: "`RequireAndVerifyClientCert`; without `caFiles` it must be given",
          example: "VerifyClientCertIfGiven",
        },
      ),
    }).optional(),
    // It must not be taken for absent: clients would not be asked any more.
    { otherwise: "absent", nothingIsEmpty: true },
  ),
  disableSessionTickets: unsupported("warn", LATER),
  preferServerCipherSuites: unsupported("warn", "has no effect in Traefik either"),
});

export const dynamicSchema = z.object({
  tcp: field(
    "What is done with connections.",
    section({
      routers: field(
        "Which connections go where. Each router has a name of your choice. [Routers](configuration.md#routers) says what routers with and without TLS take.",
        z.record(z.string(), router).default({}),
      ),
      services: field(
        "Where connections can go. Each service has a name of your choice, and either `loadBalancer` or `weighted`. A server that cannot work (no port, bad address) is an error and is left out; the others serve. Each worker counts turns and weights by itself. When a reload does not change a load balancer, its turn goes on where it was.",
        z.record(z.string(), service).default({}),
      ),
      serversTransports: field(
        "How brokers are dialled. Each entry has a name of your choice, which services give in `serversTransport`.",
        z.record(z.string(), transport).default({}),
      ),
      middlewares: field(
        "What routers ask about a client, by a name of your choice. A middleware has one kind. A router whose middleware is missing or broken is off.",
        z.record(z.string(), middleware).default({}),
      ),
    }).prefault({}),
  ),
  tls: field(
    "Certificates, and how TLS is spoken with clients.",
    section({
      certificates: field(
        "Each entry is a certificate with its key, in PEM or in a key store. [Certificates](configuration.md#certificates) says which one a client gets, and what happens when a file changes.",
        z.array(certificate).default([]),
      ),
      certificateDirectories: field(
        "Directories. Sluice finds every pair of certificate and key in them, and serves it for the names in the certificate: see [Certificate directories](configuration.md#certificate-directories).",
        z.array(certificateDirectory).default([]),
        { example: ["live"] },
      ),
      options: field(
        "How TLS is spoken with clients. Each entry has a name of your choice, which routers give in `tls.options`. Routers that give none use the entry called `default`.",
        z.record(z.string(), tlsOptions).default({}),
      ),
      stores: field(
        "Only the store `default` is used, as in Traefik. Sluice warns about others.",
        z
          .record(
            z.string(),
            z.object({
              defaultCertificate: field(
                "Shown where no certificate fits the name, and to clients that send no SNI. Do not give it a name that another certificate has too. Without it, such clients get a self-signed certificate for `sluice.invalid`. It is made anew at each start, and no client should trust it. Sluice warns about each name that would get it.",
                certificate.optional(),
                { otherwise: "a self-signed one" },
              ),
              defaultGeneratedCert: field(
                "A resolver obtains the default certificate. Until it has come, and where `defaultCertificate` is given too, it has no effect.",
                z
                  .object({
                    resolver: field(
                      "The name of a [resolver](reference/static.md#certificatesresolvers).",
                      word.optional(),
                      { otherwise: "none", example: "letsencrypt" },
                    ),
                    domain: field("The certificate's names.", domain.optional(), { otherwise: "none" }),
                  })
                  .optional(),
                { otherwise: "absent" },
              ),
            }),
          )
          .default({}),
      ),
    }).prefault({}),
  ),
  http: unsupported(
    "warn",
    "is for HTTP, and Sluice carries TCP alone: for MQTT write the router and the service under tcp, with HostSNI(...) in place of Host(...) and  address: HOST:PORT  in place of url",
  ),
  udp: unsupported("warn", "is for UDP, which Sluice does not serve"),
  // Traefik lets one file hold both configurations; the other half is not read here.
  ...Object.fromEntries(
    STATIC_ROOT_KEYS.filter((key) => !["tcp", "tls", "http", "udp"].includes(key)).map((key) => [
      key,
      otherHalf("static"),
    ]),
  ),
});

export type DynamicConfig = z.output<typeof dynamicSchema>;
export type RouterConfig = z.output<typeof router>;
export type ServiceConfig = z.output<typeof service>;
export type TlsOptionsConfig = z.output<typeof tlsOptions>;
export type CertificateConfig = z.output<typeof certificate>;
export type GeneratedCertificateConfig = NonNullable<DynamicConfig["tls"]["stores"][string]["defaultGeneratedCert"]>;
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
  const source = readSource(file, text, diagnostics, "dynamic");
  return source === null ? null : decodeDynamic(source, diagnostics, provider);
}

/** The same for what is read already. */
export function decodeDynamic(source: SourceFile, diagnostics: Diagnostics, provider: string): DynamicFile | null {
  const decoded = decode(dynamicSchema, source, diagnostics, provider);
  return decoded === null ? null : { ...decoded, source, provider };
}
