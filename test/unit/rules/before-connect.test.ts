// What is left of a rule without its matchers of MQTT is true exactly where the rule could be, and has one form.

import { describe, expect, test } from "bun:test";
import { asksMqtt, type Facts, type Rule } from "../../../src/rules/ast.ts";
import { beforeConnect } from "../../../src/rules/before-connect.ts";
import { formatRule } from "../../../src/rules/explain.ts";
import { compile } from "../../../src/rules/matchers.ts";
import { parseRule } from "../../../src/rules/parser.ts";
import { randomMqttLeaf } from "../../support/mqtt-rules.ts";
import { type Random, random } from "../../support/random.ts";

function rule(text: string): Rule {
  const parsed = parseRule(text);
  if (parsed.kind === "error") throw new Error(`${text}: ${parsed.message}`);
  return parsed.rule;
}

const left = (text: string) => formatRule(beforeConnect(rule(text)));

test.each([
  ["HostSNI(`a`) && MQTTClientID(`x`)", "HostSNI(`a`)"],
  ["MQTTClientID(`x`)", "HostSNI(`*`)"],
  ["!MQTTClientID(`x`)", "HostSNI(`*`)"],
  ["HostSNI(`a`) && (MQTTClientID(`x`) || ALPN(`y`))", "HostSNI(`a`)"],
  ["HostSNI(`a`) || MQTTVersion(`5`) && ALPN(`y`)", "ALPN(`y`) || HostSNI(`a`)"],
  ["!(HostSNI(`a`) || MQTTUsername(`u`))", "!HostSNI(`a`)"],
  ["!(HostSNI(`a`) && MQTTUsername(`u`))", "HostSNI(`*`)"],
  ["!HostSNI(`*`) && MQTTUsername(`u`)", "!HostSNI(`*`)"],
])("of %s it is %s", (text, expected) => expect(left(text)).toBe(expected));

describe("rules that say the same in another order are equal", () => {
  test.each([
    ["HostSNI(`a`) && ALPN(`x`)", "MQTTClientID(`i`) && ALPN(`x`) && HostSNI(`a`)"],
    ["HostSNI(`a`) || HostSNI(`b`)", "(HostSNI(`B.`) || (HostSNI(`a`) || HostSNI(`b`))) && MQTTVersion(`5`)"],
    ["!(HostSNI(`a`) && ALPN(`x`))", "(!ALPN(`x`) || !HostSNI(`a`)) && !MQTTUsername(`u`)"],
    ["HostSNI(`a`)", "!!HostSNI(`a`) && (HostSNI(`a`) && HostSNI(`*`))"],
  ])("%s and %s", (a, b) => expect(left(a)).toBe(left(b)));
});

const NAMES = ["a", "b", "a.d", "a.b.d"];

function randomRule(dice: Random, depth: number): Rule {
  if (dice.chance(0.3)) return randomMqttLeaf(dice);
  const kind = dice.below(depth > 0 ? 7 : 4);
  if (kind === 0) return { kind: "hostSNI", name: dice.pick(NAMES) };
  if (kind === 1) return { kind: "hostSNIWildcard", suffix: ".d" };
  if (kind === 2) return { kind: "alpn", protocol: dice.pick(["mqtt", "h2"]) };
  if (kind === 3) return { kind: "any" };
  if (kind === 4) return { kind: "not", rule: randomRule(dice, depth - 1) };
  const rules = Array.from({ length: 2 + dice.below(3) }, () => randomRule(dice, depth - 1));
  return { kind: kind === 5 ? "and" : "or", rules };
}

test("whatever the rule, it is true where the rule is while no CONNECT is read", () => {
  for (let seed = 1; seed <= 3000; seed++) {
    const dice = random(seed);
    const made = randomRule(dice, 3);
    const simple = beforeConnect(made);
    expect(asksMqtt(simple)).toBe(false);
    const [whole, part] = [compile(made), compile(simple)];
    for (const sni of ["", ...NAMES])
      for (const alpn of [[], ["mqtt"], ["h2", "mqtt"]]) {
        const facts: Facts = { sni, alpn, address: null, mqtt: null };
        if (whole(facts) !== part(facts)) throw new Error(`seed ${seed}: ${formatRule(made)}: ${formatRule(simple)}`);
      }
  }
});
