// What a store with one value to a key gives, as dynamic configuration. Each router, service, certificate and so on is read for itself:
// one that is wrong costs itself alone, and what has not changed is not read again.

import type { Unsupported } from "../config/decode.ts";
import { Diagnostics } from "../config/diagnostics.ts";
import { type DynamicFile, decodeDynamic } from "../config/dynamic.ts";
import type { RouterConfig } from "../config/router.ts";
import type { Entry } from "./engine.ts";
import { compose, type Good, valueAt } from "./flat-file.ts";
import { Sorter } from "./flat-parts.ts";
import { FlatSource, type Part, placeOf, type Rest } from "./flat-source.ts";
import { routerFault } from "./router-fault.ts";

interface Known {
  readonly part: Part;
  /** What it gives, or what stands in for that; null: nothing. */
  readonly good: Good | null;
  /** What it gave when it could be read last; null where it never could. */
  readonly sound: Good | null;
  readonly said: Diagnostics;
}

/** What `Diagnostics.error` is told. */
type Fault = Parameters<Diagnostics["error"]>;

const NOTHING_SAID = new Diagnostics();

export class FlatConfiguration {
  readonly #name: string;
  readonly #provider: string;
  readonly #entryPoints: ReadonlySet<string>;
  readonly #sorter: Sorter;
  #known: ReadonlyMap<string, Known> = new Map();
  #file: DynamicFile | null = null;

  /** `name` is where it is all from; `entryPoints` are those that there are. */
  constructor(name: string, provider: string, entryPoints: ReadonlySet<string>) {
    this.#name = name;
    this.#provider = provider;
    this.#entryPoints = entryPoints;
    this.#sorter = new Sorter(provider);
  }

  /** How many parts the entries have that were read last. */
  get size(): number {
    return this.#known.size;
  }

  /** @returns the same object while nothing has changed. What is wrong, or was and still is, goes to `diagnostics`. */
  read(entries: readonly Entry[], diagnostics: Diagnostics): DynamicFile {
    const known = new Map<string, Known>();
    const changed: Part[] = [];
    const parts = this.#sorter.sort(entries, diagnostics, (id) => this.#known.get(id)?.part);
    for (const [id, part] of parts) {
      const former = this.#known.get(id);
      if (former?.part === part) known.set(id, former);
      else {
        known.set(id, { part, good: null, sound: former?.sound ?? null, said: NOTHING_SAID });
        changed.push(part);
      }
    }
    if (changed.length > 0) this.#decode(changed, known);
    const isOther = changed.length > 0 || this.#known.size !== known.size;
    this.#known = known;
    for (const { said } of known.values()) if (said !== NOTHING_SAID) diagnostics.take(said);
    if (isOther || this.#file === null)
      this.#file = compose(
        this.#name,
        this.#provider,
        [...known.values()].flatMap(({ part, good }) => (good === null ? [] : [{ part, good }])),
      );
    return this.#file;
  }

