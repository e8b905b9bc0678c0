// The client that `sluice explain` is asked about, from the words of the command line.

import { isIP } from "node:net";
import { domainToASCII } from "node:url";
import { parseAddress } from "../ip/address.ts";
import { isMqttText } from "../mqtt/text.ts";
import { readVersion } from "../mqtt/version.ts";
import type { MqttFacts } from "../rules/ast.ts";
import { formatAddress } from "../rules/explain.ts";
import { readHostName } from "../wire/client-hello.ts";

/** Characters of a word of the command line that a message says. */
const MAX_SHOWN = 80;

export interface ClientOptions {
  readonly sni?: string;
  readonly alpn?: readonly string[];
  readonly from?: string;
  readonly to?: string;
  readonly plain?: boolean;
  readonly clientId?: string;
  /** false: it sends none. */
  readonly username?: string | false;
  readonly mqttVersion?: string;
  /** A file, which is read by who asks; false: it shows none. */
  readonly cert?: string | false;
}

export interface Client {
  readonly tls: boolean;
  /** As it is routed by: lower-cased, without trailing dot; "" when the client sends none. */
  readonly sni: string;
  readonly alpn: readonly string[];
  /** null: nothing is known of where it comes from. */
  readonly from: Uint8Array | null;
  /** The address that it dials, which is its name when it sends none; null: not known. */
  readonly to: string | null;
  /** The certificates that it shows, in DER, its own first; null: not known. */
  readonly chain: readonly Buffer[] | null;
  /** What is known of its CONNECT. */
  readonly connect: Partial<MqttFacts>;
  /** What the operator may not have meant. */
  readonly notes: readonly string[];
}

/** `chain` is what the file `cert` holds. @returns a line for the operator when no client can be so. */
export function readClient(options: ClientOptions, chain: readonly Buffer[] = []): Client | string {
  const notes: string[] = [];
  const { plain = false, cert } = options;
  const alpn = (options.alpn ?? []).flatMap((list) => list.split(","));
  if (plain && (options.sni !== undefined || alpn.length > 0))
    return "--plain: a client without TLS sends neither SNI nor ALPN: leave --sni and --alpn out";
  if (plain && cert) return "--plain: a client without TLS shows no certificate: leave --cert out";
  const name = options.sni === undefined ? { kind: "ok" as const, sni: "" } : readName(options.sni, notes);
  if (name.kind === "error") return `--sni: ${name.message}`;
  for (const protocol of alpn)
    if (!/^[\x21-\x5b\x5d-\x7e]{1,255}$/.test(protocol))
      return `--alpn: ${quote(protocol)} is no protocol: 1 to 255 printable ASCII characters, without space and backslash`;
  const from = options.from === undefined ? null : parseAddress(options.from);
  if (options.from !== undefined && from === null)
    return `--from: ${quote(options.from)} is no IP address, such as 192.0.2.1 or 2001:db8::1`;
  const to = options.to === undefined ? null : parseAddress(options.to);
  if (options.to !== undefined && to === null)
    return `--to: ${quote(options.to)} is no IP address, such as 192.0.2.1 or 2001:db8::1`;
  const connect = readConnect(options);
  if (typeof connect === "string") return connect;
  return {
    ...{ tls: !plain, sni: name.sni, alpn, from, to: to === null ? null : formatAddress(to) },
    ...{ chain: plain || cert !== undefined ? chain : null, connect, notes },
  };
}

function readConnect({ clientId, username, mqttVersion }: ClientOptions): Client["connect"] | string {
  for (const [option, value] of [
    ["--clientId", clientId],
    ["--username", username],
  ] as const)
    if (value && !isMqttText(value))
      return `${option}: ${quote(value)} is no text of MQTT: that is at most 65535 bytes of UTF-8, without control characters`;
  const version = mqttVersion === undefined ? null : readVersion(mqttVersion);
  if (version?.kind === "error") return `--mqttVersion: ${version.message}`;
  return {
    ...(clientId === undefined ? {} : { clientId }),
    ...(username === undefined ? {} : { username: username === false ? null : username }),
    ...(version === null ? {} : { version: version.version }),
  };
}

/** As it is shown in a message: not the whole of a long one. */
function quote(word: string): string {
  return JSON.stringify(word.slice(0, MAX_SHOWN));
}

type Name = { readonly kind: "ok"; readonly sni: string } | { readonly kind: "error"; readonly message: string };

/** By the rules of the ClientHello's reader: what it would close as bad is an error here. */
function readName(text: string, notes: string[]): Name {
  const error = (message: string): Name => ({ kind: "error", message });
  const shown = quote(text);
  if (text === "" || text === ".") return error("the name is empty: leave --sni out for a client that sends none");
  if (/[^\x00-\x7f]/.test(text)) {
    const ascii = domainToASCII(text);
    const hint = ascii === "" ? "" : `: --sni ${ascii}`;
    return error(`${shown} is not ASCII, and clients send international names as punycode${hint}`);
  }
  if (text.includes("*")) return error(`${shown} is a pattern: a client asks for one name`);
  if (text.includes("/")) return error(`${shown}: give the host name alone`);
  const bytes = Buffer.from(text, "latin1");
  const sni = readHostName(bytes, 0, bytes.length);
  if (sni === null)
    return error(
      bytes.length > 255
        ? `the name has ${bytes.length} characters, and one has at most 255`
        : `${shown} is no host name: letters, digits, "-", "_", "." and ":"`,
    );
  if (isIP(sni) !== 0)
    notes.push("most clients send no SNI when they dial an address: leave --sni out, and give it with --to, for those");
  else if (/:\d+$/.test(sni)) notes.push("clients do not send the port in their SNI");
  return { kind: "ok", sni };
}
