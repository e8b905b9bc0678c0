// Parts of a rule that are known to be true or false, put together with those that are not.

import type { Rule } from "./ast.ts";

/** Compared by identity: what is folded ends with one of these two exactly if it is known. */
export const TRUE: Rule = { kind: "any" };
export const FALSE: Rule = { kind: "not", rule: TRUE };

export function negated(rule: Rule): Rule {
  return rule === TRUE ? FALSE : rule === FALSE ? TRUE : { kind: "not", rule };
}

/** Parts of one kind within one another become one; a part that is known decides, or is left out. */
export function joined(kind: "and" | "or", parts: readonly Rule[]): Rule {
  const [decides, adds] = kind === "and" ? [FALSE, TRUE] : [TRUE, FALSE];
  if (parts.includes(decides)) return decides;
  const rules = parts.flatMap((each) => (each === adds ? [] : each.kind === kind ? each.rules : [each]));
  return rules.length === 0 ? adds : rules.length === 1 ? rules[0]! : { kind, rules };
}
