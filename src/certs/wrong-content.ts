// Something else than what a field wants: it is called what it is, with what to do about it.

import { TO_UTF8 } from "../system/files.ts";
import { type Content, contentOf, type Thing } from "./content.ts";

/** What a field wants: `certFile`, `keyFile`, one of the lists of authorities, `crlFiles`. */
export type Wanted = "certificate" | "private key" | "authorities" | "revocation list";

const NOUN: Readonly<Record<Wanted, string>> = {
  certificate: "certificate",
  "private key": "private key",
  authorities: "certificate of an authority",
  "revocation list": "revocation list",
};

/** What writes anew what Sluice reads in PEM alone. FILE stands for the file. */
const CONVERT: Readonly<Partial<Record<Thing, string>>> = {
  certificate: "sluice certs convert FILE FILE.pem",
  "private key": "sluice certs convert FILE FILE.pem",
  "PKCS#7": "openssl pkcs7 -print_certs -in FILE -out FILE.pem",
};

const LABEL: Readonly<Partial<Record<Thing, string>>> = {
  certificate: "CERTIFICATE",
  "private key": "PRIVATE KEY",
  "revocation list": "X509 CRL",
};

/**
 * Says what `bytes` are, when that explains why they cannot be used as what is `wanted`; null when they are that and something in them is
 * wrong. It begins with a verb and quotes nothing.
 */
export function describeWrongContent(bytes: Buffer, wanted: Wanted): string | null {
  const content = contentOf(bytes);
  switch (content.form) {
    case "PEM":
      return content.things.includes(thingOf(wanted)) ? null : wrongThing(content.things[0]!, wanted, "PEM");
    case "broken PEM":
      return null;
    case "DER":
      if (content.thing !== thingOf(wanted)) return wrongThing(content.thing, wanted, "DER");
      if (wanted !== "certificate" && wanted !== "private key") return null;
      return `is a ${content.thing} in DER, and PEM is read here: ${CONVERT[content.thing]}`;
    case "base64":
      return describeBase64(content.thing, wanted);
    case "store":
      return describeStore(content.type, wanted);
    case "other PEM":
      return `holds ${content.labels.join(", ")}, and no ${NOUN[wanted]}`;
    default:
      return describeForm(content.form, wanted);
  }
}

function thingOf(wanted: Wanted): Thing {
  return wanted === "authorities" ? "certificate" : wanted;
}

function wrongThing(thing: Thing, wanted: Wanted, form: "PEM" | "DER"): string {
  const no = `and no ${NOUN[wanted]}`;
  switch (thing) {
    case "certificate":
      return wanted === "private key"
        ? `holds a certificate, ${no}: give the key that belongs to it as keyFile`
        : `holds a certificate, ${no}`;
    case "private key":
      return wanted === "certificate"
        ? `holds a private key, ${no}: give it as keyFile, and the certificate as certFile`
        : `holds a private key, ${no}`;
    case "public key":
      return wanted === "private key"
        ? "holds a public key: the private key is the other half, made together with it"
        : `holds a public key, ${no}: a certificate has a name and an issuer besides`;
    case "certificate signing request":
      return `is a certificate signing request, ${no}: give what the authority has issued for it`;
    case "revocation list":
      return `is a revocation list, ${no}${wanted === "authorities" ? ": give it in crlFiles" : ""}`;
    case "PKCS#7":
      return `is PKCS#7, which is not read: ${CONVERT["PKCS#7"]}${form === "DER" ? " -inform DER" : ""}`;
    case "OpenSSH private key":
      return wanted === "private key"
        ? "is a private key in the form of OpenSSH: ssh-keygen -p -m PKCS8 -f FILE writes it as PEM"
        : `is a private key of SSH, ${no}: TLS needs a certificate (X.509)`;
  }
}

function describeBase64(thing: Thing, wanted: Wanted): string {
  const label = LABEL[thing];
  if (thing !== thingOf(wanted) || label === undefined) return `${wrongThing(thing, wanted, "DER")} (in base64)`;
  return `is base64 without its first and its last line: put -----BEGIN ${label}----- before it and -----END ${label}----- behind it`;
}

function describeStore(type: string, wanted: Wanted): string | null {
  switch (wanted) {
    case "certificate":
    case "private key":
      return `is a key store (${type}): give it as keyStore, with keyStorePassword, in place of certFile and keyFile`;
    case "authorities":
      return null;
    case "revocation list":
      return `is a key store (${type}), and no revocation list`;
  }
}

function describeForm(
  form: Exclude<Content["form"], "PEM" | "DER" | "base64" | "store" | "broken PEM" | "other PEM">,
  wanted: Wanted,
) {
  const no = `and no ${NOUN[wanted]}`;
  switch (form) {
    case "UTF-16":
      return `is in UTF-16: ${TO_UTF8}`;
    case "cut DER":
      return `is in DER and cut off, so it cannot be read`;
    case "SSH public key":
      return `is a public key of SSH, ${no}: TLS needs a certificate (X.509) and its key`;
    case "PuTTY key":
      return `is a key of PuTTY, ${no}: TLS needs a certificate (X.509) and its key`;
    case "web page":
      return `is a web page, ${no}: was an error page saved in its place?`;
    case "empty":
      return "is empty";
    case "binary":
      return `is binary, ${no} of a kind that Sluice knows`;
    case "text":
      return `is a text without a -----BEGIN line, ${no}`;
  }
}
