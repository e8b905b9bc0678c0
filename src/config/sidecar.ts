// sidecar: one broker and one certificate for everyone. What it stands for is in src/compile/sidecar.ts.

import { z } from "zod";
import { certificateFields, conflictsOf, password } from "./certificate.ts";
import { type EntryPointConfig, EVERYWHERE, isLoopback } from "./entry-points.ts";
import { type FieldMeta, field } from "./field.ts";
import { parseHostPort, parsePort } from "./scalars.ts";
import type { Say } from "./subject.ts";
import { parseUnixSocket } from "./unix-socket.ts";

const word = z.string().min(1);

/** A port alone has no host. */
const brokerAddress = (text: string) =>
  parseUnixSocket(text) ?? parseHostPort(parsePort(text) === null ? text : `:${text}`);

/** Everything that a proxy beside one broker needs, in one section. */
export const sidecar = z
  .object({
    address: field(
      "The broker: `host:port`, a port on 127.0.0.1, or `unix:///path` for a Unix socket. A section that is only a text stands for this field.",
      z.string().superRefine((value, context) => {
        const parsed = brokerAddress(value);
        if (parsed.kind === "error") context.addIssue({ code: "custom", message: parsed.message });
        else if ("port" in parsed && parsed.port === 0)
          context.addIssue({ code: "custom", message: "needs a port from 1 to 65535" });
      }),
      { kind: "address or port", numbers: [1, 65_535], example: "127.0.0.1:1883" },
    ),
    certFile: field("The certificate that every client is shown, with its chain, in PEM.", word.optional(), {
      kind: "file or content",
      secret: true,
      otherwise: "that of `developmentCertificate`",
      example: "certs/tls.crt",
    }),
    keyFile: field("Its key.", word.optional(), {
      kind: "file or content",
      secret: true,
      otherwise: "looked for in `certFile`",
      example: "certs/tls.key",
    }),
    certDirectory: field(
      "Pairs of certificate and key, whatever they are called; the first is the default one.",
      word.optional(),
      {
        kind: "directory",
        otherwise: "none",
        example: "certs",
      },
    ),
    keyPassword: password("Opens the private key, in `certFile`, `keyFile`, `keyStore` or `certDirectory`."),
    keyPasswordFile: certificateFields.shape.keyPasswordFile,
    keyStore: field("A PKCS#12, JKS, JCEKS or BKS file, instead of `certFile` and `keyFile`.", word.optional(), {
      kind: "file",
      otherwise: "none",
      example: "certs/broker.p12",
    }),
    keyStoreType: certificateFields.shape.keyStoreType,
    keyStorePassword: certificateFields.shape.keyStorePassword,
    keyStorePasswordFile: certificateFields.shape.keyStorePasswordFile,
    keyAlias: certificateFields.shape.keyAlias,
  })
  .meta({ scalarKey: "address" } satisfies FieldMeta);

/** What is wrong with a sidecar before it is tried. */
export function checkSidecar(
  config: z.output<typeof sidecar> | undefined,
  hasDevelopmentCertificate: boolean,
  points: Iterable<EntryPointConfig>,
  problem: Say,
): void {
  if (config === undefined) return;
  const { certFile, keyFile, keyStore, certDirectory } = config;
  const broker = brokerAddress(config.address);
  if (broker.kind === "ok" && "port" in broker && (broker.host === "" || isLoopback(broker.host)))
    for (const { name, host, port } of points)
      if (port === broker.port && (EVERYWHERE.includes(host) || host === (broker.host || "127.0.0.1")))
        problem(
          "address-taken",
          ["sidecar", "address"],
          `sidecar.address is the broker's, and there listens the entry point "${name}"`,
        );
  const hasOwn = certFile !== undefined || keyStore !== undefined || certDirectory !== undefined;
  if (!hasOwn && !hasDevelopmentCertificate)
    problem(
      "certificate-missing",
      ["sidecar", "address"],
      "the sidecar has no certificate: give sidecar.certFile (and keyFile), sidecar.keyStore or sidecar.certDirectory",
    );
  const conflict = (name: string, message: string) =>
    problem("fields-conflict", ["sidecar", name], `sidecar.${name} ${message}`);
  for (const { field: name, message } of conflictsOf(config)) conflict(name, message);
  if (certFile === undefined && keyStore === undefined && keyFile !== undefined)
    conflict("keyFile", "belongs to a certFile, and there is none");
  for (const name of ["keyPassword", "keyPasswordFile"] as const)
    if (!hasOwn && config[name] !== undefined)
      conflict(name, "is for a certFile, a keyStore or a certDirectory, and there is none");
}
