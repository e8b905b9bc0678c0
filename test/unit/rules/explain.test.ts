// Why a rule does not match: null exactly if it matches, and else the part that is false, in words.
import { describe, expect, test } from "bun:test";
import { parseAddress } from "../../../src/ip/address.ts";
import type { Facts } from "../../../src/rules/ast.ts";
import { formatAddress, formatRule, judge, why } from "../../../src/rules/explain.ts";
import { compile } from "../../../src/rules/matchers.ts";
import { parseRule, type Rule } from "../../../src/rules/parser.ts";
import { networksOf, regionsOf } from "../../../src/rules/regions.ts";
import { ALL_CONNECTS, randomMqttLeaf } from "../../support/mqtt-rules.ts";
import { type Random, random } from "../../support/random.ts";

function rule(text: string): Rule {
  const parsed = parseRule(text);
  if (parsed.kind === "error") throw new Error(`${text}: ${parsed.message}`);
  return parsed.rule;
}

const client = (sni: string, alpn: string[] = [], ip = "192.0.2.1"): Facts => ({
  sni,
  alpn,
  address: parseAddress(ip),
  mqtt: null,
});

describe("the part that is false", () => {
  const cases: [rule: string, client: Facts, part: string, reason: string][] = [
    ["HostSNI(`a`)", client("b"), "HostSNI(`a`)", "the client asks for b"],
    ["HostSNI(`a`)", client(""), "HostSNI(`a`)", "the client sends no name"],
    [
      "HostSNI(`*.d`)",
      client("a.b.d"),
      "HostSNI(`*.d`)",
      "the client asks for a.b.d, and the * stands for exactly one label",
    ],
    [
      "HostSNI(`*.d`)",
      client("d"),
      "HostSNI(`*.d`)",
      "the client asks for d, and the * stands for one label before it",
    ],
    ["HostSNIRegexp(`^x`)", client("b"), "HostSNIRegexp(`^x`)", "it is not found in b"],
    ['HostSNIRegexp("^`")', client("b"), 'HostSNIRegexp("^`")', "it is not found in b"],
    ["HostSNI(`a`) && ClientIP(`10.0.0.0/8`)", client("a"), "ClientIP(`10.0.0.0/8`)", "192.0.2.1 is not in it"],
    ["ClientIP(`10.0.0.7`)", client("a", [], "2001:db8::1"), "ClientIP(`10.0.0.7`)", "2001:db8::1 is not in it"],
    ["ALPN(`mqtt`)", client("a"), "ALPN(`mqtt`)", "the client offers no protocol"],
    ["ALPN(`mqtt`)", client("a", ["h2"]), "ALPN(`mqtt`)", "not offered; the client offers h2"],
    ["!HostSNI(`a`)", client("a"), "!HostSNI(`a`)", "the client asks for a"],
    [
      "!(HostSNI(`b`) || ALPN(`h2`))",
      client("a", ["h2"]),
      "!(HostSNI(`b`) || ALPN(`h2`))",
      "ALPN(`h2`): the client offers it",
    ],
    ["!(HostSNI(`a`) && !ALPN(`h2`))", client("a"), "!(HostSNI(`a`) && !ALPN(`h2`))", "all of it is true"],
    ["HostSNI(`a`) || HostSNI(`b`)", client("c"), "HostSNI(`a`) || HostSNI(`b`)", "the client asks for c"],
    [
      "HostSNI(`a`) || ALPN(`h2`)",
      client("c"),
      "HostSNI(`a`) || ALPN(`h2`)",
      "HostSNI(`a`): the client asks for c; ALPN(`h2`): the client offers no protocol",
    ],
    [
      ["a", "b", "c", "d", "e"].map((name) => `HostSNI(\`${name}\`)`).join(" || "),
      client("x"),
      "HostSNI(`a`) || HostSNI(`b`) || HostSNI(`c`) || ... (2 more)",
      "the client asks for x",
    ],
  ];
  test.each(cases)("%s", (text, facts, part, reason) => expect(why(rule(text), facts)).toEqual({ part, reason }));

  test("stays short, however long the rule is", () => {
    const text = Array.from({ length: 1000 }, (_, index) => `HostSNI(\`${"x".repeat(40)}${index}\`)`).join(" || ");
    const { part, reason } = why(rule(text), client("a"))!;
    expect(part.length).toBeLessThan(210);
    expect(reason).toBe("the client asks for a");
  });
});

const NAMES = ["a", "b", "a.d", "b.d", "a.b.d", "a.e", "x.y.d", "d"];
const NETWORKS = ["10.0.0.0/8", "10.0.0.0/9", "10.1.1.1", "0.0.0.0/0", "::/0", "2001:db8::/32", "0.0.0.0/1"];

