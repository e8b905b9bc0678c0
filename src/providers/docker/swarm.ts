// The provider swarm: routes from the labels of a swarm's services, whose servers are their running tasks. A manager is asked.

import type { Engine, EngineRemark, Reading } from "../engine.ts";
import { ApiError, type DockerApi } from "./api.ts";
import { readList } from "./container.ts";
import type { Choices, Gift } from "./give.ts";
import { giftOf } from "./give-service.ts";
import { mergeParts } from "./parts.ts";
import { findSelf } from "./self.ts";
import { aborted, followEvents } from "./stream.ts";
import { readNetworks, readNodes, readServices, readTasks, type SwarmState } from "./swarm-state.ts";

export type SwarmChoices = Omit<Choices, "useBindPortIP">;

/** Of tasks there are no events. */
const FILTERS = { type: ["service", "node"] };
const RUNNING = JSON.stringify({ "desired-state": ["running"] });
const OVER_NODES = JSON.stringify({ scope: ["swarm"] });

export class SwarmEngine implements Engine {
  readonly name = "swarm";
  readonly place: string;
  readonly #api: DockerApi;
  readonly #choices: SwarmChoices;
  readonly #refreshMs: number | null;

  /** `refreshMs`: from one look at the tasks to the next; null where no change is followed. */
  constructor(api: DockerApi, choices: SwarmChoices, refreshMs: number | null) {
    this.#api = api;
    this.#choices = choices;
    this.#refreshMs = refreshMs;
    this.place = `swarm ${api.place}`;
  }

  async read(signal: AbortSignal): Promise<Reading> {
    try {
      return this.#reading(await this.#ask(signal));
    } catch (error) {
      this.#api.forget();
      if (error instanceof ApiError && error.status === 503)
        throw new ApiError(`${error.message}: is it a manager of a swarm? Only managers know its services`);
      throw error;
    }
  }

  async watch(changed: () => void, signal: AbortSignal): Promise<void> {
    if (this.#refreshMs === null) return aborted(signal);
    const refresh = setInterval(changed, this.#refreshMs);
    try {
      await followEvents(this.#api, FILTERS, signal, changed, changed);
    } finally {
      clearInterval(refresh);
    }
  }

  async close(): Promise<void> {}

  async #ask(signal: AbortSignal): Promise<SwarmState> {
    // The first one finds out which version the daemon speaks.
    const services = readServices(await this.#api.get("/services", signal));
    const [tasks, networks, own] = await Promise.all([
      this.#api.get(`/tasks?filters=${encodeURIComponent(RUNNING)}`, signal).then(readTasks),
      this.#api.get(`/networks?filters=${encodeURIComponent(OVER_NODES)}`, signal).then(readNetworks),
      this.#ownNetworks(signal),
    ]);
    const isHost = tasks.some(({ attachments }) => attachments.some(({ network }) => network === "host"));
    const nodes = isHost ? readNodes(await this.#api.get("/nodes", signal)) : new Map<string, string>();
    return { services, tasks, networks, nodes, own };
  }

  /** Those of the container that Sluice runs in. A socket proxy for a swarm may not tell of containers. */
  async #ownNetworks(signal: AbortSignal): Promise<ReadonlySet<string> | null> {
    try {
      const self = findSelf(readList(await this.#api.get("/containers/json", signal)));
      const names = self?.networks.filter((name) => name !== "host" && name !== "none") ?? [];
      return names.length === 0 ? null : new Set(names);
    } catch (error) {
      if (error instanceof ApiError && error.status > 0) return null;
      throw error;
    }
  }

  #reading(state: SwarmState): Reading {
    const gifts: Gift[] = state.services.map((service) => giftOf(service, state, this.#choices));
    const { entries, remarks } = mergeParts(gifts.flatMap(({ given }) => (given === null ? [] : [given])));
    const all: EngineRemark[] = [...gifts.flatMap((each) => each.remarks), ...remarks];
    return { content: entries, remarks: all };
  }
}
