// An old master's line to the newest one, also when that is followed by another one.

import { type Channel, dialChannel } from "../net/local-channel.ts";
import type { FromOld, MasterAddress, ToOld } from "../protocol/generations.ts";

/** How often a master is dialled that has just been named. */
const TRIES = 20;
const RETRY_MS = 250;

export interface NewestHost {
  /** What it is told first. */
  introduction(): Extract<FromOld, { type: "old" }>;
  /** It is connected: the first one, or the next one. */
  joined(): void;
  heard(message: Exclude<ToOld, { type: "moved" }>): void;
  /** It has died, or cannot be reached. */
  lost(): void;
}

export class Newest {
  readonly #host: NewestHost;
  #channel: Channel | null = null;
  /** Said while none is connected, and not to be lost. */
  #kept: FromOld[] = [];

  constructor(host: NewestHost) {
    this.#host = host;
  }

  async dial(address: MasterAddress): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        this.#join(await dialChannel(address));
        return;
      } catch {
        if (tries >= TRIES) return this.#host.lost();
        await Bun.sleep(RETRY_MS);
      }
    }
  }

  /** `isKept`: it waits where the next one is not there yet. */
  send(message: FromOld, isKept = false): void {
    if (this.#channel !== null) this.#channel.send(message);
    else if (isKept) this.#kept.push(message);
  }

  /** Resolves when what was sent has got out, as far as that can be told. */
  end(): void {
    this.#channel?.end();
  }

  #join(channel: Channel): void {
    this.#channel = channel;
    channel.send(this.#host.introduction());
    for (const message of this.#kept.splice(0)) channel.send(message);
    channel.listen(
      (message) => {
        const told = message as ToOld;
        if (told.type !== "moved") return this.#host.heard(told);
        if (this.#channel === channel) this.#channel = null;
        void this.dial(told.to);
      },
      () => {
        if (this.#channel !== channel) return;
        this.#channel = null;
        this.#host.lost();
      },
    );
    this.#host.joined();
  }
}
