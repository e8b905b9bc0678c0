// The matchers that exist and what their values may be: from a name and a text to a leaf of the rule, or to words of help.

import { formatNetwork, isLostIpv4, LOST_IPV4, parseNetwork } from "../ip/address.ts";
import { isMqttText } from "../mqtt/text.ts";
import { readVersion } from "../mqtt/version.ts";
import { isNoHost } from "../text/host-name.ts";
import { compileRe2 } from "../text/re2.ts";
import { didYouMean } from "../text/spelling.ts";
import type { Rule } from "./ast.ts";
import { inV3, isTemplate } from "./other-forms.ts";

type ValueResult = { kind: "ok"; rule: Rule } | { kind: "error"; message: string };
type MatcherResult =
  | { kind: "ok"; name: string; read: (value: string) => ValueResult }
  /** `meant`: the matcher that does for TLS what this one does for HTTP. */
  | { kind: "error"; message: string; meant?: string };

const READERS: Record<string, (value: string) => ValueResult> = {
  HostSNI: readHostSNI,
  HostSNIRegexp: readHostSNIRegexp,
  ClientIP: readClientIP,
  ALPN: readALPN,
  MQTTClientID: (value) => readMqttText(value, { kind: "mqttClientId", value }),
  MQTTClientIDRegexp: (value) => readRegexp(value, { kind: "mqttClientIdRegexp", source: value }),
  MQTTUsername: (value) => readMqttText(value, { kind: "mqttUsername", value }),
  MQTTUsernameRegexp: (value) => readRegexp(value, { kind: "mqttUsernameRegexp", source: value }),
  MQTTVersion: readMqttVersion,
};
const NAMES = Object.keys(READERS);
// Traefik registers each name so, and as lower, upper and title case of it; no other mixture.
const SPELLINGS = new Map(
  NAMES.flatMap((name) => {
    const lower = name.toLowerCase();
    return [name, lower, name.toUpperCase(), lower.charAt(0).toUpperCase() + lower.slice(1)].map(
      (as) => [as, name] as const,
    );
  }),
);
const HOST_MATCHERS = new Map([
  ["host", "HostSNI"],
  ["hostheader", "HostSNI"],
  ["hostregexp", "HostSNIRegexp"],
]);
const HTTP_MATCHERS = new Set(
  "path pathprefix pathregexp method header headers headerregexp headersregexp query queryregexp".split(" "),
);
/** What is meant by names that look like another one, or like none. */
const OTHER_NAMES = new Map([
  ["clientid", "MQTTClientID"],
  ["clientidregexp", "MQTTClientIDRegexp"],
  ["username", "MQTTUsername"],
  ["usernameregexp", "MQTTUsernameRegexp"],
]);

/** Finds a matcher by one of its four spellings; an unknown one is answered with what was probably meant. */
export function readMatcher(spelling: string): MatcherResult {
  const name = SPELLINGS.get(spelling);
  if (name !== undefined) return { kind: "ok", name, read: READERS[name]! };
  const lower = spelling.toLowerCase();
  const meant = HOST_MATCHERS.get(lower);
  if (meant !== undefined)
    return {
      kind: "error",
      message: `${spelling} is an HTTP matcher, and Sluice routes TCP: use ${meant}, which matches the TLS server name`,
      meant,
    };
  if (HTTP_MATCHERS.has(lower))
    return { kind: "error", message: `${spelling} is an HTTP matcher, and Sluice routes TCP: leave it out` };
  const near = OTHER_NAMES.get(lower) ?? didYouMean(spelling, NAMES);
  const unknown = `unknown matcher "${spelling.slice(0, 40)}"`;
  return {
    kind: "error",
    message: near ? `${unknown}, did you mean ${near}?` : `${unknown}; there are ${NAMES.join(", ")}`,
  };
}

function isASCII(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}

const NOT_ASCII =
  "names are compared as the client sends them, in ASCII: write an international name as punycode (xn--...)";
