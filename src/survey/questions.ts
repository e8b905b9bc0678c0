// Asks a server one thing per connection, and keeps what it answers. The answers are bytes that were read, no sessions: each connection is
// given up once the server waits for its client.

import { randomBytes } from "node:crypto";
import { type Asked, ask, type Place } from "../net/exchange.ts";
import { helloRecord, type TlsVersion, writeHello } from "../wire/probe-hello.ts";
import { ServerFlight } from "../wire/server-flight.ts";
import { KeyExchange, OPENABLE_SUITES } from "./key-exchange.ts";
import { GROUPS, SUITES_BEFORE_13, SUITES_OF_13 } from "./suites.ts";

export interface Question {
  readonly version: TlsVersion;
  /** null sends no SNI. */
  readonly serverName: string | null;
  readonly alpn: readonly string[];
  readonly shortFragments?: boolean;
  readonly recordSizeLimit?: number;
}

export interface Answer {
  readonly asked: Asked;
  readonly flight: ServerFlight;
}

/** A server that has not said more within this time is taken for silent: milliseconds, or a part of the time where there is much of it. */
const PATIENCE_MS = 5000;
const PATIENCE_PART = 1 / 4;

/** How long all of it may take, over several questions. */
export class Patience {
  readonly #end: number;
  readonly #each: number;

  constructor(milliseconds: number) {
    this.#end = performance.now() + milliseconds;
    this.#each = Math.max(PATIENCE_MS, milliseconds * PATIENCE_PART);
  }

  /** Milliseconds for the next question; at least one. */
  get next(): number {
    return Math.max(1, Math.min(this.#each, this.left));
  }

  get left(): number {
    return this.#end - performance.now();
  }

  get isOver(): boolean {
    return this.left <= 0;
  }
}

/** Sends one hello, and reads what comes back. Nothing throws. */
export async function askTls(place: Place, question: Question, patience: Patience): Promise<Answer> {
  const first = await askOnce(place, question, question.version === "1.3" ? SUITES_OF_13 : SUITES_BEFORE_13, patience);
  const { hello, certificateBytes } = first.flight;
  if (question.version !== "1.3" || hello === null || hello.isRetry || certificateBytes > 0) return first;
  // It prefers a suite whose records are not opened here; most servers have another one too.
  const second = await askOnce(place, question, OPENABLE_SUITES, patience);
  return second.flight.certificateBytes > 0 ? second : first;
}

async function askOnce(
  place: Place,
  question: Question,
  suites: readonly number[],
  patience: Patience,
): Promise<Answer> {
  const exchange = new KeyExchange();
  const message = writeHello({
    ...question,
    suites,
    groups: GROUPS,
    keyShares: exchange.shares,
    random: randomBytes(32),
    sessionId: randomBytes(32),
  });
  const flight = new ServerFlight((hello) => exchange.unseal(message, hello));
  const asked = await ask(place, helloRecord(message), (chunk) => flight.push(chunk) !== "more", patience.next);
  return { asked, flight };
}

/** CONNECT of MQTT 3.1.1 with a clean session and without a client ID: no session of anybody's is touched. */
const CONNECT = Buffer.from("100c00044d5154540402000a0000", "hex");
const CONNACK = 0x20;

/** Whether MQTT without TLS is spoken there. */
export async function speaksPlainMqtt(place: Place, patience: Patience): Promise<boolean> {
  let first: number | undefined;
  await ask(
    place,
    CONNECT,
    (chunk) => {
      first ??= chunk[0];
      return true;
    },
    patience.next,
  );
  return first === CONNACK;
}
