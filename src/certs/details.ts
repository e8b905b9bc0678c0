// What a certificate says, for people: names as they are written, read from its DER as in x509.ts.

import type { X509Certificate } from "node:crypto";
import { type Element, parse, TAG } from "../asn1/ber.ts";
import { ATTRIBUTE_NAMES } from "./attribute-names.ts";
import { addressOf, alternativeNames, attributes, commonNames, GENERAL, mustStaple, partsOf, text } from "./x509.ts";

export interface CertificateDetails {
  /** RFC 4514: the most specific part first. */
  readonly subject: string;
  readonly issuer: string;
  readonly commonNames: readonly string[];
  /** Of the subject alternative name, in order. */
  readonly names: readonly { readonly kind: "DNS" | "IP" | "URI" | "email"; readonly value: string }[];
  /** Where the issuer's own certificate can be had (RFC 5280 4.2.2.1): there is one that servers should send. */
  readonly issuerUrls: readonly string[];
  readonly isAuthority: boolean;
  /** It says what it is for (RFC 5280 4.2.1.12), and servers are not among that. */
  readonly notForServers: boolean;
  /** It demands OCSP stapling of its server, which Sluice does not do. */
  readonly mustStaple: boolean;
}

const BASIC_CONSTRAINTS = "2.5.29.19";
const EXTENDED_KEY_USAGE = "2.5.29.37";
/** id-kp-serverAuth, and anyExtendedKeyUsage. */
const FOR_SERVERS = ["1.3.6.1.5.5.7.3.1", "2.5.29.37.0"];
const AUTHORITY_INFO_ACCESS = "1.3.6.1.5.5.7.1.1";
const CA_ISSUERS = "1.3.6.1.5.5.7.48.2";

const KINDS = { [GENERAL.email]: "email", [GENERAL.dns]: "DNS", [GENERAL.uri]: "URI", [GENERAL.ip]: "IP" } as const;

/** Reads a certificate in DER; null when it cannot be read. */
export function detailsOf(der: Buffer): CertificateDetails | null {
  try {
    return read(der);
  } catch {
    return null;
  }
}

function read(der: Buffer): CertificateDetails {
  const { issuer, subject, extensions } = partsOf(der);
  const names: CertificateDetails["names"][number][] = [];
  for (const { tag, content } of alternativeNames(extensions)) {
    const kind = KINDS[tag as keyof typeof KINDS];
    if (kind !== undefined)
      names.push({ kind, value: kind === "IP" ? addressOf(content) : content.toString("latin1") });
  }
  const issuerUrls: string[] = [];
  let isAuthority = false;
  let notForServers = false;
  for (const { oid, value } of extensions)
    if (oid === BASIC_CONSTRAINTS) {
      const [ca] = parse(value).children();
      isAuthority = ca?.tag === TAG.boolean && ca.content[0] !== 0;
    } else if (oid === EXTENDED_KEY_USAGE) {
      notForServers = !parse(value)
        .children()
        .some((usage) => FOR_SERVERS.includes(usage.oid()));
    } else if (oid === AUTHORITY_INFO_ACCESS)
      for (const access of parse(value).children()) {
        const [method, location] = access.children();
        if (method?.oid() === CA_ISSUERS && location?.tag === GENERAL.uri)
          issuerUrls.push(location.content.toString("latin1"));
      }
  return {
    subject: distinguishedName(subject),
    issuer: distinguishedName(issuer),
    commonNames: commonNames(subject),
    names,
    issuerUrls,
    isAuthority,
    notForServers,
    mustStaple: mustStaple(extensions),
  };
}

/** How a certificate is called in messages: its subject or, where that is empty, its first name. */
export function subjectOf(certificate: X509Certificate): string {
  const details = detailsOf(certificate.raw);
  // The published type knows no certificate without a subject.
  const line: string | undefined = certificate.subject;
  const subject = details?.subject ?? line?.replaceAll("\n", ", ");
  return (subject || details?.names[0]?.value) ?? "(no name)";
}

/** RFC 4514 2, except that the parts of a multi-valued one are written as if they were single. @throws Malformed */
export function distinguishedName(name: Element | undefined): string {
  return attributes(name)
    .flat()
    .reverse()
    .map(({ oid, value }) => `${ATTRIBUTE_NAMES[oid] ?? oid}=${text(value).replace(/[\\,+"<>;]|^[ #]| $/g, "\\$&")}`)
    .join(", ");
}
