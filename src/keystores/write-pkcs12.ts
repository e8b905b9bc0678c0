// Writes PKCS#12 (RFC 7292), laid out as keytool and openssl do: the certificates in one encrypted part, the keys sealed one by one in
// another, and a MAC over both.

import { createHmac, randomBytes } from "node:crypto";
import { ContentInfo } from "@peculiar/asn1-cms";
import {
  AuthenticatedSafe,
  CertBag,
  id_certBag,
  id_pkcs8ShroudedKeyBag,
  id_x509Certificate,
  MacData,
  PFX,
  PKCS12Attribute,
  SafeBag,
  SafeContents,
} from "@peculiar/asn1-pfx";
import { DigestInfo } from "@peculiar/asn1-rsa";
import { AsnConvert, AsnSerializer, OctetString } from "@peculiar/asn1-schema";
import { AlgorithmIdentifier } from "@peculiar/asn1-x509";
import * as asn1 from "asn1js";
import { asGiven, type NewEntry, type SoundEntry, soundEntries } from "./new-entry.ts";
import { bmpPassword, derivePkcs12, PURPOSE, utf16be } from "./pbe.ts";
import { DATA, ENCRYPTED_DATA, FRIENDLY_NAME, LOCAL_KEY_ID, TRUSTED_KEY_USAGE } from "./pkcs12.ts";
import { encryptedKeyInfo, type Seal, sealModern } from "./seal.ts";
import { Rounds } from "./store.ts";

/** How the old PKCS#12 is encrypted: triple DES for all, or RC2 with 40 bits for the certificates as `openssl pkcs12 -legacy` does. */
export type LegacyCipher = "3des" | "rc2";

/** What keytool writes (keystore.pkcs12.macIterationCount of OpenJDK's java.security). openssl has 2048. */
const MAC_ITERATIONS = 10_000;
/** For programs of the years when openssl's 2048 was what they met (PKCS12_DEFAULT_ITER). */
const LEGACY_MAC_ITERATIONS = 2048;
/** Bytes; as long as OpenSSL 3 and keytool have it, and as the old ones had it. */
const MAC_SALT = 20;
const LEGACY_MAC_SALT = 8;

const ANY_EXTENDED_KEY_USAGE = "2.5.29.37.0";
const DIGESTS = { sha1: "1.3.14.3.2.26", sha256: "2.16.840.1.101.3.4.2.1" } as const;

/**
 * Writes a store. Modern: PBES2 with AES-256-CBC and HMAC-SHA256, which Java reads since 8u301. `legacy` is for what is older; what seals
 * it is broken, so it is to be kept as if it were open. One password serves for the store and its keys: Java reads only one in ASCII, and
 * BouncyCastle no empty one where the encryption is modern. Aliases stay as they are; Java shows them in lower case.
 * @throws CannotWrite
 */
export async function writePkcs12(
  entries: readonly NewEntry[],
  password: string,
  { legacy = null }: { readonly legacy?: LegacyCipher | null } = {},
): Promise<Buffer> {
  // Java folds them when it reads.
  soundEntries(entries, (alias) => alias.toLowerCase());
  const sound = soundEntries(entries, asGiven);
  // node-forge takes a fifth of a second to load.
  const seals = legacy === null ? { keys: sealModern, certificates: sealModern } : await legacySeals(legacy);
  const { keys, certificates } = bagsOf(sound, (pkcs8) => encryptedKeyInfo(pkcs8, password, seals.keys));
  const parts: ContentInfo[] = [];
  if (certificates.length > 0) parts.push(encryptedPart(new SafeContents(certificates), password, seals.certificates));
  if (keys.length > 0) parts.push(dataPart(AsnConvert.serialize(new SafeContents(keys))));
  const content = AsnConvert.serialize(new AuthenticatedSafe(parts));
  const mac =
    legacy === null
      ? macOf("sha256", content, password, MAC_ITERATIONS, MAC_SALT)
      : macOf("sha1", content, password, LEGACY_MAC_ITERATIONS, LEGACY_MAC_SALT);
  return Buffer.from(AsnConvert.serialize(new PFX({ version: 3, authSafe: dataPart(content), macData: mac })));
}

async function legacySeals(legacy: LegacyCipher): Promise<{ keys: Seal; certificates: Seal }> {
  const { sealLegacy } = await import("./seal-legacy.ts");
  return { keys: sealLegacy("3des"), certificates: sealLegacy(legacy) };
}

