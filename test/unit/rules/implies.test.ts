// What `implies` says yes to is true of every connection; and it says yes to what people write.
import { describe, expect, test } from "bun:test";
import { parseAddress } from "../../../src/ip/address.ts";
import type { Facts } from "../../../src/rules/ast.ts";
import { alternativesOf, implies } from "../../../src/rules/implies.ts";
import { compile } from "../../../src/rules/matchers.ts";
import { parseRule, type Rule } from "../../../src/rules/parser.ts";
import { cpuMs } from "../../support/cpu.ts";
import { ALL_CONNECTS, randomMqttLeaf } from "../../support/mqtt-rules.ts";
import { type Random, random } from "../../support/random.ts";

function rule(text: string): Rule {
  const parsed = parseRule(text);
  if (parsed.kind === "error") throw new Error(`${text}: ${parsed.message}`);
  return parsed.rule;
}

describe("it is sure that", () => {
  test.each([
    ["HostSNI(`a`)", "HostSNI(`A.`)"],
    ["HostSNI(`a.x`)", "HostSNI(`*.x`)"],
    ["HostSNI(`*.x`)", "HostSNI(`*`)"],
    ["HostSNI(`*`)", "HostSNI(`*`)"],
    ["HostSNI(`*`)", "HostSNIRegexp(`.*`)"],
    ["HostSNI(`*.x`)", "HostSNIRegexp(`.+`)"],
    ["HostSNI(`sensor-7.x`)", "HostSNIRegexp(`^sensor-[0-9]+`)"],
    ["HostSNIRegexp(`^a`)", "HostSNIRegexp(`^a`)"],
    ["HostSNI(`a`) && ClientIP(`10.0.0.0/8`)", "HostSNI(`a`)"],
    ["ClientIP(`10.1.0.0/16`)", "ClientIP(`10.0.0.0/8`)"],
    ["ClientIP(`10.1.2.3`)", "ClientIP(`0.0.0.0/0`)"],
    ["ClientIP(`::ffff:10.1.2.3`)", "ClientIP(`10.0.0.0/8`)"],
    ["ClientIP(`2001:db8::1`)", "ClientIP(`2001:db8::/32`)"],
    ["HostSNI(`a`) && ALPN(`mqtt`) && ALPN(`x`)", "ALPN(`x`) && HostSNI(`a`)"],
    ["HostSNI(`a`) || HostSNI(`b`)", "HostSNI(`c`) || HostSNI(`b`) || HostSNI(`a`)"],
    ["(HostSNI(`a`) || HostSNI(`b`)) && ClientIP(`10.0.0.1`)", "HostSNI(`a`) || ClientIP(`10.0.0.0/8`)"],
    ["HostSNI(`a`)", "!HostSNI(`b`)"],
    ["HostSNI(`a.x`)", "!HostSNI(`*.y`)"],
    ["HostSNI(`a.b.x`)", "!HostSNI(`*.x`)"],
    ["HostSNI(`*.x`)", "!HostSNI(`*.y`)"],
    ["HostSNI(`a`)", "!HostSNIRegexp(`^b`)"],
    ["ClientIP(`10.0.0.0/8`)", "!ClientIP(`11.0.0.0/8`)"],
    ["ClientIP(`10.0.0.0/8`)", "!ClientIP(`::/0`)"],
    ["!HostSNI(`*.x`)", "!HostSNI(`a.x`)"],
    ["!(HostSNI(`a`) || HostSNI(`b`))", "!HostSNI(`b`)"],
    ["!!HostSNI(`a`)", "HostSNI(`a`)"],
    ["HostSNI(`a`) && HostSNI(`b`)", "HostSNI(`c`)"], // never true
    ["ClientIP(`10.0.0.0/8`) && !ClientIP(`10.0.0.0/8`)", "HostSNI(`c`)"],
  ])("%s takes nothing that %s would not", (a, b) => expect(implies(rule(a), rule(b))).toBe(true));
});

describe("it is not so, or not known, that", () => {
  test.each([
    ["HostSNI(`a`)", "HostSNI(`b`)"],
    ["HostSNI(`*`)", "HostSNI(`*.x`)"],
    ["HostSNI(`*`)", "HostSNIRegexp(`.+`)"], // no name at all
    ["HostSNI(`a.b.x`)", "HostSNI(`*.x`)"],
    ["HostSNI(`x`)", "HostSNI(`*.x`)"],
    ["HostSNI(`a`)", "HostSNI(`a`) && ALPN(`mqtt`)"],
    ["ClientIP(`10.0.0.0/8`)", "ClientIP(`10.1.0.0/16`)"],
    ["ClientIP(`10.0.0.0/8`)", "ClientIP(`::/0`)"],
    ["ALPN(`mqtt`)", "!ALPN(`x`)"],
    ["!HostSNI(`a.x`)", "!HostSNI(`*.x`)"],
    ["!HostSNI(`a`)", "HostSNI(`b`)"],
    ["HostSNI(`*`)", "ClientIP(`0.0.0.0/0`) || ClientIP(`::/0`)"], // a peer may have no address
  ])("%s takes nothing that %s would not", (a, b) => expect(implies(rule(a), rule(b))).toBe(false));
});

