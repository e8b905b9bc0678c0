// Which client id sits on which server, for services with `takeover: close`: one that a server has let in again, elsewhere, ends its older
// connection, as one broker does. Only the server's CONNACK says that it is let in: who cannot log in throws nobody out.

import type { Lease } from "../middlewares/middleware.ts";
import type { ClientAt, Shares } from "../protocol/shares.ts";

/** A connection that can be ended. */
export interface Replaceable {
  letGo(reason: "taken-over"): void;
}

interface Seat {
  readonly connection: Replaceable;
  readonly address: string;
  /** Whether the master has put it in its order: what it tells of others before is older than this. */
  isOrdered: boolean;
}

export class Takeovers {
  readonly #worker: number;
  /** Tells the other workers; null: there are none. */
  readonly #tell: ((letIn: Shares["letIn"][number]) => void) | null;
  readonly #seats = new Map<string, Seat>();

  constructor(worker: number, tell: ((letIn: Shares["letIn"][number]) => void) | null) {
    this.#worker = worker;
    this.#tell = tell;
  }

  get size(): number {
    return this.#seats.size;
  }

  /** The server has let the client in. Until the lease is given back, the connection is the one of this client. */
  letIn(at: ClientAt, connection: Replaceable): Lease {
    const name = nameOf(at);
    const former = this.#seats.get(name);
    const seat: Seat = { connection, address: at.address, isOrdered: false };
    this.#seats.set(name, seat);
    this.#tell?.({ ...at, worker: this.#worker });
    if (former !== undefined && former.address !== at.address) former.connection.letGo("taken-over");
    return {
      release: () => {
        if (this.#seats.get(name) === seat) this.#seats.delete(name);
      },
    };
  }

  /** What the master says of all workers, in its order. Of two that came at once the later one in that order stays, for every worker. */
  put(letIn: Shares["letIn"]): void {
    for (const at of letIn) {
      const seat = this.#seats.get(nameOf(at));
      if (seat === undefined) continue;
      if (at.worker === this.#worker) seat.isOrdered ||= seat.address === at.address;
      else if (seat.isOrdered && seat.address !== at.address) seat.connection.letGo("taken-over");
    }
  }
}

function nameOf({ service, client }: ClientAt): string {
  return `${client} ${service}`;
}
