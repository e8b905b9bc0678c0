// How a CONNECT begins: its type, its length, the protocol's name and level. The same in every version.

import { commonPrefix } from "../wire/openings.ts";
import type { MqttVersion } from "./version.ts";

const CONNECT = 1;

export function isConnect(bytes: Uint8Array): boolean {
  return bytes[0]! >> 4 === CONNECT;
}

/** Bytes of the fixed header; 0: it is not all there; -1: the length has more than four bytes. */
export function headerSize(bytes: ArrayLike<number>): number {
  for (let at = 1; at <= 4; at++) {
    if (at >= bytes.length) return 0;
    if (bytes[at]! < 0x80) return at + 1;
  }
  return -1;
}

/** What the fixed header of `size` bytes says. */
export function remainingLength(bytes: ArrayLike<number>, size: number): number {
  let length = 0;
  for (let at = size - 1; at > 0; at--) length = length * 128 + (bytes[at]! & 0x7f);
  return length;
}

/** Whether the length could have been written in fewer bytes. */
export function isOverlong(bytes: Uint8Array, size: number): boolean {
  return size > 2 && bytes[size - 1] === 0;
}

export interface Level {
  readonly kind: "level";
  readonly version: MqttVersion;
  readonly bridge: boolean;
  /** Bytes of the protocol's name, with its length, and of the level. */
  readonly size: number;
}

export type LevelRead =
  | Level
  | { readonly kind: "more" }
  | { readonly kind: "malformed" }
  | { readonly kind: "no-name" }
  /** `form`: the version in whose words the client is most likely to understand that its level is not served. */
  | { readonly kind: "unsupported"; readonly form: "3.1.1" | "5" };

const MQISDP = Buffer.from("\0\x06MQIsdp");
const MQTT = Buffer.from("\0\x04MQTT");
/** Set by Mosquitto's bridges (try_private) in the level of 3.1 and 3.1.1. */
const BRIDGE = 0x80;

/** The protocol's name and level, as far as they have come; `end` is where the packet ends. */
export function readLevel(bytes: Uint8Array, start: number, end: number): LevelRead {
  const old = commonPrefix(bytes, start, MQISDP);
  const same = Math.max(old, commonPrefix(bytes, start, MQTT));
  const name = old === same ? MQISDP : MQTT;
  const at = start + same;
  if (at >= end) return { kind: "malformed" };
  if (at >= bytes.length) return { kind: "more" };
  return same < name.length ? { kind: "no-name" } : levelOf(name, bytes[at]!);
}

function levelOf(name: Buffer, byte: number): LevelRead {
  const level = byte & ~BRIDGE;
  const bridge = byte !== level;
  const size = name.length + 1;
  if (name === MQISDP) return level === 3 ? { kind: "level", version: "3.1", bridge, size } : UNSUPPORTED_3;
  if (level === 4) return { kind: "level", version: "3.1.1", bridge, size };
  if (byte === 5) return { kind: "level", version: "5", bridge: false, size };
  return level < 5 ? UNSUPPORTED_3 : UNSUPPORTED_5;
}

const UNSUPPORTED_3 = { kind: "unsupported", form: "3.1.1" } as const;
const UNSUPPORTED_5 = { kind: "unsupported", form: "5" } as const;
