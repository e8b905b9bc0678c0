// What a rule says about a connection (Traefik v3 semantics).
import { describe, expect, test } from "bun:test";
import { parseAddress } from "../../../src/ip/address.ts";
import type { Facts, MqttFacts } from "../../../src/rules/ast.ts";
import { judge } from "../../../src/rules/explain.ts";
import { compile } from "../../../src/rules/matchers.ts";
import { parseRule } from "../../../src/rules/parser.ts";
import { cpuMs } from "../../support/cpu.ts";

function matches(text: string, facts: Partial<Facts> & { ip?: string }): boolean {
  const parsed = parseRule(text);
  if (parsed.kind === "error") throw new Error(parsed.message);
  const address = facts.ip === undefined ? null : parseAddress(facts.ip);
  return compile(parsed.rule)({ sni: "", alpn: [], address, mqtt: null, ...facts });
}

describe("server names", () => {
  const cases: [rule: string, sni: string, expected: boolean][] = [
    ["HostSNI(`a.example.com`)", "a.example.com", true],
    ["HostSNI(`A.EXAMPLE.com.`)", "a.example.com", true],
    ["HostSNI(`a.example.com`)", "b.example.com", false],
    ["HostSNI(`a.example.com`)", "", false],
    ["!HostSNI(`a.example.com`)", "", true],
    ["HostSNI(`*`)", "", true],
    ["HostSNI(`*`)", "x", true],
    ["HostSNI(`*.example.com`)", "a.example.com", true],
    ["HostSNI(`*.example.com`)", "example.com", false],
    ["HostSNI(`*.example.com`)", ".example.com", false],
    ["HostSNI(`*.example.com`)", "a.b.example.com", false],
    ["HostSNI(`*.example.com`)", "aexample.com", false],
    ["HostSNI(`*.example.com`)", "", false],
    ["HostSNIRegexp(`example`)", "a.example.com", true],
    ["HostSNIRegexp(`^example`)", "a.example.com", false],
    ["HostSNIRegexp(`^[a-z]+\\.example\\.com$`)", "abc.example.com", true],
    ["HostSNIRegexp(`A`)", "a", false],
    ["HostSNIRegexp(`(?i)A`)", "a", true],
    ["HostSNIRegexp(`^$`)", "", true],
    ["HostSNIRegexp(`.`)", "", false],
    ["HostSNIRegexp(`^[[:alpha:]]{2}\\d$`)", "ab1", true],
    ["HostSNI(`a`) || HostSNI(`b`) || HostSNI(`c`) || HostSNI(`d`) || HostSNI(`e`) || HostSNI(`*.f`)", "e", true],
    ["HostSNI(`a`) || HostSNI(`b`) || HostSNI(`c`) || HostSNI(`d`) || HostSNI(`e`) || HostSNI(`*.f`)", "x.f", true],
    ["HostSNI(`a`) || HostSNI(`b`) || HostSNI(`c`) || HostSNI(`d`) || HostSNI(`e`) || HostSNI(`*.f`)", "f", false],
    ["HostSNI(`a`) && HostSNI(`b`)", "a", false],
    ["!(HostSNI(`a`) || HostSNI(`b`))", "b", false],
    ["!(HostSNI(`a`) || HostSNI(`b`))", "c", true],
    ["!!HostSNI(`a`)", "a", true],
  ];
  test.each(cases)("%s for %j: %p", (rule, sni, expected) => expect(matches(rule, { sni })).toBe(expected));
});

