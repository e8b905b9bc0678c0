// What the API is asked for each tab, and what is done there. One question at a time: a slow answer is waited for, not asked for again.

import type { ApiClient } from "../api-client.ts";
import { ApiFailure } from "../api-client.ts";
import type {
  Ban,
  Certificate,
  Connection,
  ConnectionPage,
  Diagnostic,
  Event,
  Figure,
  Provider,
  Refusal,
  Router,
  Sample,
  Server,
} from "./answers.ts";
import { lookAt, NAMES, withSample } from "./figures.ts";
import { LISTS, MOST } from "./lists.ts";
import type { Action, Data, State } from "./state.ts";

/** How long what changes seldom is good for. Milliseconds. */
const SLOW_MS = 10_000;
/** Clients that are asked for beyond the chosen one. */
const AHEAD = 100;

export class Asking {
  readonly #client: ApiClient;
  /** When what changes seldom was asked for. */
  #slowAt = Number.NEGATIVE_INFINITY;

  constructor(client: ApiClient) {
    this.#client = client;
  }

  /** What the tab shows, as it is now. @throws ApiFailure */
  async look({ tab, lists, mode, data }: State, now: number): Promise<Partial<Data>> {
    switch (tab) {
      case "overview":
        return { ...(await this.#figures(data)), ...(await this.#servers()), ...(await this.#slow(now)) };
      case "clients": {
        const { filter, sort, isDescending, at } = lists.clients;
        const [connections, connection] = await Promise.all([
          this.#client.get<ConnectionPage>("sluice/connections", {
            ...(filter !== "" && { search: filter }),
            sort: LISTS.clients.sorts[sort]!.name,
            direction: isDescending ? "desc" : "asc",
            limit: String(Math.min(MOST, Math.ceil((at + AHEAD) / 100) * 100)),
          }),
          this.#connection(mode),
        ]);
        return { connections, connection };
      }
      case "routes": {
        const { filter } = lists.routes;
        const [figures, routers, { tcp }] = await Promise.all([
          this.#figures(data),
          this.#client.get<Router[]>("tcp/routers", {
            ...(filter !== "" && { search: filter }),
            sortBy: "status",
            per_page: String(MOST),
          }),
          this.#client.get<{ tcp: { routers: { total: number } } }>("overview"),
        ]);
        return { ...figures, routers, routersInAll: tcp.routers.total };
      }
      case "brokers":
        return this.#servers();
      case "refusals":
        return this.#client.get<{ refusals: Refusal[] }>("sluice/refusals", searchOf(lists.refusals.filter));
      case "events":
        return this.#client.get<{ events: Event[] }>("sluice/events", searchOf(lists.events.filter));
    }
  }

  /** @returns what came of it, for the operator. @throws ApiFailure */
  async act(action: Action, reason: string): Promise<string> {
    if (action.kind === "close") {
      const id = encodeURIComponent(action.id);
      await this.#client.send("DELETE", `sluice/connections/${id}`, { reason });
      return "closed";
    }
    const { service, server } = action;
    const path = `sluice/services/${encodeURIComponent(service)}/servers/${encodeURIComponent(server)}/drain`;
    if (action.kind === "undrain") {
      await this.#client.send("DELETE", path, { reason });
      return `${server} is as the configuration says again`;
    }
    await this.#client.send("PUT", path, { reason }, action.policy);
    return `${server} gets no new connections`;
  }

  async #figures({ samples, look }: Data): Promise<Partial<Data>> {
    const past = samples.length === 0 ? await this.#history() : samples;
    const { at, figures } = await this.#client.get<{ at: string; figures: Figure[] }>("sluice/figures", {
      names: NAMES,
    });
    const next = lookAt(at, figures);
    const isNewer = look !== null && next.sample.at > look.sample.at && next.sample.ended >= look.sample.ended;
    return { samples: withSample(past, next.sample), look: next, former: isNewer ? look : null };
  }

  /** What was before; a Sluice that keeps none is watched from now on. */
  async #history(): Promise<readonly Sample[]> {
    try {
      return (await this.#client.get<{ samples: Sample[] }>("sluice/history")).samples;
    } catch (error) {
      if (error instanceof ApiFailure) return [];
      throw error;
    }
  }

  async #servers(): Promise<Partial<Data>> {
    return this.#client.get<{ servers: Server[] }>("sluice/servers");
  }

  async #slow(now: number): Promise<Partial<Data>> {
    if (now - this.#slowAt < SLOW_MS) return {};
    const [version, { diagnostics }, { providers }, { certificates }, { bans }] = await Promise.all([
      this.#client.get<{ Version: string; startDate: string }>("version"),
      this.#client.get<{ diagnostics: Diagnostic[] }>("sluice/diagnostics"),
      this.#client.get<{ providers: Provider[] }>("sluice/providers"),
      this.#client.get<{ certificates: Certificate[] }>("sluice/certificates"),
      this.#client.get<{ bans: Ban[] }>("sluice/bans"),
    ]);
    this.#slowAt = now;
    return { version: version.Version, startedAt: version.startDate, diagnostics, providers, certificates, bans };
  }

  async #connection(mode: State["mode"]): Promise<Data["connection"]> {
    const shown = mode.kind === "question" ? mode.back : mode;
    if (shown.kind !== "detail") return null;
    try {
      return await this.#client.get<Connection>(`sluice/connections/${encodeURIComponent(shown.key)}`);
    } catch (error) {
      if (error instanceof ApiFailure && error.status === 404) return "gone";
      throw error;
    }
  }
}

function searchOf(filter: string): { readonly search?: string } {
  return filter === "" ? {} : { search: filter };
}
