// The master's book of listening sockets. It holds one for each entry point and worker, and the workers inherit them: who waits in the queue
// of a worker that dies waits for the next one with its number. One that hangs or is gone gets no new connections (`steer`).

import type { EntryPointConfig } from "../config/entry-points.ts";
import { formatHostPort } from "../config/scalars.ts";
import type { Logger } from "../observe/logger.ts";
import { longestBacklog } from "../system/accept-queues.ts";
import { describeError } from "../system/errors.ts";
import type { Inherited, InheritedSocket } from "../system/inherited.ts";
import { NoLibraryError } from "../system/libc.ts";
import { addressesOf } from "../system/listen-addresses.ts";
import {
  attachChoice,
  bindAlone,
  bindBeside,
  boundTo,
  closeSocket,
  listenOn,
  type SocketAddress,
  setDeferAccept,
  setKeepAlive,
  setNoDelay,
} from "../system/listening-socket.ts";
import { choiceProgram } from "../system/socket-choice.ts";
import { cannotListen, StartError } from "./start-error.ts";

export const NOTHING_INHERITED: Inherited = { sockets: [], problems: [] };

interface Group {
  readonly point: EntryPointConfig;
  /** In the order in which they began to listen. One alone is every worker's; of more than there are workers some get several. */
  readonly fds: readonly number[];
  /** Connections are accepted when their client has said something. */
  areAwaited?: boolean;
}

/**
 * Proves that entry points can listen, before anything else is done; nobody can connect to them yet.
 * @throws StartError
 */
export async function prove(
  points: Iterable<EntryPointConfig>,
  inherited: Inherited = NOTHING_INHERITED,
): Promise<void> {
  const rest = new Set(inherited.sockets);
  for (const point of points) if (takeOwn(rest, point).length === 0 && point.port !== 0) closeSocket(await open(point));
}

export class Sockets {
  readonly #groups = new Map<string, Group>();
  readonly #workers: number;
  readonly #logger: Logger;
  #off: ReadonlySet<number> = new Set();
  #canSteer = true;

  private constructor(workers: number, logger: Logger) {
    this.#workers = workers;
    this.#logger = logger;
  }

  /**
   * Takes over what was inherited, and opens what is missing. From here on connections wait to be accepted.
   * @throws StartError, and then holds nothing.
   */
  static async open(
    points: Iterable<EntryPointConfig>,
    workers: number,
    logger: Logger,
    inherited: Inherited = NOTHING_INHERITED,
  ): Promise<Sockets> {
    const sockets = new Sockets(workers, logger);
    for (const problem of inherited.problems) logger.warn(`an inherited socket cannot be used: ${problem}`);
    const rest = new Set(inherited.sockets);
    try {
      for (const point of points) {
        const own = takeOwn(rest, point);
        const group: Group = { point, fds: grown(own.length > 0 ? own : [await open(point)], workers, point.backlog) };
        sockets.#groups.set(point.name, group);
        for (const fd of group.fds) prepare(fd, point);
        // What was inherited may be steered otherwise.
        if (own.length > 0 || point.workerSelection === "address") sockets.#choose(group);
        sayBacklog(point, logger);
      }
    } catch (error) {
      sockets.close();
      throw error;
    }
    for (const { fd, entryPoint, where } of rest) {
      const address = formatHostPort(where.address, where.port);
      logger.warn({ entryPoint, address }, "an inherited socket is no entry point's, and is closed");
      closeSocket(fd);
    }
    return sockets;
  }

  /** The descriptors on which a worker accepts connections of an entry point. */
  of(entryPoint: string, worker: number): readonly number[] {
    const { fds } = this.#groups.get(entryPoint)!;
    return this.#numbersOf(fds, worker).map((at) => fds[at]!);
  }

