// What a certificate says, read from its DER: names by their kind, and issuer and serial number as a CRL knows them. The runtime's
// own getters give names as one line of text, in which one name can be dressed up as another (CVE-2021-44532).

import { type Element, expect, Malformed, parse, TAG } from "../asn1/ber.ts";
import { decodeString, stringType } from "../asn1/strings.ts";

export const COMMON_NAME = "2.5.4.3";
const SUBJECT_ALT_NAME = "2.5.29.17";
const TLS_FEATURE = "1.3.6.1.5.5.7.1.24";

/** GeneralName by its tag number (RFC 5280 4.2.1.6). */
export const GENERAL = { email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87 } as const;

export interface CertificateIdentity {
  /** In a form in which equal names are equal strings (RFC 5280 7.1). */
  readonly issuer: string;
  readonly subject: string;
  /** Upper-case hexadecimal without leading zeros. */
  readonly serial: string;
  readonly commonNames: readonly string[];
  readonly dns: readonly string[];
  readonly uris: readonly string[];
  readonly emails: readonly string[];
}

/** Reads a certificate in DER; null when it cannot be read. */
export function identityOf(der: Buffer): CertificateIdentity | null {
  try {
    return read(der);
  } catch {
    return null;
  }
}

function read(der: Buffer): CertificateIdentity {
  const { serial, issuer, subject, extensions } = partsOf(der);
  const names = alternativeNames(extensions);
  const of = (kind: number): string[] =>
    names.filter(({ tag }) => tag === kind).map(({ content }) => content.toString("latin1"));
  return {
    issuer: canonicalName(issuer),
    subject: canonicalName(subject),
    serial: serialOf(serial),
    commonNames: commonNames(subject),
    dns: of(GENERAL.dns),
    uris: of(GENERAL.uri),
    emails: of(GENERAL.email),
  };
}

/** What a server's certificate may serve, as far as it can be read: a name that cannot be is none. */
export interface ServerNames {
  readonly dns: readonly string[];
  /** As sockets write them. */
  readonly addresses: readonly string[];
  readonly commonNames: readonly string[];
}

export function serverNamesOf(der: Buffer): ServerNames {
  try {
    const { subject, extensions } = partsOf(der);
    const names = attempt(() => alternativeNames(extensions));
    return {
      dns: names.filter(({ tag }) => tag === GENERAL.dns).map(({ content }) => content.toString("latin1")),
      addresses: names
        .filter(({ tag, content }) => tag === GENERAL.ip && (content.length === 4 || content.length === 16))
        .map(({ content }) => addressOf(content)),
      commonNames: attempt(() => commonNames(subject)),
    };
  } catch {
    return { dns: [], addresses: [], commonNames: [] };
  }
}

function attempt<T>(read: () => T[]): T[] {
  try {
    return read();
  } catch {
    return [];
  }
}

/** An address in a certificate, as sockets write it; in hexadecimal when it is none. */
export function addressOf(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) return bytes.toString("hex");
  return new URL(`http://[${bytes.toString("hex").replace(/.{4}(?=.)/g, "$&:")}]`).hostname.slice(1, -1);
}

/** Whether a certificate demands of its server that it staples a proof of its status (RFC 7633). */
export function mustStaple(extensions: readonly Extension[]): boolean {
  return extensions.some(
    ({ oid, value }) =>
      oid === TLS_FEATURE &&
      attempt(() => parse(value).children()).some((feature) => feature.content.equals(STATUS_REQUEST)),
  );
}

/** The number of the extension status_request (RFC 6066 8), as an INTEGER. */
const STATUS_REQUEST = Buffer.from([5]);

export interface CertificateParts {
  readonly serial: Element | undefined;
  readonly issuer: Element | undefined;
  readonly subject: Element | undefined;
  readonly extensions: readonly Extension[];
}