function randomRule(dice: Random, depth: number): Rule {
  if (dice.chance(0.2)) return randomMqttLeaf(dice);
  const kind = dice.below(depth > 0 ? 11 : 8);
  if (kind < 3) return { kind: "hostSNI", name: dice.pick(NAMES) };
  if (kind === 3) return { kind: "hostSNIWildcard", suffix: dice.pick([".d", ".e", ".b.d"]) };
  if (kind === 4) return { kind: "hostSNIRegexp", source: dice.pick(["^a", "d$", "^$", "b"]) };
  if (kind === 5) return rule(`ClientIP(\`${dice.pick(NETWORKS)}\`)`);
  if (kind === 6) return { kind: "alpn", protocol: dice.pick(["mqtt", "h2"]) };
  if (kind === 7) return { kind: "any" };
  if (kind === 8) return { kind: "not", rule: randomRule(dice, depth - 1) };
  const rules = Array.from({ length: 2 + dice.below(dice.chance(0.1) ? 7 : 3) }, () => randomRule(dice, depth - 1));
  return { kind: kind === 9 ? "and" : "or", rules };
}

const ADDRESSES = ["10.1.1.1", "10.200.0.1", "192.0.2.1", "8.8.8.8", "2001:db8::1", "2001:db9::1", "::ffff:10.1.1.1"];

const randomClient = (dice: Random): Facts => ({
  sni: dice.pick(["", "zz", "c.d", ...NAMES]),
  alpn: dice.pick([[], ["mqtt"], ["h2", "mqtt"]]),
  address: dice.chance(0.1) ? null : parseAddress(dice.pick(ADDRESSES)),
  mqtt: dice.pick(ALL_CONNECTS),
});

test("there is a reason exactly if the compiled rule does not match", () => {
  for (let seed = 1; seed <= 5000; seed++) {
    const dice = random(seed);
    const made = randomRule(dice, 3);
    const matches = compile(made);
    for (let round = 0; round < 6; round++) {
      const facts = randomClient(dice);
      for (const each of [facts, { ...facts, mqtt: null }])
        if ((why(made, each) === null) !== matches(each)) throw new Error(`seed ${seed}, ${formatRule(made)}`);
    }
  }
});

test("what does not depend on a fact is the same for every value of it", () => {
  for (let seed = 1; seed <= 3000; seed++) {
    const dice = random(seed);
    const made = randomRule(dice, 3);
    const facts = randomClient(dice);
    const connect = dice.pick([{ clientId: true, username: true, mqttVersion: true }, { username: true }]);
    const { value } = judge(made, facts, { address: true, alpn: true, ...connect });
    if (value === "depends") continue;
    for (let round = 0; round < 6; round++) {
      const other = { ...randomClient(dice), sni: facts.sni };
      if (!connect.clientId) other.mqtt = { ...facts.mqtt!, username: other.mqtt!.username };
      if (compile(made)(other) !== (value === "true")) throw new Error(`seed ${seed}, ${formatRule(made)}`);
    }
  }
});

test("a rule that is written out reads as the same rule", () => {
  for (let seed = 1; seed <= 3000; seed++) {
    const dice = random(seed);
    const made = randomRule(dice, 3);
    const facts = randomClient(dice);
    for (const each of [facts, { ...facts, mqtt: null }])
      expect(compile(rule(formatRule(made)))(each)).toBe(compile(made)(each));
  }
});

describe("regions of addresses", () => {
  const shown = (...networks: string[]) =>
    regionsOf(networks).map(({ network, address }) => `${network}: ${formatAddress(address)}`);

  test("without networks there are two: IPv4 and IPv6", () => {
    expect(shown()).toEqual(["null: 0.0.0.0", "null: ::"]);
  });

  test("each network is one, apart from the narrower ones in it", () => {
    expect(shown("10.0.0.0/9", "10.0.0.0/8", "10.0.0.0/32")).toEqual([
      ...["null: 0.0.0.0", "10.0.0.0/8: 10.128.0.0", "10.0.0.0/9: 10.0.0.1", "10.0.0.0/32: 10.0.0.0", "null: ::"],
    ]);
  });

  test("one that narrower ones fill is none, and IPv4 in IPv6 clothes is no region of IPv6", () => {
    expect(shown("0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "::fffe:0:0/95")).toEqual([
      ...["0.0.0.0/1: 0.0.0.0", "128.0.0.0/1: 128.0.0.0", "null: ::", "::fffe:0:0/95: ::fffe:0:0"],
    ]);
  });

  test("any address is judged as the one that stands for its region", () => {
    for (let seed = 1; seed <= 1500; seed++) {
      const dice = random(seed);
      const made = randomRule(dice, 3);
      const networks = new Set<string>();
      networksOf(made, networks);
      const matches = compile(made);
      const facts = randomClient(dice);
      const regions = regionsOf(networks);
      for (const ip of ADDRESSES) {
        const address = parseAddress(ip)!;
        const family = address.length === 4 ? 4 : 6;
        const width = (network: string | null) => Number(/\d+$/.exec(network ?? "0"));
        const holds = (network: string | null) =>
          network === null || compile({ kind: "clientIP", cidr: network })({ sni: "", alpn: [], address, mqtt: null });
        const [region] = regions
          .filter((each) => each.family === family && holds(each.network))
          .sort((a, b) => width(b.network) - width(a.network));
        expect(matches({ ...facts, address: region!.address })).toBe(matches({ ...facts, address }));
      }
    }
  });
});
