// What systemd is told of this service, where it has asked for it (sd_notify(3)): a datagram to the socket that it names. The runtime has no
// Unix datagram sockets.

import { checked, libc, pointerTo } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SUN_PATH = 2;
const MSG_DONTWAIT = 0x40;

type Environment = Record<string, string | undefined>;

export class ServiceManager {
  readonly #socket: string | null;
  /** How often it wants to hear that all is well, in milliseconds; null: it does not. */
  readonly watchdogMs: number | null;

  constructor(environment: Environment) {
    const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: every, WATCHDOG_PID: pid } = environment;
    this.#socket = socket !== undefined && /^[/@]/.test(socket) ? socket : null;
    const ms = Number(every) / 1000;
    // The number is the first process's; one that has followed it is meant all the same.
    const isMeant = pid === undefined || pid === "" || Number(pid) === process.pid;
    this.watchdogMs = this.#socket !== null && isMeant && Number.isFinite(ms) && ms > 0 ? ms : null;
  }

  /** Whether somebody listens, who then follows this service from one process to the next. */
  get isThere(): boolean {
    return this.#socket !== null;
  }

  /** Assignments, as sd_notify(3) has them. What cannot be told is lost. */
  tell(...assignments: readonly string[]): void {
    if (this.#socket !== null) sendDatagram(this.#socket, assignments.join("\n"));
  }
}

/** CLOCK_MONOTONIC in microseconds, as RELOADING=1 has it beside it. */
export function monotonicMicroseconds(): bigint {
  return process.hrtime.bigint() / 1000n;
}

function sendDatagram(path: string, text: string): void {
  const name = Buffer.from(path);
  // An abstract name begins with a zero byte, and ends where its length says.
  if (name[0] === 0x40) name[0] = 0;
  const address = Buffer.alloc(SUN_PATH + name.length);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, SUN_PATH);
  const bytes = Buffer.from(text);
  try {
    const { socket, sendto, close } = libc();
    const fd = checked("socket", socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sendto(fd, pointerTo(bytes), bytes.length, MSG_DONTWAIT, pointerTo(address), address.length);
    close(fd);
  } catch {} // without the C library Sluice has not started
}
