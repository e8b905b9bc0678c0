// Hold: a client that comes too fast waits here, in its order. It is paused: what it sends stays with the system, and nothing is read of it.

import type { Wait } from "../../admission/waits.ts";
import { fault } from "../../net/socket.ts";
import { Step } from "../connection.ts";

export class Hold extends Step {
  #wait: Wait | null = null;

  start(ms: number, next: () => void): void {
    const { connection } = this;
    connection.socket.pause();
    this.#wait = connection.entryPoint.admission.waits.add(ms, () => {
      this.#wait = null;
      try {
        connection.socket.resume();
        next();
      } catch (error) {
        fault(error);
        connection.socket.terminate();
      }
    });
  }

  override leave(): void {
    super.leave();
    if (this.#wait !== null) this.connection.entryPoint.admission.waits.cancel(this.#wait);
  }
}
