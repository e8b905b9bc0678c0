// The scalar forms of Traefik's files: Go durations, Go booleans, host:port addresses with named ports.

import { isNoHost } from "../text/host-name.ts";

const UNIT_MS: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
/** What stands behind a duration's sign, as the source of a regular expression; JSON Schema says the same. */
export const DURATION_PARTS = "(?:(?:\\d+\\.?\\d*|\\.\\d+)(?:ns|us|µs|μs|ms|s|m|h))+";
const DURATION = new RegExp(`^[+-]?${DURATION_PARTS}$`);
const DURATION_PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;

/**
 * A duration in milliseconds: Go's form (`1h30m`, `250ms`, `-1s`), or a bare integer, which means seconds as in Traefik.
 * null when it is neither, or longer than 24 days, which is what a 32-bit millisecond timer can hold.
 */
export function parseDuration(text: string): number | null {
  let ms: number;
  if (/^[+-]?\d{1,15}$/.test(text)) ms = Number(text) * 1000;
  else if (DURATION.test(text)) {
    ms = 0;
    for (const [, amount, unit] of text.matchAll(DURATION_PART)) ms += Number(amount) * UNIT_MS[unit!]!;
    // Go counts whole nanoseconds.
    ms = Math.round(text.startsWith("-") ? -ms * 1e6 : ms * 1e6) / 1e6 + 0;
  } else return null;
  return Math.abs(ms) <= 0x7fffffff ? ms : null;
}

/** The words that Go's strconv.ParseBool takes. */
export const TRUE_WORDS: readonly string[] = ["1", "t", "T", "TRUE", "true", "True"];
export const FALSE_WORDS: readonly string[] = ["0", "f", "F", "FALSE", "false", "False"];

/** null for a word that is neither. */
export function parseBool(text: string): boolean | null {
  if (TRUE_WORDS.includes(text)) return true;
  if (FALSE_WORDS.includes(text)) return false;
  return null;
}

/** The names that /etc/services gives to ports people put in such files; built in, because a container has no /etc/services. */
export const NAMED_PORTS: Readonly<Record<string, number>> = {
  http: 80,
  https: 443,
  mqtt: 1883,
  "secure-mqtt": 8883,
  mqtts: 8883,
  "http-alt": 8080,
  "https-alt": 8443,
};

export type Address = { kind: "ok"; host: string; port: number } | { kind: "error"; message: string };

/**
 * `host:port`, `:port`, `[v6]:port`, each with an optional `/tcp`. The host is "" where none is given; a port is a number
 * from 0 to 65535 or a name from the table above.
 */
export function parseHostPort(text: string): Address {
  const error = (message: string): Address => ({ kind: "error", message });
  const url = URL_FORM.exec(text);
  if (url !== null) return error(ofUrl(url[1]!, url[2]!, url[3]!));
  if (text.includes("@"))
    return error(
      `"...${text.slice(text.lastIndexOf("@"))}" is not host:port: write it without what stands before the @`,
    );
  const slash = text.lastIndexOf("/");
  const protocol = slash < 0 ? "tcp" : text.slice(slash + 1).toLowerCase();
  if (protocol === "udp") return error(`"${text}" is UDP, which Sluice does not carry`);
  if (protocol !== "tcp") return error(`"${text}": the protocol must be /tcp`);
  const address = slash < 0 ? text : text.slice(0, slash);
  const match = /^(?:\[([0-9a-fA-F:.%\w]*)\]|([^:[\]\s]*)):([\w-]+)$/.exec(address);
  if (match === null) {
    const hint = /^[0-9a-fA-F:]+:[0-9a-fA-F:]*$/.test(address)
      ? " (an IPv6 host is written in brackets, [::1]:8883)"
      : parsePort(address) !== null
        ? ` (a port alone is written ":${address}")`
        : /^[\w.-]+$/.test(address)
          ? " (the port is missing)"
          : "";
    return error(`"${text}" is not host:port${hint}`);
  }
  const port = parsePort(match[3]!);
  if (port === null) return error(`"${text}": "${match[3]}" is neither a port from 0 to 65535 nor a known port name`);
  const host = match[1] ?? match[2] ?? "";
  if (match[1] === undefined && isNoHost(host))
    return error(`"${text}": "${host}" is neither a host name nor an IPv4 address (four numbers from 0 to 255)`);
  return { kind: "ok", host, port };
}

/** What stands before the last @ is a user and a password, whatever characters are in it. */
const URL_FORM = /^([a-z][a-z0-9+.-]*):\/\/([\s\S]*@)?([^/]*)/i;
/** Of URLs that have none. */
const SCHEME_PORTS: Readonly<Record<string, string>> = { mqtt: "1883", mqtts: "8883", ssl: "8883", tls: "8883" };

/** What is written in place of a URL. A user and a password in it are not repeated. */
function ofUrl(scheme: string, user: string | undefined, authority: string): string {
  const hasPort = /:[\w-]+$/.test(authority);
  const meant = hasPort ? authority : `${authority}:${SCHEME_PORTS[scheme.toLowerCase()] ?? "PORT"}`;
  const written = `${scheme}://${user === undefined ? "" : "...@"}${authority}`;
  return `"${written}" is a URL, and an address is host:port: write ${meant}`;
}

/**
 * A duration as one writes it, in the largest unit that leaves no fraction: `90s` and not `1m30s`. Milliseconds in.
 */
export function formatDuration(ms: number): string {
  const unit = (["h", "m", "s"] as const).find((each) => ms !== 0 && ms % UNIT_MS[each]! === 0);
  return unit === undefined ? (ms === 0 ? "0s" : `${ms}ms`) : `${ms / UNIT_MS[unit]!}${unit}`;
}

/** A port number from 0 to 65535 or a port's name; null for anything else. */
export function parsePort(text: string): number | null {
  if (/^\d{1,5}$/.test(text)) return Number(text) <= 65535 ? Number(text) : null;
  const name = text.toLowerCase();
  return Object.hasOwn(NAMED_PORTS, name) ? NAMED_PORTS[name]! : null;
}

/** `host:port`, with brackets where the host is IPv6. */
export function formatHostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
