// CONNECTs and PROXY headers that are broken on purpose, and what holds of their readers whatever comes. test/unit tries few, test/long
// a million of each.

import { heapStats } from "bun:jsc";
import { readConnect } from "../../src/mqtt/connect.ts";
import { rewriteConnect } from "../../src/mqtt/rewrite.ts";
import { MAX_PROXY_HEADER, parseProxyHeader } from "../../src/wire/proxy-protocol.ts";
import { referenceConnect } from "./connect-reference.ts";
import { connectVectors, MAX_SIZE } from "./connect-vectors.ts";
import { referenceHeader } from "./proxy-reference.ts";
import { type Random, random } from "./random.ts";
import { encodeConnect, randomConnect, varint } from "./random-connect.ts";
import { bytesOf, type Recorded, readVectors } from "./recorded.ts";

/** Bytes that mean something at borders, in UTF-8, as lengths and as properties. */
const TELLING = [
  0, 1, 2, 3, 4, 5, 8, 9, 10, 13, 0x10, 0x11, 0x15, 0x16, 0x17, 0x18, 0x19, 0x20, 0x21, 0x22, 0x23, 0x26,
];
const MORE_TELLING = [
  0x27, 0x2b, 0x30, 0x7f, 0x80, 0x83, 0x84, 0x85, 0xc0, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xfe, 0xff,
];
const BYTES = [...TELLING, ...MORE_TELLING];
/** Lengths of 16 bits that no packet is as long as, and short ones. */
const LENGTHS = [0xffff, 0xfffe, 0x8000, 0x7fff, 0x1000, 0x0100, 0x00ff, 1, 0];
/** Where the lengths are. */
const NEAR = 64;

function mutate(dice: Random, from: Buffer): Buffer {
  let bytes = Buffer.from(from);
  for (let change = dice.below(4); change >= 0; change--) {
    if (bytes.length === 0) return bytes;
    const at = dice.below(dice.chance(0.5) ? Math.min(NEAR, bytes.length) : bytes.length);
    const kind = dice.below(8);
    if (kind < 3) bytes[at] = dice.chance(0.7) ? dice.pick(BYTES) : dice.below(256);
    else if (kind === 3) bytes[at]! ^= 1 << dice.below(8);
    else if (kind === 4) bytes = bytes.subarray(0, at);
    else if (kind === 5 && at + 2 <= bytes.length) bytes.writeUInt16BE(dice.pick(LENGTHS), at);
    else if (kind === 6) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + dice.below(4))]);
    else
      bytes = Buffer.concat([
        bytes.subarray(0, at),
        from.subarray(dice.below(from.length)).subarray(0, 8),
        bytes.subarray(at),
      ]);
  }
  return bytes;
}

/** What stands before it is left alone, so that what stands deeper is reached. */
function mutateBehind(dice: Random, from: Buffer, start: number): Buffer {
  return Buffer.concat([from.subarray(0, start), mutate(dice, from.subarray(start))]);
}

/** A CONNECT of the encoder that is broken behind the protocol's level; its remaining length is right. */
function mutateFields(dice: Random, from: Buffer): Buffer {
  const start = from.findIndex((byte, at) => at > 0 && byte < 128) + 1;
  const body = mutateBehind(dice, from.subarray(start), from[start + 1] === 4 ? 7 : 9);
  return Buffer.concat([from.subarray(0, 1), varint(body.length), body]);
}

/** A PROXY header that is broken behind its signature; the length of version 2 is right. */
function mutateHeader(dice: Random, from: Buffer): Buffer {
  if (from[0] !== 0x0d || from.length < 16) return mutateBehind(dice, from, 6);
  const bytes = mutateBehind(dice, from, dice.chance(0.5) ? 12 : 16);
  if (bytes.length >= 16) bytes.writeUInt16BE((bytes.length - 16) & 0xffff, 14);
  return bytes;
}

/** What was seen, so that a test can tell that it has not only tried one thing. */
export interface Tried {
  readonly outcomes: ReadonlyMap<string, number>;
  /** Bytes of the heap that were more at the end than after a tenth of the rounds. */
  readonly growth: number;
  /** Texts that a refusal was explained with. */
  readonly details: ReadonlySet<string>;
}

