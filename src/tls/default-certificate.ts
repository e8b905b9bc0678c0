// The certificate that serves where nothing else does. It is put together here and not by the library for certificates, because it is
// made at every start, and that library takes 9 MB of the master for as long as it runs.

import { createHash, generateKeyPair, type KeyObject, randomBytes, sign } from "node:crypto";
import { promisify } from "node:util";
import { parse, TAG } from "../asn1/ber.ts";
import { der, oid, unsigned } from "../asn1/der.ts";
import { DEFAULT_NAME } from "./certificates.ts";

const ISSUER = "Sluice default certificate";
const DAY = 86_400_000;
/** Apple's limit for certificates that its clients accept. */
const DAYS = 825;

/** Tags that only certificates have. */
const BOOLEAN = 0x01;
const BIT_STRING = 0x03;
const PRINTABLE_STRING = 0x13;
const UTC_TIME = 0x17;
const DNS_NAME = 0x82;
const KEY_IDENTIFIER = 0x80;

const VERSION_3 = der(TAG.context(0), der(TAG.integer, Buffer.from([2])));
const ECDSA_WITH_SHA256 = der(TAG.sequence, oid("1.2.840.10045.4.3.2"));
const SERVER_AUTH = oid("1.3.6.1.5.5.7.3.1");
/** The first bit alone, of eight. */
const DIGITAL_SIGNATURE = der(BIT_STRING, Buffer.from([7, 0x80]));

export interface Issued {
  readonly cert: string;
  readonly key: string;
}

const generate = promisify(generateKeyPair);

/** Made anew at each start, by an authority that nobody keeps: nobody can come to trust it. In PEM. */
export async function issueDefaultCertificate(): Promise<Issued> {
  const curve = { namedCurve: "P-256" } as const;
  const [authority, own] = await Promise.all([generate("ec", curve), generate("ec", curve)]);
  // A number has no leading zeros, and one byte that is never zero sees to that (RFC 5280 4.1.2.2).
  const serial = Buffer.concat([Buffer.from([1]), randomBytes(15)]);
  const now = Date.now();
  const tbs = der(
    TAG.sequence,
    ...[VERSION_3, unsigned(serial), ECDSA_WITH_SHA256, name(ISSUER)],
    // Good since a day ago, and both ends count (RFC 5280 4.1.2.5).
    der(TAG.sequence, time(now - DAY), time(now + (DAYS - 1) * DAY - 1000)),
    ...[name(DEFAULT_NAME), spki(own.publicKey)],
    der(
      TAG.context(3),
      der(
        TAG.sequence,
        extension("2.5.29.19", false, der(TAG.sequence)), // no authority
        extension("2.5.29.15", true, DIGITAL_SIGNATURE),
        extension("2.5.29.37", false, der(TAG.sequence, SERVER_AUTH)),
        extension("2.5.29.17", false, der(TAG.sequence, der(DNS_NAME, Buffer.from(DEFAULT_NAME)))),
        extension("2.5.29.14", false, der(TAG.octets, identifier(own.publicKey))),
        extension("2.5.29.35", false, der(TAG.sequence, der(KEY_IDENTIFIER, identifier(authority.publicKey)))),
      ),
    ),
  );
  const signature = der(BIT_STRING, Buffer.alloc(1), sign("sha256", tbs, authority.privateKey));
  return {
    cert: pem(der(TAG.sequence, tbs, ECDSA_WITH_SHA256, signature)),
    key: own.privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  };
}

/** A common name alone. */
function name(text: string): Buffer {
  const commonName = der(TAG.sequence, oid("2.5.4.3"), der(PRINTABLE_STRING, Buffer.from(text)));
  return der(TAG.sequence, der(TAG.set, commonName));
}

/** Until 2049 in UTCTime (RFC 5280 4.1.2.5.1). */
function time(at: number): Buffer {
  return der(UTC_TIME, Buffer.from(new Date(at).toISOString().replace(/^..|[-:T]|\.\d+/g, "")));
}

function extension(id: string, isCritical: boolean, value: Buffer): Buffer {
  const critical = isCritical ? [der(BOOLEAN, Buffer.from([0xff]))] : [];
  return der(TAG.sequence, oid(id), ...critical, der(TAG.octets, value));
}

function spki(key: KeyObject): Buffer {
  return key.export({ type: "spki", format: "der" }) as Buffer;
}

/** Of SHA-256 (RFC 7093 2, method 1). */
function identifier(key: KeyObject): Buffer {
  const [, bits] = parse(spki(key)).children();
  return createHash("sha256").update(bits!.content.subarray(1)).digest().subarray(0, 20);
}

function pem(bytes: Buffer): string {
  const lines = bytes.toString("base64").replace(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
