// Ends a relayed connection whose client has been silent for longer than its keep alive allows (MQTT 5.0 3.1.2.10, 3.1.1 [MQTT-3.1.2-24]).
//
// The relay is not asked to note anything: what it counts anyway is looked at a few times within the limit. So a message costs nothing,
// and a client is ended at most an eighth of the limit, and a tick of the clock, later than the limit says; never earlier.

import type { Lease } from "../middlewares/middleware.ts";
import type { Connect } from "../mqtt/connect.ts";
import type { Deadlines, Timed } from "../net/deadlines.ts";
import type { Relay } from "../net/relay.ts";
import { tapConnack } from "./connack-tap.ts";

/** MQTT's one and a half times, in milliseconds per second of keep alive. */
const PER_SECOND_MS = 1500;
/** A packet that is late by the network is not a client that is gone, and brokers count in whole seconds. */
const SLACK_MS = 1000;
/** Looks within the limit. */
const LOOKS = 8;
/**
 * How late a look may come. When it is later, the worker has stood still, and what the client has sent meanwhile may not be read yet: that
 * time is not the client's silence.
 */
const LATE_MS = 500;

/** How long a client may be silent; 0: for ever. Milliseconds. */
function idleLimit(keepAliveSeconds: number, keepAliveZeroMs: number): number {
  if (keepAliveSeconds > 0) return keepAliveSeconds * PER_SECOND_MS + SLACK_MS;
  return keepAliveZeroMs > 0 ? keepAliveZeroMs + SLACK_MS : 0;
}

class IdleWatch implements Timed, Lease {
  wheelTick = -1;
  wheelIndex = 0;
  readonly #relay: Relay;
  readonly #deadlines: Deadlines;
  #limitMs = 0;
  #received = 0;
  #silentMs = 0;
  #lookedAt: number;
  readonly #now: () => number;

  constructor(relay: Relay, deadlines: Deadlines, now: () => number) {
    this.#relay = relay;
    this.#deadlines = deadlines;
    this.#now = now;
    this.#lookedAt = now();
  }

  /** Begins, or goes on with another limit. Milliseconds; 0: for ever. */
  limit(ms: number): void {
    this.#limitMs = ms;
    if (ms === 0) this.#deadlines.clear(this);
    else this.#deadlines.set(this, ms / LOOKS);
  }

  onDeadline(): void {
    const { client } = this.#relay;
    const now = this.#now();
    const passed = Math.min(now - this.#lookedAt, this.#limitMs / LOOKS + LATE_MS);
    this.#lookedAt = now;
    // Who is paused, because the broker does not keep up or for its rate's sake, is not read: what it sends meanwhile is not seen.
    if (client.received !== this.#received || client.paused || client.isPaced) {
      this.#received = client.received;
      this.#silentMs = 0;
    } else {
      this.#silentMs += passed;
      if (this.#silentMs >= this.#limitMs) return this.#relay.close("keep-alive-timeout");
    }
    this.#deadlines.set(this, this.#limitMs / LOOKS);
  }

  release(): void {
    this.#deadlines.clear(this);
  }
}

/** Puts a relay that begins under watch. The lease ends it. `now` is the clock; milliseconds. */
export function watchIdle(
  relay: Relay,
  deadlines: Deadlines,
  connect: Pick<Connect, "version" | "keepAlive">,
  keepAliveZeroMs: number,
  now: () => number = () => performance.now(),
): Lease {
  const watch = new IdleWatch(relay, deadlines, now);
  watch.limit(idleLimit(connect.keepAlive, keepAliveZeroMs));
  // In MQTT 5 the server may set another keep alive (3.2.2.3.14).
  if (connect.version === "5")
    tapConnack(relay.server, "5", ({ serverKeepAlive }) => {
      if (serverKeepAlive !== null) watch.limit(idleLimit(serverKeepAlive, keepAliveZeroMs));
    });
  return watch;
}
