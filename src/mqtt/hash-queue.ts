// Passwords are hashed in threads, a few at a time, and a bounded number of clients waits for that. Above it a client is told to come
// again: a crowd, or someone who guesses, can neither fill the memory nor take the processors from those who are connected.

/**
 * Hashes under way in one worker. Two keep a thread busy while the event loop takes the next one on; more would only take more of the
 * processors, which the workers' event loops have to share with them.
 */
const AT_ONCE = 2;
/** Clients that wait in one worker. */
const MOST_WAITING = 1024;
/** A client that has waited this long is told to come again instead: most have given up by then. Milliseconds. */
const LONGEST_WAIT_MS = 10_000;

export interface HashQueueLimits {
  readonly atOnce: number;
  readonly mostWaiting: number;
  readonly longestWaitMs: number;
}

/** `gone`: who has asked has left before its turn. */
export type HashOutcome = boolean | "busy" | "gone";

interface Waiting {
  readonly since: number;
  readonly work: () => Promise<boolean>;
  readonly isGone: () => boolean;
  readonly resolve: (outcome: HashOutcome) => void;
}

export class HashQueue {
  readonly #limits: HashQueueLimits;
  readonly #now: () => number;
  readonly #waiting: Waiting[] = [];
  #running = 0;

  /** @param now the clock, in milliseconds. */
  constructor(
    limits: HashQueueLimits = { atOnce: AT_ONCE, mostWaiting: MOST_WAITING, longestWaitMs: LONGEST_WAIT_MS },
    now: () => number = () => performance.now(),
  ) {
    this.#limits = limits;
    this.#now = now;
  }

  /**
   * What `work` gives, in its turn; `busy` where too many wait, it would wait for too long, or it fails (as without memory). Nothing is
   * done for a client that is gone when its turn comes: who asks has to stay, so that limits on connections hold for passwords too.
   * Never rejects.
   */
  run(work: () => Promise<boolean>, isGone: () => boolean): Promise<HashOutcome> {
    if (this.#running < this.#limits.atOnce) return this.#start(work);
    if (this.#waiting.length >= this.#limits.mostWaiting) this.#dropGone();
    if (this.#waiting.length >= this.#limits.mostWaiting) return Promise.resolve("busy");
    return new Promise((resolve) => this.#waiting.push({ since: this.#now(), work, isGone, resolve }));
  }

  async #start(work: () => Promise<boolean>): Promise<HashOutcome> {
    this.#running++;
    try {
      return await work();
    } catch {
      return "busy";
    } finally {
      this.#running--;
      this.#advance();
    }
  }

  /** Those who have left keep no place from those who stay: to come, ask and leave at once costs next to nothing. */
  #dropGone(): void {
    const here: Waiting[] = [];
    for (const each of this.#waiting) {
      if (each.isGone()) each.resolve("gone");
      else here.push(each);
    }
    this.#waiting.splice(0, this.#waiting.length, ...here);
  }

  #advance(): void {
    const oldest = this.#now() - this.#limits.longestWaitMs;
    while (this.#waiting.length > 0 && this.#running < this.#limits.atOnce) {
      const { since, work, isGone, resolve } = this.#waiting.shift()!;
      if (isGone()) resolve("gone");
      else if (since < oldest) resolve("busy");
      else void this.#start(work).then(resolve);
    }
  }
}
