// What to write into the dynamic file for a server's certificate, and for clients of its authority.

import { join } from "node:path";
import { stringify } from "yaml";
import type { AuthorityFacts } from "../authority/authority.ts";
import type { KeyOptions } from "./key-options.ts";

/** Lines of YAML. The part about clients is a comment: who takes the lines as they are must not lock out everyone. */
export function dynamicLines(
  folder: string,
  { files, hasIntermediate }: AuthorityFacts,
  { keyPasswordFile, keyPasswordEnv }: KeyOptions,
): string[] {
  const certificate = {
    certFile: join(folder, "server.crt"),
    keyFile: join(folder, "server.key"),
    ...(keyPasswordFile === undefined ? {} : { keyPasswordFile }),
    ...(keyPasswordEnv === undefined ? {} : { keyPassword: `\${${keyPasswordEnv}}` }),
  };
  const clientAuth = {
    caFiles: [files.root.cert, ...(hasIntermediate ? [files.intermediate.cert] : [])],
    crlFiles: [files.list],
    closeRevoked: true,
  };
  const comment = stringify({ options: { default: { clientAuth } } })
    .trimEnd()
    .split("\n");
  return [
    ...stringify({ tls: { certificates: [certificate] } })
      .trimEnd()
      .split("\n"),
    "  # To let in only clients with a certificate of this authority:",
    ...comment.map((line) => `  # ${line}`),
  ];
}

/** The same of a certificate and a key in files of other names, which are not encrypted; nothing about clients. */
export function pairLines(certFile: string, keyFile: string): string[] {
  return stringify({ tls: { certificates: [{ certFile, keyFile }] } })
    .trimEnd()
    .split("\n");
}