describe("addresses", () => {
  const cases: [rule: string, ip: string | undefined, expected: boolean][] = [
    ["ClientIP(`192.0.2.1`)", "192.0.2.1", true],
    ["ClientIP(`192.0.2.1`)", "192.0.2.2", false],
    ["ClientIP(`192.0.2.1`)", "::ffff:192.0.2.1", true],
    ["ClientIP(`::ffff:192.0.2.1`)", "192.0.2.1", true],
    ["ClientIP(`10.0.0.0/8`)", "10.255.0.1", true],
    ["ClientIP(`10.0.0.0/8`)", "11.0.0.1", false],
    ["ClientIP(`192.0.2.128/25`)", "192.0.2.127", false],
    ["ClientIP(`192.0.2.128/25`)", "192.0.2.129", true],
    ["ClientIP(`192.0.2.0/31`)", "192.0.2.2", false],
    ["ClientIP(`0.0.0.0/0`)", "203.0.113.9", true],
    ["ClientIP(`0.0.0.0/0`)", "2001:db8::1", false],
    ["ClientIP(`::/0`)", "2001:db8::1", true],
    ["ClientIP(`::/0`)", "203.0.113.9", false],
    ["ClientIP(`::/0`)", "::ffff:203.0.113.9", false],
    ["ClientIP(`2001:db8::/32`)", "2001:db8:ffff::", true],
    ["ClientIP(`2001:db8::/33`)", "2001:db8:8000::", false],
    ["ClientIP(`fe80::/10`)", "fe80::1%eth0", true],
    ["ClientIP(`0.0.0.0/0`)", undefined, false],
    ["!ClientIP(`0.0.0.0/0`)", undefined, true],
  ];
  test.each(cases)("%s for %s: %p", (rule, ip, expected) => expect(matches(rule, { ip })).toBe(expected));

  test("16 bytes that are an IPv4-mapped address count as IPv4", () => {
    const address = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3);
    expect(matches("ClientIP(`10.0.0.0/8`)", { address })).toBe(true);
    expect(matches("ClientIP(`::/0`)", { address })).toBe(false);
  });
});

test.each([
  ["ALPN(`mqtt`)", ["mqtt"], true],
  ["ALPN(`mqtt`)", ["h2", "mqtt"], true],
  ["ALPN(`mqtt`)", ["MQTT"], false],
  ["ALPN(`mqtt`)", [], false],
  ["HostSNI(`*`) && !ALPN(`h2`)", ["mqtt"], true],
])("%s for %j: %p", (rule, alpn, expected) => expect(matches(rule, { alpn })).toBe(expected));

describe("CONNECT", () => {
  const cases: [rule: string, connect: Partial<MqttFacts>, expected: boolean][] = [
    ["MQTTClientID(`Sensor-1`)", { clientId: "Sensor-1" }, true],
    ["MQTTClientID(`Sensor-1`)", { clientId: "sensor-1" }, false],
    ["MQTTClientID(`é`)", { clientId: "e\u0301" }, false], // not normalized: the broker does not either
    ["MQTTClientIDRegexp(`^$`)", { clientId: "" }, true],
    ["MQTTClientIDRegexp(`nsor`)", { clientId: "Sensor-1" }, true],
    ["MQTTClientIDRegexp(`^sensor`)", { clientId: "Sensor-1" }, false],
    ["MQTTClientIDRegexp(`(?i)^sensor`)", { clientId: "Sensor-1" }, true],
    ["MQTTClientIDRegexp(`^.$`)", { clientId: "🔒" }, true],
    ["MQTTUsername(`anna`)", { username: "anna" }, true],
    ["MQTTUsername(`anna`)", { username: "Anna" }, false],
    ["MQTTUsername(`anna`)", { username: null }, false],
    ["!MQTTUsername(`anna`)", { username: null }, true],
    ["MQTTUsernameRegexp(`^$`)", { username: "" }, true],
    ["MQTTUsernameRegexp(`^$`)", { username: null }, false],
    ["MQTTUsernameRegexp(`.*`)", { username: null }, false],
    ["MQTTVersion(`3.1`)", { version: "3.1" }, true],
    ["MQTTVersion(`3.1`)", { version: "3.1.1" }, false],
    ["MQTTVersion(`5`) && !MQTTClientID(`a`)", { version: "5", clientId: "b" }, true],
  ];
  test.each(cases)("%s for %j: %p", (rule, connect, expected) =>
    expect(matches(rule, { mqtt: { clientId: "c", username: "u", version: "3.1.1", ...connect } })).toBe(expected),
  );

  test("while it is not read a rule is true where it could be", () => {
    expect(matches("MQTTClientID(`a`)", {})).toBe(true);
    expect(matches("!MQTTClientID(`a`)", {})).toBe(true);
    expect(matches("HostSNI(`a`) && !(MQTTVersion(`5`) || ALPN(`h2`))", { sni: "a" })).toBe(true);
    expect(matches("HostSNI(`a`) && !(MQTTVersion(`5`) || ALPN(`h2`))", { sni: "a", alpn: ["h2"] })).toBe(false);
    expect(matches("HostSNI(`a`) && MQTTVersion(`5`)", { sni: "b" })).toBe(false);
  });
});

test("a regexp that would take a backtracking engine for ever costs next to nothing", () => {
  const cost = cpuMs(() => {
    expect(matches("HostSNIRegexp(`^(a+)+$`)", { sni: `${"a".repeat(250)}b` })).toBe(false);
  });
  expect(cost).toBeLessThan(500);
});

