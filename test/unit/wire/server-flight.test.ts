// A server's answer is read whatever its bytes are: in pieces, cut off, damaged, or of no TLS at all.

import { expect, test } from "bun:test";
import { parseClientHello } from "../../../src/wire/client-hello.ts";
import { helloRecord, type ProbeHello, writeHello } from "../../../src/wire/probe-hello.ts";
import { MAX_FLIGHT, ServerFlight } from "../../../src/wire/server-flight.ts";

const vector = (size: number, ...parts: Uint8Array[]): Buffer => {
  const bytes = Buffer.concat(parts);
  const length = Buffer.alloc(size);
  length.writeUIntBE(bytes.length, 0, size);
  return Buffer.concat([length, bytes]);
};
const bytes = (...values: number[]): Buffer => Buffer.from(values);
const message = (type: number, ...body: Uint8Array[]): Buffer => Buffer.concat([bytes(type), vector(3, ...body)]);
const record = (type: number, ...content: Uint8Array[]): Buffer =>
  Buffer.concat([bytes(type, 3, 3), vector(2, ...content)]);

const CERTIFICATES = [Buffer.alloc(900, 1), Buffer.alloc(300, 2)];
const MESSAGES = [
  // ServerHello of TLS 1.2 with ALPN, max_fragment_length and status_request.
  message(
    2,
    ...[bytes(3, 3), Buffer.alloc(32, 7), vector(1), bytes(0xc0, 0x2b, 0)],
    vector(
      2,
      bytes(0, 16),
      vector(2, vector(2, vector(1, Buffer.from("mqtt")))),
      bytes(0, 1, 0, 1, 1),
      bytes(0, 5, 0, 0),
    ),
  ),
  message(11, vector(3, ...CERTIFICATES.map((each) => vector(3, each)))),
  message(22, bytes(1), vector(3, Buffer.alloc(50))),
  message(12, bytes(3, 0, 23), vector(1, Buffer.alloc(65)), bytes(4, 3), vector(2, Buffer.alloc(70))),
  message(13, vector(1, bytes(64)), vector(2, bytes(4, 3)), vector(2, vector(2, Buffer.from("300cname", "latin1")))),
  message(14),
];
/** One message per record, as OpenSSL sends them. */
const FLIGHT = Buffer.concat(MESSAGES.map((each) => record(22, each)));

const read = (...chunks: Uint8Array[]): ServerFlight => {
  const flight = new ServerFlight(() => null);
  for (const chunk of chunks) flight.push(chunk);
  return flight;
};

function expectWhole(flight: ServerFlight): void {
  expect(flight.state).toBe("done");
  expect(flight.hello).toMatchObject({ version: 0x0303, suite: 0xc02b, isRetry: false });
  expect(flight.alpn).toBe("mqtt");
  expect(flight.fragmentLengthAgreed).toBe(true);
  expect(flight.certificates.map(({ length }) => length)).toEqual([900, 300]);
  expect(flight.certificateBytes).toBe(MESSAGES[1]!.length);
  expect(flight.stapled).toBe(true);
  expect(flight.group).toEqual({ kind: "group", number: 23 });
  expect(flight.request!.authorities.map((each) => Buffer.from(each).toString())).toEqual(["300cname"]);
}

test("an answer is read in one piece, byte by byte, and in any division into records", () => {
  expectWhole(read(FLIGHT));
  expect(read(FLIGHT).longestRecord).toBe(MESSAGES[1]!.length);
  expectWhole(read(...[...FLIGHT].map((byte) => bytes(byte))));
  const whole = Buffer.concat(MESSAGES);
  for (const length of [1, 3, 512, whole.length]) {
    const records: Buffer[] = [];
    for (let at = 0; at < whole.length; at += length) records.push(record(22, whole.subarray(at, at + length)));
    const flight = read(Buffer.concat(records));
    expectWhole(flight);
    expect(flight.longestRecord).toBe(Math.min(length, whole.length));
  }
});

test("every prefix waits for more, and no changed byte is more than another answer", () => {
  for (let end = 0; end < FLIGHT.length; end++) expect(read(FLIGHT.subarray(0, end)).state).toBe("more");
  for (let at = 0; at < FLIGHT.length; at++)
    for (const change of [1, 0x80, 0xff]) {
      const changed = Buffer.from(FLIGHT);
      changed[at]! ^= change;
      expect(["more", "done", "alert", "stranger", "bad"]).toContain(read(changed).state);
    }
});

test("an alert is one, before the hello and after it; a warning is none", () => {
  expect(read(record(21, bytes(2, 70)))).toMatchObject({ state: "alert", alert: 70 });
  expect(read(record(21, bytes(1, 112)), FLIGHT).state).toBe("done");
  const hello = FLIGHT.subarray(0, 5 + MESSAGES[0]!.length);
  expect(read(hello, record(21, bytes(2, 40)))).toMatchObject({ state: "alert", alert: 40 });
});

test("what is no TLS is a stranger, and its first bytes are kept; what never ends is bad", () => {
  for (const text of ["HTTP/1.1 400 Bad Request\r\n", " \u0002\u0000\u0000", "SSH-2.0-OpenSSH"]) {
    const flight = read(Buffer.from(text, "latin1"));
    expect(flight.state).toBe("stranger");
    expect(flight.first.toString("latin1")).toBe(text);
  }
  const flight = read(FLIGHT.subarray(0, 5 + MESSAGES[0]!.length));
  const certificate = record(22, message(23, Buffer.alloc(16_000)));
  for (let sent = 0; sent <= MAX_FLIGHT; sent += certificate.length) flight.push(certificate.subarray(0, 5000));
  expect(flight.state).toBe("bad");
  expect(read(record(22, message(2, bytes(2, 0), Buffer.alloc(38)))).state).toBe("bad");
});

test("a hello of ours is what our own reader of hellos takes for one", () => {
  const common: ProbeHello = {
    ...{ version: "1.3", serverName: "mqtt.example.com", alpn: ["mqtt"], suites: [0x1301], groups: [29, 23] },
    ...{ keyShares: [{ group: 29, key: Buffer.alloc(32) }], random: Buffer.alloc(32), sessionId: Buffer.alloc(32) },
  };
  const parsed = (hello: ProbeHello) => parseClientHello(helloRecord(writeHello(hello)));
  expect(parsed({ ...common, recordSizeLimit: 512 })).toMatchObject({
    ...{ kind: "ok", sni: "mqtt.example.com", alpn: ["mqtt"], versions: [0x0304], groups: [29, 23], maxRecord: 511 },
  });
  expect(parsed(common)).toMatchObject({ offersSession: false });
  expect(parsed({ ...common, version: "1.2", suites: [0xc02b], shortFragments: true })).toMatchObject({
    ...{ kind: "ok", legacyVersion: 0x0303, versions: [], maxRecord: 512, suites: "ecdsa" },
  });
  expect(parsed({ ...common, version: "1.0", serverName: null, alpn: [] })).toMatchObject({
    ...{ kind: "none", legacyVersion: 0x0301, alpn: [], signatureAlgorithms: [] },
  });
});
