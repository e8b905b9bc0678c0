// Listening sockets that this process was started with: from the Sluice that it is to replace, or from systemd (sd_listen_fds(3)).

import { keepFromChildren, listensAt, type SocketAddress } from "./listening-socket.ts";

/** What a Sluice tells its successor of the sockets that it hands on. */
export const SOCKETS_VARIABLE = "SLUICE_SOCKETS";

/** systemd begins to count here. */
const FIRST = 3;

export interface InheritedSocket {
  readonly fd: number;
  /** Of a predecessor: the entry point's name and its address as configured. Of systemd: FileDescriptorName alone. */
  readonly entryPoint: string | null;
  readonly configured: string | null;
  readonly where: SocketAddress;
}

export interface Inherited {
  readonly sockets: readonly InheritedSocket[];
  /** What was given and cannot be used, fit for an operator. */
  readonly problems: readonly string[];
}

type Environment = Record<string, string | undefined>;
type Given = Pick<InheritedSocket, "fd" | "entryPoint" | "configured">;

/** Takes them, and what tells of them out of the environment: no child shall think that it is meant. */
export function takeInherited(environment: Environment, pid = process.pid): Inherited {
  const problems: string[] = [];
  const given = [...fromPredecessor(environment, problems), ...fromSystemd(environment, pid)];
  for (const name of [SOCKETS_VARIABLE, "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) delete environment[name];
  const sockets: InheritedSocket[] = [];
  for (const each of given) {
    const where = listensAt(each.fd);
    if (where === null) {
      problems.push(`descriptor ${each.fd} (${each.entryPoint ?? "unnamed"}) is no TCP socket that listens`);
      continue;
    }
    keepFromChildren(each.fd);
    sockets.push({ ...each, where });
  }
  return { sockets, problems };
}

/** The value of SOCKETS_VARIABLE for a successor that gets these as its descriptors `first`, `first + 1` and so on. */
export function describeSockets(sockets: readonly Omit<Given, "fd">[], first: number): string {
  return JSON.stringify(sockets.map(({ entryPoint, configured }, at) => ({ fd: first + at, entryPoint, configured })));
}

function fromPredecessor(environment: Environment, problems: string[]): Given[] {
  const text = environment[SOCKETS_VARIABLE];
  if (!text) return [];
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list) && list.every(isGiven)) return list;
  } catch {} // said below
  problems.push(`${SOCKETS_VARIABLE} is for a Sluice that another one starts, and cannot be read`);
  return [];
}

function isGiven(value: unknown): value is Given {
  if (typeof value !== "object" || value === null) return false;
  const { fd, entryPoint, configured } = value as Partial<Record<keyof Given, unknown>>;
  return Number.isInteger(fd) && typeof entryPoint === "string" && typeof configured === "string";
}

function fromSystemd(environment: Environment, pid: number): Given[] {
  const count = Number(environment.LISTEN_FDS);
  // They are for another process when the number is another one's.
  if (Number(environment.LISTEN_PID) !== pid || !Number.isInteger(count) || count <= 0) return [];
  const names = environment.LISTEN_FDNAMES?.split(":") ?? [];
  return Array.from({ length: count }, (_, at) => ({
    fd: FIRST + at,
    entryPoint: names[at] ?? null,
    configured: null,
  }));
}
