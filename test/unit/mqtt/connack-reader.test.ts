// The broker's CONNACK is read in passing, however it is cut, and whatever comes before it or instead of it.

import { describe, expect, test } from "bun:test";
import { type ConnackRead, ConnackReader } from "../../../src/mqtt/connack-reader.ts";
import type { MqttVersion } from "../../../src/mqtt/version.ts";
import { random } from "../../support/random.ts";
import { field, varint } from "../../support/random-connect.ts";

function readAll(version: MqttVersion, pieces: readonly Buffer[]): ConnackRead {
  const reader = new ConnackReader(version);
  let read: ConnackRead = { kind: "more" };
  for (const piece of pieces) if (read.kind === "more") read = reader.push(piece);
  return read;
}

const hex = (text: string): Buffer => Buffer.from(text, "hex");
const connack = (code: number, sessionPresent = false, serverKeepAlive: number | null = null): ConnackRead => ({
  kind: "connack",
  code,
  sessionPresent,
  serverKeepAlive,
});

/** A packet of 5. */
const packet = (type: number, body: Buffer): Buffer => Buffer.concat([Buffer.of(type), varint(body.length), body]);
const auth = (size: number): Buffer => packet(0xf0, Buffer.alloc(size, 0x18));
const connackOf5 = (properties: Buffer): Buffer =>
  packet(0x20, Buffer.concat([Buffer.of(0, 0), varint(properties.length), properties]));

const ASSIGNED = `1200296175746f2d${"78".repeat(37)}`;
/** What brokers send; Mosquitto's are recorded ones. */
const READ: readonly (readonly [string, MqttVersion, Buffer, ConnackRead])[] = [
  ["accepted", "3.1.1", hex("20020000"), connack(0)],
  ["a session is there", "3.1.1", hex("20020100"), connack(0, true)],
  ["refused in 3.1", "3.1", hex("20020005"), connack(5)],
  ["Mosquitto 2.0, 5", "5", hex("200900000622000a210014"), connack(0)],
  [
    "Mosquitto 2.1, 5, with an assigned client id",
    "5",
    hex(`203a000037${"22000a"}${ASSIGNED}27001e8480210014`),
    connack(0),
  ],
  ["Mosquitto with max_keepalive", "5", hex("200600000313003c"), connack(0, false, 60)],
  ["Server Keep Alive 0", "5", hex("2006000003130000"), connack(0, false, 0)],
  [
    "Server Keep Alive behind every other property",
    "5",
    connackOf5(
      Buffer.concat([
        hex("1100000001"),
        hex("12"),
        field("id"),
        hex("15"),
        field("SCRAM"),
        hex("16"),
        field(Buffer.of(0, 255)),
        hex("1a"),
        field("response"),
        hex("1c"),
        field("other"),
        hex("1f"),
        field("fine"),
        hex("210001220001240125012700001000280129012a01"),
        hex("26"),
        field("k"),
        field("v"),
        hex("26"),
        field("k"),
        field("v"),
        hex("130384"),
      ]),
    ),
    connack(0, false, 900),
  ],
  ["refused in 5", "5", hex("2003008700"), connack(0x87)],
  ["a broker without 5", "5", hex("20020001"), connack(1)],
  ["5's form for a client of 3.1.1", "3.1.1", hex("2003008400"), connack(0x84)],
  ["two AUTH before it", "5", Buffer.concat([auth(40), auth(300), hex("200600000313003c")]), connack(0, false, 60)],
  ["an empty AUTH before it", "5", Buffer.concat([auth(0), hex("2003000000")]), connack(0)],
  ["a property that nobody knows", "5", connackOf5(hex("7f0013003c")), connack(0)],
  ["properties that run over it", "5", hex("20060000ff13003c"), connack(0)],
  ["packets behind it", "3.1.1", hex("200200003005000161787a"), connack(0)],
];

describe("a CONNACK is read, in one piece, in two wherever it is cut, and byte by byte", () => {
  for (const [name, version, bytes, expected] of READ)
    test(name, () => {
      for (let cut = 0; cut <= bytes.length; cut++)
        expect(readAll(version, [bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(expected);
      expect(
        readAll(
          version,
          Array.from(bytes, (byte) => Buffer.of(byte)),
        ),
      ).toEqual(expected);
    });
});

describe("what is no CONNACK says nothing", () => {
  const cases: readonly (readonly [string, MqttVersion, Buffer])[] = [
    ["another packet", "3.1.1", hex("300500016161")],
    ["another protocol", "3.1.1", Buffer.from("HTTP/1.1 400 Bad Request\r\n")],
    ["AUTH in 3.1.1", "3.1.1", auth(2)],
    ["a length of five bytes", "5", hex("20ffffffff01")],
    ["none of its two bytes", "5", hex("2000")],
    ["one of its two bytes", "5", hex("200100")],
    ["reserved flags", "3.1.1", hex("20020200")],
    ["flags of the fixed header", "3.1.1", hex("21020000")],
    ["a CONNACK over the limit", "5", Buffer.concat([hex("20"), varint(16385)])],
    ["AUTH without end", "5", Buffer.concat(Array.from({ length: 65 }, () => auth(1)))],
  ];
  for (const [name, version, bytes] of cases)
    test(name, () => {
      expect(readAll(version, [bytes])).toEqual({ kind: "unreadable" });
      expect(
        readAll(
          version,
          Array.from(bytes, (byte) => Buffer.of(byte)),
        ),
      ).toEqual({ kind: "unreadable" });
    });
});

test("a CONNACK as large as the limit is read", () => {
  const pair = Buffer.concat([hex("26"), field("k"), field("x".repeat(1000))]);
  const bytes = connackOf5(Buffer.concat([...Array.from({ length: 16 }, () => pair), hex("13003c")]));
  expect(bytes.length).toBeGreaterThan(16_000);
  expect(readAll("5", [bytes.subarray(0, 9000), bytes.subarray(9000)])).toEqual(connack(0, false, 60));
});

test("no bytes of a broker make it throw", () => {
  const dice = random(20260813);
  const seen = new Set<string>();
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(dice.pick(READ)[2]);
    for (let change = dice.below(4); change > 0; change--)
      bytes[dice.below(Math.min(bytes.length, 12))] = dice.below(256);
    const cut = dice.below(bytes.length);
    seen.add(readAll(dice.pick(["3.1.1", "5"]), [bytes.subarray(0, cut), bytes.subarray(cut)]).kind);
  }
  expect(seen).toEqual(new Set(["connack", "more", "unreadable"]));
});
