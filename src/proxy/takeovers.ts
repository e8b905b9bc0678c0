// Which client id sits on which server, for services with `takeover: close`: one that a server has let in again, elsewhere, ends its older
// connection, as one broker does. Only the server's CONNACK says that it is let in: who cannot log in throws nobody out.

import type { Lease } from "../middlewares/middleware.ts";
import type { ClientAt, LetIn } from "../protocol/shares.ts";

/** A connection that can be ended. */
export interface Replaceable {
  letGo(reason: "taken-over"): void;
}

interface Seat {
  readonly connection: Replaceable;
  readonly address: string;
  readonly at: number;
}

export class Takeovers {
  readonly #worker: number;
  /** Tells the other workers; null: there are none. */
  readonly #tell: ((letIn: LetIn) => void) | null;
  readonly #now: () => number;
  readonly #seats = new Map<string, Seat>();

  /** `now` is Unix time in milliseconds, the same for all workers. */
  constructor(worker: number, tell: ((letIn: LetIn) => void) | null, now: () => number = Date.now) {
    this.#worker = worker;
    this.#tell = tell;
    this.#now = now;
  }

  get size(): number {
    return this.#seats.size;
  }

  /** The server has let the client in. Until the lease is given back, the connection is the one of this client. */
  letIn(client: ClientAt, connection: Replaceable): Lease {
    const name = nameOf(client);
    const former = this.#seats.get(name);
    const seat: Seat = { connection, address: client.address, at: this.#now() };
    this.#seats.set(name, seat);
    this.#tell?.({ ...client, worker: this.#worker, at: seat.at });
    if (former !== undefined && former.address !== seat.address) former.connection.letGo("taken-over");
    return {
      release: () => {
        if (this.#seats.get(name) === seat) this.#seats.delete(name);
      },
    };
  }

  /** What has happened in all workers. An older one in another worker is ended there, when that one hears of it. */
  put(letIn: readonly LetIn[]): void {
    for (const other of letIn) {
      if (other.worker === this.#worker) continue;
      const seat = this.#seats.get(nameOf(other));
      if (seat === undefined || seat.address === other.address) continue;
      const isOlder = seat.at === other.at ? this.#worker < other.worker : seat.at < other.at;
      if (isOlder) seat.connection.letGo("taken-over");
    }
  }
}

function nameOf({ service, client }: ClientAt): string {
  return `${client} ${service}`;
}
