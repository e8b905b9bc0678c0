// What a client's certificate says of the client, as a broker may be told it. Each value is the only one of its kind and is read by its
// ASN.1 type; whatever two readers could take for two different names is no value.

import { createHash } from "node:crypto";
import type { Element } from "../asn1/ber.ts";
import { decodeString, stringType } from "../asn1/strings.ts";
import { isFitForName } from "../text/names.ts";
import { ATTRIBUTE_NAMES } from "./attribute-names.ts";
import {
  type Attribute,
  alternativeNames,
  attributes,
  type CertificateParts,
  COMMON_NAME,
  GENERAL,
  partsOf,
} from "./x509.ts";

export const IDENTITY_FIELDS = ["cn", "san.dns", "san.uri", "san.email", "serial", "fingerprint", "subject"] as const;
export type IdentityField = (typeof IDENTITY_FIELDS)[number];

export type IdentityValue =
  | { readonly kind: "ok"; readonly text: string }
  | { readonly kind: "missing" }
  /** `why` is one of few fixed texts: nothing in it is from the certificate. It continues "its value ...". */
  | { readonly kind: "unusable"; readonly why: string };

/** Longest value, in bytes of UTF-8. That of a SPIFFE ID (SPIFFE-ID 2.3), the longest identity in use; a common name has at most 64. */
const MAX_VALUE = 2048;

const MISSING: IdentityValue = { kind: "missing" };
const unusable = (why: string): IdentityValue => ({ kind: "unusable", why });
const UNREADABLE = unusable("cannot be read");
const SEVERAL = unusable("is not the only one of its kind");
const NO_TEXT = unusable("is no text of its type");
const UNFIT = unusable("has a control character");
const TOO_LONG = unusable(`is longer than ${MAX_VALUE} bytes`);

const SAN = { "san.dns": GENERAL.dns, "san.uri": GENERAL.uri, "san.email": GENERAL.email } as const;

/** SHA-256 of a certificate in DER, in hexadecimal. */
export function fingerprintOf(der: Uint8Array): string {
  return createHash("sha256").update(der).digest("hex");
}

/** The values of one certificate in DER, each read when it is asked for. Total: whatever the bytes are, each value is an answer. */
export class ClientIdentity {
  readonly #der: Buffer;
  readonly #known = new Map<IdentityField, IdentityValue>();
  #parts: CertificateParts | null = null;

  constructor(der: Buffer) {
    this.#der = der;
  }

  value(field: IdentityField): IdentityValue {
    let value = this.#known.get(field);
    if (value === undefined) this.#known.set(field, (value = this.#read(field)));
    return value;
  }

  #read(field: IdentityField): IdentityValue {
    if (field === "fingerprint") return { kind: "ok", text: fingerprintOf(this.#der) };
    try {
      this.#parts ??= partsOf(this.#der);
      return fieldOf(field, this.#parts);
    } catch {
      return UNREADABLE;
    }
  }

  /** The first common name, whether there are others or not: the one that Mosquitto takes from TLS. */
  firstCommonName(): IdentityValue {
    try {
      this.#parts ??= partsOf(this.#der);
      return onlyOf(commonNames(this.#parts).slice(0, 1));
    } catch {
      return UNREADABLE;
    }
  }
}

/** @throws Malformed */
function commonNames({ subject }: CertificateParts): Element[] {
  return attributes(subject)
    .flat()
    .filter(({ oid }) => oid === COMMON_NAME)
    .map(({ value }) => value);
}

/** @throws Malformed */
function fieldOf(field: Exclude<IdentityField, "fingerprint">, parts: CertificateParts): IdentityValue {
  switch (field) {
    case "cn":
      return onlyOf(commonNames(parts));
    case "subject":
      return subjectOf(attributes(parts.subject));
    case "serial":
      return serialOf(parts.serial);
    default: {
      const wanted = SAN[field];
      const names = alternativeNames(parts.extensions).filter(({ tag }) => tag === wanted);
      return onlyOf(names, "ascii");
    }
  }
}

/** Which of several a broker would take is anybody's guess: Mosquitto takes the first common name from TLS, the last from a PROXY header. */
function onlyOf(values: readonly Element[], type: "ascii" | null = null): IdentityValue {
  const [value, ...others] = values;
  if (value === undefined) return MISSING;
  if (others.length > 0) return SEVERAL;
  return checked(textOf(value, type));
}

/** A general name is an IA5String under a tag of its own (RFC 5280 4.2.1.6). */
function textOf({ tag, content }: Element, type: "ascii" | null): string | null {
  const known = type ?? stringType(tag);
  // A longer one need not be decoded: no type takes more than four bytes for one of UTF-8.
  if (known === null || content.length > 4 * MAX_VALUE) return null;
  return decodeString(known, content);
}

function checked(text: string | null): IdentityValue {
  if (text === null) return NO_TEXT;
  if (text === "") return MISSING;
  if (!isFitForName(text)) return UNFIT;
  return Buffer.byteLength(text) > MAX_VALUE ? TOO_LONG : { kind: "ok", text };
}

/** Upper-case hexadecimal with an even number of digits, as openssl prints it. A negative one (RFC 5280 4.1.2.2 forbids it) has two readings. */
function serialOf(serial: Element | undefined): IdentityValue {
  const content = serial?.content ?? EMPTY;
  if (content.length === 0 || content[0]! > 0x7f) return UNREADABLE;
  const start = content.length > 1 && content[0] === 0 ? 1 : 0;
  return checked(content.toString("hex", start).toUpperCase());
}

const EMPTY = Buffer.alloc(0);

/** RFC 2253 as OpenSSL has it (-nameopt RFC2253), and Mosquitto in use_subject_as_username: the last part first, bytes above 127 escaped. */
function subjectOf(parts: readonly (readonly Attribute[])[]): IdentityValue {
  const written: string[] = [];
  let length = 0;
  for (const part of parts.toReversed()) {
    const values: string[] = [];
    for (const attribute of part.toReversed()) {
      const value = attributeOf(attribute);
      if (typeof value !== "string") return value;
      length += value.length + 1;
      if (length > MAX_VALUE + 1) return TOO_LONG;
      values.push(value);
    }
    written.push(values.join("+"));
  }
  return checked(written.join(","));
}

/** `CN=dev-1`. What has no name, or is no string, is written as its DER (RFC 2253 2.4). */
function attributeOf({ oid, value }: Attribute): string | IdentityValue {
  const name = ATTRIBUTE_NAMES[oid];
  if (name === undefined || stringType(value.tag) === null)
    return value.whole.length > MAX_VALUE ? TOO_LONG : `${name ?? oid}=#${value.whole.toString("hex").toUpperCase()}`;
  const text = textOf(value, null);
  if (text === null) return NO_TEXT;
  if (!isFitForName(text)) return UNFIT;
  return `${name}=${escaped(text)}`;
}

function escaped(text: string): string {
  return text
    .replace(/[\\,+"<>;]|^[ #]| $/g, "\\$&")
    .replace(/[^\x00-\x7f]+/g, (others) =>
      [...Buffer.from(others)].map((byte) => `\\${byte.toString(16).toUpperCase()}`).join(""),
    );
}
