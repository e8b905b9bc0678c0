// What changes by time alone: certificates and revocation lists begin, near their end, and end. It is told of then, not at the next
// change of a file, which may be months away.

import { EXPIRY_WARNING_MS } from "../compile/certificates.ts";
import type { Compiled } from "../compile/compile.ts";
import { CRL_WARNING_MS } from "../tls/revocation-remarks.ts";
import { CLOCK_FLOOR } from "../version.ts";

/** Clearly past the moment, whatever the timer's accuracy. */
const PAST_MS = 100;
/** The clock is looked at this often: it may be set, as on a device that starts in 1970 and then hears of the time. */
const LOOK_MS = 30_000;
/** So many reminders come in so long, and no more: 10 000 certificates of one day must not be 10 000 reloads. */
const BURST = 10;
const WINDOW_MS = 3_600_000;

/** The moments at which a load would find something else. Milliseconds since the epoch. */
export function momentsOf({ certificates, revocations }: Compiled, waiting: readonly number[]): number[] {
  return [
    CLOCK_FLOOR,
    ...waiting,
    ...revocations.flatMap(({ ends }) => ends.flatMap((end) => [end - CRL_WARNING_MS, end])),
    // A resolver renews its certificates, so only their end is news.
    ...certificates.flatMap(({ source, notBefore, notAfter }) =>
      source === null ? [notAfter] : [notBefore, notAfter - EXPIRY_WARNING_MS, notAfter],
    ),
  ];
}

export class Reminder {
  readonly #due: () => void;
  readonly #look: number;
  readonly #window: number;
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** The moments around the last load: the clock has to stay between them. */
  #last = Number.NEGATIVE_INFINITY;
  #next = Number.POSITIVE_INFINITY;
  /** When the last ones came, BURST of them at most. */
  readonly #times: number[] = [];

  /** `due` is called when a moment has passed; `lookMs` and `windowMs` are for tests. */
  constructor(due: () => void, lookMs = LOOK_MS, windowMs = WINDOW_MS) {
    this.#due = due;
    this.#look = lookMs;
    this.#window = windowMs;
  }

  /**
   * In the place of former moments. `loadedAt` is when the load began that they are of, by the wall clock: those that had passed by then
   * do not count, and one that passed while it went on is due at once.
   */
  set(moments: readonly number[], loadedAt = Date.now()): void {
    this.close();
    this.#last = Number.NEGATIVE_INFINITY;
    this.#next = Number.POSITIVE_INFINITY;
    for (const moment of moments) {
      if (moment + PAST_MS > loadedAt) this.#next = Math.min(this.#next, moment);
      else this.#last = Math.max(this.#last, moment);
    }
    if (moments.length > 0) this.#wait();
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #wait(): void {
    const left = this.#left();
    this.#timer = setTimeout(() => (this.#left() > 0 ? this.#wait() : this.#remind()), Math.min(left, this.#look));
    this.#timer.unref();
  }

  /** By the wall clock until the moment, and by the steady one until the next reminder may come. */
  #left(): number {
    const mayComeAt = this.#times.length < BURST ? 0 : this.#times[0]! + this.#window;
    const now = Date.now();
    // Set back to before what has passed: that is yet to come again.
    const due = now < this.#last ? now : this.#next + PAST_MS;
    return Math.max(0, due - now, mayComeAt - performance.now());
  }

  #remind(): void {
    this.#timer = null;
    this.#times.push(performance.now());
    if (this.#times.length > BURST) this.#times.shift();
    this.#due();
  }
}
