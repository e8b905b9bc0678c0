// The answer to a client that is refused after its CONNECT: which code says what in which version. docs/mqtt.md has the table.

import type { MqttVersion } from "./version.ts";

/** Why a client that speaks MQTT is refused. */
export type Refusal = keyof typeof CODES;

/**
 * The code in 3.1 and 3.1.1 (3.1.1 table 3.1) and in 5 (table 3-1); null: it is closed without one. 3.1.1 wants that where CONNECT
 * breaks the protocol ([MQTT-3.1.4-1]), and has no code for some others. Code 3 alone says "later" there.
 */
const CODES = {
  "unsupported-version": [1, 0x84],
  "client-id": [2, 0x85],
  "no-broker": [3, 0x88],
  busy: [3, 0x89],
  quota: [3, 0x97],
  rate: [3, 0x9f],
  credentials: [4, 0x86],
  "not-authorized": [5, 0x87],
  banned: [5, 0x8a],
  "auth-method": [null, 0x8c],
  "too-large": [null, 0x95],
  malformed: [null, 0x81],
  "protocol-error": [null, 0x82],
  "will-topic": [null, 0x90],
  "will-retain": [null, 0x9a],
  "will-qos": [null, 0x9b],
  "keep-alive": [2, 0x83],
  "clean-session": [5, 0x83],
} as const satisfies Readonly<Record<string, readonly [three: number | null, five: number]>>;

/** All of them, in the order of the table. */
export const REFUSALS = Object.keys(CODES) as readonly Refusal[];

/** Bytes of a CONNACK of 5 without properties: the smallest that there is. */
const FIVE_SIZE = 5;

/** Session present is 0 in every refusal ([MQTT-3.2.2-4], 5 [MQTT-3.2.2-6]). */
const THREE: ReadonlyMap<Refusal, Buffer> = answers(0, (code) => [0x20, 2, 0, code]);
const FIVE: ReadonlyMap<Refusal, Buffer> = answers(1, (code) => [0x20, 3, 0, code, 0]);

function answers(form: 0 | 1, encode: (code: number) => number[]): ReadonlyMap<Refusal, Buffer> {
  const known = REFUSALS.filter((each) => CODES[each][form] !== null);
  return new Map(known.map((each) => [each, Buffer.from(encode(CODES[each][form]!))]));
}

/**
 * The whole CONNACK, or null: the connection is closed without one. `maximumPacketSize` is what the client of 5 has stated (null:
 * nothing): it may be sent nothing larger ([MQTT-3.1.2-24]). The bytes are shared; do not write into them.
 */
export function connackFor(refusal: Refusal, version: MqttVersion, maximumPacketSize: number | null): Buffer | null {
  if (version !== "5") return THREE.get(refusal) ?? null;
  if (maximumPacketSize !== null && maximumPacketSize < FIVE_SIZE) return null;
  return FIVE.get(refusal) ?? null;
}
