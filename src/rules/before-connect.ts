// What a rule asks while no CONNECT is read: itself without its matchers of MQTT.

import { isMqtt, type Rule } from "./ast.ts";

const TRUE: Rule = { kind: "any" };
const FALSE: Rule = { kind: "not", rule: TRUE };

/**
 * The rule that is true where `rule` could be, with every matcher of MQTT as the one of true and false that helps. Rules that say the
 * same but for the order, repetitions and parentheses come out equal: "!" stands at matchers alone, and parts are sorted.
 */
export function beforeConnect(rule: Rule, negated = false): Rule {
  switch (rule.kind) {
    case "any":
      return negated ? FALSE : TRUE;
    case "not":
      return beforeConnect(rule.rule, !negated);
    case "and":
    case "or":
      return joined(
        (rule.kind === "or") === negated ? "and" : "or",
        rule.rules.map((part) => beforeConnect(part, negated)),
      );
    default:
      return isMqtt(rule) ? TRUE : negated ? { kind: "not", rule } : rule;
  }
}

function joined(kind: "and" | "or", parts: readonly Rule[]): Rule {
  const [decides, adds] = kind === "and" ? [FALSE, TRUE] : [TRUE, FALSE];
  const byText = new Map<string, Rule>();
  for (const part of parts.flatMap((each) => (each.kind === kind ? each.rules : [each]))) {
    if (part === decides) return decides;
    if (part !== adds) byText.set(JSON.stringify(part), part);
  }
  const rules = [...byText.keys()].sort().map((text) => byText.get(text)!);
  return rules.length === 0 ? adds : rules.length === 1 ? rules[0]! : { kind, rules };
}
