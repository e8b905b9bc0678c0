// A CONNECT that is written again says what it is told to, and otherwise what it said before, byte for byte.

import { describe, expect, test } from "bun:test";
import { generate, parser } from "mqtt-packet";
import { type Connect, readConnect } from "../../../src/mqtt/connect.ts";
import { type ConnectChanges, rewriteConnect } from "../../../src/mqtt/rewrite.ts";
import { connectVectors, MAX_SIZE } from "../../support/connect-vectors.ts";
import { type Random, random } from "../../support/random.ts";
import {
  encodeConnect,
  type RandomConnect,
  randomBytes,
  randomConnect,
  randomText,
  VERSIONS,
} from "../../support/random-connect.ts";
import { bytesOf } from "../../support/recorded.ts";

const ROUNDS = 2000;
const seed = Number(process.env.SLUICE_FUZZ_SEED ?? 20260812);

function read(bytes: Buffer): Connect {
  const result = readConnect(bytes, 10 * MAX_SIZE);
  if (result.kind !== "ok") throw new Error(`${JSON.stringify(result)}: ${bytes.toString("hex")}`);
  return result.connect;
}

/** What a reader is to find in it. */
function fieldsOf({ properties: _, will, ...fields }: RandomConnect) {
  if (will === null) return { ...fields, will };
  const { properties: __, ...rest } = will;
  return { ...fields, will: rest };
}

function fieldsFound({ packet: _, ...fields }: Connect) {
  return fields;
}

function randomChanges(dice: Random, { version, clean, username }: RandomConnect): ConnectChanges {
  const leastId = version === "5" || (version === "3.1.1" && clean) ? 0 : 1;
  const changes: { -readonly [key in keyof ConnectChanges]: ConnectChanges[key] } = {};
  if (dice.chance(0.5)) changes.clientId = randomText(dice, leastId);
  if (dice.chance(0.5)) changes.username = dice.chance(0.3) ? null : randomText(dice);
  const named = changes.username === undefined ? username : changes.username;
  if (dice.chance(0.5)) changes.password = dice.chance(0.3) || named === null ? null : randomBytes(dice);
  return changes;
}

test("any CONNECT of every version is read as it was made, and written again without changes it is the same bytes", () => {
  const dice = random(seed);
  const seen = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    const made = randomConnect(dice);
    const bytes = encodeConnect(made);
    const connect = read(bytes);
    expect(fieldsFound(connect)).toEqual(fieldsOf(made));
    expect(rewriteConnect(connect, {})!.equals(bytes)).toBe(true);
    seen.add(made.version + (made.will === null) + (made.username === null) + (made.password === null));
  }
  // 3.1 and 3.1.1 have no password without a user name.
  expect(seen.size).toBe(6 + 6 + 8);
});

test("written again with changes, a CONNECT has the new fields, and everything else is the same bytes", () => {
  const dice = random(seed + 1);
  for (let round = 0; round < ROUNDS; round++) {
    const made = randomConnect(dice);
    const changes = randomChanges(dice, made);
    const wanted = { ...made, ...changes };
    if (wanted.username === null && made.version !== "5") wanted.password = null;
    // The encoder of the test writes the other fields as they were made: properties and their order, the will, the flags.
    expect(rewriteConnect(read(encodeConnect(made)), changes)!.toString("hex")).toBe(
      encodeConnect(wanted).toString("hex"),
    );
  }
});

describe("the recorded CONNECTs that are taken are the same bytes when written again", () => {
  // Their flags say what is not there; such a flag is cleared.
  const cleared = new Set(["v31-username-flag-string-missing", "v31-password-flag-string-missing"]);
  for (const vector of connectVectors) {
    const result = readConnect(bytesOf(vector), MAX_SIZE);
    if (result.kind !== "ok") continue;
    test(vector.name, () => {
      const written = rewriteConnect(result.connect, {})!;
      expect(written.equals(result.connect.packet)).toBe(!cleared.has(vector.name));
      expect(fieldsFound(read(written))).toEqual(fieldsFound(result.connect));
    });
  }
});

test("a user name that was flagged and missing can be given, in 3.1", () => {
  const vector = connectVectors.find(({ name }) => name === "v31-password-flag-string-missing")!;
  const connect = read(bytesOf(vector));
  const written = rewriteConnect(connect, { username: "anna", password: Buffer.from("tea") })!;
  expect([read(written).username, read(written).password?.toString()]).toEqual(["anna", "tea"]);
  const taken = rewriteConnect(connect, { username: null })!;
  expect(taken.toString("hex")).toBe("101500064d51497364700302003c00076465762d333164");
});

test("in 3.1 and 3.1.1 a password goes with its user name, and in 5 it stays", () => {
  const dice = random(seed + 2);
  for (const version of VERSIONS) {
    const made = { ...randomConnect(dice), version, bridge: false, clean: true, clientId: "a", will: null };
    const bytes = encodeConnect({
      ...made,
      username: "anna",
      password: Buffer.from("tea"),
      properties: Buffer.alloc(0),
    });
    const { username, password } = read(rewriteConnect(read(bytes), { username: null })!);
    expect([username, password?.toString() ?? null]).toEqual([null, version === "5" ? "tea" : null]);
  }
});

