// What is closed, under which reason, and how early.
import { describe, expect, test } from "bun:test";
import type { Alert } from "../../../src/wire/alert.ts";
import { type HelloResult, parseClientHello } from "../../../src/wire/client-hello.ts";
import {
  bytes,
  extension,
  inRecords,
  message,
  protocols,
  record,
  serverName,
  vector,
} from "../../fixtures/hello/hellos.ts";

/** [what, what is sent, at how many bytes it is known] */
type Stranger = [string, Uint8Array, number];

const MQTT311 = bytes(0x10, vector(1, vector(2, "MQTT"), 4, 2, 0, 60, vector(2, "device")));
const MQTT31 = bytes(0x10, vector(1, vector(2, "MQIsdp"), 3, 2, 0, 60, vector(2, "device")));
const PROXY_V2 = bytes("\r\n\r\n\0\r\nQUIT\n", 0x21, 0x11, vector(2, new Uint8Array(12)));

const strangers: Record<string, Stranger[]> = {
  "plain-mqtt": [
    ["MQTT 3.1.1", MQTT311, 8],
    ["MQTT 3.1", MQTT31, 10],
    ["a CONNECT of 200 MB", bytes(0x10, [0xff, 0xff, 0xff, 0x60], vector(2, "MQTT"), 5), 11],
  ],
  http: [
    ["GET", bytes("GET / HTTP/1.1\r\n"), 4],
    ["HEAD", bytes("HEAD / HTTP/1.1\r\n"), 5],
    ["POST", bytes("POST / HTTP/1.1\r\n"), 5],
    ["PUT", bytes("PUT / HTTP/1.1\r\n"), 4],
    ["PATCH", bytes("PATCH / HTTP/1.1\r\n"), 6],
    ["OPTIONS", bytes("OPTIONS * HTTP/1.1\r\n"), 8],
    ["CONNECT", bytes("CONNECT a:1 HTTP/1.1\r\n"), 8],
    ["HTTP/2 with prior knowledge", bytes("PRI * HTTP/2.0\r\n"), 4],
  ],
  "proxy-header": [
    ["PROXY v1", bytes("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), 6],
    ["PROXY v2", PROXY_V2, 12],
  ],
  sslv2: [
    ["SSLv2", bytes(0x80, 0x2e, 1, 0, 2, new Uint8Array(41)), 5],
    ["SSLv2-compatible hello for TLS 1.0", bytes(0x80, 0x2e, 1, 3, 1, new Uint8Array(41)), 5],
  ],
  "not-tls": [
    ["SSH", bytes("SSH-2.0-x\r\n"), 1],
    ["lower-case http", bytes("get / http/1.0"), 1],
    ["a zero byte", bytes(0), 1],
    ["a TLS alert", bytes(21, 3, 1, 0, 2, 1, 0), 1],
    ["application data", record(new Uint8Array(20), 23), 1],
    ["another MQTT packet", bytes(0x30, 5, 0, 1), 1],
    ["0x10 that is no MQTT", bytes(0x10, 0x05, 0, 5, "MQTT"), 4],
    ["0x10 with an endless length", bytes(0x10, [0xff, 0xff, 0xff, 0xff, 0x7f]), 5],
    ["0x80 that is no SSLv2 hello", bytes(0x80, 0x2e, 4, 3, 1), 3],
    ["SSLv2 shape with another version", bytes(0x80, 0x2e, 1, 4, 1), 5],
    ["half a GET", bytes("GEX"), 3],
    ["half a PROXY", bytes("PROXI "), 5],
    ["handshake record of version 2", record(message(), 22, 2, 0), 2],
  ],
};

describe.each(Object.entries(strangers))("%s", (reason, cases) => {
  test.each(cases)("%s, known as soon as it can be", (_, sent, knownAt) => {
    for (let length = 0; length <= sent.length; length++) {
      const result = parseClientHello(sent.subarray(0, length));
      // Only who speaks something of TLS's kind is answered with an alert.
      const alert = reason === "sslv2" ? "protocol_version" : null;
      const known = { kind: "bad", reason, alert } as HelloResult;
      expect(result).toEqual(length < knownAt ? { kind: "more", need: length + 1 } : known);
    }
  });
});

const good = message();
const withExtensions = (...extensions: Uint8Array[]) => record(message({ extensions }));
const withName = (...name: Parameters<typeof serverName>) => withExtensions(serverName(...name));

/** [what, what is sent, the alert when it is not decode_error] */
const broken: [string, Uint8Array, Alert?][] = [
  ["an empty record", bytes(22, 3, 1, 0, 0), "unexpected_message"],
  [
    "an empty record in the middle",
    bytes(record(good.subarray(0, 20)), 22, 3, 1, 0, 0, record(good.subarray(20))),
    "unexpected_message",
  ],
  [
    "an alert between two fragments",
    bytes(record(good.subarray(0, 20)), record(bytes(1, 0), 21), record(good.subarray(20))),
    "unexpected_message",
  ],
  [
    "a second record of another major version",
    bytes(record(good.subarray(0, 20)), record(good.subarray(20), 22, 4, 1)),
    "protocol_version",
  ],
  ["another handshake message", record(message({ type: 2 })), "unexpected_message"],
  ["bytes after the hello in its record", record(bytes(good, 0)), "unexpected_message"],
  ["bytes after the hello in its last record", inRecords(bytes(good, 0), [30]), "unexpected_message"],
  ["two hellos in one record", record(bytes(good, good)), "unexpected_message"],
  ["a body of nothing", record(bytes(1, 0, 0, 0))],
  ["a session id of 33 bytes", record(message({ sessionId: new Uint8Array(33) }))],
  ["no cipher suites", record(message({ ciphers: [] }))],
  ["half a cipher suite", record(message({ ciphers: [0x13, 0x01, 0x13] }))],
  ["no compression methods", record(message({ compressions: [] }))],
  ["bytes after the extensions", record(message({ trailer: 0 }))],
  ["half an extension length without block", record(message({ extensions: null, trailer: 0 }))],
  ["an extension longer than the block", withExtensions(bytes(0, 99, 0, 5, 1))],
  ["half an extension header", withExtensions(bytes(0, 99, 0))],
  ["the same extension twice", withExtensions(extension(99), extension(99)), "illegal_parameter"],
  [
    "two server_name extensions",
    withExtensions(serverName("a.example.com"), serverName("b.example.com")),
    "illegal_parameter",
  ],
  ["an empty server_name extension", withExtensions(extension(0))],
  ["an empty server name list", withExtensions(extension(0, vector(2)))],
  ["two host names", withExtensions(extension(0, vector(2, 0, vector(2, "a"), 0, vector(2, "b"))))],
  ["a name of another type", withExtensions(extension(0, vector(2, 1, vector(2, "a"))))],
  ["a byte after the server name list", withExtensions(extension(0, vector(2, 0, vector(2, "a")), 0))],
  ["an empty host name", withName("")],
  ["a host name that is a dot", withName(".")],
  ["a host name with two trailing dots", withName("a..")],
  ["a host name of 256 bytes", withName("a".repeat(256))],
  ["a host name with NUL", withName("a.example.com\0.evil.com")],
  ["a host name with a line break", withName("a\r\nb")],
  ["a host name with a space", withName("a b")],
  ["a host name with a slash", withName("../../etc")],
  ["a host name with a star", withName("*.example.com")],
  ["a host name in latin1", withName("\u00fcber.example.com")],
  ["an empty ALPN list", withExtensions(extension(16, vector(2)))],
  ["an empty ALPN name", withExtensions(protocols("mqtt", ""))],
  ["an ALPN name over the end of its list", withExtensions(extension(16, vector(2, 9, "mqtt")))],
  ["an ALPN list shorter than its extension", withExtensions(extension(16, vector(2, vector(1, "mqtt")), 0))],
  ["an odd supported_versions list", withExtensions(extension(43, vector(1, [3, 4, 3])))],
  ["an empty supported_versions list", withExtensions(extension(43, vector(1)))],
  ["an odd signature_algorithms list", withExtensions(extension(13, vector(2, [4])))],
];

describe("bad-hello", () => {
  test.each(broken)("%s", (_, sent, alert = "decode_error") => {
    expect(parseClientHello(sent)).toEqual({ kind: "bad", reason: "bad-hello", alert });
  });
});

test("a wrong record type, message type or trailing byte is refused without waiting for the rest", () => {
  const known = (sent: Uint8Array) => {
    for (let length = 0; ; length++) {
      const { kind } = parseClientHello(sent.subarray(0, length));
      if (kind !== "more") return `${kind} at ${length}`;
    }
  };
  expect(known(record(message({ type: 2 })))).toBe("bad at 6");
  expect(known(record(bytes(good, 0)))).toBe("bad at 9");
  expect(known(bytes(record(good.subarray(0, 20)), 23, 3, 3, 0, 9))).toBe("bad at 26");
});

test("a record over 2^14 bytes is refused by its header", () => {
  const tooLarge = { kind: "bad", reason: "hello-too-large", alert: "record_overflow" } as const;
  expect(parseClientHello(bytes(22, 3, 1, 0x40, 0x01))).toEqual(tooLarge);
  expect(parseClientHello(bytes(22, 3, 1, 0x40, 0x00)).kind).toBe("more");
});

test("every shortened length in a good hello makes it bad or another valid hello, never an exception", () => {
  const wire = record(message({ extensions: [serverName("a.example.com"), protocols("mqtt")] }));
  for (let at = 9; at < wire.length; at++) {
    const changed = Uint8Array.from(wire);
    changed[at] = changed[at]! ^ 1;
    expect(["ok", "none", "bad"]).toContain(parseClientHello(changed).kind);
  }
});
