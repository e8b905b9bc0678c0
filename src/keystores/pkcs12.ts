// PKCS#12 (RFC 7292), as openssl, keytool, Windows and BouncyCastle write it: .p12, .pfx, and what today's keytool names .jks.

import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from "node:crypto";
import { type Element, expect, Malformed, parse, TAG } from "../asn1/ber.ts";
import {
  bmpPassword,
  decrypt,
  derivePkcs12,
  open,
  PURPOSE,
  pbkdf2Parameters,
  privateKey,
  WRONG_PASSWORD,
} from "./pbe.ts";
import { guarded, MAX_ENTRIES, Rounds, type Store, type StoreEntry, type StoreError, StoreProblem } from "./store.ts";

export const DATA = "1.2.840.113549.1.7.1";
export const ENCRYPTED_DATA = "1.2.840.113549.1.7.6";
const SIGNED_DATA = "1.2.840.113549.1.7.2";
const BAG = "1.2.840.113549.1.12.10.1.";
const X509_CERTIFICATE = "1.2.840.113549.1.9.22.1";
export const FRIENDLY_NAME = "1.2.840.113549.1.9.20";
export const LOCAL_KEY_ID = "1.2.840.113549.1.9.21";
/** Oracle's attribute, which tells an entry of its own from a part of a chain; BouncyCastle writes it too. */
export const TRUSTED_KEY_USAGE = "2.16.840.1.113894.746875.1.1";
const PBMAC1 = "1.2.840.113549.1.5.14";
/** Keys of PBMAC1, in bytes; shorter ones are forbidden by RFC 9579 section 9. */
const MIN_MAC_KEY = 20;
const MAX_MAC_KEY = 128;

/** Hashes of the store's MAC. */
const DIGESTS: Record<string, string> = {
  "1.3.14.3.2.26": "sha1",
  "2.16.840.1.101.3.4.2.4": "sha224",
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};

interface Bag {
  readonly kind: "key" | "sealed-key" | "certificate";
  readonly value: Element;
  readonly alias: string;
  /** In hexadecimal; "" where there is none. */
  readonly keyId: string;
  readonly trusted: boolean;
}

/** Reads a store with its password. A wrong one is told from damage by the store's MAC, where it has one. */
export function readPkcs12(bytes: Buffer, password: string): Store | StoreError {
  return guarded(() => read(bytes, password));
}

function read(bytes: Buffer, password: string): Store {
  const rounds = new Rounds();
  const [version, authSafe, mac] = expect(parse(bytes), TAG.sequence, "the store").children();
  if (expect(version, TAG.integer, "the version").integer() !== 3)
    throw new StoreProblem("unsupported", "it is PKCS#12 of another version than 3");
  const [oid, safe] = contentInfo(authSafe);
  if (oid === SIGNED_DATA)
    throw new StoreProblem(
      "unsupported",
      "it is protected by a signature and not by a password, which Sluice does not read",
    );
  if (oid !== DATA) throw new StoreProblem("damaged", "it holds no key store");
  const content = safe.octets();
  const verified = mac !== undefined;
  if (verified) verifyMac(mac, content, password, rounds);

  const bags = new Bags();
  for (const part of expect(parse(content), TAG.sequence, "the contents").children()) {
    const [kind, value] = contentInfo(part);
    if (kind === DATA) bags.collect(parse(value.octets()));
    else if (kind === ENCRYPTED_DATA) {
      const decrypted = decryptContent(value, password, rounds);
      // In a store without a MAC a wrong password may show only in what came out.
      open(() => bags.collect(parse(decrypted)));
    } else
      throw new StoreProblem("unsupported", "a part of it is encrypted to a certificate, which Sluice does not read");
  }
  return assemble(bags, verified);
}

/** ContentInfo: what it is, and what is inside its [0]. */
function contentInfo(element: Element | undefined): [string, Element] {
  const [oid, tagged] = expect(element, TAG.sequence, "a part").children();
  const [value] = expect(tagged, TAG.context(0), "the content of a part").children();
  if (value === undefined) throw new StoreProblem("damaged", "a part of it is empty");
  return [expect(oid, TAG.oid, "the kind of a part").oid(), value];
}

