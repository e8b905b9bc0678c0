// The dynamic configuration: routers, services, transports and TLS, as one file gives them. Traefik's schema.

import { z } from "zod";
import { certificate, certificateDirectory, domain } from "./certificate.ts";
import { type Decoded, decode } from "./decode.ts";
import type { Diagnostics } from "./diagnostics.ts";
import { field, otherHalf, section, unsupported } from "./field.ts";
import { middleware } from "./middlewares.ts";
import { router } from "./router.ts";
import { service } from "./service.ts";
import { readSource, type SourceFile } from "./source.ts";
import { STATIC_ROOT_KEYS } from "./static-schema.ts";
import { tlsOptions } from "./tls-options.ts";
import { transport } from "./transport.ts";

const word = z.string().min(1);

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
export type GeneratedCertificateConfig = NonNullable<DynamicConfig["tls"]["stores"][string]["defaultGeneratedCert"]>;

/** How to say where parts of a configuration stand, be it a file or not. */
export type Places = Pick<SourceFile, "name" | "locate" | "find" | "namesAt">;

export interface DynamicFile extends Decoded<DynamicConfig> {
  readonly source: Places;
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
