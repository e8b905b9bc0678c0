// Why a rule is true or false for a client: the part of it that decides, in words. `sluice explain` shows it; nothing routes by it.

import { formatIp, isMapped } from "../ip/address.ts";
import { MAX_MATCHED } from "../text/matching.ts";
import type { Re2 } from "../text/re2.ts";
import { type Facts, isMqtt, type MqttFacts, type MqttLeaf, type Rule } from "./ast.ts";
import { compile } from "./matchers.ts";

/** Facts that are not known: a rule that needs one of them `depends`. So does one that asks MQTT, where `facts.mqtt` is null. */
export interface Unknown {
  readonly address?: boolean;
  readonly alpn?: boolean;
  readonly clientId?: boolean;
  readonly username?: boolean;
  readonly mqttVersion?: boolean;
}

export interface Judgement {
  readonly value: "true" | "false" | "depends";
  /** The part of the rule that makes it so, as it would be written; a long one is cut short. */
  readonly part: string;
  readonly reason: string;
}

export type Why = Pick<Judgement, "part" | "reason">;

/** Alternatives of an "||" that are named; a rule may have thousands. */
const MAX_ALTERNATIVES = 3;
/** Characters of a part. */
const MAX_PART = 200;

/** The part of `rule` that keeps this client out; null exactly if the rule matches, or could match when the CONNECT is read. */
export function why(rule: Rule, facts: Facts, regexps?: Map<string, Re2>): Why | null {
  const { value, part, reason } = judge(rule, facts, {}, regexps);
  return value === "false" ? { part, reason } : null;
}

/** Kleene's three values; `helps` as in `compile`. What decides: of an "&&" the first part that is false, of an "||" the first that is true. */
export function judge(
  rule: Rule,
  facts: Facts,
  unknown: Unknown = {},
  regexps: Map<string, Re2> = new Map(),
  helps = true,
): Judgement {
  switch (rule.kind) {
    case "not": {
      const inner = judge(rule.rule, facts, unknown, regexps, !helps);
      const reason = inner.part === shortRule(rule.rule) ? inner.reason : `${inner.part}: ${inner.reason}`;
      return { value: NEGATED[inner.value], part: shortRule(rule), reason };
    }
    case "and":
    case "or": {
      const deciding = rule.kind === "and" ? "false" : "true";
      let depends: Judgement | null = null;
      const rest: Judgement[] = [];
      for (const child of rule.rules) {
        const judged = judge(child, facts, unknown, regexps, helps);
        if (judged.value === deciding) return judged;
        if (judged.value === "depends") depends ??= judged;
        else if (rest.length < MAX_ALTERNATIVES) rest.push(judged);
      }
      if (depends !== null) return depends;
      const part = short(formatRule(rule, MAX_ALTERNATIVES));
      return rule.kind === "and"
        ? { value: "true", part, reason: "all of it is true" }
        : { value: "false", part, reason: together(rest) };
    }
    default:
      return judgeLeaf(rule, facts, unknown, regexps, helps);
  }
}

const NEGATED = { true: "false", false: "true", depends: "depends" } as const;

type Leaf = Exclude<Rule, { kind: "not" | "and" | "or" }>;

function judgeLeaf(rule: Leaf, facts: Facts, unknown: Unknown, regexps: Map<string, Re2>, helps: boolean): Judgement {
  const part = shortRule(rule);
  if (rule.kind === "clientIP" && unknown.address)
    return { value: "depends", part, reason: "it depends on the client's address" };
  if (rule.kind === "alpn" && unknown.alpn)
    return { value: "depends", part, reason: "it depends on the client's protocols" };
  const { mqtt } = facts;
  if (isMqtt(rule)) {
    const [fact, called] = MQTT_FACTS[rule.kind];
    if (mqtt === null || unknown[fact])
      return { value: "depends", part, reason: `it depends on the client's ${called}` };
  }
  const holds = compile(rule, regexps, helps)(facts);
  const reason = isMqtt(rule) ? mqttReason(rule, mqtt!, holds) : whyOf(rule, facts, holds);
  return { value: holds ? "true" : "false", part, reason };
}

/** What a matcher of MQTT goes by, and how it is called. */
const MQTT_FACTS = {
  mqttClientId: ["clientId", "client ID"],
  mqttClientIdRegexp: ["clientId", "client ID"],
  mqttUsername: ["username", "user name"],
  mqttUsernameRegexp: ["username", "user name"],
  mqttVersion: ["mqttVersion", "version of MQTT"],
} as const;

