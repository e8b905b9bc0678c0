// clientAuth.allowedNames: patterns for the names in a client's certificate.

import type { X509Certificate } from "node:crypto";
import { type CertificateIdentity, identityOf } from "../certs/x509.ts";

const KINDS = ["CN", "DNS", "URI", "email"] as const;
type Kind = (typeof KINDS)[number];

interface Pattern {
  /** null: any kind. */
  readonly kind: Kind | null;
  /** What stands between the asterisks. */
  readonly parts: readonly string[];
}

/** Longer patterns are a mistake. Characters. */
const MAX_PATTERN = 512;
/** A line break or a NUL in a name shows one name to us and another to whoever reads it next. */
const CONTROL = /[\x00-\x1f\x7f-\x9f]/;

/**
 * Reads `CN:sensor-*`, `DNS:*.devices.example.com`, `URI:spiffe://example.com/*`, `email:*@example.com`, or a pattern without a kind,
 * which may match a name of any kind. `*` stands for any characters, none included. A string is what is wrong with it.
 */
export function parseNamePattern(text: string): Pattern | string {
  if (text.length > MAX_PATTERN) return `is longer than ${MAX_PATTERN} characters`;
  if (CONTROL.test(text)) return "has a control character";
  const kind = KINDS.find((each) => text.slice(0, each.length + 1).toLowerCase() === `${each.toLowerCase()}:`) ?? null;
  const pattern = kind === null ? text : text.slice(kind.length + 1);
  if (pattern === "") return "is empty";
  return { kind, parts: pattern.split("*") };
}

/** Whether one of the names matches one of the patterns. A pattern that cannot be read matches nothing. */
export function isAllowed(patterns: readonly string[], identity: CertificateIdentity): boolean {
  const names: Record<Kind, readonly string[]> = {
    // Which of several common names a broker would take is anybody's guess.
    CN: identity.commonNames.length === 1 ? identity.commonNames : [],
    DNS: identity.dns,
    URI: identity.uris,
    email: identity.emails,
  };
  return patterns.some((text) => {
    const pattern = parseNamePattern(text);
    if (typeof pattern === "string") return false;
    const kinds = pattern.kind === null ? KINDS : [pattern.kind];
    return kinds.some((kind) =>
      names[kind].some((name) => !CONTROL.test(name) && matches(fold(kind, pattern.parts), fold(kind, [name])[0]!)),
    );
  });
}

/** DNS names and the domain of an address are compared without case (RFC 5280 7.2, 7.5). */
function fold(kind: Kind, parts: readonly string[]): readonly string[] {
  if (kind === "DNS") return parts.map((part) => part.toLowerCase());
  if (kind !== "email") return parts;
  const all = parts.join("\0");
  const at = all.lastIndexOf("@");
  return (at < 0 ? all : all.slice(0, at) + all.slice(at).toLowerCase()).split("\0");
}

/** Linear in pattern and name: the parts are looked for from left to right, the first and the last are anchored. */
function matches(parts: readonly string[], name: string): boolean {
  const first = parts[0]!;
  const last = parts.at(-1)!;
  if (parts.length === 1) return name === first;
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last)) return false;
  let at = first.length;
  const end = name.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/**
 * What a client is called in the log: its subject on one line, or where that is empty (RFC 5280 4.1.2.6, as SPIFFE has it) the first of
 * its alternative names. It comes from outside, and is not fit for printing yet. "": it has no name.
 */
export function clientNameOf(certificate: X509Certificate): string {
  // The published type knows no certificate without a subject.
  const subject: string | undefined = certificate.subject;
  if (subject) return subject.replace(/\n/g, ", ");
  const identity = identityOf(certificate.raw);
  if (identity === null) return "";
  const { uris, dns, emails } = identity;
  if (uris.length > 0) return `URI:${uris[0]}`;
  if (dns.length > 0) return `DNS:${dns[0]}`;
  return emails.length > 0 ? `email:${emails[0]}` : "";
}
