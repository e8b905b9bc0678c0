// On which entry points every client speaks first, as TLS has it. Elsewhere a client may wait for the first word of its server.

import { isForPlain, type Row } from "../protocol/messages.ts";

/** Those of `entryPoints` that have no router for clients without TLS. */
export function whereClientsSpeakFirst(entryPoints: Iterable<string>, rows: Iterable<Row>): ReadonlySet<string> {
  const all = new Set(entryPoints);
  for (const row of rows)
    if (row.kind === "router" && isForPlain(row.value.action))
      for (const name of row.value.entryPoints) all.delete(name);
  return all;
}
