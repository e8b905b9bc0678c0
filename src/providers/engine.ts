// What a provider whose routes are kept elsewhere (a store, a daemon, a web server) has to know: how to read it, and how to hear of changes.
// Its common life (away and back, throttle, cache, metrics) is in remote.ts, and what its entries mean in flat.ts.

import type { Code } from "../config/codes.ts";

/** One value of a store that keeps each value by itself: a key, or a container's label. */
export interface Entry {
  /**
   * Where in the dynamic configuration it belongs, without the root key: `tcp/routers/mqtt/rule`. Steps are joined with `/`; an item of
   * a list is a step of digits (`entrypoints/0`) or an index in brackets (`domains[0]/main`). Names of fields are read without case.
   */
  readonly path: string;
  readonly value: string;
  /** Where an operator finds it: `redis sluice/tcp/routers/mqtt/rule`, `container mosquitto, label traefik.tcp.routers.mqtt.rule`. */
  readonly place: string;
}

/** A whole dynamic configuration as one text, in YAML or JSON. */
export interface Document {
  /** Where an operator finds it: a URL, without what is secret in it. */
  readonly place: string;
  readonly text: string;
}

/** What can be said of a store beside its entries, with the place of each: a container that is left out, a setting that slows things down. */
export interface EngineRemark {
  readonly severity: "error" | "warning";
  readonly code: Code;
  readonly place: string;
  readonly message: string;
}

export type Content = readonly Entry[] | Document;

export interface Reading {
  readonly content: Content;
  readonly remarks?: readonly EngineRemark[];
}

/**
 * A store, for as long as the provider lives. The provider calls `read` and `watch` by turns, never two reads at a time:
 * `read`, then `watch` for as long as it lasts, and a `read` beside it each time that it has called `changed`. When either fails the watch
 * is ended, and after a pause everything begins anew with a `read`.
 */
export interface Engine {
  /** What stands behind the @ in names, in lower case: `redis`. */
  readonly name: string;
  /** Where it is, for messages: `redis 127.0.0.1:6379`. No secret is in it. */
  readonly place: string;
  /**
   * Everything that there is. An engine may remember it, and ask only for what its watch has said since; entries that have not changed
   * should then be the same objects, which saves decoding them. After a failure or the end of a watch it must ask for everything.
   * @throws when it cannot be had; the message is for an operator and gives nothing secret away.
   */
  read(signal: AbortSignal): Promise<Reading>;
  /**
   * Calls `changed` when there may be something new, for everything that happens after the latest `read` before it began. One that
   * cannot look back that far calls it as soon as the watch is in place. Resolves or throws when it has ended; at once when `signal` is
   * aborted.
   */
  watch(changed: () => void, signal: AbortSignal): Promise<void>;
  /** Gives back what is open. `read` and `watch` have been aborted before. */
  close(): Promise<void>;
}
