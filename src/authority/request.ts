// Signing requests (PKCS#10, RFC 2986) of others: which key they are for, and which names they ask for. Nothing else of them is taken
// over: what a certificate may be used for, the authority decides.

import { createPublicKey, type KeyObject } from "node:crypto";
import { expect, parse, TAG } from "../asn1/ber.ts";
import { looksLikePem, readPem } from "../certs/pem-blocks.ts";
import { addressOf, alternativeNames, commonNames, type Extension, extensionList, GENERAL } from "../certs/x509.ts";
import type { Purpose } from "./events.ts";
import { type KeyChoice, kindOf } from "./keys.ts";
import type { AlternativeName } from "./names.ts";

export interface SigningRequest {
  readonly kind: "ok";
  readonly publicKey: KeyObject;
  /** Of which kind it is; it may be a weak one. */
  readonly keyKind: KeyChoice;
  readonly commonName: string;
  readonly names: readonly AlternativeName[];
  /** By its extended key usage, where that names one alone. */
  readonly purpose: Purpose | null;
  /** What it asks for, and does not get. */
  readonly ignored: readonly string[];
}

const EXTENSION_REQUEST = "1.2.840.113549.1.9.14";
const KINDS: Readonly<Record<number, AlternativeName["kind"]>> = {
  [GENERAL.email]: "email",
  [GENERAL.dns]: "DNS",
  [GENERAL.uri]: "URI",
  [GENERAL.ip]: "IP",
};
const BASIC_CONSTRAINTS = "2.5.29.19";
const EXTENDED_KEY_USAGE = "2.5.29.37";
const USAGES: Readonly<Record<string, Purpose>> = { "1.3.6.1.5.5.7.3.1": "server", "1.3.6.1.5.5.7.3.2": "client" };

/** Reads a request and checks that who asks has the key. Total: bad bytes are an error. */
export async function readRequest(bytes: Buffer): Promise<SigningRequest | { kind: "error"; message: string }> {
  const wrong = (message: string) => ({ kind: "error", message }) as const;
  let der = bytes;
  if (looksLikePem(bytes)) {
    const { blocks, flaw } = readPem(bytes.toString("latin1"));
    if (flaw !== null) return wrong(`line ${flaw.line}: ${flaw.message}`);
    const block = blocks.find(({ label }) => label === "CERTIFICATE REQUEST" || label === "NEW CERTIFICATE REQUEST");
    if (block === undefined) return wrong("holds no signing request (-----BEGIN CERTIFICATE REQUEST-----)");
    der = Buffer.from(block.body, "base64");
  }
  try {
    const read = partsOf(der);
    const kind = kindOf(read.publicKey);
    if (kind === null)
      return wrong(
        "its key is of a kind that is not signed here: take EC P-256, P-384, Ed25519, or RSA of 2048, 3072 or 4096 bits",
      );
    const { x509 } = await import("../certs/x509-library.ts");
    const request = new x509.Pkcs10CertificateRequest(der);
    if (!(await request.verify()))
      return wrong("its signature is wrong: who made it does not have the key, or it is damaged");
    return { ...read, keyKind: kind };
  } catch {
    return wrong("is no signing request (PKCS#10), or a damaged one");
  }
}

/** @throws on anything that is no request */
function partsOf(der: Buffer): Omit<SigningRequest, "keyKind"> {
  const [info] = expect(parse(der), TAG.sequence, "the request").children();
  const [, subject, spki, attributes] = expect(info, TAG.sequence, "the request").children();
  const publicKey = createPublicKey({ key: expect(spki, TAG.sequence, "the key").whole, format: "der", type: "spki" });
  const extensions = (attributes?.children() ?? []).flatMap((attribute) => {
    const [oid, values] = expect(attribute, TAG.sequence, "an attribute").children();
    return oid?.oid() === EXTENSION_REQUEST
      ? extensionList(expect(values, TAG.set, "the extensions").children()[0])
      : [];
  });
  const names: AlternativeName[] = [];
  const ignored: string[] = [];
  for (const { tag, content } of alternativeNames(extensions)) {
    const kind = KINDS[tag];
    if (kind === undefined) ignored.push("a name of another kind than DNS, IP, URI and email");
    else names.push({ kind, value: kind === "IP" ? addressOf(content) : content.toString("latin1") });
  }
  if (isAuthority(extensions)) ignored.push("the rights of an authority");
  return {
    kind: "ok",
    publicKey,
    commonName: commonNames(subject)[0] ?? "",
    names,
    purpose: purposeOf(extensions),
    ignored,
  };
}

function isAuthority(extensions: readonly Extension[]): boolean {
  const value = extensions.find(({ oid }) => oid === BASIC_CONSTRAINTS)?.value;
  const [ca] = value === undefined ? [] : parse(value).children();
  return ca?.tag === TAG.boolean && ca.content[0] !== 0;
}

function purposeOf(extensions: readonly Extension[]): Purpose | null {
  const value = extensions.find(({ oid }) => oid === EXTENDED_KEY_USAGE)?.value;
  const found = (value === undefined ? [] : parse(value).children()).flatMap((usage) => USAGES[usage.oid()] ?? []);
  return found.length === 1 ? found[0]! : null;
}
