// How early a first packet is refused, what it is answered, how another protocol is named, and what reading costs.

import { describe, expect, test } from "bun:test";
import { type ConnectRead, readConnect } from "../../../src/mqtt/connect.ts";
import { NOT_MQTT, type NotMqtt } from "../../../src/mqtt/strangers.ts";
import { connectVectors, MAX_SIZE } from "../../support/connect-vectors.ts";
import { cpuMs } from "../../support/cpu.ts";
import { bytesOf } from "../../support/recorded.ts";

const hex = (text: string): Buffer => Buffer.from(text, "hex");
const recorded = (name: string): Buffer => bytesOf(connectVectors.find((vector) => vector.name === name)!);
const answer = (read: ConnectRead): string =>
  read.kind === "refuse" ? `${read.fault} ${read.connack?.toString("hex") ?? "silent"}` : read.kind;

describe("what needs no whole packet is refused before there is one", () => {
  const cases: readonly (readonly [what: string, bytes: string, answer: string])[] = [
    ["the first wrong letter of the protocol's name", "101200044d58", "unsupported-version silent"],
    ["a level that is not served, 3.1.1's form", "101200044d51545403", "unsupported-version 20020001"],
    ["a level that is not served, 5's form", "101200044d51545406", "unsupported-version 2003008400"],
    ["a length over the limit, before the version", "10ffff7f", "too-large silent"],
    ["a length over the limit, in 3.1.1", "10ffff7f00044d51545404", "too-large silent"],
    ["a length over the limit, in 5", "10ffff7f00044d51545405", "too-large 2003009500"],
    ["a length of five bytes", "10ffffffff", "malformed silent"],
    ["a packet that ends before its level", "100600044d51", "more"],
    ["the same, whole", "100600044d515454", "malformed silent"],
    ["another packet of MQTT", "c000", "protocol-error silent"],
  ];
  for (const [what, bytes, expected] of cases)
    test(what, () => expect(answer(readConnect(hex(bytes), MAX_SIZE))).toBe(expected));
});

test("a packet of exactly maxSize is read, and of a byte more refused", () => {
  const bytes = recorded("v5-all-properties");
  expect(answer(readConnect(bytes, bytes.length))).toBe("ok");
  expect(answer(readConnect(bytes, bytes.length - 1))).toBe("too-large 2003009500");
  expect(answer(readConnect(bytes.subarray(0, 12), bytes.length - 1))).toBe("too-large 2003009500");
});

describe("a refused client of 5 that takes no 5 bytes gets none, wherever the fault is", () => {
  /** Maximum Packet Size, in hexadecimal. */
  const size = (bytes: number): string => `27${bytes.toString(16).padStart(8, "0")}`;
  const packet = (first: string, flags: string, properties: string, payload: string): Buffer => {
    const length = (properties.length / 2).toString(16).padStart(2, "0");
    const body = `00044d51545405${flags}003c${length}${properties}${payload}`;
    return hex(first + (body.length / 2).toString(16).padStart(2, "0") + body);
  };
  const cases: readonly (readonly [fault: string, make: (bytes: number) => Buffer, answer: string])[] = [
    ["in the fixed header", (bytes) => packet("11", "02", size(bytes), "000161"), "malformed 2003008100"],
    ["in the flags", (bytes) => packet("10", "03", size(bytes), "000161"), "malformed 2003008100"],
    [
      "in a property before it",
      (bytes) => packet("10", "02", `1702${size(bytes)}`, "000161"),
      "protocol-error 2003008200",
    ],
    ["in a text before it", (bytes) => packet("10", "02", `150001ff${size(bytes)}`, "000161"), "malformed 2003008100"],
    [
      "in a property behind it",
      (bytes) => packet("10", "02", `${size(bytes)}1702`, "000161"),
      "protocol-error 2003008200",
    ],
    ["in the client id", (bytes) => packet("10", "02", size(bytes), "000100"), "malformed 2003008100"],
    ["behind the last field", (bytes) => packet("10", "02", size(bytes), "00016100"), "malformed 2003008100"],
  ];
  for (const [fault, make, expected] of cases)
    test(fault, () => {
      expect(answer(readConnect(make(5), MAX_SIZE))).toBe(expected);
      expect(answer(readConnect(make(4), MAX_SIZE))).toBe(expected.replace(/ .*/, " silent"));
    });

  test("in a packet that is too large", () => {
    const large = (bytes: number): Buffer => hex(`10ffff7f00044d5154540502003c05${size(bytes)}`);
    expect(answer(readConnect(large(5), MAX_SIZE))).toBe("too-large 2003009500");
    expect(answer(readConnect(large(4), MAX_SIZE))).toBe("too-large silent");
  });
});

describe("what is no MQTT is named", () => {
  const names: Readonly<Record<string, NotMqtt>> = {
    "http-get": "http",
    "http-post": "http",
    "http-connect-method": "http",
    "http2-preface": "http",
    "websocket-upgrade": "websocket",
    "tls-clienthello-record": "tls-in-tls",
    "tls-alert": "tls-in-tls",
    "sslv2-hello": "tls-in-tls",
    "proxy-v1": "proxy-line",
    "proxy-v2": "proxy-line",
    ssh: "ssh",
    smtp: "smtp",
    redis: "redis",
    amqp: "amqp",
    stomp: "stomp",
    rdp: "rdp",
    newlines: "unknown",
    zeros: "unknown",
    ff: "unknown",
    "websocket-frame-with-connect": "websocket",
    json: "unknown",
  };
  for (const { name } of connectVectors.filter(({ outcome }) => outcome === "not-mqtt"))
    test(name, () =>
      expect(readConnect(recorded(name), MAX_SIZE)).toEqual({ kind: "not-mqtt", protocol: names[name]! }),
    );

  test("by every name that there is", () => expect(new Set(Object.values(names))).toEqual(new Set(NOT_MQTT)));
});

describe("reading is cheap", () => {
  test("properties cost by their number, not by its square", () => {
    const bytes = recorded("v5-9000-user-properties");
    // 9000 of them took 0.15 ms. A comparison of each with each other would be 81 million.
    expect(cpuMs(() => readConnect(bytes, MAX_SIZE))).toBeLessThan(60);
  });
});
