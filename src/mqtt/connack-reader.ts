// Reads the broker's answer to CONNECT in passing: nothing is held back for it. AUTH packets of 5 may come before it (5 4.12).

import { Fields } from "./fields.ts";
import { headerSize, remainingLength } from "./opening.ts";
import { findNumber, type PropertyTable } from "./properties.ts";
import type { MqttVersion } from "./version.ts";

export type ConnackRead =
  /** It is not all there yet. */
  | { readonly kind: "more" }
  | {
      readonly kind: "connack";
      /** The return code or reason code; 0: the client is let in. */
      readonly code: number;
      readonly sessionPresent: boolean;
      /** Seconds (5, property 0x13), instead of those that the client has asked for; null: not stated. */
      readonly serverKeepAlive: number | null;
    }
  /** It is something else, or broken, or over a limit: that is for the client to judge, and here it says nothing. */
  | { readonly kind: "unreadable" };

/** Bytes of a CONNACK that are kept until it is whole. Mosquitto's has up to 60; a server may add reasons and User Properties. */
const MAX_CONNACK = 16 * 1024;
/** An exchange of SCRAM has two, one of Kerberos has three. */
const MAX_AUTHS = 64;

const CONNACK = 0x20;
const AUTH = 0xf0;
const SERVER_KEEP_ALIVE = 0x13;

/** 5 3.2.2.3. */
const OF_CONNACK: PropertyTable = new Map([
  [0x11, { name: "Session Expiry Interval", kind: "u32" }],
  [0x12, { name: "Assigned Client Identifier", kind: "text" }],
  [SERVER_KEEP_ALIVE, { name: "Server Keep Alive", kind: "u16" }],
  [0x15, { name: "Authentication Method", kind: "text" }],
  [0x16, { name: "Authentication Data", kind: "binary" }],
  [0x1a, { name: "Response Information", kind: "text" }],
  [0x1c, { name: "Server Reference", kind: "text" }],
  [0x1f, { name: "Reason String", kind: "text" }],
  [0x21, { name: "Receive Maximum", kind: "u16" }],
  [0x22, { name: "Topic Alias Maximum", kind: "u16" }],
  [0x24, { name: "Maximum QoS", kind: "flag" }],
  [0x25, { name: "Retain Available", kind: "flag" }],
  [0x26, { name: "User Property", kind: "pair" }],
  [0x27, { name: "Maximum Packet Size", kind: "u32" }],
  [0x28, { name: "Wildcard Subscription Available", kind: "flag" }],
  [0x29, { name: "Subscription Identifiers Available", kind: "flag" }],
  [0x2a, { name: "Shared Subscription Available", kind: "flag" }],
] as const);

const MORE: ConnackRead = { kind: "more" };
const UNREADABLE: ConnackRead = { kind: "unreadable" };

export class ConnackReader {
  readonly #version: MqttVersion;
  /** The fixed header of the packet under way, as far as it has come. */
  #header: number[] = [];
  /** The rest of the CONNACK, once its header is there. */
  #body: Buffer | null = null;
  #filled = 0;
  /** Bytes of an AUTH that have not come by. */
  #toSkip = 0;
  #auths = 0;

  constructor(version: MqttVersion) {
    this.#version = version;
  }

  /** `chunk`: what has come from the broker since. After an answer that is not "more", ask no more. */
  push(chunk: Uint8Array): ConnackRead {
    let at = 0;
    while (at < chunk.length) {
      if (this.#toSkip > 0) {
        const skipped = Math.min(this.#toSkip, chunk.length - at);
        this.#toSkip -= skipped;
        at += skipped;
      } else if (this.#body === null) {
        this.#header.push(chunk[at++]!);
        if (!this.#begin()) return UNREADABLE;
      } else {
        const part = chunk.subarray(at, at + this.#body.length - this.#filled);
        this.#body.set(part, this.#filled);
        this.#filled += part.length;
        at += part.length;
        if (this.#filled === this.#body.length) return readBody(this.#body, this.#version);
      }
    }
    return MORE;
  }

  /** Whether the header can be that of an AUTH or of a CONNACK. */
  #begin(): boolean {
    const size = headerSize(this.#header);
    if (size <= 0) return size === 0;
    const type = this.#header[0];
    const length = remainingLength(this.#header, size);
    if (type === AUTH && this.#version === "5") {
      this.#header = [];
      this.#toSkip = length;
      return ++this.#auths <= MAX_AUTHS;
    }
    if (type !== CONNACK || length < 2 || length > MAX_CONNACK) return false;
    this.#body = Buffer.alloc(length);
    return true;
  }
}

/** A server that does not know 5 answers in the form of 3.1.1, without properties. */
function readBody(body: Buffer, version: MqttVersion): ConnackRead {
  const [flags, code] = [body[0]!, body[1]!];
  if (flags > 1) return UNREADABLE;
  const hasProperties = version === "5" && body.length > 2;
  const serverKeepAlive = hasProperties
    ? findNumber(new Fields(body, 2, body.length), OF_CONNACK, SERVER_KEEP_ALIVE)
    : null;
  return { kind: "connack", code, sessionPresent: flags === 1, serverKeepAlive };
}
