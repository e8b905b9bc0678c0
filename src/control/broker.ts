// Keeps the embedded broker running, as the supervisor keeps workers.

import type { Subprocess } from "bun";
import type { FromBroker, ToBroker } from "../broker/embedded.ts";
import { formatHostPort, parseHostPort } from "../config/scalars.ts";
import type { Logger } from "../observe/logger.ts";
import { spawnSelf } from "../system/spawn.ts";
import { Restarts } from "./restarts.ts";
import { brokerCannotListen, StartError } from "./start-error.ts";

export class BrokerKeeper {
  readonly #address: string;
  readonly #logger: Logger;
  readonly #restarts = new Restarts();
  #child: Subprocess | null = null;
  #stopping = false;

  /** `address` is embeddedBroker.address. */
  constructor(address: string, logger: Logger) {
    this.#address = address;
    this.#logger = logger;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /**
   * Resolves to its address when it listens.
   * @throws StartError when it cannot.
   */
  async start(): Promise<string> {
    const address = parseHostPort(this.#address);
    if (address.kind === "error") throw new StartError(`embeddedBroker.address: ${address.message}`);
    // It admits everyone, so without a host it is for this machine alone.
    const host = address.host || "127.0.0.1";
    return new Promise((resolve, reject) => {
      this.#spawn({ type: "start", host, port: address.port }, (told) => {
        if (told.type === "listening") resolve(formatHostPort(host, told.port));
        else reject(brokerCannotListen(this.#address, address.port, told));
      });
    });
  }

  /** From now on it is not restarted when it dies. */
  stopRestarting(): void {
    this.#stopping = true;
  }

  kill(signal?: "SIGKILL"): void {
    this.#stopping = true;
    this.#child?.kill(signal);
  }

  #spawn(start: ToBroker, onTold: (told: FromBroker) => void): void {
    const startedAt = performance.now();
    this.#child = spawnSelf("broker", {
      ipc: (message) => onTold(message as FromBroker),
      onExit: (code, signal) => {
        if (this.#stopping) return;
        const wait = this.#restarts.next(performance.now() - startedAt);
        this.#logger.error(
          { how: signal ?? `exit code ${code}`, restartInMs: wait },
          "the embedded broker died and is replaced",
        );
        setTimeout(() => {
          if (!this.#stopping) this.#spawn(start, onTold);
        }, wait);
      },
    });
    this.#child.send(start);
  }
}