  /** Many at a time, because that is several times faster; where something is to be said, half of them, down to the one it is about. */
  #decode(parts: readonly Part[], known: Map<string, Known>): void {
    const said = new Diagnostics();
    const goods = this.#try(parts, said);
    if (said.list.length > 0 && parts.length > 1) {
      const middle = parts.length >> 1;
      this.#decode(parts.slice(0, middle), known);
      this.#decode(parts.slice(middle), known);
      return;
    }
    for (const [index, part] of parts.entries()) {
      const { sound } = known.get(part.id)!;
      // Where one part alone is read, what was said is of it; of several nothing was.
      let own = said;
      const good = this.#checked(part, goods?.[index] ?? null, sound, (fault) => {
        if (parts.length > 1) own = new Diagnostics();
        own.error(...fault);
      });
      known.set(part.id, {
        part,
        good: good ?? this.#standIn(part, sound, own),
        sound: good ?? sound,
        said: own.list.length === 0 ? NOTHING_SAID : own,
      });
    }
  }

  /** What the decoder makes of parts; null when anything of them is wrong. */
  #try(parts: readonly Part[], said: Diagnostics): Good[] | null {
    const source = new FlatSource(this.#name, this.#provider, parts, said);
    const decoded = decodeDynamic(source, said, this.#provider);
    if (decoded === null || said.errors > 0) return null;
    const lacking = Map.groupBy(decoded.unsupported, ({ path }) => path.slice(0, 3).join("/"));
    return source.paths.map((path) => ({
      value: valueAt(decoded.value, path),
      unsupported: lacking.get(path.join("/")) ?? [],
      source,
      path,
    }));
  }

  /** A router whose rule cannot be read, or that is on none of the entry points, would have the whole offer refused. */
  #checked(part: Part, good: Good | null, former: Good | null, say: (fault: Fault) => void): Good | null {
    if (good === null || part.path[1] !== "routers") return good;
    const fault = routerFault(good.value as RouterConfig, (former?.value as RouterConfig) ?? null, this.#entryPoints);
    if (fault === null) return good;
    const message = `the router "${part.path[2]}": ${fault.message}`;
    say([fault.code, good.source.locate([...good.path, ...fault.path]), message, part.about]);
    return null;
  }

  /** What serves in the place of a part that cannot be read: what it was, or a router that keeps its names and refuses, or nothing. */
  #standIn(part: Part, sound: Good | null, said: Diagnostics): Good | null {
    const [, section, name] = part.path;
    const what = `the ${section === "stores" ? "store" : section.replace(/s$/, "")} "${name}"`;
    const place = placeOf(part.rests[0]!.entry);
    const say = (effect: string) => said.warn("entry-refused", place, `${what} has a mistake: ${effect}`, part.about);
    if (sound !== null) {
      say("what it was before goes on serving");
      return sound;
    }
    const off = this.#off(part);
    if (off === null) say("it is left out");
    return off;
  }

  /** Nothing of a router but its names, and of TLS options nothing but that they are there: who refers to them refuses. */
  #off(part: Part): Good | null {
    const [, section] = part.path;
    if (section !== "routers" && section !== "options") return null;
    const [{ entry }] = part.rests as [Rest];
    const kept = section === "routers" ? namesOnly(part.rests) : [];
    const nothing: Rest = { entry: { ...entry, value: "" }, steps: [] };
    // One of these may be the very mistake, and is not needed.
    const needed = kept.filter((each) => !["priority", "service"].includes(fieldOf(each)));
    const tries = section === "routers" ? [kept, needed] : [[nothing]];
    const good = tries.reduce<Good | null>((found, rests) => found ?? this.#bare(part, rests), null);
    if (good === null) return null;
    const lack: Unsupported = {
      path: good.path,
      effect: "off",
      why: "has a mistake, of which another message tells",
      place: placeOf(entry),
      code: "entry-refused",
    };
    return { ...good, unsupported: [lack] };
  }

  /** A part with nothing but some of its entries; null where even those cannot be read. */
  #bare(part: Part, rests: readonly Rest[]): Good | null {
    if (rests.length === 0) return null;
    const bare = { ...part, rests };
    return this.#checked(bare, this.#try([bare], new Diagnostics())?.[0] ?? null, null, () => {});
  }
}

function fieldOf({ steps }: Rest): string {
  return steps[0]?.toLowerCase().replace(/\[\d+\]$/, "") ?? "";
}

/** What of a router says which connections are its own, and that they are TLS. */
function namesOnly(rests: readonly Rest[]): Rest[] {
  const tls = rests.find((each) => fieldOf(each) === "tls");
  return [
    ...rests.filter((each) => ["rule", "entrypoints", "priority", "service"].includes(fieldOf(each))),
    ...(tls === undefined ? [] : [{ entry: { ...tls.entry, value: "" }, steps: ["tls"] }]),
  ];
}
