// Durations, booleans and addresses mean in Sluice what they mean in Traefik's files.

import { describe, expect, test } from "bun:test";
import { formatHostPort, parseBool, parseDuration, parseHostPort, parsePort } from "../../../src/config/scalars.ts";

describe("a duration", () => {
  const read: [string, number][] = [
    // A bare integer is seconds.
    ["0", 0],
    ["10", 10_000],
    ["+5", 5000],
    ["-1", -1000],
    ["007", 7000],
    // Go's forms.
    ["10s", 10_000],
    ["250ms", 250],
    ["1m30s", 90_000],
    ["1h", 3_600_000],
    ["1.5h", 5_400_000],
    [".5s", 500],
    ["1.s", 1000],
    ["-1s", -1000],
    ["+2m", 120_000],
    ["1500us", 1.5],
    ["1500µs", 1.5], // U+00B5
    ["1500μs", 1.5], // U+03BC
    ["5000000ns", 5],
    ["1h1m1s1ms", 3_661_001],
    ["0s", 0],
    // The longest that a timer holds.
    ["2147483647ms", 2_147_483_647],
    ["-2147483647ms", -2_147_483_647],
  ];
  test.each(read)("%s is %d ms", (text, ms) => expect(parseDuration(text)).toBeCloseTo(ms, 6));

  const refused = [
    "",
    " ",
    "s",
    "10 s",
    "10seconds",
    "1d",
    "1.5",
    "ten",
    "10S",
    "--1s",
    "1s-1s",
    "1e3s",
    "2147483648ms",
    "600h",
    "0x10",
    "NaN",
    "Infinity",
  ];
  test.each(refused)("%j is none", (text) => expect(parseDuration(text)).toBeNull());
});

describe("a boolean", () => {
  test.each(["1", "t", "T", "TRUE", "true", "True"])("%s is true", (text) => expect(parseBool(text)).toBe(true));
  test.each(["0", "f", "F", "FALSE", "false", "False"])("%s is false", (text) => expect(parseBool(text)).toBe(false));
  test.each(["", "yes", "no", "on", "off", "tRUE", "2", "true "])("%j is none", (text) =>
    expect(parseBool(text)).toBeNull(),
  );
});

describe("an address", () => {
  const read: [string, string, number][] = [
    [":8883", "", 8883],
    ["127.0.0.1:8883", "127.0.0.1", 8883],
    ["broker.example:1883", "broker.example", 1883],
    ["[::1]:8883", "::1", 8883],
    ["[::]:8883", "::", 8883],
    ["[fe80::1%eth0]:8883", "fe80::1%eth0", 8883],
    [":8883/tcp", "", 8883],
    [":8883/TCP", "", 8883],
    ["[::1]:8883/tcp", "::1", 8883],
    [":http", "", 80],
    [":https", "", 443],
    [":HTTPS", "", 443],
    ["broker:mqtt", "broker", 1883],
    [":secure-mqtt", "", 8883],
    [":mqtts/tcp", "", 8883],
    [":0", "", 0],
    [":65535", "", 65535],
  ];
  test.each(read)("%s is read", (text, host, port) => expect(parseHostPort(text)).toEqual({ kind: "ok", host, port }));

  const refused: [string, RegExp][] = [
    ["", /not host:port/],
    ["8883", /not host:port/],
    ["broker", /not host:port/],
    ["::1", /brackets/],
    ["::1:8883", /brackets/],
    ["fe80::1:8883", /brackets/],
    ["[::1]", /not host:port/],
    [":", /not host:port/],
    ["a b:1", /not host:port/],
    [":65536", /port/],
    [":-1", /port/],
    [":123456", /port/],
    [":nothing", /port name/],
    [":toString", /port name/],
    [":8883/udp", /UDP/],
    [":8883/UDP", /UDP/],
    [":8883/sctp", /\/tcp/],
    ["tcp://127.0.0.1:8883", /is a URL.*: write 127.0.0.1:8883$/],
    ["mqtt://broker", /write broker:1883$/],
    ["mqtts://a:b/c@d@broker", /^"mqtts:\/\/...@broker" is a URL.*: write broker:8883$/],
    ["a:b/c@broker:1883", /^"...@broker:1883" is not host:port: write it without what stands before the @$/],
    ["mqtts://a:b@broker/c", /^"mqtts:\/\/...@broker" is a URL.*: write broker:8883$/],
    ["256.1.1.1:8883", /"256.1.1.1" is neither a host name/],
    ["1.2.3:8883", /neither a host name/],
    ["010.0.0.1:8883", /neither a host name/],
    ["12345:8883", /neither a host name/],
  ];
  test.each(refused)("%j is refused", (text, message) => {
    expect(parseHostPort(text)).toEqual({
      kind: "error",
      message: expect.stringMatching(message) as unknown as string,
    });
  });

  test("is written with brackets exactly where the host is IPv6", () => {
    expect(formatHostPort("::1", 8883)).toBe("[::1]:8883");
    expect(formatHostPort("127.0.0.1", 8883)).toBe("127.0.0.1:8883");
    expect(formatHostPort("broker", 1883)).toBe("broker:1883");
  });
});

test.each([
  ["0", 0],
  ["65535", 65535],
  ["mqtt", 1883],
  ["65536", null],
  ["", null],
  ["-1", null],
  ["1.5", null],
  ["constructor", null],
] as [string, number | null][])("the port %j is %p", (text, port) => expect(parsePort(text)).toBe(port));
