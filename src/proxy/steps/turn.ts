// Turn: a handshake waits here while others are under way, so that a crowd that comes at once does not stop the clients that are served.

import { fault } from "../../net/socket.ts";
import { Step } from "../connection.ts";

export class Turn extends Step {
  /** `next` runs now or later; never for a client that has left meanwhile. What it sends meanwhile is held. */
  start(next: () => void): void {
    const { connection } = this;
    connection.edge.turns.run(() => {
      if (!connection.isIn(this)) return;
      try {
        next();
      } catch (error) {
        // As for a defect in a socket's handler: nothing else would ever end this connection.
        fault(error);
        connection.socket.terminate();
      }
    });
  }
}
