// Services of which no server can be reached. While that is so their clients are refused at once, and one in a while is sent to find out:
// a dial for each of a crowd that comes back again and again would keep descriptors, and whoever waits for it, for nothing.

/** Between two clients that try. Milliseconds. */
const TRIAL_MS = 1000;

export class Outages {
  /** By service: when the next client may try. */
  readonly #services = new Map<string, number>();
  readonly #now: () => number;

  /** `now` is the clock; milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Whether a client of the service is to be refused. Who is not, of a service that is down, is the one that tries. */
  refuses(service: string): boolean {
    if (this.#services.size === 0) return false;
    const next = this.#services.get(service);
    if (next === undefined) return false;
    const now = this.#now();
    if (now < next) return true;
    this.#services.set(service, now + TRIAL_MS);
    return false;
  }

  /** All of its servers have been dialled in vain. */
  begin(service: string): void {
    this.#services.set(service, this.#now() + TRIAL_MS);
  }

  /** One of its servers was reached. */
  end(service: string): void {
    if (this.#services.size > 0) this.#services.delete(service);
  }

  /** A server has come up, or the configuration has changed: everybody may try. */
  clear(): void {
    this.#services.clear();
  }
}
