// What is said of a server whose address DNS gives while Sluice runs: explain asks no DNS, as check does not.

import type { Server } from "../upstream/service.ts";

const FAMILIES = { all: "address", ipv4: "IPv4 address", ipv6: "IPv6 address" } as const;

/** null: it is one server, and its address is known. */
export function discoveryOf({ discover, tls, name, host }: Server): string | null {
  if (discover === undefined) return null;
  const { families } = discover;
  const each = families === null ? null : `each ${FAMILIES[families]}`;
  const verified = tls ? `, verified as ${name ?? host}` : "";
  if (discover.kind === "addresses") return `${each} of it is a server, as DNS says${verified}`;
  return `each record${each === null ? "" : `, and ${each} of its host,`} is a server, as DNS says; those of higher priority numbers are backups${verified}`;
}