function bagsOf(
  entries: readonly SoundEntry[],
  sealed: (pkcs8: Buffer) => Buffer,
): { keys: SafeBag[]; certificates: SafeBag[] } {
  const keys: SafeBag[] = [];
  const certificates: SafeBag[] = [];
  const written = new Set<string>();
  const add = (der: Buffer, attributes: PKCS12Attribute[]) => {
    written.add(der.toString("base64"));
    certificates.push(certificateBag(der, attributes));
  };
  for (const [index, entry] of entries.entries()) {
    const name = entry.alias === "" ? [] : [friendlyName(entry.alias)];
    if (entry.kind === "certificate") {
      add(entry.certificate, [...name, trustedForAll()]);
      continue;
    }
    const attributes = [...name, localKeyId(index + 1)];
    keys.push(
      new SafeBag({
        bagId: id_pkcs8ShroudedKeyBag,
        bagValue: Uint8Array.from(sealed(entry.pkcs8)).buffer,
        bagAttributes: attributes,
      }),
    );
    add(entry.certificates[0]!, attributes);
  }
  // A certificate is there once: readers put chains together by who issued whom.
  for (const entry of entries)
    if (entry.kind === "key")
      for (const der of entry.certificates.slice(1)) if (!written.has(der.toString("base64"))) add(der, []);
  return { keys, certificates };
}

function certificateBag(der: Buffer, attributes: PKCS12Attribute[]): SafeBag {
  const value = new CertBag({ certId: id_x509Certificate, certValue: octets(der) });
  return new SafeBag({
    bagId: id_certBag,
    bagValue: AsnConvert.serialize(value),
    ...(attributes.length > 0 ? { bagAttributes: attributes } : {}),
  });
}

/** EncryptedData of CMS (RFC 5652 8), whose content is implicitly tagged. */
function encryptedPart(contents: SafeContents, password: string, seal: Seal): ContentInfo {
  const { algorithm, data } = seal(Buffer.from(AsnConvert.serialize(contents)), password);
  const info = new asn1.Sequence({
    value: [
      new asn1.ObjectIdentifier({ value: DATA }),
      AsnSerializer.toASN(algorithm),
      new asn1.Primitive({ idBlock: { tagClass: 3, tagNumber: 0 }, valueHex: data }),
    ],
  });
  const content = new asn1.Sequence({ value: [new asn1.Integer({ value: 0 }), info] });
  return new ContentInfo({ contentType: ENCRYPTED_DATA, content: content.toBER() });
}

function dataPart(content: ArrayBuffer): ContentInfo {
  return new ContentInfo({ contentType: DATA, content: octets(Buffer.from(content)) });
}

function macOf(
  digest: keyof typeof DIGESTS,
  content: ArrayBuffer,
  password: string,
  iterations: number,
  saltSize: number,
): MacData {
  const salt = randomBytes(saltSize);
  const size = digest === "sha1" ? 20 : 32;
  const key = derivePkcs12(digest, bmpPassword(password), salt, iterations, PURPOSE.mac, size, new Rounds());
  const mac = createHmac(digest, key).update(Buffer.from(content)).digest();
  return new MacData({
    mac: new DigestInfo({
      digestAlgorithm: new AlgorithmIdentifier({ algorithm: DIGESTS[digest], parameters: null }),
      digest: new OctetString(mac),
    }),
    macSalt: new OctetString(salt),
    iterations,
  });
}

function octets(bytes: Buffer): ArrayBuffer {
  return new asn1.OctetString({ valueHex: bytes }).toBER();
}

function attribute(attrId: string, value: asn1.BaseBlock): PKCS12Attribute {
  // Its constructor forgets what it is given (asn1-pfx 2.11.1).
  return Object.assign(new PKCS12Attribute(), { attrId, attrValues: [value.toBER()] });
}

function friendlyName(alias: string): PKCS12Attribute {
  // A BMPString, into which everybody writes UTF-16.
  return attribute(
    FRIENDLY_NAME,
    new asn1.Primitive({ idBlock: { tagClass: 1, tagNumber: 30 }, valueHex: utf16be(alias) }),
  );
}

/** Which certificate belongs to which key: a number of four bytes, as Windows has it. */
function localKeyId(number: number): PKCS12Attribute {
  const id = Buffer.alloc(4);
  id.writeUInt32BE(number);
  return attribute(LOCAL_KEY_ID, new asn1.OctetString({ valueHex: id }));
}

/** Without it Java does not see a certificate that belongs to no key. */
function trustedForAll(): PKCS12Attribute {
  return attribute(TRUSTED_KEY_USAGE, new asn1.ObjectIdentifier({ value: ANY_EXTENDED_KEY_USAGE }));
}
