// Seals with a password as PKCS#12 did before PBES2 (RFC 7292 appendix C): for old Androids, Java 8 before update 301, and what else cannot
// read the new encryption. The ciphers are node-forge's.

import { randomBytes } from "node:crypto";
import { AlgorithmIdentifier } from "@peculiar/asn1-x509";
import { Integer, OctetString, Sequence } from "asn1js";
import forge from "node-forge";
import { bmpPassword, derivePkcs12, PKCS12_PBE, PURPOSE } from "./pbe.ts";
import type { Seal } from "./seal.ts";
import { Rounds } from "./store.ts";

/** What openssl has always written (PKCS12_DEFAULT_ITER). More would not help: with RC2 the key itself has 40 bits. */
const ITERATIONS = 2048;
/** What openssl and Java 8 write; some readers take no other. Bytes. */
const SALT = 8;

interface LegacyCipher {
  /** The last number of its identifier. */
  readonly id: number;
  /** Of the key. */
  readonly bytes: number;
  /** Encrypts; strings have a byte in each character, as node-forge wants them. */
  encrypt(key: string, iv: string, plain: string): string;
}

const TRIPLE_DES: LegacyCipher = {
  id: 3,
  bytes: 24,
  encrypt(key, iv, plain) {
    const cipher = forge.cipher.createCipher("3DES-CBC", key);
    cipher.start({ iv });
    cipher.update(forge.util.createBuffer(plain));
    cipher.finish();
    return cipher.output.getBytes();
  },
};

const RC2_40: LegacyCipher = {
  id: 6,
  bytes: 5,
  encrypt(key, iv, plain) {
    const cipher = forge.rc2.createEncryptionCipher(key, 40);
    cipher.start(iv);
    cipher.update(forge.util.createBuffer(plain));
    cipher.finish();
    return cipher.output.getBytes();
  },
};

const CIPHERS = { "3des": TRIPLE_DES, rc2: RC2_40 } as const;

/** The password counts as UTF-16, with two zero bytes behind it. */
export function sealLegacy(name: keyof typeof CIPHERS): Seal {
  const { id, bytes, encrypt } = CIPHERS[name];
  return (plain, password) => {
    const salt = randomBytes(SALT);
    const derive = (purpose: number, size: number) =>
      derivePkcs12("sha1", bmpPassword(password), salt, ITERATIONS, purpose, size, new Rounds()).toString("latin1");
    const parameters = new Sequence({
      value: [new OctetString({ valueHex: salt }), new Integer({ value: ITERATIONS })],
    });
    const sealed = encrypt(derive(PURPOSE.key, bytes), derive(PURPOSE.iv, 8), plain.toString("latin1"));
    return {
      algorithm: new AlgorithmIdentifier({ algorithm: `${PKCS12_PBE}${id}`, parameters: parameters.toBER() }),
      data: Buffer.from(sealed, "latin1"),
    };
  };
}
