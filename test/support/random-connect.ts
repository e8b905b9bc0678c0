// CONNECTs by chance, for every version and with everything that a CONNECT can have: an encoder that knows nothing of src/mqtt/.

import type { Will } from "../../src/mqtt/connect.ts";
import type { Random } from "./random.ts";

export interface RandomConnect {
  readonly version: "3.1" | "3.1.1" | "5";
  readonly bridge: boolean;
  readonly clean: boolean;
  readonly keepAlive: number;
  readonly clientId: string;
  readonly username: string | null;
  readonly password: Buffer | null;
  readonly will: (Will & { readonly properties: Buffer }) | null;
  readonly maximumPacketSize: number | null;
  readonly sessionExpiry: number;
  readonly authenticationMethod: string | null;
  /** All properties, without their length, in the order in which they are sent. */
  readonly properties: Buffer;
}

export const VERSIONS = ["3.1", "3.1.1", "5"] as const;

export function varint(value: number): Buffer {
  if (value < 128) return Buffer.of(value);
  return Buffer.concat([Buffer.of((value % 128) | 0x80), varint(Math.floor(value / 128))]);
}

/** A string or binary data, its length first. */
export function field(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 0xff), bytes]);
}

const u16 = (value: number): Buffer => Buffer.of(value >> 8, value & 0xff);
const u32 = (value: number): Buffer => Buffer.concat([u16(Math.floor(value / 65536)), u16(value % 65536)]);

/** Characters of one to four bytes; the last ones stand at the borders of what may be sent. */
const CHARACTERS = [
  ..."abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-_.:/ $%~\"'\\{}",
  ..."éßżłЖ中文字€😀𝔘",
  ...["\u00a0", "\u07ff", "\u0800", "\ufeff", "\ufdcf", "\ufdf0", "\ufffd", "\u{10000}", "\u{1fffd}", "\u{10fffd}"],
];

export function randomText(dice: Random, least = 0): string {
  const length = dice.chance(0.05) ? 200 + dice.below(400) : least + dice.below(20);
  return Array.from({ length }, () => dice.pick(CHARACTERS)).join("");
}

export function randomBytes(dice: Random): Buffer {
  const length = dice.chance(0.05) ? dice.below(1000) : dice.below(20);
  return Buffer.from(Array.from({ length }, () => dice.below(256)));
}

/** Each with a chance of one half, in any order, with User Properties between them. */
function randomProperties(dice: Random, all: readonly Buffer[]): Buffer {
  const pairs = Array.from({ length: dice.below(4) }, () =>
    Buffer.concat([Buffer.of(0x26), field(randomText(dice)), field(randomText(dice))]),
  );
  const left = [...all, ...pairs];
  const chosen: Buffer[] = [];
  while (left.length > 0) chosen.push(left.splice(dice.below(left.length), 1)[0]!);
  return Buffer.concat(chosen);
}

export function randomConnect(dice: Random): RandomConnect {
  const version = dice.pick(VERSIONS);
  const five = version === "5";
  const maybe = <T>(make: () => T): T | null => (dice.chance(0.5) ? make() : null);
  const clean = dice.chance(0.5);
  const sessionExpiry = five ? maybe(() => dice.below(2 ** 32)) : null;
  const maximumPacketSize = five ? maybe(() => 1 + dice.below(2 ** 32 - 1)) : null;
  const authenticationMethod = five ? maybe(() => randomText(dice)) : null;
  const simple = [
    [0x17, () => Buffer.of(dice.below(2))],
    [0x19, () => Buffer.of(dice.below(2))],
    [0x21, () => u16(1 + dice.below(65535))],
    [0x22, () => u16(dice.below(65536))],
  ] as const;
  const properties = [
    ...(sessionExpiry === null ? [] : [Buffer.concat([Buffer.of(0x11), u32(sessionExpiry)])]),
    ...(maximumPacketSize === null ? [] : [Buffer.concat([Buffer.of(0x27), u32(maximumPacketSize)])]),
    ...(authenticationMethod === null ? [] : [Buffer.concat([Buffer.of(0x15), field(authenticationMethod)])]),
    ...(authenticationMethod !== null && dice.chance(0.5)
      ? [Buffer.concat([Buffer.of(0x16), field(randomBytes(dice))])]
      : []),
    ...simple.filter(() => dice.chance(0.5)).map(([id, value]) => Buffer.concat([Buffer.of(id), value()])),
  ];
  const username = maybe(() => randomText(dice));
  return {
    version,
    bridge: !five && dice.chance(0.1),
    clean,
    keepAlive: dice.below(65536),
    clientId: randomText(dice, five || (version === "3.1.1" && clean) ? 0 : 1),
    username,
    password: five || username !== null ? maybe(() => randomBytes(dice)) : null,
    will: maybe(() => randomWill(dice, five)),
    maximumPacketSize,
    sessionExpiry: sessionExpiry ?? 0,
    authenticationMethod,
    properties: five ? randomProperties(dice, properties) : Buffer.alloc(0),
  };
}

function randomWill(dice: Random, five: boolean): NonNullable<RandomConnect["will"]> {
  const all = [
    [0x01, () => Buffer.of(dice.below(2))],
    [0x02, () => u32(dice.below(2 ** 32))],
    [0x03, () => field(randomText(dice))],
    [0x08, () => field(randomText(dice, 1))],
    [0x09, () => field(randomBytes(dice))],
    [0x18, () => u32(dice.below(2 ** 32))],
  ] as const;
  const properties = all.filter(() => dice.chance(0.5)).map(([id, value]) => Buffer.concat([Buffer.of(id), value()]));
  return {
    topic: randomText(dice, 1),
    payload: randomBytes(dice),
    qos: dice.pick([0, 1, 2] as const),
    retain: dice.chance(0.5),
    properties: five ? randomProperties(dice, properties) : Buffer.alloc(0),
  };
}

const NAMES = { "3.1": ["MQIsdp", 3], "3.1.1": ["MQTT", 4], "5": ["MQTT", 5] } as const;

export function encodeConnect(connect: RandomConnect): Buffer {
  const { version, bridge, clean, keepAlive, clientId, username, password, will } = connect;
  const [name, level] = NAMES[version];
  const withLength = (properties: Buffer): Buffer[] => (version === "5" ? [varint(properties.length), properties] : []);
  const flags =
    (clean ? 0x02 : 0) |
    (will === null ? 0 : 0x04 | (will.qos << 3) | (will.retain ? 0x20 : 0)) |
    (password === null ? 0 : 0x40) |
    (username === null ? 0 : 0x80);
  const body = Buffer.concat([
    field(name),
    Buffer.of(level | (bridge ? 0x80 : 0), flags),
    u16(keepAlive),
    ...withLength(connect.properties),
    field(clientId),
    ...(will === null ? [] : [...withLength(will.properties), field(will.topic), field(will.payload)]),
    ...(username === null ? [] : [field(username)]),
    ...(password === null ? [] : [field(password)]),
  ]);
  return Buffer.concat([Buffer.of(0x10), varint(body.length), body]);
}
