// What a path from a certificate up to its authority goes by, without verifying anything: names, identifiers of keys, usage.

import { type Element, expect, parse, TAG } from "../asn1/ber.ts";
import { canonicalName, partsOf } from "./x509.ts";

const AUTHORITY_KEY = "2.5.29.35";
const SUBJECT_KEY = "2.5.29.14";
const EXTENDED_KEY_USAGE = "2.5.29.37";
const KEY_ID = 0x80;
const ANY_USAGE = "2.5.29.37.0";
const CLIENT_USAGE = "1.3.6.1.5.5.7.3.2";

export interface Link {
  readonly subject: string;
  readonly issuer: string;
  /** Identifier of its key in hexadecimal (RFC 5280 4.2.1.2); "": not said. */
  readonly key: string;
  /** That of its issuer's key (RFC 5280 4.2.1.1); "": not said. */
  readonly issuerKey: string;
  /** It is for TLS clients, or does not say what it is for (RFC 5280 4.2.1.12). */
  readonly isForClients: boolean;
}

/** Reads a certificate in DER. @throws Malformed, and what the decoding of text throws */
export function linkOf(der: Buffer): Link {
  const { subject, issuer, extensions } = partsOf(der);
  const extension = (oid: string): Element | undefined => {
    const found = extensions.find((each) => each.oid === oid);
    return found === undefined ? undefined : parse(found.value);
  };
  const issuerKey = extension(AUTHORITY_KEY)
    ?.children()
    .find((field) => field.tag === KEY_ID);
  const usages = extension(EXTENDED_KEY_USAGE)?.children();
  return {
    subject: canonicalName(subject),
    issuer: canonicalName(issuer),
    key: extension(SUBJECT_KEY)?.content.toString("hex") ?? "",
    issuerKey: issuerKey?.content.toString("hex") ?? "",
    isForClients:
      usages?.some((usage) => [CLIENT_USAGE, ANY_USAGE].includes(expect(usage, TAG.oid, "a purpose").oid())) ?? true,
  };
}

/** Whether the path may go on from `link` to this authority. */
export function mayHaveIssued(authority: Link, link: Link): boolean {
  if (authority.subject !== link.issuer) return false;
  return authority.key === "" || link.issuerKey === "" || authority.key === link.issuerKey;
}