function decryptContent(encryptedData: Element, password: string, rounds: Rounds): Buffer {
  const [, info] = expect(encryptedData, TAG.sequence, "the encrypted part").children();
  const [, algorithm, data] = expect(info, TAG.sequence, "the encrypted part").children();
  if (algorithm === undefined || data === undefined) throw new StoreProblem("damaged", "an encrypted part is empty");
  return decrypt(algorithm, data.octets(), password, rounds);
}

function verifyMac(mac: Element, content: Buffer, password: string, rounds: Rounds): void {
  const [info, saltElement, count] = expect(mac, TAG.sequence, "the MAC").children();
  const [algorithm, expected] = expect(info, TAG.sequence, "the MAC").children();
  const [oidElement, parameters] = expect(algorithm, TAG.sequence, "the MAC's hash").children();
  const oid = expect(oidElement, TAG.oid, "the MAC's hash").oid();
  const digest = expect(expected, TAG.octets, "the MAC").content;
  const equals = (computed: Buffer): boolean => computed.length === digest.length && timingSafeEqual(computed, digest);
  if (oid === PBMAC1) {
    if (!equals(pbmac1(parameters, content, password, rounds))) throw wrongPassword();
    return;
  }
  const hash = DIGESTS[oid];
  if (hash === undefined)
    throw new StoreProblem("unsupported", `its MAC uses a hash that Sluice does not know (${oid})`);
  if (digest.length !== createHash(hash).digest().length) throw new Malformed("the MAC has the wrong length");
  const salt = expect(saltElement, TAG.octets, "the MAC's salt").content;
  const iterations = count === undefined ? 1 : count.integer();
  // No password is written in two ways: as an empty string with its two zero bytes, and as nothing at all.
  const secrets = password === "" ? [bmpPassword(""), Buffer.alloc(0)] : [bmpPassword(password)];
  const matches = secrets.some((secret) => {
    const key = derivePkcs12(hash, secret, salt, iterations, PURPOSE.mac, digest.length, rounds);
    return equals(createHmac(hash, key).update(content).digest());
  });
  if (!matches) throw wrongPassword();
}

/** PBMAC1 (RFC 9579), what OpenSSL writes with -pbmac1_pbkdf2. */
function pbmac1(parameters: Element | undefined, content: Buffer, password: string, rounds: Rounds): Buffer {
  const [derivation, scheme] = expect(parameters, TAG.sequence, "the MAC's parameters").children();
  const [, kdfParameters] = expect(derivation, TAG.sequence, "the MAC's key derivation").children();
  const { hash, salt, iterations } = pbkdf2Parameters(kdfParameters);
  const size = expect(kdfParameters!.children()[2], TAG.integer, "the length of the MAC's key").integer();
  if (size < MIN_MAC_KEY || size > MAX_MAC_KEY) throw new Malformed("the MAC's key has the wrong length");
  const macOid = expect(expect(scheme, TAG.sequence, "the MAC's hash").children()[0], TAG.oid, "the MAC's hash").oid();
  const mac = { 9: "sha256", 10: "sha384", 11: "sha512" }[macOid.slice("1.2.840.113549.2.".length)];
  if (mac === undefined)
    throw new StoreProblem("unsupported", `its MAC is of a kind that Sluice does not know (${macOid})`);
  // All of the iterations are made anew for each block of the key.
  rounds.take(iterations * Math.ceil(size / createHash(hash).digest().length));
  const key = pbkdf2Sync(Buffer.from(password, "utf8"), salt, iterations, size, hash);
  return createHmac(mac, key).update(content).digest();
}

function wrongPassword(): StoreProblem {
  return new StoreProblem("password", WRONG_PASSWORD);
}

/** SafeContents: the bags that matter; CRLs and secrets are counted. */
class Bags {
  readonly found: Bag[] = [];
  others = 0;

