// What the API shows of the past: the last loads, and the last events, which are lines of the master's log. It keeps nothing where there is
// no API.

import type { Event, InForce, Load, LoadChange } from "../api/sources.ts";
import type { Compiled } from "../compile/compile.ts";
import type { Level } from "../observe/logger.ts";
import type { ReloadOutcome } from "./reloader.ts";

const MAX_LOADS = 20;
const MAX_EVENTS = 500;
/** Diagnostics of a load that are kept, and changes. */
const MAX_DIAGNOSTICS = 200;
const MAX_CHANGES = 200;
/** Those who follow the events. */
const MAX_LISTENERS = 64;

export class Desk {
  readonly #loads: Load[] = [];
  readonly #events: Event[] = [];
  readonly #listeners = new Set<(event: Event) => void>();
  #lastId = 0;
  #rows: Compiled["rows"] = new Map();
  #inForce: InForce | null = null;

  /** null before the first load. */
  get inForce(): InForce | null {
    return this.#inForce;
  }

  /** The newest first. */
  get loads(): readonly Load[] {
    return this.#loads.toReversed();
  }

  get events(): readonly Event[] {
    return this.#events;
  }

  /** The configuration of a load serves from now on. `diagnostics` are those of the static file. */
  came(
    { merged, diagnostics }: ReloadOutcome,
    compiled: Compiled,
    version: number,
    ofStatic: InForce["diagnostics"],
  ): void {
    this.#inForce = {
      merged,
      compiled,
      diagnostics: [...ofStatic, ...diagnostics.list],
      version,
      loadedAt: new Date(),
    };
  }

  /** A load is over. `version`: that it came into force as; null: nothing did. */
  loaded({ compiled, refused, diagnostics, durationMs }: ReloadOutcome, version: number | null): void {
    const changes = compiled === null ? [] : changesBetween(this.#rows, compiled.rows);
    if (compiled !== null) this.#rows = compiled.rows;
    this.#loads.push({
      at: Date.now(),
      durationMs: Math.round(durationMs),
      result: compiled === null || refused.length > 0 ? "refused" : "loaded",
      version,
      refused,
      errors: diagnostics.errors,
      warnings: diagnostics.warnings,
      diagnostics: diagnostics.list.slice(0, MAX_DIAGNOSTICS),
      changed: changes.slice(0, MAX_CHANGES),
      changes: changes.length,
    });
    if (this.#loads.length > MAX_LOADS) this.#loads.shift();
  }

  /** A line of the log. */
  happened(level: Level, at: number, fields: object, message: string): void {
    const event: Event = { id: ++this.#lastId, at, level, message, fields: { ...fields } };
    this.#events.push(event);
    if (this.#events.length > MAX_EVENTS) this.#events.shift();
    for (const listener of this.#listeners) listener(event);
  }

  /** @returns what ends it. */
  listen(listener: (event: Event) => void): () => void {
    if (this.#listeners.size < MAX_LISTENERS) this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

const SHOWN = ["router", "service", "middleware", "options", "certificate"] as const;

function changesBetween(before: Compiled["rows"], after: Compiled["rows"]): LoadChange[] {
  const changes: LoadChange[] = [];
  const isShown = (kind: string): kind is LoadChange["kind"] => (SHOWN as readonly string[]).includes(kind);
  for (const [key, row] of after) {
    if (!isShown(row.kind)) continue;
    const former = before.get(key);
    if (former === undefined) changes.push({ kind: row.kind, name: row.name, change: "added" });
    else if (former !== row && !Bun.deepEquals(former.value, row.value))
      changes.push({ kind: row.kind, name: row.name, change: "changed" });
  }
  for (const [key, row] of before)
    if (isShown(row.kind) && !after.has(key)) changes.push({ kind: row.kind, name: row.name, change: "removed" });
  return changes;
}
