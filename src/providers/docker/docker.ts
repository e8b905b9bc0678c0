// The provider docker: routes from the labels of containers. It asks for all of them once, and then for those that an event names.

import { lookup } from "node:dns/promises";
import type { Engine, Reading } from "../engine.ts";
import type { Surroundings } from "./address.ts";
import { ApiError, type DockerApi } from "./api.ts";
import { type Container, type Listed, readContainer, readList } from "./container.ts";
import { type Choices, type Gift, giveOf } from "./give.ts";
import { isForSluice } from "./labels.ts";
import { mergeParts } from "./parts.ts";
import { findSelf, isInContainer } from "./self.ts";
import { aborted, followEvents } from "./stream.ts";

/** Events may get lost, and a stream may be dead without anybody having closed it: then everything is looked at this often. */
const RESYNC_MS = 60_000;
/** Questions at a time. */
const AT_ONCE = 8;
/** Containers that are asked for by their ids; for more of them everything is. */
const MAX_SOME = 32;
/** Docker says die and destroy where Podman says died and remove. Others, such as each run of a health check, are not even sent. */
const EVENTS = ["create", "start", "die", "died", "stop", "destroy", "remove", "rename", "pause", "unpause", "update"];
const FILTERS = { type: ["container", "network"], event: [...EVENTS, "health_status", "connect", "disconnect"] };

interface Known {
  readonly listed: Listed;
  /** null: nothing of it is needed. */
  readonly container: Container | null;
  /** What it gave, for as long as it and the surroundings stay the same. */
  gift: Gift | null;
}

export class DockerEngine implements Engine {
  readonly name = "docker";
  readonly place: string;
  readonly #api: DockerApi;
  readonly #choices: Choices;
  readonly #isWatched: boolean;
  #known = new Map<string, Known>();
  #surroundings: Surroundings = { networks: null, host: "127.0.0.1" };
  /** The container that Sluice runs in. */
  #self: string | null = null;
  /** Everything is to be looked at. */
  #isAllStale = true;
  readonly #stale = new Set<string>();

  /** `isWatched`: whether changes are followed; otherwise it is read when somebody asks for it. */
  constructor(api: DockerApi, choices: Choices, isWatched: boolean) {
    this.#api = api;
    this.#choices = choices;
    this.#isWatched = isWatched;
    this.place = `docker ${api.place}`;
  }