/**
 * The fields of a certificate in DER by which it is known (RFC 5280 4.1). The extensions are read when they are asked for, which may throw
 * as well: most of who asks for a subject does so for each client. @throws Malformed
 */
export function partsOf(der: Buffer): CertificateParts {
  const [tbs] = expect(parse(der), TAG.sequence, "the certificate").children();
  const fields = expect(tbs, TAG.sequence, "the certificate").children();
  if (fields[0]?.tag === TAG.context(0)) fields.shift(); // the version
  const [serial, , issuer, , subject] = fields;
  return {
    serial,
    issuer,
    subject,
    get extensions() {
      return extensionsOf(fields.find((field) => field.tag === TAG.context(3)));
    },
  };
}

/** Every name of the subject alternative name, in order, with its tag of `GENERAL` or another. @throws Malformed */
export function alternativeNames(extensions: readonly Extension[]): Element[] {
  return extensions.filter(({ oid }) => oid === SUBJECT_ALT_NAME).flatMap(({ value }) => parse(value).children());
}

/** @throws Malformed */
export function commonNames(subject: Element | undefined): string[] {
  return attributes(subject)
    .flat()
    .filter(({ oid }) => oid === COMMON_NAME)
    .map(({ value }) => text(value));
}

/** A serial number as it is compared. @throws Malformed */
export function serialOf(element: Element | undefined): string {
  return expect(element, TAG.integer, "a serial number")
    .content.toString("hex")
    .toUpperCase()
    .replace(/^0+(?=.)/, "");
}

export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Buffer;
}

/** The extensions behind an explicit tag, of a certificate or a CRL. @throws Malformed */
export function extensionsOf(tagged: Element | undefined): Extension[] {
  return tagged === undefined ? [] : extensionList(tagged.children()[0]);
}

/** The extensions themselves, as an entry of a CRL has them. @throws Malformed */
export function extensionList(list: Element | undefined): Extension[] {
  return expect(list, TAG.sequence, "the extensions")
    .children()
    .map((extension) => {
      const [oid, ...rest] = expect(extension, TAG.sequence, "an extension").children();
      const critical = rest[0]?.tag === TAG.boolean && rest[0].content[0] !== 0;
      const value = rest.find((field) => field.tag === TAG.octets);
      return {
        oid: expect(oid, TAG.oid, "an extension's kind").oid(),
        critical,
        value: expect(value, TAG.octets, "an extension").content,
      };
    });
}

export interface Attribute {
  readonly oid: string;
  readonly value: Element;
}

/** Attributes of a distinguished name, in order; those that share a part are together. @throws Malformed */
export function attributes(name: Element | undefined): Attribute[][] {
  return expect(name, TAG.sequence, "a name")
    .children()
    .map((set) =>
      expect(set, TAG.set, "a part of a name")
        .children()
        .map((attribute) => {
          const [oid, value] = expect(attribute, TAG.sequence, "a part of a name").children();
          if (value === undefined) throw new Malformed("a part of a name is empty");
          return { oid: expect(oid, TAG.oid, "a part of a name").oid(), value };
        }),
    );
}

/** A distinguished name so that names equal under RFC 5280 7.1 are equal: case and runs of spaces do not count. @throws Malformed */
export function canonicalName(name: Element | undefined): string {
  const fold = (value: string): string => value.trim().replace(/\s+/g, " ").toLowerCase();
  return JSON.stringify(attributes(name).map((part) => part.map(({ oid, value }) => [oid, fold(text(value))])));
}

/** What cannot be decoded is an error, not a replacement character: two names must not become one. @throws Malformed */
export function text({ tag, content }: Element): string {
  const type = stringType(tag);
  // Latin-1 in a PrintableString, or what is no string at all, is in names of authorities that have to be known again.
  if (type === null || type === "ascii") return content.toString("latin1");
  const decoded = decodeString(type, content);
  if (decoded === null) throw new Malformed("a part of a name is damaged");
  return decoded;
}
