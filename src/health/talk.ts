// What is said with a server that is checked, once the connection is open. Pure: bytes in, what to do out.

import { ConnackReader } from "../mqtt/connack-reader.ts";
import { headerSize, remainingLength } from "../mqtt/opening.ts";
import { DISCONNECT, PINGREQ, PINGRESP, writeConnect } from "../mqtt/write-connect.ts";
import type { MqttTalk, TcpTalk } from "../upstream/health.ts";
import { type Verdict, verdictOfRefusal } from "./verdict.ts";

/** What to do next. */
export type Step =
  | { readonly kind: "wait" }
  | { readonly kind: "send"; readonly bytes: Buffer }
  /** `bytes`: what is sent before the close. */
  | { readonly kind: "done"; readonly verdict: Verdict; readonly bytes: Buffer | null };

/** One conversation. */
export interface Conversation {
  begin(): Step;
  /** `chunk`: what has come since. */
  push(chunk: Buffer): Step;
}

const WAIT: Step = { kind: "wait" };
const GOOD: Step = { kind: "done", verdict: { kind: "good" }, bytes: null };

function failed(reason: "unexpected" | "closed", detail: string): Step {
  return { kind: "done", verdict: { kind: "failed", reason, detail }, bytes: null };
}

/** Traefik's `send` and `expect`. */
export class TcpConversation implements Conversation {
  readonly #send: Buffer;
  readonly #expected: Buffer;
  #same = 0;

  constructor({ send, expect }: TcpTalk) {
    this.#send = Buffer.from(send);
    this.#expected = Buffer.from(expect);
  }

  begin(): Step {
    const bytes = this.#send.length === 0 ? null : this.#send;
    if (this.#expected.length === 0) return { kind: "done", verdict: { kind: "good" }, bytes };
    return bytes === null ? WAIT : { kind: "send", bytes };
  }

  push(chunk: Buffer): Step {
    const length = Math.min(chunk.length, this.#expected.length - this.#same);
    const awaited = this.#expected.subarray(this.#same, this.#same + length);
    if (!awaited.equals(chunk.subarray(0, length)))
      return failed("unexpected", "the answer does not begin with what healthCheck.expect says");
    this.#same += length;
    return this.#same === this.#expected.length ? GOOD : WAIT;
  }
}

/** Seconds: longer than a check takes, and not 0, which some brokers refuse. */
const KEEP_ALIVE = 60;
const DISCONNECT_TYPE = 0xe0;
const PUBLISH = 3;
/** Of a message that comes unasked so much is taken. */
const MAX_PUBLISH = 256 * 1024;

/** CONNECT, CONNACK, PINGREQ, PINGRESP, DISCONNECT: a broker that answers these serves clients. */
export class MqttConversation implements Conversation {
  readonly #talk: MqttTalk;
  readonly #clientId: string;
  readonly #connack: ConnackReader;
  /** null until the CONNACK is there; then what has come of the answer to the ping. */
  #ping: Buffer | null = null;

  /** `clientId`: where the configuration has none. */
  constructor(talk: MqttTalk, clientId: string) {
    this.#talk = talk;
    this.#clientId = talk.clientId ?? clientId;
    this.#connack = new ConnackReader(talk.version);
  }

  begin(): Step {
    const { version, username, password } = this.#talk;
    const connect = writeConnect({ version, clientId: this.#clientId, keepAlive: KEEP_ALIVE, username, password });
    return connect === null
      ? failed("unexpected", "healthCheck.mqtt has a text that cannot be sent in MQTT")
      : { kind: "send", bytes: connect };
  }

  push(chunk: Buffer): Step {
    if (this.#ping !== null) return this.#answered(Buffer.concat([this.#ping, chunk]));
    const read = this.#connack.push(chunk);
    switch (read.kind) {
      case "more":
        return WAIT;
      case "unreadable":
        return failed("unexpected", "what it answers to CONNECT is no CONNACK: it does not speak MQTT");
      case "connack":
        if (read.code === 0) {
          this.#ping = Buffer.alloc(0);
          return { kind: "send", bytes: PINGREQ };
        }
        return {
          kind: "done",
          verdict: verdictOfRefusal(
            read.code,
            this.#talk.version,
            this.#talk.username !== null || this.#talk.password !== null,
          ),
          bytes: null,
        };
    }
  }

  /** A broker that subscribes each client by itself may send messages first. */
  #answered(received: Buffer): Step {
    let bytes = received;
    while (bytes.length > 0 && bytes[0]! >> 4 === PUBLISH) {
      const size = headerSize(bytes);
      const whole = size + remainingLength(bytes, size);
      if (size < 0 || whole > MAX_PUBLISH) return failed("unexpected", "it sends a message of an impossible length");
      if (size === 0 || bytes.length < whole) break;
      bytes = bytes.subarray(whole);
    }
    this.#ping = bytes;
    if (bytes.length === 0 || bytes[0]! >> 4 === PUBLISH) return WAIT;
    if (bytes[0] === DISCONNECT_TYPE) return failed("closed", "it has let the check in, and sent DISCONNECT");
    if (bytes.length < PINGRESP.length && bytes[0] === PINGRESP[0]) return WAIT;
    if (!bytes.subarray(0, PINGRESP.length).equals(PINGRESP))
      return failed("unexpected", "what it answers to PINGREQ is no PINGRESP");
    return { kind: "done", verdict: { kind: "good" }, bytes: DISCONNECT };
  }
}
