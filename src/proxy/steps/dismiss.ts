// Dismiss: who comes too fast, and would wait too long, is closed here a little later, and is not read meanwhile. Clients that come again as
// soon as they are closed would otherwise come a dozen times a second, and a crowd of them all at once. It gives way to others.

import type { AdmissionReject } from "../../admission/reject.ts";
import type { Wait } from "../../admission/waits.ts";
import { fault } from "../../net/socket.ts";
import { Step } from "../connection.ts";
import type { Stage } from "../meters.ts";

/** How long it is held: half of it for all, and the rest by chance, so that those who have come together do not come together again. */
const HELD_MS = 1000;

export class Dismiss extends Step {
  #wait: Wait | null = null;

  start(reason: AdmissionReject, stage: Stage): void {
    const { connection } = this;
    const { edge, entryPoint, socket } = connection;
    socket.pause();
    this.#wait = entryPoint.admission.dismissals.add(HELD_MS * (0.5 + Math.random()), () => {
      this.#wait = null;
      edge.turns.run(() => {
        if (!connection.isIn(this)) return;
        try {
          connection.socket.resume();
          connection.turnAway(reason, stage);
        } catch (error) {
          fault(error);
          connection.socket.terminate();
        }
      });
    });
  }

  /** Nobody needs what it sends. */
  override onData(): void {}

  override leave(): void {
    super.leave();
    if (this.#wait !== null) this.connection.entryPoint.admission.dismissals.cancel(this.#wait);
  }
}