test("lengths up to 65535 are written, and no longer ones", () => {
  const connect = read(encodeConnect({ ...randomConnect(random(seed)), version: "3.1.1", will: null, clientId: "a" }));
  const longest = "x".repeat(65535);
  const written = read(
    rewriteConnect(connect, { clientId: longest, username: longest, password: Buffer.from(longest) })!,
  );
  expect([written.clientId, written.username, written.password?.toString()]).toEqual([longest, longest, longest]);
  const over = `${longest}x`;
  // The same number of characters, and more bytes.
  for (const text of [over, `${"x".repeat(65534)}é`]) {
    expect(rewriteConnect(connect, { clientId: text })).toBeNull();
    expect(rewriteConnect(connect, { username: text })).toBeNull();
  }
  expect(rewriteConnect(connect, { username: "a", password: Buffer.from(over) })).toBeNull();
});

test("what may not be sent is not written", () => {
  const made = { ...randomConnect(random(seed)), bridge: false, will: null, clientId: "a", username: "b" };
  for (const version of VERSIONS) {
    const connect = read(encodeConnect({ ...made, version, properties: Buffer.alloc(0) }));
    for (const text of ["a\0", "a\n", "a\x7f", "a\x85", "a\ufffe", "a\ufdd0", "a\u{1ffff}", "a\ud800", "\udfffa"]) {
      expect(rewriteConnect(connect, { clientId: text })).toBeNull();
      expect(rewriteConnect(connect, { username: text })).toBeNull();
    }
  }
  const empty = (version: "3.1" | "3.1.1" | "5", clean: boolean) =>
    rewriteConnect(read(encodeConnect({ ...made, version, clean, properties: Buffer.alloc(0) })), { clientId: "" });
  expect(VERSIONS.map((version) => [empty(version, true) !== null, empty(version, false) !== null])).toEqual([
    [false, false],
    [true, false],
    [true, true],
  ]);
});

describe("another implementation agrees", () => {
  /** mqtt-packet checks little, but what conforms it reads as it is. */
  const readThere = (bytes: Buffer) => {
    const packets: Record<string, unknown>[] = [];
    const reader = parser();
    reader.on("packet", (packet) => packets.push(packet as unknown as Record<string, unknown>));
    reader.on("error", (error) => {
      throw error;
    });
    reader.parse(bytes);
    expect(packets).toHaveLength(1);
    return packets[0]!;
  };

  test("about what a written CONNECT says", () => {
    const dice = random(seed + 3);
    for (let round = 0; round < ROUNDS; round++) {
      const made = randomConnect(dice);
      const connect = read(rewriteConnect(read(encodeConnect(made)), randomChanges(dice, made))!);
      const there = readThere(connect.packet);
      expect(there).toMatchObject({
        cmd: "connect",
        protocolVersion: { "3.1": 3, "3.1.1": 4, "5": 5 }[connect.version],
        clean: connect.clean,
        keepalive: connect.keepAlive,
        clientId: connect.clientId,
      });
      expect(there.bridgeMode ?? false).toBe(connect.bridge);
      expect(there.username ?? null).toBe(connect.username);
      expect(there.password ?? null).toEqual(connect.password);
      const will = there.will as { topic: string; payload: Buffer; qos: number; retain: boolean } | undefined;
      expect(will && [will.topic, will.payload, will.qos, will.retain]).toEqual(
        connect.will === null
          ? undefined
          : [connect.will.topic, connect.will.payload, connect.will.qos, connect.will.retain],
      );
    }
  });

  test("about what its own writer makes", () => {
    const dice = random(seed + 4);
    for (let round = 0; round < ROUNDS; round++) {
      const made = randomConnect(dice);
      const { version, clean, keepAlive, clientId, username, password, will, sessionExpiry, maximumPacketSize } = made;
      const bytes = generate({
        cmd: "connect",
        protocolId: version === "3.1" ? "MQIsdp" : "MQTT",
        protocolVersion: { "3.1": 3, "3.1.1": 4, "5": 5 }[version] as 3 | 4 | 5,
        clean,
        keepalive: keepAlive,
        clientId: clientId || "a",
        ...(username ? { username } : {}),
        ...(username && password?.length ? { password } : {}),
        ...(will === null
          ? {}
          : { will: { topic: will.topic, payload: will.payload, qos: will.qos, retain: will.retain } }),
        ...(version === "5" && maximumPacketSize !== null
          ? { properties: { sessionExpiryInterval: sessionExpiry, maximumPacketSize } }
          : {}),
      });
      expect(fieldsFound(read(bytes))).toEqual({
        ...fieldsOf(made),
        bridge: false,
        clientId: clientId || "a",
        username: username || null,
        password: username && password?.length ? password : null,
        sessionExpiry: maximumPacketSize === null ? 0 : sessionExpiry,
        authenticationMethod: null,
      });
    }
  });
});