const NAMES = ["", "a", "b", "a.d", "b.d", "a.b.d", "a.e", ".d"];
const ADDRESSES = ["10.1.2.3", "10.2.0.1", "192.168.0.1", "::1", "2001:db8::1", "::ffff:10.1.2.3"].map(parseAddress);

function randomRule(dice: Random, depth: number): Rule {
  if (dice.chance(0.2)) return randomMqttLeaf(dice);
  const kind = dice.below(depth > 0 ? 11 : 8);
  if (kind < 2) return { kind: "hostSNI", name: dice.pick(["a", "b", "a.d", "b.d", "a.b.d"]) };
  if (kind < 4) return { kind: "hostSNIWildcard", suffix: dice.pick([".d", ".e", ".b.d"]) };
  if (kind === 4) return { kind: "hostSNIRegexp", source: dice.pick(["^a", "d$", "^$", ".*", ".+"]) };
  if (kind === 5)
    return { kind: "clientIP", cidr: dice.pick(["10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "::/0", "2001:db8::/32"]) };
  if (kind === 6) return { kind: "alpn", protocol: dice.pick(["mqtt", "h2"]) };
  if (kind === 7) return { kind: "any" };
  if (kind === 8) return { kind: "not", rule: randomRule(dice, depth - 1) };
  const rules = Array.from({ length: 2 + dice.below(3) }, () => randomRule(dice, depth - 1));
  return { kind: kind === 9 ? "and" : "or", rules };
}

const CLIENTS: Omit<Facts, "mqtt">[] = NAMES.flatMap((sni) =>
  [null, ...ADDRESSES].flatMap((address) =>
    [[], ["mqtt"], ["h2"], ["h2", "mqtt"]].map((alpn) => ({ sni, address, alpn })),
  ),
);

/** Each of the clients with one of the CONNECTs, another one in each round. */
const clients = (round: number): Facts[] =>
  CLIENTS.map((each, index) => ({ ...each, mqtt: ALL_CONNECTS[(7 * index + round) % ALL_CONNECTS.length]! }));

test("whatever it is sure of holds for every connection, and alternatives say what the rule says", () => {
  let sure = 0;
  for (let seed = 1; seed <= 6000; seed++) {
    const dice = random(seed);
    const [a, b] = [randomRule(dice, dice.below(3)), randomRule(dice, dice.below(3))];
    const [isA, isB] = [compile(a), compile(b)];
    const all = clients(seed);
    const matched = all.filter(isA);
    if (implies(a, b)) {
      sure++;
      const wrong = matched.find((facts) => !isB(facts));
      if (wrong) throw new Error(`seed ${seed}: ${JSON.stringify({ a, b, wrong: { ...wrong } })}`);
    }
    const apart = compile({
      kind: "or",
      rules: alternativesOf(a)!.map((alternative) => ({
        kind: "and",
        rules: alternative.map(({ leaf, negated }): Rule => (negated ? { kind: "not", rule: leaf } : leaf)),
      })),
    });
    if (all.filter(apart).length !== matched.length) throw new Error(`seed ${seed}: ${JSON.stringify(a)}`);
  }
  expect(sure).toBeGreaterThan(1000); // else the property would say little
});

test("no rule costs much: what would come to too many alternatives is not known", () => {
  const either = Array.from({ length: 40 }, (_, n) => `(ALPN(\`a${n}\`) || ALPN(\`b${n}\`))`).join(" && ");
  const many = Array.from({ length: 2500 }, (_, n) => `HostSNI(\`h${n}\`)`).join(" || ");
  const none = Array.from({ length: 2500 }, (_, n) => `!HostSNI(\`h${n}\`)`).join(" && ");
  const cost = cpuMs(() => {
    expect(alternativesOf(rule(either))).toBeNull();
    expect(implies(rule(either), rule(either))).toBe(false);
    expect(alternativesOf(rule(many))).toHaveLength(2500);
    expect(alternativesOf(rule(none))).toBeNull();
  });
  expect(cost).toBeLessThan(1000);
});
