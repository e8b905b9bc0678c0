// What a rule is once read: plain data, so that it can be cloned to a worker or shown by the API.

import type { MqttVersion } from "../mqtt/version.ts";

/** A Traefik v3 TCP rule, with Sluice's matchers of MQTT beside, as a tree. Made by `parseRule`, which alone guarantees that names, regexps and networks in it are valid. */
export type Rule =
  /** HostSNI(`name`): lower-cased, without trailing dot. */
  | { kind: "hostSNI"; name: string }
  /** HostSNI(`*.d`): `suffix` is ".d"; exactly one label stands in place of the star. */
  | { kind: "hostSNIWildcard"; suffix: string }
  /** HostSNI(`*`): every connection, with or without SNI. */
  | { kind: "any" }
  /** HostSNIRegexp(`source`): RE2 syntax, searched for anywhere in the lower-cased SNI. */
  | { kind: "hostSNIRegexp"; source: string }
  /** ClientIP(`…`): always address/prefix, host bits cleared, IPv4-mapped written as IPv4. */
  | { kind: "clientIP"; cidr: string }
  /** ALPN(`protocol`): the client offers this protocol, whatever else it offers. */
  | { kind: "alpn"; protocol: string }
  /** MQTTClientID(`value`): the whole of it, in its case. */
  | { kind: "mqttClientId"; value: string }
  /** MQTTClientIDRegexp(`source`): RE2 syntax, searched for anywhere in the client identifier as it is. */
  | { kind: "mqttClientIdRegexp"; source: string }
  /** MQTTUsername(`value`): the whole of it, in its case. Never true of a client without a user name. */
  | { kind: "mqttUsername"; value: string }
  /** MQTTUsernameRegexp(`source`): as of client identifiers. Never true of a client without a user name, whatever the regexp. */
  | { kind: "mqttUsernameRegexp"; source: string }
  | { kind: "mqttVersion"; version: MqttVersion }
  | { kind: "not"; rule: Rule }
  | { kind: "and" | "or"; rules: Rule[] };

/** What is known of a connection when it is routed. */
export interface Facts {
  /** Lower-cased, no trailing dot; "" when the client sent none. */
  sni: string;
  /** What the client offers, in its order. */
  alpn: readonly string[];
  /** 4 or 16 bytes, as `parseAddress` gives them; null when the peer has no IP address. IPv4-mapped IPv6 counts as IPv4. */
  address: Uint8Array | null;
  /**
   * What its CONNECT says; null while that is not read. A rule is then asked whether it could be true: every matcher of MQTT is taken as
   * the one of true and false that helps.
   */
  mqtt: MqttFacts | null;
}

export interface MqttFacts {
  readonly clientId: string;
  /** null: there is none; "" is one that is empty. */
  readonly username: string | null;
  readonly version: MqttVersion;
}

/** Whether a rule asks for what only a CONNECT says. */
export function asksMqtt(rule: Rule): boolean {
  switch (rule.kind) {
    case "not":
      return asksMqtt(rule.rule);
    case "and":
    case "or":
      return rule.rules.some(asksMqtt);
    default:
      return isMqtt(rule);
  }
}

export type MqttLeaf = Extract<Rule, { kind: `mqtt${string}` }>;

export function isMqtt(rule: Rule): rule is MqttLeaf {
  return rule.kind.startsWith("mqtt");
}
