// Every recorded CONNECT is read as the texts of 3.1, 3.1.1 and 5 have it, however it is cut; test/fixtures/vectors/connect.json.

import { describe, expect, test } from "bun:test";
import { type Connect, type ConnectRead, readConnect } from "../../../src/mqtt/connect.ts";
import type { MqttVersion } from "../../../src/mqtt/version.ts";
import {
  type ConnectFields,
  type ConnectVector,
  connectVectors,
  expectedOf,
  flagMatrix,
  MAX_SIZE,
} from "../../support/connect-vectors.ts";
import { bytesOf } from "../../support/recorded.ts";

const outcomeOf = (read: ConnectRead): string => (read.kind === "refuse" ? read.fault : read.kind);
const connackOf = (read: ConnectRead): string | null =>
  read.kind === "refuse" ? (read.connack?.toString("hex") ?? null) : null;

/** Of "also", where neither outcome is a choice: what this reader says. */
function isAllowed(vector: ConnectVector, read: ConnectRead): boolean {
  const { outcome, connack } = expectedOf(vector);
  if (outcomeOf(read) === outcome) return connackOf(read) === connack;
  if (vector.choice !== undefined) return false;
  return vector.also?.outcome?.includes(outcomeOf(read)) === true && connackOf(read) === connack;
}

function expectFields(connect: Connect, fields: ConnectFields): void {
  if (fields.clientId !== undefined) expect(connect.clientId).toBe(fields.clientId);
  if (fields.clientIdLength !== undefined) expect(connect.clientId).toHaveLength(fields.clientIdLength);
  if (fields.cleanStart !== undefined) expect(connect.clean).toBe(fields.cleanStart);
  if (fields.keepAlive !== undefined) expect(connect.keepAlive).toBe(fields.keepAlive);
  if (fields.username !== undefined) expect(connect.username).toBe(fields.username);
  if (fields.password !== undefined) expect(connect.password?.toString("hex") ?? null).toBe(fields.password);
  if (fields.will === null) expect(connect.will).toBeNull();
  if (fields.will) {
    const { topic, payload, qos, retain } = connect.will!;
    expect({ topic, qos: qos as number, retain }).toEqual({
      topic: fields.will.topic,
      qos: fields.will.qos,
      retain: fields.will.retain,
    });
    if (fields.will.payload !== undefined) expect(payload.toString("hex")).toBe(fields.will.payload);
    if (fields.will.payloadLength !== undefined) expect(payload.length).toBe(fields.will.payloadLength);
  }
  const { sessionExpiryInterval = 0, maximumPacketSize = null, authenticationMethod = null } = fields.properties ?? {};
  expect([connect.sessionExpiry, connect.maximumPacketSize, connect.authenticationMethod]).toEqual([
    sessionExpiryInterval as number,
    maximumPacketSize as number | null,
    authenticationMethod as string | null,
  ]);
  expect(connect.bridge).toBe(fields.bridge ?? false);
  expect(connect.packet).toHaveLength(fields.packetLength);
}

/** As a connection does it: asks when there is something new to say, and keeps what comes meanwhile. */
function readInPieces(segments: readonly Buffer[]): ConnectRead {
  let bytes: Buffer = Buffer.alloc(0);
  let read = readConnect(bytes, MAX_SIZE);
  let asked = 0;
  for (const segment of segments) {
    bytes = Buffer.concat([bytes, segment]);
    if (read.kind !== "more" || bytes.length < read.need) continue;
    read = readConnect(bytes, MAX_SIZE);
    asked++;
    if (read.kind === "more") expect(read.need).toBeGreaterThan(bytes.length);
  }
  expect(asked).toBeLessThanOrEqual(15);
  return read.kind === "ok" ? readConnect(bytes, MAX_SIZE) : read;
}

describe("a first packet is read as recorded", () => {
  for (const vector of connectVectors)
    test(vector.name, () => {
      const bytes = bytesOf(vector);
      const read = readConnect(bytes, MAX_SIZE);
      expect(isAllowed(vector, read), `${outcomeOf(read)} ${connackOf(read)}`).toBe(true);
      if (read.kind === "refuse" && read.version !== null && vector.version !== null)
        expect(read.version).toBe(vector.version);
      if (read.kind === "ok") {
        expect(read.connect.version).toBe(vector.version!);
        const fields = vector.fields ?? vector.fieldsIfAccepted;
        if (fields !== undefined) {
          expectFields(read.connect, fields);
          expect(read.rest.toString("hex")).toBe(fields.rest ?? "");
        }
        expect(Buffer.concat([read.connect.packet, read.rest]).equals(bytes)).toBe(true);
      }
    });
});

describe("a first packet is read the same in two pieces, wherever it is cut, and byte by byte", () => {
  for (const vector of connectVectors.filter((each) => bytesOf(each).length < 200))
    test(vector.name, () => {
      const bytes = bytesOf(vector);
      const whole = readConnect(bytes, MAX_SIZE);
      const cuts = Array.from({ length: bytes.length }, (_, cut) => [bytes.subarray(0, cut), bytes.subarray(cut)]);
      const single = Array.from(bytes, (byte) => Buffer.of(byte));
      for (const pieces of [...cuts, single]) {
        const read = readInPieces(pieces);
        const where = `${pieces.length} pieces, the first of ${pieces[0]?.length}`;
        // Of what is no MQTT the name, and of what is too large the version, is what can be seen in the bytes that say so.
        if (whole.kind === "not-mqtt") expect(read.kind, where).toBe("not-mqtt");
        else if (outcomeOf(whole) === "too-large") expect(outcomeOf(read), where).toBe("too-large");
        else expect(read, where).toEqual(whole);
      }
    });
});

describe("a first packet is read the same in the recorded pieces", () => {
  for (const vector of connectVectors.filter(({ segments }) => segments !== undefined))
    test(vector.name, () => {
      const pieces = vector.segments!.map((hex) => Buffer.from(hex, "hex"));
      expect(readInPieces(pieces)).toEqual(readConnect(bytesOf(vector), MAX_SIZE));
    });
});

const OPENINGS: Readonly<Record<MqttVersion, string>> = {
  "3.1": "00064d514973647003",
  "3.1.1": "00044d51545404",
  "5": "00044d51545405",
};

/** A packet whose fields are those that the flags say. */
function flagPacket(version: MqttVersion, flags: number): Buffer {
  const properties = version === "5" ? "00" : "";
  const body = [
    OPENINGS[version],
    flags.toString(16).padStart(2, "0"),
    `003c${properties}0004666c6167`,
    ...(flags & 0x04 ? [`${properties}00017700016d`] : []),
    ...(flags & 0x80 ? ["000175"] : []),
    ...(flags & 0x40 ? ["000170"] : []),
  ].join("");
  return Buffer.from(`10${(body.length / 2).toString(16).padStart(2, "0")}${body}`, "hex");
}

describe("all 256 connect flags are taken or refused as recorded", () => {
  for (const [version, expected] of Object.entries(flagMatrix) as [MqttVersion, string][])
    test(version, () => {
      const letters = Array.from({ length: 256 }, (_, flags) => {
        const read = readConnect(flagPacket(version, flags), MAX_SIZE);
        return outcomeOf(read)[0];
      }).join("");
      expect(letters).toBe(expected);
    });
});
