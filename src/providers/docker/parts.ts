// Parts of a dynamic configuration, as containers give them: a router, a service, a certificate. Containers that are replicas give the
// same ones, and their servers are put together; of two that contradict each other the older one goes on.

import type { EngineRemark, Entry } from "../engine.ts";

export interface Value {
  /** Within the part, as it is written: `tls/domains[0]/main`. */
  readonly path: string;
  readonly value: string;
  readonly place: string;
}

/** Values by their paths in lower case. */
export type Values = Map<string, Value>;

export interface Part {
  /** `tcp/routers`, in lower case. */
  readonly kind: string;
  readonly name: string;
  readonly values: Values;
  /** Of a service whose servers are containers. */
  readonly servers: Values[];
}

/** What one container gives; the older ones come first. */
export interface Given {
  /** `container mosquitto` */
  readonly what: string;
  readonly parts: readonly Part[];
}

const LISTS = ["tls/certificates", "tls/certificatedirectories"];

export interface Whose {
  readonly kind: string;
  readonly name: string;
  /** How many steps lead to the part. */
  readonly depth: number;
}

/** The part that a path leads into. Items of lists are parts of their own: each container has its own first one. */
export function whose(key: readonly string[], steps: readonly string[] = key): Whose {
  const [root = "", section = "", name = ""] = key;
  const [, list, index] = /^(\w+)\[(\d+)\]$/.exec(section) ?? [];
  if (list !== undefined && LISTS.includes(`${root}/${list}`))
    return { kind: `${root}/${list}`, name: index!, depth: 2 };
  if (LISTS.includes(`${root}/${section}`)) return { kind: `${root}/${section}`, name, depth: 3 };
  return { kind: `${root}/${section}`, name: steps[2] ?? "", depth: 3 };
}

/** Puts together what all containers give. */
export function mergeParts(all: readonly Given[]): { entries: Entry[]; remarks: EngineRemark[] } {
  const merged = new Map<string, { readonly part: Part; readonly what: string }>();
  const remarks: EngineRemark[] = [];
  const items = new Map<string, number>();
  for (const { what, parts } of all)
    for (const part of parts) {
      if (LISTS.includes(part.kind)) {
        const index = items.get(part.kind) ?? 0;
        items.set(part.kind, index + 1);
        merged.set(`${part.kind}/${index}`, { part: { ...part, name: String(index) }, what });
        continue;
      }
      const key = `${part.kind}/${part.name}`;
      const former = merged.get(key);
      if (former === undefined) merged.set(key, { part: { ...part, servers: [...part.servers] }, what });
      else {
        const difference = differs(former.part, part);
        if (difference === null) former.part.servers.push(...part.servers);
        else remarks.push(contradiction(part, what, former.what, difference));
      }
    }
  // By name: an order that does not change when a container is made anew.
  const parts = [...merged].sort(([a], [b]) => (a < b ? -1 : 1));
  return { entries: parts.flatMap(([, { part }]) => entriesOf(part)), remarks };
}

function entriesOf({ kind, name, values, servers }: Part): Entry[] {
  const root = name === "" ? kind : `${kind}/${name}`;
  const entries = [...values.values()].map(({ path, value, place }) => ({
    path: path === "" ? root : `${root}/${path}`,
    value,
    place,
  }));
  const seen = new Set<string>();
  for (const server of servers) {
    const address = ["address", "srv", "port"].map((field) => server.get(field)?.value ?? "").join("\0");
    if (seen.has(address)) continue;
    for (const { path, value, place } of server.values())
      entries.push({ path: `${root}/loadbalancer/servers/${seen.size}/${path}`, value, place });
    seen.add(address);
  }
  return entries;
}

/** The field in which two parts differ, servers apart; null where they say the same. */
function differs(one: Part, other: Part): string | null {
  // An empty balancer is said where there would be nothing to say: it is none beside servers.
  const isPlain = (part: Part, key: string) => key === "loadbalancer" && part.kind === "tcp/services";
  for (const [a, b] of [
    [one, other],
    [other, one],
  ] as const)
    for (const [key, { path, value }] of a.values)
      if (b.values.get(key)?.value !== value && !isPlain(a, key)) return path;
  return null;
}

function contradiction(part: Part, what: string, older: string, field: string): EngineRemark {
  const noun = part.kind.replace(/^.*\//, "").replace(/s$/, "");
  return {
    severity: "error",
    code: "label-conflict",
    place: what,
    message: `gives the ${noun} "${part.name}" another ${field || "value"} than ${older}, which is older and goes first: give it another name, or the same labels`,
  };
}
