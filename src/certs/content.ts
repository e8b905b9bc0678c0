// What a file is, by its content, whatever it is called: for messages to those who gave one for another.

import { X509Certificate } from "node:crypto";
import { type Element, parse, TAG } from "../asn1/ber.ts";
import { storeType } from "../keystores/read.ts";
import type { StoreType } from "../keystores/store.ts";
import { encodingOf } from "../system/files.ts";
import { isCertificate, isPrivateKey, looksLikePem, type PemBlock, readPem } from "./pem-blocks.ts";

export type Thing =
  | "certificate"
  | "private key"
  | "OpenSSH private key"
  | "public key"
  | "certificate signing request"
  | "revocation list"
  | "PKCS#7";

export type Content =
  | { readonly form: "DER" | "base64"; readonly thing: Thing }
  /** Those of its blocks, what is worth the most first. */
  | { readonly form: "PEM"; readonly things: readonly Thing[] }
  | { readonly form: "store"; readonly type: StoreType }
  /** Of PEM that has none of these: its labels. */
  | { readonly form: "other PEM"; readonly labels: readonly string[] }
  /** readPem says where. */
  | { readonly form: "broken PEM" }
  | { readonly form: "UTF-16" | "cut DER" | "SSH public key" | "PuTTY key" | "web page" | "empty" | "binary" | "text" };

/** A certificate beside a request is what somebody wanted to give. */
const WORTH: readonly Thing[] = [
  "certificate",
  "private key",
  "OpenSSH private key",
  "public key",
  "certificate signing request",
  "revocation list",
  "PKCS#7",
];

const PEM_THINGS: Readonly<Record<string, Thing>> = {
  "OPENSSH PRIVATE KEY": "OpenSSH private key",
  "PUBLIC KEY": "public key",
  "RSA PUBLIC KEY": "public key",
  "EC PUBLIC KEY": "public key",
  "CERTIFICATE REQUEST": "certificate signing request",
  "NEW CERTIFICATE REQUEST": "certificate signing request",
  "X509 CRL": "revocation list",
  PKCS7: "PKCS#7",
  CMS: "PKCS#7",
};

/** Total, and in time linear in the size. */
export function contentOf(bytes: Buffer): Content {
  if (looksLikePem(bytes)) return pemContent(bytes.toString("latin1"));
  const type = storeType(bytes);
  if (type !== null) return { form: "store", type };
  if (bytes[0] === TAG.sequence) {
    const thing = thingOfDer(bytes);
    if (thing !== null) return thing === "cut" ? { form: "cut DER" } : { form: "DER", thing };
  }
  const encoding = encodingOf(bytes);
  if (encoding !== "UTF-8") return { form: encoding };
  return textContent(bytes.toString("utf8").trim());
}

function pemContent(text: string): Content {
  const { blocks, flaw } = readPem(text);
  if (flaw !== null) return { form: "broken PEM" };
  const found = new Set(blocks.map(thingOfBlock));
  const things = WORTH.filter((thing) => found.has(thing));
  return things.length > 0
    ? { form: "PEM", things }
    : { form: "other PEM", labels: [...new Set(blocks.map(({ label }) => label))] };
}

function thingOfBlock(block: PemBlock): Thing | undefined {
  if (isCertificate(block)) return "certificate";
  return PEM_THINGS[block.label] ?? (isPrivateKey(block) ? "private key" : undefined);
}

const SSH_PUBLIC = /^(?:ssh-[a-z0-9-]+|ecdsa-sha2-[a-z0-9-]+|sk-[a-z0-9@.-]+) AAAA|^---- BEGIN SSH2 PUBLIC KEY/;

function textContent(text: string): Content {
  if (text === "") return { form: "empty" };
  if (SSH_PUBLIC.test(text.slice(0, 100))) return { form: "SSH public key" };
  if (text.startsWith("PuTTY-User-Key-File")) return { form: "PuTTY key" };
  if (/^<(?:!doctype|html|head|body|\?xml)/i.test(text.slice(0, 20))) return { form: "web page" };
  if (text.startsWith("MI") || text.startsWith("MC") || text.startsWith("MH")) {
    const thing = /^[A-Za-z0-9+/=\s]*$/.test(text) ? thingOfDer(Buffer.from(text, "base64")) : null;
    if (thing !== null && thing !== "cut") return { form: "base64", thing };
  }
  return { form: "text" };
}

const BIT_STRING = 0x03;

/** null for what is none of these, or no DER at all. */
function thingOfDer(der: Buffer): Thing | "cut" | null {
  let whole: Element;
  try {
    whole = parse(der);
  } catch {
    return isCut(der) ? "cut" : null;
  }
  try {
    const parts = whole.children();
    const [first, second, third] = parts;
    if (first?.tag === TAG.integer) {
      if (second?.tag === TAG.sequence && third?.tag === TAG.octets) return "private key"; // PKCS#8
      if (second?.tag === TAG.octets) return "private key"; // SEC1
      if (parts.length >= 9) return "private key"; // PKCS#1
      if (parts.length === 2 && second?.tag === TAG.integer) return "public key";
    }
    if (first?.tag === TAG.oid && first.oid().startsWith("1.2.840.113549.1.7.")) return "PKCS#7";
    if (first?.tag !== TAG.sequence) return null;
    if (parts.length === 2 && second?.tag === TAG.octets) return "private key"; // encrypted PKCS#8
    if (parts.length === 2 && second?.tag === BIT_STRING) return "public key";
    if (parts.length === 3) return thingOfSigned(der, first.children());
  } catch {
    // Not what it looked like.
  }
  return null;
}

/** What the authority or the applicant has signed, by its fields. */
function thingOfSigned(der: Buffer, fields: readonly Element[]): Thing | null {
  try {
    new X509Certificate(der);
    return "certificate";
  } catch {
    const [version, , , attributes] = fields;
    if (version?.tag === TAG.integer && attributes?.tag === TAG.context(0)) return "certificate signing request";
    const isTime = ({ tag }: Element): boolean => tag === 0x17 || tag === 0x18;
    return fields.slice(2, 4).some(isTime) ? "revocation list" : null;
  }
}

/** Whether it says that it is longer than it is. */
function isCut(der: Buffer): boolean {
  const count = (der[1] ?? 0) & 0x7f;
  if ((der[1] ?? 0) <= 0x80 || count > 4 || der.length < 2 + count) return false;
  return der.readUIntBE(2, count) + 2 + count > der.length;
}
