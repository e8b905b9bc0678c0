// The master's part of health: which servers are watched, what workers are told of them, and one line for each change.

import { Watch, type WatchedState } from "../health/watch.ts";
import { type Watched, watchedOf } from "../health/watched.ts";
import type { Logger } from "../observe/logger.ts";
import type { Row, ServerOutcome } from "../protocol/messages.ts";
import type { HealthCheck } from "../upstream/health.ts";
import type { ServerChange } from "../upstream/server-state.ts";

export class HealthKeeper {
  readonly #logger: Logger;
  readonly #tell: (changes: readonly ServerChange[]) => void;
  readonly #watch: Watch;
  /** The keys of a service's servers that may get clients, by its name. */
  #services: ReadonlyMap<string, readonly string[]> = new Map();
  /** Services of which all servers are down. */
  readonly #lost = new Set<string>();
  /** When a server was taken out, by its key; Unix time in milliseconds. */
  readonly #downAt = new Map<string, number>();

  /** `tell` brings changes to all workers at once. */
  constructor(logger: Logger, tell: (changes: readonly ServerChange[]) => void) {
    this.#logger = logger;
    this.#tell = tell;
    this.#watch = new Watch({
      onChange: (state, before) => this.#changed(state, before),
      onRefusedCheck: ({ watched: { service, server } }, detail) =>
        logger.warn({ service, server: server.address, detail }, "a server is well, but does not let its check in"),
    });
  }

  /** The rows in force, and the checks of services by name. What is known of a server that stays, stays. */
  want(rows: ReadonlyMap<string, Row>, checks: ReadonlyMap<string, HealthCheck>): void {
    const watched = watchedOf(rows.values(), checks);
    const former = [...this.#watch.states()].map((state) => state.watched.key);
    this.#services = usable(watched);
    this.#watch.want(watched);
    const gone = former.filter((key) => this.#watch.stateOf(key) === null);
    for (const key of gone) this.#downAt.delete(key);
    if (gone.length > 0) this.#tell(gone.map((key) => ({ key, health: "unknown", upSince: 0 })));
    for (const service of this.#lost) if (!this.#services.has(service)) this.#lost.delete(service);
    for (const service of this.#services.keys()) this.#lookAt(service);
  }

  /** How connections of clients went. */
  heard(outcomes: readonly ServerOutcome[]): void {
    this.#watch.heard(outcomes);
  }

  /** For the metrics. */
  states(): Iterable<WatchedState> {
    return this.#watch.states();
  }

  close(): void {
    this.#watch.close();
  }

  #changed({ watched, health, latencyMs }: WatchedState, before: WatchedState["health"]["health"]): void {
    const { key, service, server } = watched;
    const now = Date.now();
    const isUp = health.health === "up";
    // One that is well when it is looked at for the first time has not come back from anything.
    this.#tell([{ key, health: health.health, ...(isUp && before === "down" && { upSince: now }) }]);
    const names = { service, server: server.address };
    if (isUp) {
      const since = this.#downAt.get(key);
      this.#downAt.delete(key);
      const facts = { by: health.cause, ...(latencyMs !== null && { latencyMs: Math.round(latencyMs) }) };
      if (since === undefined) this.#logger.debug({ ...names, ...facts }, "a server is up");
      else this.#logger.info({ ...names, ...facts, downMs: now - since }, "a server is up again");
    } else {
      this.#downAt.set(key, now);
      this.#logger.warn({ ...names, by: health.cause, reason: health.reason }, "a server is down");
    }
    this.#lookAt(service);
  }

  /** Says once that a service has no server left, and once that it has one again. */
  #lookAt(service: string): void {
    const keys = this.#services.get(service) ?? [];
    const isLost = keys.length > 0 && keys.every((key) => this.#watch.stateOf(key)?.health.health === "down");
    if (isLost === this.#lost.has(service)) return;
    if (isLost) {
      this.#lost.add(service);
      // Whoever may send a CONNECT that a server closes on may bring this about: it is no error.
      this.#logger.warn(
        { service, servers: keys.length },
        "all servers of a service are down: clients are sent to them all the same, one after another",
      );
    } else {
      this.#lost.delete(service);
      this.#logger.info({ service }, "a service has a server again");
    }
  }
}

/** Drained servers get nobody, and so they are not missed. */
function usable(watched: readonly Watched[]): ReadonlyMap<string, readonly string[]> {
  const services = new Map<string, string[]>();
  for (const { service, server, key } of watched) {
    if (server.drain !== undefined) continue;
    const keys = services.get(service);
    if (keys === undefined) services.set(service, [key]);
    else keys.push(key);
  }
  return services;
}