function tryOut(rounds: number, round: (details: Set<string>) => string): Tried {
  const outcomes = new Map<string, number>();
  const details = new Set<string>();
  let settled = 0;
  for (let done = 0; done < rounds; done++) {
    if (done === Math.floor(rounds / 10)) settled = heap();
    const outcome = round(details);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  return { outcomes, growth: heap() - settled, details };
}

function heap(): number {
  Bun.gc(true);
  return heapStats().heapSize;
}

function check(holds: boolean, what: string, bytes: Buffer): void {
  if (!holds) throw new Error(`${what}: ${bytes.toString("hex")}`);
}

/** Above it a packet takes part seldom, so that a million of them stay affordable. */
const SHORT = 400;

const isShort = ({ length }: Buffer): boolean => length > 0 && length < SHORT;
const isLong = ({ length }: Buffer): boolean => length >= SHORT;

export function tryHostileConnects(rounds: number, seed: number): Tried {
  const dice = random(seed);
  const made = Array.from({ length: 500 }, () => encodeConnect(randomConnect(dice)));
  const all = [...connectVectors.map(bytesOf), ...made];
  const [conforming, short, long] = [made.filter(isShort), all.filter(isShort), all.filter(isLong)];
  return tryOut(rounds, (details) => {
    const bytes = dice.chance(0.6)
      ? mutateFields(dice, dice.pick(conforming))
      : mutate(dice, dice.pick(dice.chance(0.001) ? long : short));
    return tryConnect(dice, bytes, details);
  });
}

function tryConnect(dice: Random, bytes: Buffer, details: Set<string>): string {
  const read = readConnect(bytes, MAX_SIZE);
  const reference = referenceConnect(bytes);
  const fits = reference !== null && reference.packet.length <= MAX_SIZE;
  check((read.kind === "ok") === fits, `${read.kind}, but the reference ${fits ? "takes" : "refuses"} it`, bytes);
  // Whoever sends it in two pieces gets the same, and is never asked to send more than may be.
  const part = readConnect(bytes.subarray(0, dice.below(bytes.length + 1)), MAX_SIZE);
  if (part.kind === "more") check(part.need <= MAX_SIZE, `waits for ${part.need}`, bytes);
  else check((part.kind === "ok") === (read.kind === "ok"), `${read.kind}, and a part of it ${part.kind}`, bytes);
  switch (read.kind) {
    case "ok": {
      check(Bun.deepEquals(read.connect, reference), "the reference reads other fields", bytes);
      check(read.connect.packet.length + read.rest.length === bytes.length, "bytes are lost", bytes);
      check(Bun.deepEquals(Object.keys(read.connect), Object.keys(reference!)), "there is more of it", bytes);
      const written = rewriteConnect(read.connect, { clientId: "other" });
      const again = written === null ? null : readConnect(written, MAX_SIZE);
      check(again?.kind === "ok" && again.connect.clientId === "other", "it cannot be written again", bytes);
      return "ok";
    }
    case "more":
      check(read.need > bytes.length && read.need <= MAX_SIZE, `waits for ${read.need}`, bytes);
      return "more";
    case "not-mqtt":
      return read.protocol;
    case "refuse":
      details.add(read.detail);
      check(read.connack === null || read.connack.length <= 5, "a large CONNACK", bytes);
      return read.fault;
  }
}

export function tryHostileProxyHeaders(rounds: number, seed: number): Tried {
  const dice = random(seed);
  const recorded = (readVectors("proxy-protocol.json") as { in: Recorded[] }).in.map(bytesOf);
  const [short, long] = [recorded.filter(isShort), recorded.filter(isLong)];
  return tryOut(rounds, () => {
    const from = dice.pick(dice.chance(0.001) ? long : short);
    const bytes = dice.chance(0.7) ? mutateHeader(dice, from) : mutate(dice, from);
    // Behind a header there is what it speaks of.
    return tryProxyHeader(dice, dice.chance(0.3) ? Buffer.concat([bytes, Buffer.from("\x10\x0d")]) : bytes);
  });
}

function tryProxyHeader(dice: Random, bytes: Buffer): string {
  const read = parseProxyHeader(bytes);
  const reference = referenceHeader(bytes);
  check((read.kind === "ok") === (reference !== null), `${read.kind}, but the reference says otherwise`, bytes);
  const part = parseProxyHeader(bytes.subarray(0, dice.below(bytes.length + 1)));
  if (part.kind !== "more") check(part.kind === read.kind, `${read.kind}, and a part of it ${part.kind}`, bytes);
  if (read.kind === "more") check(bytes.length < MAX_PROXY_HEADER, "waits for too much", bytes);
  if (read.kind === "ok") {
    const source = read.addresses?.source;
    const found = source === undefined ? null : `${Buffer.from(source.address).toString("hex")} ${source.port}`;
    check(read.length === reference!.length, "it ends elsewhere", bytes);
    check(found === reference!.source, `${found}, but the reference reads ${reference!.source}`, bytes);
  }
  return read.kind;
}
