// A worker's connections that are to end: those of drained servers, and of what a reload has removed. The master says which and how fast;
// here they are found, counted and closed.
//
// They are looked for again and again, because a dial that began earlier may still come to a server that is drained meanwhile. A look goes
// over all connections, some thousand in a turn of the event loop; nothing is kept of a connection but for the time until the next look.

import type { Turns } from "../net/turns.ts";
import type { FromWorker, Leaving, Narrowed, ToWorker } from "../protocol/messages.ts";
import type { LiveConnection } from "./edge.ts";

/** How often connections are looked for. Milliseconds. */
const LOOK_MS = 1000;
/** Connections that are looked at in one turn of the event loop: it takes a millisecond. */
const SLICE = 5000;

interface Group {
  readonly leaving: Leaving;
  readonly narrowed: Narrowed | null;
  /** Those that the last look has found and that have not been let go since. */
  members: LiveConnection[];
  /** Those that the look under way has found. */
  found: LiveConnection[];
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
  /** The look that is under way; null: none is. */
  #sweep: Iterator<LiveConnection> | null = null;
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
      const group: Group = { leaving, narrowed: which.by === "server" ? null : which, members: [], found: [] };
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
    } else if (isNeeded) this.#timer ??= setInterval(this.#lookAgain, LOOK_MS);
  }

  /** Closes so many connections of a group, whichever. */
  letGo({ id, count }: Extract<ToWorker, { type: "let-go" }>): void {
    const group = this.#groups.get(id);
    if (group === undefined) return;
    // The master counts them as gone. Where as many have come, it has to hear the number that it knows already.
    this.#told = "";
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
    for (const group of this.#groups.values()) group.found = [];
    this.#goOn((this.#sweep = this.#connections[Symbol.iterator]()));
  }

  /** In a worker that is busy one may take longer than that. */
  readonly #lookAgain = (): void => {
    if (this.#sweep === null) this.look();
  };

  #goOn(sweep: Iterator<LiveConnection>): void {
    if (sweep !== this.#sweep) return; // another one has begun
    for (let looked = 0; looked < SLICE; looked++) {
      const { done, value } = sweep.next();
      if (done) return this.#end();
      this.#find(value);
    }
    setImmediate(() => this.#goOn(sweep));
  }

  #find(connection: LiveConnection): void {
    const { serverKey } = connection;
    if (serverKey === "") return;
    const { server, router, service } = this.#by;
    add(server.get(serverKey), connection);
    const { meters } = connection.record;
    if (meters === null) return;
    if (router.size > 0) add(router.get(meters.router), connection);
    if (service.size > 0) add(service.get(meters.service), connection);
  }

  #end(): void {
    this.#sweep = null;
    const counts: [string, number][] = [];
    for (const [id, group] of this.#groups) {
      const { found } = group;
      group.found = [];
      if (found.length > 0) counts.push([id, found.length]);
      if (!group.leaving.atOnce) group.members = found;
      else for (const connection of found) this.#close(connection, group);
    }
    const told = JSON.stringify(counts);
    if (told === this.#told) return;
    this.#told = told;
    this.#tell({ type: "left", round: this.#round, counts });
  }

  #close(connection: LiveConnection, { leaving }: Group): void {
    this.#turns.run(() => {
      if (!connection.isOver) connection.letGo(leaving.reason);
    });
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
  for (const { narrowed, found } of groups)
    if (narrowed === null || isMeant(narrowed, connection)) found.push(connection);
}

function isMeant({ before, entryPoints, servers }: Narrowed, { version, record, serverKey }: LiveConnection): boolean {
  return (
    version < before && (entryPoints?.includes(record.entryPoint) ?? true) && (servers?.includes(serverKey) ?? true)
  );
}
