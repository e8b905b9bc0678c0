// Ask: the middlewares of a route, one after the other, whether the client may pass. One that answers at once costs no wait.

import type { Middleware, Refused, Verdict } from "../../middlewares/middleware.ts";
import { fault } from "../../net/socket.ts";
import { type Connection, Step } from "../connection.ts";

export class Ask extends Step {
  readonly #middlewares: readonly Middleware[];
  readonly #next: (refused: Refused | null) => void;
  #asked = 0;

  constructor(connection: Connection, middlewares: readonly Middleware[], next: (refused: Refused | null) => void) {
    super(connection);
    this.#middlewares = middlewares;
    this.#next = next;
  }

  start(): void {
    while (this.#asked < this.#middlewares.length) {
      const middleware = this.#middlewares[this.#asked++]!;
      const verdict = this.connection.verdictOf(middleware) ?? middleware.judge(this.connection);
      if (verdict instanceof Promise) {
        verdict.then((late) => this.#resume(middleware, late)).catch((error) => this.#fail(error));
        return;
      }
      if (!this.#take(verdict)) return;
    }
    this.#next(null);
  }

  #resume(middleware: Middleware, late: Verdict): void {
    this.connection.settle(middleware, late);
    if (this.#take(late)) this.start();
  }

  /** As for a defect in a socket's handler. */
  #fail(error: unknown): void {
    fault(error);
    this.connection.socket.terminate();
  }

  /** Whether to ask the next one. A lease that comes too late is given back at once. */
  #take(verdict: Verdict): boolean {
    if (!this.connection.isIn(this)) {
      if (verdict.kind === "pass") verdict.lease?.release();
      return false;
    }
    if (verdict.kind === "refuse") {
      this.#next(verdict);
      return false;
    }
    this.connection.note(verdict);
    return true;
  }
}
