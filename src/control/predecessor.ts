// A master that is to follow another one: what it is told when it starts, and how it takes over.

import { type Channel, dialChannel } from "../net/local-channel.ts";
import {
  type FromSuccessor,
  GENERATIONS_PROTOCOL,
  type Inheritance,
  type MasterAddress,
  PREDECESSOR_VARIABLE,
  type ToSuccessor,
} from "../protocol/generations.ts";
import { StartError } from "./start-error.ts";

export type Welcome = Extract<ToSuccessor, { type: "welcome" }>;

export class Predecessor {
  readonly welcome: Welcome;
  readonly #channel: Channel;
  /** null: it is gone, and has left nothing. */
  readonly #inheritance: Promise<Inheritance | null>;

  private constructor(channel: Channel, welcome: Welcome, inheritance: Promise<Inheritance | null>) {
    this.#channel = channel;
    this.welcome = welcome;
    this.#inheritance = inheritance;
  }

  /**
   * Takes what tells of it out of the environment, and asks it. null: there is none.
   * @throws StartError when it is gone, or will not have this one.
   */
  static async find(environment: Record<string, string | undefined>): Promise<Predecessor | null> {
    const text = environment[PREDECESSOR_VARIABLE];
    delete environment[PREDECESSOR_VARIABLE];
    if (!text) return null;
    const channel = await dial(text);
    return new Promise((resolve, reject) => {
      let inherit: (inheritance: Inheritance | null) => void;
      const inheritance = new Promise<Inheritance | null>((done) => {
        inherit = done;
      });
      channel.listen(
        (message) => {
          const told = message as ToSuccessor;
          if (told.type === "welcome") resolve(new Predecessor(channel, told, inheritance));
          else if (told.type === "yours") inherit(told.inheritance);
        },
        () => {
          inherit(null);
          reject(new StartError("the Sluice that this one should follow has ended, or does not want it"));
        },
      );
      const hello: FromSuccessor = { type: "hello", protocol: GENERATIONS_PROTOCOL, pid: process.pid };
      channel.send(hello);
    });
  }

  /** Says why this one does not start. */
  failed(message: string): void {
    this.#send({ type: "failed", message });
  }

  /** This one serves. Resolves to what the other leaves when it has stopped accepting; null when it has died instead. */
  async takeOver(address: MasterAddress): Promise<Inheritance | null> {
    this.#send({ type: "ready", address });
    const inheritance = await this.#inheritance;
    this.#channel.end();
    return inheritance;
  }

  #send(message: FromSuccessor): void {
    this.#channel.send(message);
  }
}

async function dial(text: string): Promise<Channel> {
  try {
    return await dialChannel(JSON.parse(text) as MasterAddress);
  } catch {
    throw new StartError(
      `the Sluice that this one should follow cannot be reached: ${PREDECESSOR_VARIABLE} is for its child alone`,
    );
  }
}
