// Writes material into a file of any format.

import { CannotWrite, type NewEntry } from "../../keystores/new-entry.ts";
import { encryptedKeyInfo } from "../../keystores/seal.ts";
import { writeBks } from "../../keystores/write-bks.ts";
import { writeJceks, writeJks } from "../../keystores/write-java.ts";
import { type LegacyCipher, writePkcs12 } from "../../keystores/write-pkcs12.ts";
import { detailsOf } from "../details.ts";
import { CannotConvert, type Format, type Material, type Part } from "./material.ts";
import { onlyPart } from "./read.ts";

export interface Target {
  readonly format: Format;
  /** Of a store; it encrypts keys in PEM and DER, which null leaves open. */
  readonly password: string | null;
  /** PKCS#12 for old programs. */
  readonly legacy: LegacyCipher | null;
  /** Of BKS. */
  readonly version: 1 | 2;
  /** Private keys go into a file of their own: PEM and DER. */
  readonly keyApart: boolean;
}

export interface Output {
  readonly content: Buffer;
  readonly holdsKey: boolean;
}

export interface Converted {
  readonly main: Output;
  /** null unless the key is apart. */
  readonly key: Output | null;
  /** What did not come over, or should be known. */
  readonly notes: readonly string[];
}

/** @throws CannotConvert */
export async function writeMaterial(material: Material, target: Target): Promise<Converted> {
  const notes = [...material.notes];
  switch (target.format) {
    case "PEM":
      return writePem(material, target, notes);
    case "DER":
      return writeDer(material, target, notes);
    default:
      return { main: await writeStore(material, target, notes), key: null, notes };
  }
}

function writePem({ parts }: Material, { password, keyApart }: Target, notes: string[]): Converted {
  const lost = parts.filter(({ alias }) => alias !== null);
  if (parts.length > 1 && lost.length > 0) notes.push("left out: the aliases, which PEM has no place for");
  const keyText = ({ pkcs8 }: Part): string => {
    if (pkcs8 === null) return "";
    return password === null
      ? pem("PRIVATE KEY", pkcs8)
      : pem("ENCRYPTED PRIVATE KEY", encryptedKeyInfo(pkcs8, password));
  };
  const certificatesText = ({ certificates }: Part): string => certificates.map((each) => each.toString()).join("");
  const keys = parts.map(keyText).join("");
  const certificates = parts.map(certificatesText).join("");
  if (keyApart) return apart(certificates, keys, notes);
  const all = parts.map((part) => keyText(part) + certificatesText(part)).join("");
  return { main: { content: Buffer.from(all), holdsKey: keys !== "" }, key: null, notes };
}

function writeDer(material: Material, { password, keyApart }: Target, notes: string[]): Converted {
  const { pkcs8, certificates } = onlyPart(material);
  const [own, ...chain] = certificates;
  const key = pkcs8 === null || password === null ? pkcs8 : encryptedKeyInfo(pkcs8, password);
  if (chain.length > 0) notes.push(`left out: ${chain.length} of its chain, since DER holds one certificate`);
  if (keyApart) return apart(own?.raw ?? "", key ?? "", notes);
  if (key !== null && own !== undefined)
    throw new CannotConvert("DER holds a certificate or a private key, and there are both: give --keyOut for the key");
  return { main: { content: key ?? own!.raw, holdsKey: key !== null }, key: null, notes };
}

function apart(certificates: string | Buffer, key: string | Buffer, notes: string[]): Converted {
  if (certificates.length === 0)
    throw new CannotConvert("there is no certificate beside the private key: leave --keyOut out");
  if (key.length === 0) throw new CannotConvert("there is no private key for --keyOut");
  return {
    main: { content: Buffer.from(certificates), holdsKey: false },
    key: { content: Buffer.from(key), holdsKey: true },
    notes,
  };
}

async function writeStore(
  { parts }: Material,
  { format, password, legacy, version }: Target,
  notes: string[],
): Promise<Output> {
  if (password === null) throw new CannotConvert("a key store needs a password");
  if (parts.some(({ pkcs8, certificates }) => pkcs8 !== null && certificates.length === 0))
    throw new CannotConvert(
      "there is a private key without its certificate, and a key store holds keys only with one: give the certificate too (with the key as --keyFile)",
    );
  const holdsKey = parts.some(({ pkcs8 }) => pkcs8 !== null);
  if (!holdsKey) notes.push("there is no private key, so it is a trust store: certificates alone");
  notes.push(...passwordNotes(format, password, legacy));
  const entries = entriesOf(parts);
  try {
    return { content: await storeOf(format, entries, password, { legacy, version }), holdsKey };
  } catch (error) {
    if (error instanceof CannotWrite) throw new CannotConvert(error.message);
    throw error;
  }
}

function storeOf(
  format: Format,
  entries: NewEntry[],
  password: string,
  { legacy, version }: Pick<Target, "legacy" | "version">,
): Buffer | Promise<Buffer> {
  switch (format) {
    case "JKS":
      return writeJks(entries, password);
    case "JCEKS":
      return writeJceks(entries, password);
    case "BKS":
      return writeBks(entries, password, version);
    default:
      return writePkcs12(entries, password, { legacy });
  }
}

const ASCII = /^[\x20-\x7e]*$/;
/** What keytool asks for before it opens a store. */
const KEYTOOL_MINIMUM = 6;

/** Passwords with which somebody will not open the store. */
export function passwordNotes(format: Format, password: string, legacy: LegacyCipher | null): string[] {
  if (format === "PKCS12" && !ASCII.test(password)) return ["Java opens PKCS#12 only with a password in ASCII"];
  if (format === "PKCS12" && password === "" && legacy === null)
    return ["BouncyCastle opens no PKCS#12 with an empty password, unless it is written with --legacy"];
  if (format === "BKS" && password === "")
    return ["with an empty password BouncyCastle notices no change to the store"];
  if (password.length < KEYTOOL_MINIMUM && format !== "BKS")
    return [`keytool takes no password shorter than ${KEYTOOL_MINIMUM} characters`];
  return [];
}

/** With a name for each, as stores ask for one: the file's own, or else the common name. */
function entriesOf(parts: readonly Part[]): NewEntry[] {
  const taken = new Set(parts.map(({ alias }) => alias?.toLowerCase()));
  const free = (name: string): string => {
    let tried = name;
    for (let number = 2; taken.has(tried.toLowerCase()); number++) tried = `${name}-${number}`;
    taken.add(tried.toLowerCase());
    return tried;
  };
  return parts.map(({ alias, pkcs8, certificates }) => ({
    alias: alias ?? free(detailsOf(certificates[0]!.raw)?.commonNames[0] || "certificate"),
    key: pkcs8,
    certificates: certificates.map(({ raw }) => raw),
  }));
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString("base64").replace(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