  collect(contents: Element): void {
    for (const bag of expect(contents, TAG.sequence, "the contents of a part").children()) {
      if (this.found.length + this.others >= MAX_ENTRIES)
        throw new StoreProblem("limit", `it has more than ${MAX_ENTRIES} entries`);
      const [oidElement, tagged, attributes] = expect(bag, TAG.sequence, "an entry").children();
      const oid = expect(oidElement, TAG.oid, "the kind of an entry").oid();
      const [value] = expect(tagged, TAG.context(0), "an entry's content").children();
      if (value === undefined) continue;
      if (oid === `${BAG}6`) this.collect(value);
      else {
        const read = bagOf(oid, value, attributes);
        if (read === null) this.others++;
        else this.found.push(read);
      }
    }
  }
}

/** null for a kind that is passed over. */
function bagOf(oid: string, value: Element, attributes: Element | undefined): Bag | null {
  if (!oid.startsWith(BAG)) return null;
  const names = attributesOf(attributes);
  switch (oid.slice(BAG.length)) {
    case "1":
      return { kind: "key", value, ...names };
    case "2":
      return { kind: "sealed-key", value, ...names };
    case "3": {
      const [type, der] = expect(value, TAG.sequence, "a certificate").children();
      if (expect(type, TAG.oid, "the kind of a certificate").oid() !== X509_CERTIFICATE) return null;
      const [octets] = expect(der, TAG.context(0), "a certificate").children();
      return octets === undefined ? null : { kind: "certificate", value: octets, ...names };
    }
    default:
      return null;
  }
}

function attributesOf(set: Element | undefined): Pick<Bag, "alias" | "keyId" | "trusted"> {
  let alias = "";
  let keyId = "";
  let trusted = false;
  if (set?.tag === TAG.set)
    for (const attribute of set.children()) {
      const [oid, values] = expect(attribute, TAG.sequence, "an attribute").children();
      const [value] = expect(values, TAG.set, "an attribute's value").children();
      if (value === undefined) continue;
      const name = expect(oid, TAG.oid, "an attribute's kind").oid();
      if (name === FRIENDLY_NAME && value.tag === TAG.bmpString && value.content.length % 2 === 0)
        alias = Buffer.from(value.content).swap16().toString("utf16le");
      else if (name === LOCAL_KEY_ID) keyId = value.octets().toString("hex");
      else if (name === TRUSTED_KEY_USAGE) trusted = true;
    }
  return { alias, keyId, trusted };
}

/** Keys with the certificate that has their id, and the certificates that belong to no key. */
function assemble({ found, others }: Bags, verified: boolean): Store {
  const certificates = found.filter((bag) => bag.kind === "certificate");
  const used = new Set<Bag>();
  const entries = found
    .filter((bag) => bag.kind !== "certificate")
    .map((bag): StoreEntry => {
      const own = certificates.find((each) => bag.keyId !== "" && each.keyId === bag.keyId);
      if (own !== undefined) used.add(own);
      return {
        alias: bag.alias || own?.alias || "",
        kind: "key",
        certificates: own === undefined ? [] : [own.value.octets()],
        key: (password) => guarded(() => ({ kind: "ok", pkcs8: keyOf(bag, password) })),
      };
    });
  const loose: Buffer[] = [];
  for (const each of certificates) {
    if (used.has(each)) continue;
    const der = each.value.octets();
    if (each.trusted) entries.push({ alias: each.alias, kind: "certificate", certificates: [der], key: null });
    else loose.push(der);
  }
  return { kind: "ok", type: "PKCS12", entries, loose, others, verified };
}

function keyOf(bag: Bag, password: string): Buffer {
  if (bag.kind === "key") return bag.value.whole;
  const [algorithm, data] = expect(bag.value, TAG.sequence, "the private key").children();
  if (algorithm === undefined) throw new StoreProblem("damaged", "the private key is empty");
  const sealed = expect(data, TAG.octets, "the private key").octets();
  return privateKey(decrypt(algorithm, sealed, password, new Rounds()));
}
