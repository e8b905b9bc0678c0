// Which part of the configuration a path leads to: what a diagnostic about the path is about.

import type { Code } from "./codes.ts";
import type { Subject } from "./diagnostics.ts";
import { DEFAULT_OPTIONS, fullName } from "./names.ts";
import type { Path } from "./source.ts";

const KINDS: Readonly<Record<string, Subject["kind"]>> = {
  "tcp.routers": "router",
  "tcp.services": "service",
  "tcp.middlewares": "middleware",
  "tcp.serversTransports": "serversTransport",
  "tls.options": "tlsOptions",
  "tls.stores": "store",
};

/** null where the path leads to no part that has a name. `provider` is whose configuration it is, null for the static one. */
export function subjectAt([root, section, name]: Path, provider: string | null = null): Subject | null {
  if (root === "tcpServersTransport") return TCP_SERVERS_TRANSPORT;
  if (section === undefined) return null;
  if (root === "entryPoints") return { kind: "entryPoint", name: String(section) };
  if (root === "certificatesResolvers") return { kind: "resolver", name: String(section) };
  const kind = KINDS[`${root}.${section}`];
  if (kind === undefined || name === undefined) return null;
  const isForAll = kind === "store" || (kind === "tlsOptions" && name === DEFAULT_OPTIONS);
  return { kind, name: isForAll || provider === null ? String(name) : fullName(String(name), provider) };
}

export const TCP_SERVERS_TRANSPORT: Subject = { kind: "tcpServersTransport", name: "tcpServersTransport" };

/** Says what is wrong with the part of a configuration that a path leads to. */
export type Say = (code: Code, path: Path, message: string) => void;
