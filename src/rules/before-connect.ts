// What a rule asks while no CONNECT is read: itself without its matchers of MQTT.

import { isMqtt, type Rule } from "./ast.ts";
import { FALSE, joined, negated, TRUE } from "./fold.ts";

/**
 * The rule that is true where `rule` could be, with every matcher of MQTT as the one of true and false that helps. Rules that say the
 * same but for the order, repetitions and parentheses come out equal: "!" stands at matchers alone, and parts are sorted.
 */
export function beforeConnect(rule: Rule, isNegated = false): Rule {
  switch (rule.kind) {
    case "any":
      return isNegated ? FALSE : TRUE;
    case "not":
      return beforeConnect(rule.rule, !isNegated);
    case "and":
    case "or":
      return sorted(
        joined(
          (rule.kind === "or") === isNegated ? "and" : "or",
          rule.rules.map((part) => beforeConnect(part, isNegated)),
        ),
      );
    default:
      return isMqtt(rule) ? TRUE : isNegated ? negated(rule) : rule;
  }
}

/** Each part once. */
function sorted(rule: Rule): Rule {
  if (rule.kind !== "and" && rule.kind !== "or") return rule;
  const byText = new Map(rule.rules.map((part) => [JSON.stringify(part), part]));
  return joined(
    rule.kind,
    [...byText.keys()].sort().map((text) => byText.get(text)!),
  );
}
