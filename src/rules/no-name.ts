// Whether a rule may take a client that sends no SNI.

import { compileRe2 } from "../text/re2.ts";
import type { Rule } from "./ast.ts";

/** true also where it depends on what else a client is: its address, the protocols that it offers, or its CONNECT. */
export function mayTakeNoName(rule: Rule, negated = false): boolean {
  switch (rule.kind) {
    case "any":
      return !negated;
    case "hostSNI":
    case "hostSNIWildcard":
      return negated;
    case "hostSNIRegexp":
      return compileRe2(rule.source).test("") !== negated;
    case "clientIP":
    case "alpn":
    case "mqttClientId":
    case "mqttClientIdRegexp":
    case "mqttUsername":
    case "mqttUsernameRegexp":
    case "mqttVersion":
      return true;
    case "not":
      return mayTakeNoName(rule.rule, !negated);
    case "and":
    case "or":
      return (rule.kind === "and") !== negated
        ? rule.rules.every((part) => mayTakeNoName(part, negated))
        : rule.rules.some((part) => mayTakeNoName(part, negated));
  }
}