// Traefik's pattern for HostSNI values: addresses and underscores are names too.
const HOST = /^(\*\.)?[0-9A-Za-z_.\-:]+$/;

function readHostSNI(value: string): ValueResult {
  if (value === "*") return { kind: "ok", rule: { kind: "any" } };
  if (!isASCII(value)) return { kind: "error", message: NOT_ASCII };
  if (isTemplate(value)) return { kind: "error", message: ofTemplate(value) };
  if (!HOST.test(value)) {
    if (value.includes("*")) {
      return {
        kind: "error",
        message: "a wildcard is `*` alone or `*.` in front, for exactly one label; use HostSNIRegexp for more",
      };
    }
    return { kind: "error", message: `${JSON.stringify(value.slice(0, 60))} is not a host name` };
  }
  const name = (value.endsWith(".") ? value.slice(0, -1) : value).toLowerCase();
  if (name === "" || name === "*" || name === "*.") {
    return { kind: "error", message: `${JSON.stringify(value)} is not a host name` };
  }
  if (isNoHost(name))
    return { kind: "error", message: `${JSON.stringify(value)} is neither a host name nor an IPv4 address` };
  return {
    kind: "ok",
    rule: name.startsWith("*.") ? { kind: "hostSNIWildcard", suffix: name.slice(1) } : { kind: "hostSNI", name },
  };
}

function readHostSNIRegexp(value: string): ValueResult {
  if (!isASCII(value)) return { kind: "error", message: NOT_ASCII };
  if (isTemplate(value)) return { kind: "error", message: ofTemplate(value) };
  return readRegexp(value, { kind: "hostSNIRegexp", source: value });
}

function readRegexp(source: string, rule: Rule): ValueResult {
  try {
    compileRe2(source);
  } catch (error) {
    return { kind: "error", message: error instanceof Error ? error.message : "bad regexp" };
  }
  return { kind: "ok", rule };
}

/** In v3 such a text is a regular expression that asks for a brace, so the router would never get a client. */
function ofTemplate(value: string): string {
  const meant = inV3("HostSNIRegexp", [value]) ?? "HostSNIRegexp(`^[a-z]+\\.example\\.com$`)";
  return `"{name:...}" is a template of Traefik v2 and can never match here: write ${meant}`;
}

function readClientIP(value: string): ValueResult {
  const network = parseNetwork(value);
  if (isLostIpv4(value)) return { kind: "error", message: `${JSON.stringify(value.slice(0, 60))} is ${LOST_IPV4}` };
  if (network) return { kind: "ok", rule: { kind: "clientIP", cidr: formatNetwork(network) } };
  return {
    kind: "error",
    message: `${JSON.stringify(value.slice(0, 60))} is neither an IP address nor a CIDR network such as 10.0.0.0/8`,
  };
}

function readALPN(value: string): ValueResult {
  if (value === "acme-tls/1") {
    return { kind: "error", message: "acme-tls/1 is answered by the proxy itself (RFC 8737) and cannot be routed" };
  }
  // The ClientHello parser writes every other byte as \xNN; refusing them here keeps a rule from silently never matching.
  if (!/^[\x21-\x5b\x5d-\x7e]{1,255}$/.test(value)) {
    return {
      kind: "error",
      message: "an ALPN protocol is 1 to 255 printable ASCII characters, without space and backslash",
    };
  }
  return { kind: "ok", rule: { kind: "alpn", protocol: value } };
}

function readMqttText(value: string, rule: Rule): ValueResult {
  return isMqttText(value)
    ? { kind: "ok", rule }
    : {
        kind: "error",
        message: "no client can send this: a text of MQTT is at most 65535 bytes of UTF-8, without control characters",
      };
}

function readMqttVersion(value: string): ValueResult {
  const read = readVersion(value);
  return read.kind === "ok" ? { kind: "ok", rule: { kind: "mqttVersion", version: read.version } } : read;
}