function mqttReason(rule: MqttLeaf, { clientId, username, version }: MqttFacts, holds: boolean): string {
  if (rule.kind === "mqttVersion") return `the client speaks MQTT ${version}`;
  const [fact, called] = MQTT_FACTS[rule.kind];
  const value = fact === "clientId" ? clientId : username;
  if (value === null) return `the client sends no ${called}`;
  const shown = short(JSON.stringify(value));
  if ("source" in rule && value.length > MAX_MATCHED)
    return `the client's ${called} is longer than ${MAX_MATCHED} characters, and no regular expression is tried on it`;
  return "source" in rule ? `it is ${holds ? "" : "not "}found in ${shown}` : `the client's ${called} is ${shown}`;
}

function whyOf(rule: Exclude<Leaf, MqttLeaf>, { sni, alpn, address }: Facts, holds: boolean): string {
  switch (rule.kind) {
    case "any":
      return "it is always true";
    case "hostSNI":
      return asked(sni);
    case "hostSNIWildcard":
      return !holds && sni.endsWith(rule.suffix)
        ? `${asked(sni)}, and the * stands for exactly one label`
        : sni === rule.suffix.slice(1)
          ? `${asked(sni)}, and the * stands for one label before it`
          : asked(sni);
    case "hostSNIRegexp":
      if (sni === "") return holds ? "an empty name matches, and the client sends none" : asked(sni);
      return `it is ${holds ? "" : "not "}found in ${sni}`;
    case "clientIP":
      if (address === null) return "the client has no IP address";
      return `${formatAddress(address)} is ${holds ? "" : "not "}in it`;
    case "alpn":
      if (holds) return "the client offers it";
      return alpn.length === 0 ? "the client offers no protocol" : `not offered; the client offers ${alpn.join(", ")}`;
  }
}

function asked(sni: string): string {
  return sni === "" ? "the client sends no name" : `the client asks for ${sni}`;
}

/** Equal reasons once; different ones each with its part. */
function together(judged: readonly Judgement[]): string {
  const reasons = new Set(judged.map(({ reason }) => reason));
  if (reasons.size === 1) return judged[0]!.reason;
  return judged.map(({ part, reason }) => `${part}: ${reason}`).join("; ");
}

/** An address as people write it; of IPv4 in IPv6 clothes the IPv4 address. */
export function formatAddress(address: Uint8Array): string {
  return formatIp(isMapped(address) ? address.subarray(12) : address);
}

/** A rule as it is written, in one of the ways to write it. Of an "&&" or "||" at most `most` parts. */
export function formatRule(rule: Rule, most = Number.POSITIVE_INFINITY): string {
  switch (rule.kind) {
    case "any":
      return "HostSNI(`*`)";
    case "hostSNI":
      return `HostSNI(${quote(rule.name)})`;
    case "hostSNIWildcard":
      return `HostSNI(${quote(`*${rule.suffix}`)})`;
    case "hostSNIRegexp":
      return `HostSNIRegexp(${quote(rule.source)})`;
    case "clientIP":
      return `ClientIP(${quote(rule.cidr.replace(rule.cidr.includes(":") ? /\/128$/ : /\/32$/, ""))})`;
    case "alpn":
      return `ALPN(${quote(rule.protocol)})`;
    case "mqttClientId":
      return `MQTTClientID(${quote(rule.value)})`;
    case "mqttClientIdRegexp":
      return `MQTTClientIDRegexp(${quote(rule.source)})`;
    case "mqttUsername":
      return `MQTTUsername(${quote(rule.value)})`;
    case "mqttUsernameRegexp":
      return `MQTTUsernameRegexp(${quote(rule.source)})`;
    case "mqttVersion":
      return `MQTTVersion(${quote(rule.version)})`;
    case "not":
      return `!${group(rule.rule, most)}`;
    case "and":
    case "or": {
      const sign = rule.kind === "and" ? " && " : " || ";
      const parts = rule.rules.slice(0, most).map((child) => group(child, most));
      const more = rule.rules.length - parts.length;
      return `${parts.join(sign)}${more > 0 ? `${sign}... (${more} more)` : ""}`;
    }
  }
}

/** A rule as it is written, cut short where it is long. */
export function shortRule(rule: Rule): string {
  return short(formatRule(rule));
}

function group(rule: Rule, most: number): string {
  const text = formatRule(rule, most);
  return rule.kind === "and" || rule.kind === "or" ? `(${text})` : text;
}

function quote(value: string): string {
  // Control characters show as escapes, and a carriage return would be lost between backticks.
  return /[`\x00-\x1f\x7f-\x9f]/.test(value) ? JSON.stringify(value) : `\`${value}\``;
}

function short(text: string): string {
  return text.length <= MAX_PART ? text : `${text.slice(0, MAX_PART)}...`;
}
