// What the hellos of real clients are read as, however they were cut up on the way.
import { describe, expect, test } from "bun:test";
import {
  type HelloResult,
  MAX_HELLO_HEADERS,
  MAX_HELLO_MESSAGE,
  parseClientHello,
} from "../../../src/wire/client-hello.ts";
import {
  bytes,
  EXPECTED,
  extension,
  inRecords,
  message,
  messageOf,
  messageOfSize,
  protocols,
  record,
  recordedHellos,
  serverName,
  vector,
} from "../../fixtures/hello/hellos.ts";
import { random } from "../../support/random.ts";

const hellos = recordedHellos();

test("every recorded hello has its expectation", () => {
  expect(hellos.map((hello) => hello.name).sort()).toEqual(Object.keys(EXPECTED).sort());
});

describe.each(hellos)("$name", ({ name, bytes: wire }) => {
  const whole = parseClientHello(wire);

  test("is read in full", () => {
    const { sni, ...offer } = EXPECTED[name]!;
    expect(whole).toEqual({
      ...(sni === null ? { kind: "none" } : { kind: "ok", sni }),
      alpn: [],
      acme: false,
      legacyVersion: 0x0303,
      ...offer,
      signatureAlgorithms: expect.any(Array),
      groups: expect.any(Array),
      maxRecord: expect.any(Number),
      offersSession: expect.any(Boolean),
      suites: expect.stringMatching(/^(any|ecdsa|rsa)$/),
    } as never);
    if (whole.kind !== "ok" && whole.kind !== "none") throw new Error();
    // ecdsa_secp256r1_sha256: every client here can verify it, if it says anything at all.
    if (name !== "openssl-tls10-no-sni") expect(whole.signatureAlgorithms).toContain(0x0403);
  });

  test("every prefix wants more, and never more than there is", () => {
    for (let length = 0; length < wire.length; length++) {
      const result = parseClientHello(wire.subarray(0, length));
      if (result.kind !== "more") throw new Error(`${length} of ${wire.length} bytes: ${JSON.stringify(result)}`);
      expect(result.need).toBeGreaterThan(length);
      expect(result.need).toBeLessThanOrEqual(wire.length);
    }
  });

  test("early data behind it changes nothing", () => {
    expect(parseClientHello(bytes(wire, record(new Uint8Array(100), 23), "anything"))).toEqual(whole);
  });

  test("cut into two records anywhere it reads the same, and its prefixes want more", () => {
    const handshake = messageOf(wire);
    for (let cut = 1; cut < handshake.length; cut++) {
      const cutUp = inRecords(handshake, [cut]);
      expect(parseClientHello(cutUp)).toEqual(whole);
      expect(parseClientHello(cutUp.subarray(0, 5 + cut)).kind).toBe("more");
      expect(parseClientHello(cutUp.subarray(0, cutUp.length - 1)).kind).toBe("more");
    }
  });

  test("cut into many records at random it reads the same, and all its prefixes want more", () => {
    const handshake = messageOf(wire);
    const dice = random(1);
    for (let round = 0; round < 20; round++) {
      const cuts = new Set(Array.from({ length: 1 + dice.below(20) }, () => 1 + dice.below(handshake.length - 1)));
      const cutUp = inRecords(
        handshake,
        [...cuts].sort((a, b) => a - b),
      );
      expect(parseClientHello(cutUp)).toEqual(whole);
      for (let length = 0; length < cutUp.length; length++) {
        if (parseClientHello(cutUp.subarray(0, length)).kind !== "more") throw new Error(`round ${round}, ${length}`);
      }
    }
  });
});

function sniOf(result: HelloResult): string {
  return result.kind === "ok" ? result.sni : `(${result.kind === "bad" ? result.reason : result.kind})`;
}

test("a hello in one-byte records is read", () => {
  const handshake = messageOf(hellos.find(({ name }) => name === "curl")!.bytes);
  const cuts = Array.from({ length: handshake.length - 1 }, (_, index) => index + 1);
  expect(sniOf(parseClientHello(inRecords(handshake, cuts)))).toBe("curl.example.com");
});