describe("parseAddress", () => {
  const cases: [string, string | null][] = [
    ["0.0.0.0", "00000000"],
    ["255.1.20.3", "ff011403"],
    ["::", "0".repeat(32)],
    ["::1", `${"0".repeat(31)}1`],
    ["1::", `0001${"0".repeat(28)}`],
    ["2001:db8::8:800:200c:417A", "20010db80000000000080800200c417a"],
    ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
    ["1:2:3:4:5:6:7::", "00010002000300040005000600070000"],
    ["::2:3:4:5:6:7:8", "00000002000300040005000600070008"],
    ["64:ff9b::192.0.2.33", "0064ff9b0000000000000000c0000221"],
    ["1:2:3:4:5:6:1.2.3.4", "00010002000300040005000601020304"],
    ["::ffff:1.2.3.4", "01020304"],
    ["::FFFF:102:304", "01020304"],
    ["0:0:0:0:0:ffff:1.2.3.4", "01020304"],
    ["fe80::1%eth0", "fe800000000000000000000000000001"],
    ...[
      "",
      "1",
      "1.2.3",
      "1.2.3.4.5",
      "1.2.3.256",
      "1.2.3.04",
      "1.2.3.",
      ".1.2.3",
      "1.2.3.4 ",
      " 1.2.3.4",
      "1.2.3.4%eth0",
    ].map((text): [string, null] => [text, null]),
    ...[
      ":",
      ":::",
      "1:",
      ":1",
      "1::2::3",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9",
      "1:2:3:4:5:6:7:8::",
      "::1:2:3:4:5:6:7:8",
    ].map((text): [string, null] => [text, null]),
    ...[
      "12345::",
      "::g",
      "::1.2.3",
      "1.2.3.4::",
      "::1.2.3.4:5",
      "1:2:3:4:5:6:7:1.2.3.4",
      "::1%",
      "[::1]",
      "::1/64",
    ].map((text): [string, null] => [text, null]),
  ];
  test.each(cases)("%j is %p", (text, hex) => expect(parseAddress(text)?.toHex() ?? null).toBe(hex));

  test("it agrees with the platform on random text", async () => {
    const { isIP } = await import("node:net");
    const { random } = await import("../../support/random.ts");
    const dice = random(4);
    for (let round = 0; round < 50_000; round++) {
      let text = "";
      for (let length = dice.below(12); length >= 0; length--)
        text += dice.pick(["1", "0", "f", "25", "::", ":", ":", ".", "ffff"]);
      if ((parseAddress(text) !== null) !== (isIP(text) !== 0)) throw new Error(text);
    }
  });
});

test("a regular expression is not tried on a name that is longer than any is", () => {
  const facts = (clientId: string) =>
    ({ sni: "", alpn: [], address: null, mqtt: { clientId, username: clientId, version: "5" } }) as const;
  for (const source of ["MQTTClientIDRegexp(`x`)", "MQTTUsernameRegexp(`x`)"]) {
    const parsed = parseRule(source);
    if (parsed.kind !== "ok") throw new Error(source);
    const matches = compile(parsed.rule);
    expect([matches(facts("x".repeat(1024))), matches(facts("x".repeat(1025)))]).toEqual([true, false]);
  }
});

test("a name that is too long for a regular expression comes past neither it nor its opposite, and explain says so", () => {
  const name = `admin${"x".repeat(1020)}`;
  const facts = { sni: "", alpn: [], address: null, mqtt: { clientId: name, username: name, version: "5" } } as const;
  const cases: [rule: string, expected: boolean][] = [
    ["!MQTTUsernameRegexp(`^admin`)", false],
    ["!MQTTClientIDRegexp(`^admin`)", false],
    ["!(MQTTUsernameRegexp(`^admin`) && MQTTVersion(`5`))", false],
    ["!!MQTTUsernameRegexp(`^admin`)", false],
    ["!(!MQTTClientIDRegexp(`^admin`) || MQTTVersion(`3.1`))", false],
    ["!MQTTUsername(`admin`)", true],
    ["!MQTTUsernameRegexp(`^admin`) || MQTTVersion(`5`)", true],
  ];
  for (const [source, expected] of cases) {
    const parsed = parseRule(source);
    if (parsed.kind !== "ok") throw new Error(source);
    expect([source, compile(parsed.rule)(facts), judge(parsed.rule, facts).value]).toEqual([
      source,
      expected,
      expected ? "true" : "false",
    ]);
  }
});
