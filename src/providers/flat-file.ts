// Parts of a configuration that were read each for itself, as one dynamic configuration.

import type { Unsupported } from "../config/decode.ts";
import type { Place } from "../config/diagnostics.ts";
import type { DynamicConfig, DynamicFile, Places } from "../config/dynamic.ts";
import type { Path } from "../config/source.ts";
import type { Part } from "./flat-source.ts";

/** What a part gave when it was read. */
export interface Good {
  readonly value: unknown;
  /** With paths in `source`. */
  readonly unsupported: readonly Unsupported[];
  readonly source: Places;
  /** Where in `source` the part stands. */
  readonly path: Path;
}

interface Placed {
  readonly part: Part;
  readonly good: Good;
}

export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((from, step) => (from as Record<string | number, unknown>)[step], value);
}

/** `name` is where it is all from. */
export function compose(name: string, provider: string, parts: readonly Placed[]): DynamicFile {
  const sections: Record<string, Record<string, Record<string, unknown> | unknown[]>> = {
    tcp: { routers: {}, services: {}, serversTransports: {}, middlewares: {} },
    tls: { certificates: [], certificateDirectories: [], options: {}, stores: {} },
  };
  const placed = new Map<string, Good>();
  const unsupported: Unsupported[] = [];
  for (const { part, good } of parts) {
    const [root, section, key] = part.path;
    const into = sections[root]![section]!;
    const step = Array.isArray(into) ? into.length : String(key);
    (into as Record<string | number, unknown>)[step] = good.value;
    const path = [root, section, step];
    placed.set(path.join("/"), good);
    for (const each of good.unsupported)
      unsupported.push({ ...each, path: [...path, ...each.path.slice(good.path.length)] });
  }
  return {
    value: sections as unknown as DynamicConfig,
    unsupported,
    source: new PlacesOfParts(name, placed),
    provider,
  };
}

class PlacesOfParts implements Places {
  readonly name: string;
  readonly #parts: ReadonlyMap<string, Good>;

  constructor(name: string, parts: ReadonlyMap<string, Good>) {
    this.name = name;
    this.#parts = parts;
  }

  locate(path: Path): Place {
    return this.#within(path, (source, at) => source.locate(at)) ?? { file: this.name, line: 0, column: 0 };
  }

  find(path: Path): Place | null {
    return this.#within(path, (source, at) => source.find(at));
  }

  namesAt(path: Path): string[] {
    if (path.length === 0) return this.#parts.size === 0 ? [] : ["tcp", "tls"];
    return this.#within(path, (source, at) => source.namesAt(at)) ?? [];
  }

  #within<T>(path: Path, ask: (source: Places, at: Path) => T): T | null {
    const part = this.#parts.get(path.slice(0, 3).join("/"));
    return part === undefined ? null : ask(part.source, [...part.path, ...path.slice(3)]);
  }
}
