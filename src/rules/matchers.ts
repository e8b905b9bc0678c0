// Turns a rule into a function that answers for one connection.

import { isMapped, networkHolds, parseNetwork } from "../ip/address.ts";
import { MAX_MATCHED } from "../text/matching.ts";
import { compileRe2, type Re2 } from "../text/re2.ts";
import type { Facts, MqttFacts, MqttLeaf, Rule } from "./ast.ts";

export type Matcher = (facts: Facts) => boolean;

// From here on a Set of names beats comparing one by one.
const MANY_NAMES = 4;

/**
 * Compiles a rule. It allocates nothing when it runs, and runs in time linear in the rule and the SNI (regexps are RE2).
 * `regexps` lets many rules share what they compile. Throws only on rules that `parseRule` did not make.
 *
 * `helps` is what a matcher of MQTT is while no CONNECT is read: true, and false below a "!", so that the rule is true where it could be.
 * A regular expression that is not tried, because a name is too long for it, is the opposite: neither it nor its "!" lets anybody in.
 */
export function compile(rule: Rule, regexps: Map<string, Re2> = new Map(), helps = true): Matcher {
  switch (rule.kind) {
    case "any":
      return () => true;
    case "hostSNI": {
      const { name } = rule;
      // An empty SNI never equals a name, because parseRule gives no empty names.
      return (facts) => facts.sni === name;
    }
    case "hostSNIWildcard": {
      const { suffix } = rule;
      return ({ sni }) =>
        sni.length > suffix.length && sni.endsWith(suffix) && sni.indexOf(".") === sni.length - suffix.length;
    }
    case "hostSNIRegexp": {
      const regexp = regexpOf(rule.source, regexps);
      return (facts) => regexp.test(facts.sni);
    }
    case "clientIP": {
      const network = parseNetwork(rule.cidr);
      if (network === null) throw new Error(`not a network: ${rule.cidr}`);
      return ({ address }) => {
        if (address === null) return false;
        return isMapped(address)
          ? networkHolds(network, address, 12, 4)
          : networkHolds(network, address, 0, address.length);
      };
    }
    case "alpn": {
      const { protocol } = rule;
      return (facts) => facts.alpn.includes(protocol);
    }
    case "not": {
      const inner = compile(rule.rule, regexps, !helps);
      return (facts) => !inner(facts);
    }
    case "and": {
      const all = rule.rules.map((child) => compile(child, regexps, helps));
      return (facts) => {
        for (const matches of all) if (!matches(facts)) return false;
        return true;
      };
    }
    case "or":
      return compileOr(rule.rules, regexps, helps);
    default: {
      const says = compileMqtt(rule, regexps, helps);
      return ({ mqtt }) => (mqtt === null ? helps : says(mqtt));
    }
  }
}

function compileMqtt(rule: MqttLeaf, regexps: Map<string, Re2>, helps: boolean): (connect: MqttFacts) => boolean {
  switch (rule.kind) {
    case "mqttClientId": {
      const { value } = rule;
      return ({ clientId }) => clientId === value;
    }
    case "mqttClientIdRegexp": {
      const regexp = regexpOf(rule.source, regexps);
      return ({ clientId }) => (clientId.length > MAX_MATCHED ? !helps : regexp.test(clientId));
    }
    case "mqttUsername": {
      const { value } = rule;
      return ({ username }) => username === value;
    }
    case "mqttUsernameRegexp": {
      const regexp = regexpOf(rule.source, regexps);
      return ({ username }) => username !== null && (username.length > MAX_MATCHED ? !helps : regexp.test(username));
    }
    case "mqttVersion":
      return ({ version }) => version === rule.version;
  }
}

function regexpOf(source: string, regexps: Map<string, Re2>): Re2 {
  let regexp = regexps.get(source);
  if (regexp === undefined) regexps.set(source, (regexp = compileRe2(source)));
  return regexp;
}

function compileOr(rules: readonly Rule[], regexps: Map<string, Re2>, helps: boolean): Matcher {
  const names = new Set<string>();
  for (const child of rules) if (child.kind === "hostSNI") names.add(child.name);
  const useNames = names.size > MANY_NAMES;
  const others = rules.filter((child) => !useNames || child.kind !== "hostSNI");
  const some = others.map((child) => compile(child, regexps, helps));
  return (facts) => {
    if (useNames && names.has(facts.sni)) return true;
    for (const matches of some) if (matches(facts)) return true;
    return false;
  };
}
