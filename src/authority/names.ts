// Who a certificate is for: names as they were typed, checked, as the subject and the alternative names of a certificate.

import { isIP } from "node:net";
import { domainToASCII } from "node:url";
import { isNoHost } from "../text/host-name.ts";
import { isFitForName } from "../text/names.ts";
import { printable } from "../text/printable.ts";

export interface AlternativeName {
  readonly kind: "DNS" | "IP" | "URI" | "email";
  readonly value: string;
}

export interface Subject {
  /** "" where no name fits into one. */
  readonly commonName: string;
  /** At least one. */
  readonly alternativeNames: readonly AlternativeName[];
  /** What the distinguished name has beside the common name, from the country on; nothing unless somebody asks for it. */
  readonly around?: readonly NamePart[];
}

/** A part of a distinguished name; C has two letters. */
export interface NamePart {
  readonly type: "C" | "ST" | "L" | "O" | "OU";
  readonly value: string;
}

export type NamedSubject =
  | { readonly kind: "ok"; readonly subject: Subject; readonly notices: readonly string[] }
  | { readonly kind: "error"; readonly message: string };

/** ub-common-name (RFC 5280 A.1), in characters. */
const MAX_COMMON_NAME = 64;
/** RFC 1035 2.3.4. */
const MAX_LABEL = 63;
const MAX_DNS = 253;
/** Names of one certificate: each makes the handshake longer. */
const MAX_NAMES = 100;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/;
/** What nobody sees (Unicode's Cf), but for the joiners and tags that emoji and some scripts are written with. */
const INVISIBLE = /(?!\u200c|\u200d|[\u{e0020}-\u{e007f}])\p{Cf}|[\p{Zl}\p{Zp}]/u;
/** The URIs of clients whose names are no host names. */
const CLIENT_URI = "urn:sluice:client:";

/** What a server is called: DNS names, `*.x` included, and IP addresses. The first one that fits is the common name too. */
export function serverSubject(names: readonly string[]): NamedSubject {
  if (names.length === 0) return wrong("a server needs a name or an address that clients reach it by");
  if (names.length > MAX_NAMES)
    return wrong(`${names.length} names are too many for one certificate: at most ${MAX_NAMES}`);
  const found = new Map<string, AlternativeName>();
  const notices: string[] = [];
  for (const name of names) {
    const read = hostName(name);
    if (read.kind === "error") return wrong(`'${printable(name)}' ${read.message}`);
    if (read.notice !== null) notices.push(read.notice);
    found.set(read.name.value, read.name);
  }
  const alternativeNames = [...found.values()];
  const commonName = alternativeNames.find(({ value }) => value.length <= MAX_COMMON_NAME)?.value ?? "";
  return { kind: "ok", subject: { commonName, alternativeNames }, notices };
}

type HostName =
  | { readonly kind: "ok"; readonly name: AlternativeName; readonly notice: string | null }
  | { readonly kind: "error"; readonly message: string };

function hostName(typed: string): HostName {
  const bare = /^\[(.*)\]$/.exec(typed)?.[1] ?? typed;
  if (isIP(bare) === 4) return { kind: "ok", name: { kind: "IP", value: bare }, notice: null };
  if (isIP(bare) === 6) {
    if (bare.includes("%"))
      return { kind: "error", message: "is an address of one machine's interface: leave out what follows %" };
    return { kind: "ok", name: { kind: "IP", value: new URL(`http://[${bare}]`).hostname.slice(1, -1) }, notice: null };
  }
  const no = (message: string): HostName => ({ kind: "error", message });
  if (typed === "") return no("is empty");
  if (/\s/.test(typed)) return no("has a space: a name for servers has none");
  if (typed.includes("/")) return no("is no host name: leave out the scheme and the path");
  if (typed.includes(":")) return no("is no host name: leave out the port");
  if (typed.includes("@")) return no("is an e-mail address, and no host name");
  if (isNoHost(typed)) return no("is neither an address nor a host name");
  const wildcard = typed.startsWith("*.") ? "*." : "";
  const rest = typed.slice(wildcard.length).replace(/\.$/, "");
  if (rest.includes("*")) return no("has a * that is not the whole first label: only *.example.com is understood");
  const ascii = /^[\x21-\x7e]*$/.test(rest) ? rest.toLowerCase() : domainToASCII(rest);
  const labels = ascii.split(".");
  const long = labels.find((label) => label.length > MAX_LABEL);
  if (long !== undefined) return no(`has a label of ${long.length} characters: at most ${MAX_LABEL} (RFC 1035)`);
  if (ascii.length > MAX_DNS) return no(`has ${ascii.length} characters: a host name has at most ${MAX_DNS}`);
  if (!labels.every((label) => LABEL.test(label)))
    return no("is no host name: letters, digits, hyphens and dots make one");
  const value = wildcard + ascii;
  if (ascii.includes("_"))
    return {
      kind: "ok",
      name: { kind: "DNS", value },
      notice: `${value} has an underscore, which host names must not have: some clients refuse it`,
    };
  const notice =
    ascii === rest.toLowerCase() ? null : `${printable(typed)} is written ${value}, as clients ask for it (IDNA)`;
  return { kind: "ok", name: { kind: "DNS", value }, notice };
}