  /** A worker has begun to accept: the runtime has listened once more, with a backlog of its own. */
  accepted(worker: number): void {
    for (const { point, fds } of this.#groups.values())
      for (const at of this.#numbersOf(fds, worker)) listenOn(fds[at]!, point.backlog);
  }

  /** The ports by entry point, also where the configuration leaves them to the system. */
  get ports(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#groups.values()].map(({ point, fds }) => [point.name, boundTo(fds[0]!)!.port]));
  }

  /** From now on these workers get no new connections, as far as others can have them. */
  steer(off: ReadonlySet<number>): void {
    if (off.size === this.#off.size && [...off].every((each) => this.#off.has(each))) return;
    this.#off = new Set(off);
    for (const group of this.#groups.values()) this.#choose(group);
  }

  /** From now on connections of these entry points are accepted when their client has said something, those of others at once. */
  whereClientsSpeakFirst(names: ReadonlySet<string>): void {
    for (const [name, group] of this.#groups) {
      const areAwaited = names.has(name);
      if (group.areAwaited === areAwaited) continue;
      group.areAwaited = areAwaited;
      for (const fd of group.fds) setDeferAccept(fd, areAwaited ? AWAITED_S : 0);
    }
  }

  /** What a successor gets: descriptors, and what is to be told of each, in the same order. */
  handedOn(): {
    readonly fds: readonly number[];
    readonly about: readonly { entryPoint: string; configured: string }[];
  } {
    const all = [...this.#groups.values()].flatMap(({ point, fds }) => fds.map((fd) => ({ fd, point })));
    return {
      fds: all.map(({ fd }) => fd),
      about: all.map(({ point: { name, address } }) => ({ entryPoint: name, configured: address })),
    };
  }

  /** Gives them up: what others hold goes on, the rest is closed. */
  close(): void {
    for (const { fds } of this.#groups.values()) for (const fd of fds) closeSocket(fd);
    this.#groups.clear();
  }

  /** Which of a group are a worker's. */
  #numbersOf(fds: readonly number[], worker: number): number[] {
    if (fds.length < this.#workers) return [worker % fds.length];
    return [...fds.keys()].filter((at) => at % this.#workers === worker);
  }

  #choose({ point, fds }: Group): void {
    // One is everybody's: who is well takes what there is.
    if (fds.length < 2 || !this.#canSteer) return;
    const off = new Set(fds.keys());
    for (let worker = 0; worker < this.#workers; worker++)
      if (!this.#off.has(worker)) for (const at of this.#numbersOf(fds, worker)) off.delete(at);
    try {
      attachChoice(fds[0]!, choiceProgram(point.workerSelection, fds.length, off));
    } catch (error) {
      this.#canSteer = false;
      this.#logger.warn(
        `the system does not let Sluice choose which worker gets a connection (${describeError(error)}): workerSelection does nothing, and connections for a worker that hangs or is gone wait for the next one`,
      );
    }
  }
}

/** A predecessor's go by name and address, or by address alone where that says which; systemd's by name, or by where they listen. */
function takeOwn(rest: Set<InheritedSocket>, { name, address, host, port }: EntryPointConfig): number[] {
  const all = [...rest];
  const listensThere = ({ where }: InheritedSocket) => where.port === port && (host === "" || where.address === host);
  const tests: ((each: InheritedSocket) => boolean)[] = [
    ({ entryPoint, configured }) => entryPoint === name && configured === address,
    ({ configured }) => port !== 0 && configured === address,
    ({ entryPoint, configured }) => configured === null && entryPoint === name,
    (each) => port !== 0 && each.configured === null && listensThere(each),
  ];
  const own = tests.map((test) => all.filter(test)).find((found) => found.length > 0) ?? [];
  for (const each of own) rest.delete(each);
  return own.map(({ fd }) => fd);
}

/**
 * One for each worker. Where the system does not let others listen beside what is there, all share that: systemd's are bound exclusively, or
 * by another user.
 */
function grown(fds: readonly number[], workers: number, backlog: number): number[] {
  const where = boundTo(fds[0]!)!;
  const all = [...fds];
  try {
    while (all.length < workers) {
      const fd = bindBeside(where);
      all.push(fd);
      listenOn(fd, backlog);
    }
    return all;
  } catch {
    for (const fd of all.slice(fds.length)) closeSocket(fd);
    return [...fds];
  }
}

/** How long a connection whose client says nothing is kept from the workers. Seconds. */
const AWAITED_S = 1;

function sayBacklog({ name, backlog }: EntryPointConfig, logger: Logger): void {
  const most = longestBacklog();
  if (most !== null && most < backlog)
    logger.warn(
      { entryPoint: name, backlog, most },
      "the system lets fewer connections wait than the backlog of an entry point: raise sysctl net.core.somaxconn, or lower backlog",
    );
}

async function open(point: EntryPointConfig): Promise<number> {
  try {
    const addresses = await addressesOf(point.host);
    for (const [at, address] of addresses.entries()) {
      try {
        return listening({ address, port: point.port }, point.backlog);
      } catch (error) {
        if (at === addresses.length - 1) throw error;
      }
    }
  } catch (error) {
    if (error instanceof NoLibraryError) throw noLibrary(error);
    throw cannotListen(point, error);
  }
  throw cannotListen(point, Object.assign(new Error("the name has no address"), { code: "ENOTFOUND" }));
}

function listening(where: SocketAddress, backlog: number): number {
  const fd = bindAlone(where);
  try {
    listenOn(fd, backlog);
    return fd;
  } catch (error) {
    closeSocket(fd);
    throw error;
  }
}

/** Options that every connection has from its listener. */
function prepare(fd: number, { keepAliveMs, backlog }: EntryPointConfig): void {
  setNoDelay(fd);
  setKeepAlive(fd, keepAliveMs);
  listenOn(fd, backlog);
}

function noLibrary({ message }: NoLibraryError): StartError {
  return new StartError(
    `Sluice cannot make listening sockets: ${message}. It needs glibc or musl, and a system that lets it load code: see to what forbids that (seccomp, SELinux, MemoryDenyWriteExecute= of systemd)`,
  );
}
