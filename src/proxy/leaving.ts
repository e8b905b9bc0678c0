// A worker's connections that are to end: those of drained servers, and of what a reload has removed. The master says which and how fast;
// here they are found, counted and closed.
//
// They are looked for again and again, because a dial that began earlier may still come to a server that is drained meanwhile. A look goes
// over all connections and takes some milliseconds for 100 000; nothing is kept of a connection but for the time until the next look.

import type { Turns } from "../net/turns.ts";
import type { FromWorker, Leaving, Narrowed, ToWorker } from "../protocol/messages.ts";
import type { LiveConnection } from "./edge.ts";

/** How often connections are looked for. Milliseconds. */
const LOOK_MS = 1000;

interface Group {
  readonly leaving: Leaving;
  readonly narrowed: Narrowed | null;
  /** Those that the last look has found and that have not been let go since. */
  members: LiveConnection[];
}

type Found = Map<string, Group[]>;

export class LeavingConnections {
  readonly #connections: Iterable<LiveConnection>;
  readonly #turns: Pick<Turns, "run">;
  readonly #tell: (message: Extract<FromWorker, { type: "left" }>) => void;
  readonly #random: () => number;
  readonly #groups = new Map<string, Group>();
  /** The groups, by what they are found by. */
  readonly #by: Readonly<Record<Leaving["which"]["by"], Found>> = {
    server: new Map(),
    router: new Map(),
    service: new Map(),
  };
  #round = 0;
  #told = "";
  #timer: ReturnType<typeof setInterval> | null = null;

  constructor(
    connections: Iterable<LiveConnection>,
    turns: Pick<Turns, "run">,
    tell: (message: Extract<FromWorker, { type: "left" }>) => void,
    random = Math.random,
  ) {
    this.#connections = connections;
    this.#turns = turns;
    this.#tell = tell;
    this.#random = random;
  }

  change({ round, put, drop }: Extract<ToWorker, { type: "leaving" }>): void {
    for (const id of drop) this.#remove(id);
    for (const leaving of put) {
      this.#remove(leaving.id);
      const { which } = leaving;
      const group: Group = { leaving, narrowed: which.by === "server" ? null : which, members: [] };
      this.#groups.set(leaving.id, group);
      const name = which.by === "server" ? which.key : which.name;
      const others = this.#by[which.by].get(name);
      if (others === undefined) this.#by[which.by].set(name, [group]);
      else others.push(group);
    }
    this.#round = round;
    this.#told = "";
    this.look();
    const isNeeded = this.#groups.size > 0;
    if (!isNeeded && this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    } else if (isNeeded) this.#timer ??= setInterval(() => this.look(), LOOK_MS);
  }

  /** Closes so many connections of a group, whichever. */
  letGo({ id, count }: Extract<ToWorker, { type: "let-go" }>): void {
    const group = this.#groups.get(id);
    if (group === undefined) return;
    const { members } = group;
    for (let left = count; left > 0 && members.length > 0; ) {
      const at = Math.floor(this.#random() * members.length);
      const connection = members[at]!;
      members[at] = members.at(-1)!;
      members.pop();
      if (connection.isOver) continue;
      this.#close(connection, group);
      left--;
    }
  }

  /** Finds them anew, closes those that are to end at once, and tells how many there are when that has changed. */
  look(): void {
    for (const group of this.#groups.values()) group.members = [];
    const { server, router, service } = this.#by;
    for (const connection of this.#connections) {
      const { serverKey } = connection;
      if (serverKey === "") continue;
      const { meters } = connection.record;
      add(server.get(serverKey), connection);
      if (meters === null) continue;
      if (router.size > 0) add(router.get(meters.router), connection);
      if (service.size > 0) add(service.get(meters.service), connection);
    }
    const counts: [string, number][] = [];
    for (const [id, group] of this.#groups) {
      const { length } = group.members;
      if (length > 0) counts.push([id, length]);
      if (!group.leaving.atOnce) continue;
      for (const connection of group.members) this.#close(connection, group);
      group.members = [];
    }
    const told = JSON.stringify(counts);
    if (told === this.#told) return;
    this.#told = told;
    this.#tell({ type: "left", round: this.#round, counts });
  }

  #close(connection: LiveConnection, { leaving }: Group): void {
    this.#turns.run(() => connection.letGo(leaving.reason));
  }

  #remove(id: string): void {
    const group = this.#groups.get(id);
    if (group === undefined) return;
    this.#groups.delete(id);
    const { which } = group.leaving;
    const name = which.by === "server" ? which.key : which.name;
    const others = this.#by[which.by].get(name)!.filter((each) => each !== group);
    if (others.length === 0) this.#by[which.by].delete(name);
    else this.#by[which.by].set(name, others);
  }
}

function add(groups: readonly Group[] | undefined, connection: LiveConnection): void {
  if (groups === undefined) return;
  for (const { narrowed, members } of groups)
    if (narrowed === null || isMeant(narrowed, connection)) members.push(connection);
}

function isMeant({ before, entryPoints, servers }: Narrowed, { version, record, serverKey }: LiveConnection): boolean {
  return (
    version < before && (entryPoints?.includes(record.entryPoint) ?? true) && (servers?.includes(serverKey) ?? true)
  );
}