/**
 * What a client is called. The name is the common name as it is, in Unicode's composed form. As an alternative name it is what it looks
 * like: an address, a host name, an e-mail address, and otherwise the URI urn:sluice:client:NAME.
 */
export function clientSubject(typed: string): NamedSubject {
  const name = typed.normalize("NFC");
  const no = (message: string) => wrong(`the client name '${printable(typed)}' ${message}`);
  if (name.trim() === "") return wrong("a client needs a name: this one is empty");
  if (name !== name.trim()) return no("begins or ends with a space");
  if (!isFitForName(name)) return no("has a control character");
  const [invisible] = INVISIBLE.exec(name) ?? [];
  if (invisible !== undefined)
    return no(`has the invisible character U+${invisible.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`);
  const length = [...name].length;
  if (length > MAX_COMMON_NAME)
    return no(`has ${length} characters: a common name has at most ${MAX_COMMON_NAME} (RFC 5280)`);
  return { kind: "ok", subject: { commonName: name, alternativeNames: [alternativeOf(name)] }, notices: [] };
}

const HOST_LIKE = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;
const EMAIL = /^[A-Za-z0-9.!#$&'*+=?^_{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/;

function alternativeOf(name: string): AlternativeName {
  if (isIP(name) !== 0 && !name.includes("%")) return { kind: "IP", value: name };
  if (HOST_LIKE.test(name)) return { kind: "DNS", value: name };
  if (EMAIL.test(name)) return { kind: "email", value: name };
  return {
    kind: "URI",
    value:
      CLIENT_URI +
      encodeURIComponent(name).replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`),
  };
}

export type NameRead =
  | { readonly kind: "ok"; readonly name: AlternativeName }
  | { readonly kind: "error"; readonly message: string };

/** A further name of a client, of a kind that is said. The message begins with the name. */
export function alternativeName(kind: AlternativeName["kind"], text: string): NameRead {
  const no = (message: string): NameRead => ({ kind: "error", message: `'${printable(text)}' ${message}` });
  switch (kind) {
    case "DNS":
    case "IP": {
      const read = hostName(text);
      if (read.kind === "error") return no(read.message);
      if (read.name.kind === kind) return { kind: "ok", name: read.name };
      return no(kind === "IP" ? "is no address" : "is an address, and no host name");
    }
    case "email":
      return EMAIL.test(text) && text.length <= MAX_TEXT_NAME
        ? { kind: "ok", name: { kind, value: text } }
        : no("is no e-mail address");
    case "URI":
      return URI.test(text) && text.length <= MAX_TEXT_NAME
        ? { kind: "ok", name: { kind, value: text } }
        : no("is no URI: it begins with a scheme, and other letters than ASCII's are escaped (%C3%A4)");
  }
}

/** More than any program expects there; characters. */
const MAX_TEXT_NAME = 1024;
/** A scheme, and then what RFC 3986 has characters for. */
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#[\]@!$&'()*+,;=%-]+$/;

/** `DNS:dev-1`, as `openssl x509 -text` and `allowedNames` have it. */
export function nameText({ kind, value }: AlternativeName): string {
  return `${kind}:${value}`;
}

function wrong(message: string): NamedSubject {
  return { kind: "error", message };
}
