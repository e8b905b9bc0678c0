// Says on standard error that log lines cannot be written, because the log is where it cannot be said.

import { fstatSync, write } from "node:fs";

/** The same is not said again before this long, whoever finds it: master and workers write to the same place. Milliseconds. */
const QUIET_MS = 60_000;

export class LogFaults {
  readonly #saidAt = new Map<string, number>();

  /** Never waits, as nobody may be reading there either. */
  say(message: string): void {
    const now = performance.now();
    const last = this.#saidAt.get(message);
    if (last !== undefined && now - last < QUIET_MS) return;
    this.#saidAt.set(message, now);
    if (message.startsWith("standard output") && isSame(1, 2)) return;
    write(2, Buffer.from(`sluice: ${message}\n`), () => {});
  }
}

/** Whether two descriptors lead to the same place. */
function isSame(a: number, b: number): boolean {
  try {
    const [one, other] = [fstatSync(a), fstatSync(b)];
    return one.ino === other.ino && one.dev === other.dev;
  } catch {
    return false;
  }
}