test("a hello with GREASE everywhere and an ML-KEM key share is read, and GREASE left out", () => {
  const keyShare = (group: number, size: number) => bytes(group >> 8, group & 0xff, vector(2, new Uint8Array(size)));
  const handshake = message({
    sessionId: new Uint8Array(32),
    ciphers: [0x2a, 0x2a, 0x13, 0x01, 0xc0, 0x2b],
    extensions: [
      extension(0x8a8a),
      extension(51, vector(2, keyShare(0x3a3a, 1), keyShare(0x11ec, 1216), keyShare(0x001d, 32))),
      extension(10, vector(2, [0x3a, 0x3a, 0x11, 0xec, 0x00, 0x1d])),
      protocols([0x0a, 0x0a], "mqtt", [0xfa, 0xfa], "a b\\\u00ff"),
      serverName("pq.example.com"),
      extension(43, vector(1, [0x5a, 0x5a, 3, 4, 3, 3])),
      extension(13, vector(2, [0x04, 0x03, 0xda, 0xda, 0x08, 0x04])),
      extension(0xfe0d, new Uint8Array(300)),
      extension(0xdada, 0),
      extension(21, new Uint8Array(500)),
      extension(41, new Uint8Array(700)),
    ],
  });
  for (const wire of [record(handshake), inRecords(handshake, [1200])]) {
    expect(parseClientHello(wire)).toEqual({
      kind: "ok",
      sni: "pq.example.com",
      alpn: ["\\x0a\\x0a", "mqtt", "\\xfa\\xfa", "a\\x20b\\x5c\\xff"],
      acme: false,
      legacyVersion: 0x0303,
      versions: [0x0304, 0x0303],
      signatureAlgorithms: [0x0403, 0x0804],
      groups: [0x11ec, 0x001d],
      maxRecord: 0,
      offersSession: true,
      suites: "ecdsa",
    });
  }
});

test("a hello of exactly the cap is read, one byte above is refused as soon as it is announced", () => {
  const largest = messageOfSize(MAX_HELLO_MESSAGE);
  expect(largest.length).toBe(MAX_HELLO_MESSAGE);
  expect(sniOf(parseClientHello(inRecords(largest, [1, 16385, 32769, 49153])))).toBe("a.example.com");
  const cuts = Array.from({ length: MAX_HELLO_HEADERS / 5 - 2 }, (_, index) => 80 * (index + 1));
  expect(sniOf(parseClientHello(inRecords(largest, cuts)))).toBe("a.example.com");

  const above = inRecords(messageOfSize(MAX_HELLO_MESSAGE + 1), [100]);
  expect(sniOf(parseClientHello(above))).toBe("(hello-too-large)");
  expect(parseClientHello(above.subarray(0, 8)).kind).toBe("more");
  expect(sniOf(parseClientHello(above.subarray(0, 9)))).toBe("(hello-too-large)");
});

test("a hello in more records than the header budget allows is refused, not collected", () => {
  const handshake = messageOfSize(MAX_HELLO_MESSAGE);
  const cuts = Array.from({ length: handshake.length - 1 }, (_, index) => index + 1);
  const wire = inRecords(handshake, cuts);
  const records = Math.floor(MAX_HELLO_HEADERS / 5);
  expect(parseClientHello(wire.subarray(0, records * 6 - 1)).kind).toBe("more");
  expect(sniOf(parseClientHello(wire.subarray(0, records * 6)))).toBe("(hello-too-large)");
});

test.each([
  ["nothing said", [], 0],
  ["max_fragment_length 512", [extension(1, 1)], 512],
  ["max_fragment_length 4096", [extension(1, 4)], 4096],
  ["max_fragment_length of no such number", [extension(1, 5)], 0],
  ["max_fragment_length that is empty", [extension(1)], 0],
  ["record_size_limit 1000, of which one byte is the type", [extension(28, [3, 0xe8])], 999],
  ["record_size_limit below 64, which nobody may send", [extension(28, [0, 63])], 0],
  ["record_size_limit of three bytes", [extension(28, [0, 9, 9])], 0],
  ["both: record_size_limit counts", [extension(1, 1), extension(28, [8, 1])], 2048],
])("the longest record that a client takes: %s", (_, extensions, maxRecord) => {
  expect(parseClientHello(record(message({ extensions })))).toMatchObject({ kind: "none", maxRecord });
});

test.each([
  ["a hello without extension block", message({ extensions: null })],
  ["a hello with an empty extension block", message({ extensions: [] })],
  ["a hello with extensions but no name", message({ extensions: [extension(23), protocols("mqtt")] })],
])("%s is valid and names no server", (_, handshake) => {
  expect(parseClientHello(record(handshake)).kind).toBe("none");
});

test.each([
  ["upper case is folded", "MQTT.Example.COM", "mqtt.example.com"],
  ["one trailing dot goes", "a.example.com.", "a.example.com"],
  ["an IPv4 literal is a name", "192.0.2.1", "192.0.2.1"],
  ["an IPv6 literal is a name", "2001:DB8::1", "2001:db8::1"],
  ["underscores and digits are fine", "my_device-01", "my_device-01"],
  ["255 bytes are the limit", "a".repeat(255), "a".repeat(255)],
])("server name: %s", (_, sent, read) => {
  expect(sniOf(parseClientHello(record(message({ extensions: [serverName(sent)] }))))).toBe(read);
});

test("parsing keeps no reference: the bytes may be overwritten afterwards", () => {
  const wire = record(message({ extensions: [serverName("a.example.com"), protocols("mqtt")] })).slice();
  const result = parseClientHello(wire);
  wire.fill(0xff);
  expect(result).toMatchObject({ kind: "ok", sni: "a.example.com", alpn: ["mqtt"] });
});
