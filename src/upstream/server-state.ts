// What a worker knows of each server beside its configuration: one object per server of a service, which everything that dials it shares,
// and which stays the same over reloads.

export type Health = "unknown" | "up" | "down";

/** What the master says of a server. */
export interface ServerReport {
  /** Service and address in one word, as in `Target`. */
  readonly key: string;
  /** `unknown`: nobody has looked, or it is configured no more. */
  readonly health: Health;
  /** The master has been told to send nobody there, whatever the configuration says. */
  readonly isDraining: boolean;
  /** Connections that the other workers have open to it. */
  readonly elsewhere: number;
  /** When it came up again after it had been down (Unix time in milliseconds); 0: it has not been down. */
  readonly upSince: number;
}

/** What has changed with one. */
export type ServerChange = Pick<ServerReport, "key"> & Partial<ServerReport>;

/** Of which nothing is known. */
export const NEW_SERVER: Omit<ServerReport, "key"> = { health: "unknown", isDraining: false, elsewhere: 0, upSince: 0 };

export class ServerState {
  readonly key: string;
  health: Health = "unknown";
  isDraining = false;
  /** Connections of this worker, from the choice of the server on. */
  open = 0;
  /** Connections of the other workers, as they were last told. */
  elsewhere = 0;
  upSince = 0;

  constructor(key: string) {
    this.key = key;
  }

  /** Whether a connection goes there while there are others. */
  get isUsable(): boolean {
    return this.health !== "down" && !this.isDraining;
  }

  get isIdle(): boolean {
    return this.health === "unknown" && !this.isDraining && this.open === 0 && this.elsewhere === 0;
  }
}

/** The states of a worker's servers. */
export class ServerStates {
  readonly #states = new Map<string, ServerState>();

  /** The one state of that server. */
  of(key: string): ServerState {
    let state = this.#states.get(key);
    if (state === undefined) this.#states.set(key, (state = new ServerState(key)));
    return state;
  }

  /** It may come before the configuration that has the server. */
  put(reports: readonly ServerReport[]): void {
    for (const { key, health, isDraining, elsewhere, upSince } of reports)
      Object.assign(this.of(key), { health, isDraining, elsewhere, upSince });
  }

  /** Forgets servers that are in no service and of which nothing is known. */
  keep(isConfigured: (key: string) => boolean): void {
    for (const [key, state] of this.#states) if (state.isIdle && !isConfigured(key)) this.#states.delete(key);
  }

  [Symbol.iterator](): Iterator<ServerState> {
    return this.#states.values();
  }
}
