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

interface Waiting {
  readonly since: number;
  readonly work: () => Promise<boolean>;
  readonly resolve: (outcome: boolean | "busy") => void;
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

  /** What `work` gives, in its turn; `busy` where too many wait, it would wait for too long, or it fails (as without memory). Never rejects. */
  run(work: () => Promise<boolean>): Promise<boolean | "busy"> {
    if (this.#running < this.#limits.atOnce) return this.#start(work);
    if (this.#waiting.length >= this.#limits.mostWaiting) return Promise.resolve("busy");
    return new Promise((resolve) => this.#waiting.push({ since: this.#now(), work, resolve }));
  }

  async #start(work: () => Promise<boolean>): Promise<boolean | "busy"> {
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

  #advance(): void {
    const oldest = this.#now() - this.#limits.longestWaitMs;
    while (this.#waiting.length > 0 && this.#running < this.#limits.atOnce) {
      const { since, work, resolve } = this.#waiting.shift()!;
      if (since < oldest) resolve("busy");
      else void this.#start(work).then(resolve);
    }
  }
}
