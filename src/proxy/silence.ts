// Ends a relayed connection whose client has begun a TLS handshake with its server, and sends nothing after the server has answered: every
// client has to, whatever its TLS version. One look, so that bytes on their way cost nothing.

import type { Lease } from "../middlewares/middleware.ts";
import type { Deadlines, Timed } from "../net/deadlines.ts";
import type { Relay } from "../net/relay.ts";

class SilenceWatch implements Timed, Lease {
  wheelTick = -1;
  wheelIndex = 0;
  readonly #relay: Relay;
  readonly #deadlines: Deadlines;
  readonly #limitMs: number;
  readonly #sent: number;

  constructor(relay: Relay, deadlines: Deadlines, limitMs: number, sent: number) {
    this.#relay = relay;
    this.#deadlines = deadlines;
    this.#limitMs = limitMs;
    this.#sent = sent;
    deadlines.set(this, limitMs);
  }

  onDeadline(): void {
    const { client, server } = this.#relay;
    if (client.received > this.#sent) return;
    // Until the server answers, it is the server's turn.
    if (server.received === 0) this.#deadlines.set(this, this.#limitMs);
    else this.#relay.close("silence-timeout");
  }

  release(): void {
    this.#deadlines.clear(this);
  }
}

/** Puts a relay that begins under watch, whose client has sent `sent` bytes: a hello. The lease ends it. */
export function watchSilence(relay: Relay, deadlines: Deadlines, limitMs: number, sent: number): Lease {
  return new SilenceWatch(relay, deadlines, limitMs, sent);
}