  async read(signal: AbortSignal): Promise<Reading> {
    // Without anything that has changed somebody asks for everything.
    const isAll = this.#isAllStale || this.#stale.size === 0;
    const stale = new Set(this.#stale);
    this.#isAllStale = false;
    this.#stale.clear();
    try {
      if (isAll) await this.#readAll(stale, signal);
      else await this.#readSome(stale, signal);
    } catch (error) {
      this.#isAllStale = true;
      this.#api.forget();
      throw error;
    }
    return this.#reading();
  }

  async watch(changed: () => void, signal: AbortSignal): Promise<void> {
    if (!this.#isWatched) return aborted(signal);
    const all = () => {
      this.#isAllStale = true;
      changed();
    };
    const resync = setInterval(
      () => this.#isAsKnown(signal).then((isSo) => isSo || signal.aborted || all()),
      RESYNC_MS,
    );
    try {
      await followEvents(this.#api, FILTERS, signal, all, (event) => {
        const id = aboutWhom(event);
        if (id === null || !this.#matters(id)) return;
        this.#stale.add(id);
        // Sluice's own networks decide about everybody's.
        if (id === this.#self || this.#stale.size > MAX_SOME) this.#isAllStale = true;
        changed();
      });
    } finally {
      clearInterval(resync);
    }
  }

  async close(): Promise<void> {
    this.#known.clear();
  }

  /** Whether something that happened to a container can change anything: one that was looked at, and is nobody's concern, stays so. */
  #matters(id: string): boolean {
    const known = this.#known.get(id);
    if (known === undefined || known.container !== null || id === this.#self) return true;
    // It is being asked about, and the answer may be older than what has happened.
    return isForSluice(known.listed.labels);
  }

  /** Whether the list is what it was: most of the time nothing has got lost. */
  async #isAsKnown(signal: AbortSignal): Promise<boolean> {
    try {
      const list = readList(await this.#api.get("/containers/json?all=1", signal));
      return (
        list.length === this.#known.size && list.every(({ id, mark }) => this.#known.get(id)?.listed.mark === mark)
      );
    } catch {
      // To be found out, and said, by a reading.
      return false;
    }
  }

  async #readAll(stale: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const list = readList(await this.#api.get("/containers/json?all=1", signal));
    const self = findSelf(list);
    this.#self = self?.id ?? null;
    await this.#look(self);
    const former = this.#known;
    this.#known = new Map();
    for (const listed of list) {
      const known = former.get(listed.id);
      const isSame = known !== undefined && known.listed.mark === listed.mark && !stale.has(listed.id);
      if (isSame) this.#known.set(listed.id, known);
      else this.#take(listed);
    }
    await this.#complete(signal);
  }

  /** Only those that something has happened to. */
  async #readSome(stale: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const filters = encodeURIComponent(JSON.stringify({ id: [...stale] }));
    const list = readList(await this.#api.get(`/containers/json?all=1&filters=${filters}`, signal));
    for (const id of stale) this.#known.delete(id);
    for (const listed of list) if (stale.has(listed.id)) this.#take(listed);
    await this.#complete(signal);
  }

  #take(listed: Listed): void {
    const container = isForSluice(listed.labels) ? listed.container : null;
    this.#known.set(listed.id, { listed, container, gift: null });
  }

  /** Asks for what the list does not say of the containers that are for Sluice. */
  async #complete(signal: AbortSignal): Promise<void> {
    const lacking = [...this.#known.values()].filter(
      ({ listed, container }) => container === null && isForSluice(listed.labels),
    );
    await this.#inspect(
      lacking.map(({ listed }) => listed.id),
      signal,
    );
    await this.#inspectShared(signal);
  }

  /** Containers whose network others share, who are of no interest otherwise. */
  async #inspectShared(signal: AbortSignal): Promise<void> {
    for (let depth = 0; depth < 2; depth++) {
      const lacking = [...this.#known.values()].flatMap(({ container }) => {
        const id = /^container:(.+)$/.exec(container?.networkMode ?? "")?.[1];
        return id !== undefined && this.#known.get(id)?.container === null ? [id] : [];
      });
      if (lacking.length === 0) break;
      await this.#inspect([...new Set(lacking)], signal);
    }
    // The other one may have another address by now.
    for (const known of this.#known.values())
      if (known.container?.networkMode.startsWith("container:")) known.gift = null;
  }

  async #inspect(ids: readonly string[], signal: AbortSignal): Promise<void> {
    const left = [...ids];
    const one = async () => {
      for (let id = left.pop(); id !== undefined; id = left.pop()) await this.#inspectOne(id, signal);
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, left.length) }, one));
  }

  async #inspectOne(id: string, signal: AbortSignal): Promise<void> {
    const { listed } = this.#known.get(id)!;
    try {
      const container = readContainer(await this.#api.get(`/containers/${encodeURIComponent(id)}/json`, signal));
      this.#known.set(id, { listed, container, gift: null });
    } catch (error) {
      // Gone since it was listed.
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
      this.#known.delete(id);
    }
  }

  /** Looks around; when something is different, everybody's address may be. */
  async #look(self: Listed | null): Promise<void> {
    const own = self?.networks.filter((name) => name !== "host" && name !== "none") ?? [];
    const networks = own.length === 0 ? null : new Set(own);
    const host = isInContainer() && networks !== null ? await hostFromWithin() : "127.0.0.1";
    const { networks: formerNetworks, host: formerHost } = this.#surroundings;
    if (host === formerHost && [...(networks ?? [])].join("\0") === [...(formerNetworks ?? [])].join("\0")) return;
    this.#surroundings = { networks, host };
    for (const known of this.#known.values()) known.gift = null;
  }

  #reading(): Reading {
    const find = (id: string) => this.#known.get(id)?.container ?? null;
    const gifts = [...this.#known.values()].flatMap((known) => {
      const { container } = known;
      if (container === null) return [];
      known.gift ??= giveOf(container, this.#choices, this.#surroundings, find);
      return [{ container, gift: known.gift }];
    });
    // The older goes first: whoever comes later takes nothing from those that serve.
    gifts.sort((a, b) => compare(a.container.created, b.container.created) || compare(a.container.id, b.container.id));
    const { entries, remarks } = mergeParts(gifts.flatMap(({ gift: { given } }) => (given === null ? [] : [given])));
    return { content: entries, remarks: [...gifts.flatMap(({ gift }) => gift.remarks), ...remarks] };
  }
}

/** The id of the container that an event is about. */
function aboutWhom(event: unknown): string | null {
  const { Type, Actor, id } = (event ?? {}) as { Type?: unknown; Actor?: unknown; id?: unknown };
  const { ID, Attributes } = (Actor ?? {}) as { ID?: unknown; Attributes?: { container?: unknown } | null };
  // Podman names the container in the place of the network.
  const whom = Type === "network" ? (Attributes?.container ?? ID) : (ID ?? id);
  return typeof whom === "string" && whom !== "" ? whom : null;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The host, as it is called within containers; Docker's name for it first. */
async function hostFromWithin(): Promise<string> {
  for (const name of ["host.docker.internal", "host.containers.internal"])
    try {
      return (await lookup(name, { family: 4 })).address;
    } catch {} // it is not called that here
  return "127.0.0.1";
}
