// What of a rule is open, where some of a client is not known.

import type { Re2 } from "../text/re2.ts";
import type { Facts, Rule } from "./ast.ts";
import { judge, type Unknown } from "./explain.ts";
import { FALSE, joined, negated, TRUE } from "./fold.ts";

/** The rule that is true of the client exactly if `rule` is, and asks only for what is not known. */
export function remainder(rule: Rule, facts: Facts, unknown: Unknown, regexps: Map<string, Re2>): Rule {
  switch (rule.kind) {
    case "not":
      return negated(remainder(rule.rule, facts, unknown, regexps));
    case "and":
    case "or":
      return joined(
        rule.kind,
        rule.rules.map((part) => remainder(part, facts, unknown, regexps)),
      );
    default: {
      const { value } = judge(rule, facts, unknown, regexps);
      return value === "depends" ? rule : value === "true" ? TRUE : FALSE;
    }
  }
}
