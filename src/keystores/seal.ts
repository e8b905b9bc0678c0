// Seals with a password as PKCS#12 does today: PBES2 (RFC 8018) with PBKDF2-HMAC-SHA256 and AES-256-CBC.

import { createCipheriv, pbkdf2Sync, randomBytes } from "node:crypto";
import { EncryptedData, EncryptedPrivateKeyInfo } from "@peculiar/asn1-pkcs8";
import { AsnConvert } from "@peculiar/asn1-schema";
import { AlgorithmIdentifier } from "@peculiar/asn1-x509";
import { Integer, Null, ObjectIdentifier, OctetString, Sequence } from "asn1js";
import { PBES2, PBKDF2 } from "./pbe.ts";

/** Seals bytes with a password. */
export type Seal = (
  plain: Buffer,
  password: string,
) => { readonly algorithm: AlgorithmIdentifier; readonly data: Buffer };

/** What keytool writes (keystore.pkcs12.keyPbeIterationCount of OpenJDK's java.security). openssl has 2048. */
const USUAL_ITERATIONS = 10_000;
/** Bytes. RFC 8018 4.1 wants 8 at least; OpenSSL 3 and keytool have 16 and 20. */
const SALT = 20;
const HMAC_SHA256 = "1.2.840.113549.2.9";
const AES_256_CBC = "2.16.840.1.101.3.4.1.42";

/** Each guess of the password costs that many iterations, and so does each use. The password counts as UTF-8. */
export function sealWith(iterations: number): Seal {
  return (plain, password) => seal(plain, password, iterations);
}

export const sealModern: Seal = sealWith(USUAL_ITERATIONS);

function seal(plain: Buffer, password: string, iterations: number): ReturnType<Seal> {
  const [salt, iv] = [randomBytes(SALT), randomBytes(16)];
  const cipher = createCipheriv("aes-256-cbc", pbkdf2Sync(password, salt, iterations, 32, "sha256"), iv);
  const algorithm = (oid: string, parameters: Sequence | OctetString | Null) =>
    new Sequence({ value: [new ObjectIdentifier({ value: oid }), parameters] });
  const derivation = new Sequence({
    value: [
      new OctetString({ valueHex: salt }),
      new Integer({ value: iterations }),
      algorithm(HMAC_SHA256, new Null()),
    ],
  });
  const parameters = new Sequence({
    value: [algorithm(PBKDF2, derivation), algorithm(AES_256_CBC, new OctetString({ valueHex: iv }))],
  });
  return {
    algorithm: new AlgorithmIdentifier({ algorithm: PBES2, parameters: parameters.toBER() }),
    data: Buffer.concat([cipher.update(plain), cipher.final()]),
  };
}

/** A private key in PKCS#8, sealed: EncryptedPrivateKeyInfo in DER (RFC 5958 3). */
export function encryptedKeyInfo(pkcs8: Buffer, password: string, seal: Seal = sealModern): Buffer {
  const { algorithm, data } = seal(pkcs8, password);
  const info = new EncryptedPrivateKeyInfo({
    encryptionAlgorithm: algorithm,
    encryptedData: new EncryptedData(data),
  });
  return Buffer.from(AsnConvert.serialize(info));
}
