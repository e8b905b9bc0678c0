// Turn: a handshake waits here while others are under way, so that a crowd that comes at once does not stop the clients that are served;
// and while it would be over a limit of the entry point. Who waits for a limit is paused: what it sends stays with the system.

import type { AdmissionReject } from "../../admission/reject.ts";
import type { Wait } from "../../admission/waits.ts";
import { fault } from "../../net/socket.ts";
import type { HandshakePlace } from "../admission.ts";
import { Step } from "../connection.ts";

export class Turn extends Step {
  #wait: Wait | null = null;
  /** Waited for, or held and not handed on yet. */
  #place: HandshakePlace | null = null;
  #isPaused = false;
  /** It waits because its address has more handshakes than it may. */
  waitsForOwn = false;

  /**
   * `next` runs now or later; never for a client that has left meanwhile. What it sends meanwhile is held. `onRefused` is called within this
   * call, for one that would wait too long.
   */
  start(onRefused: (reason: AdmissionReject) => void, next: () => void): void {
    const { connection } = this;
    if (connection.isExempt) return this.#run(next);
    const { admission } = connection.entryPoint;
    const admitted = admission.beforeHandshake(connection.addressKey);
    if (admitted.kind === "refuse") return onRefused(admitted.reason);
    if (admitted.ms === 0) return this.#queue(next);
    this.#pause(admitted.reason);
    this.#wait = admission.waits.add(admitted.ms, () => {
      this.#wait = null;
      this.#queue(next);
    });
  }

  override onDeadline(): void {
    const { connection } = this;
    connection.turnAway(reasonOf(this.#place), "hello");
  }

  override leave(): void {
    super.leave();
    if (this.#wait !== null) this.connection.entryPoint.admission.waits.cancel(this.#wait);
    this.#place?.release();
  }

  /** Where handshakes under way are limited, it waits for a place. */
  #queue(next: () => void): void {
    const { connection } = this;
    const { admission } = connection.entryPoint;
    let [isWithin, mayBegin] = [true, false];
    this.#place = admission.beginHandshake(connection.addressKey, () => {
      mayBegin = true;
      if (!isWithin) this.#begin(next);
    });
    isWithin = false;
    if (mayBegin) return this.#begin(next);
    this.#pause(reasonOf(this.#place));
    connection.edge.deadlines.set(this, admission.maxWaitMs);
  }

  #begin(next: () => void): void {
    const { connection } = this;
    connection.edge.deadlines.clear(this);
    if (this.#place !== null) connection.shaking(this.#place);
    this.#place = null;
    this.#run(next);
  }

  #pause(reason: AdmissionReject): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.waitsForOwn = reason === "address-too-many-handshakes";
    this.connection.socket.pause();
    this.connection.entryPoint.meters.waited(reason);
  }

  #run(next: () => void): void {
    const { connection } = this;
    connection.edge.turns.run(() => {
      if (!connection.isIn(this)) return;
      try {
        if (this.#isPaused) connection.socket.resume();
        next();
      } catch (error) {
        // As for a defect in a socket's handler: nothing else would ever end this connection.
        fault(error);
        connection.socket.terminate();
      }
    });
  }
}

function reasonOf(place: HandshakePlace | null): AdmissionReject {
  return place?.waitsForOwn ? "address-too-many-handshakes" : "too-many-handshakes";
}
