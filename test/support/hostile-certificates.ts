// Client certificates as no tool makes them: fields that are absent, empty, huge or of odd types, signed by a real authority or by
// nobody, made from a seed.

import { createPrivateKey, generateKeyPairSync, type KeyObject, sign, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Authority } from "./certs.ts";
import { der, dottedOid, integer, octets, sequence, set, tagged } from "./der.ts";
import type { Random } from "./random.ts";

export interface HostileCertificate {
  readonly der: Buffer;
  /** PEM of certificate and key, for a client that can load them. */
  readonly cert: string;
  readonly key: string;
}

const ECDSA_SHA256 = sequence(dottedOid("1.2.840.10045.4.3.2"));
const EMPTY = Buffer.alloc(0);
/** UTF8, Printable, T61, IA5, Visible, General, Universal and BMP strings; a bit string, an integer, NULL and a set are no strings. */
const STRING_TAGS = [0x0c, 0x13, 0x14, 0x16, 0x1a, 0x1b, 0x1c, 0x1e, 0x03, 0x02, 0x05, 0x31];
const ATTRIBUTES = [
  "2.5.4.3",
  "2.5.4.10",
  "2.5.4.5",
  "1.2.840.113549.1.9.1",
  "0.9.2342.19200300.100.1.1",
  "1.2.3.4.5.6",
];
const TEXTS = [
  "device",
  "",
  "a\0b",
  "line\r\nbreak\u2028\u2029",
  "\u202egnp.exe\u202c \u2066x\u2069 \u200b\u200f\ufeff",
  "\x1b[2J\x07",
  "CN=admin, O=x",
  '","level":"error"',
  "\ud83d\ude00 ümläut",
];
const HUGE = "x".repeat(20_000);
const TIMES = [
  "20200101000000Z",
  "20990101000000Z",
  "99991231235959Z",
  "00000000000000Z",
  "2020",
  "",
  "20200230256161Z",
  "notatime",
];

/** Makes certificates for clients of one authority. */
export class HostileCertificates {
  readonly #dice: Random;
  readonly #issuer: Buffer;
  readonly #issuerKey: KeyObject;
  readonly #spki: Buffer;
  readonly #key: string;

  constructor(authority: Authority, dice: Random) {
    this.#dice = dice;
    this.#issuer = subjectDer(new X509Certificate(readFileSync(authority.cert)).raw);
    this.#issuerKey = createPrivateKey(readFileSync(authority.key));
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#spki = publicKey.export({ type: "spki", format: "der" });
    this.#key = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  }

  /** A good one in all but its subject, which is empty: RFC 5280 4.1.2.6 allows it, with a critical alternative name. */
  nameless(uri: string): HostileCertificate {
    const san = sequence(der(0x86, Buffer.from(uri, "latin1")));
    return this.made({ subject: sequence(), extensions: [extension("2.5.29.17", san, true)] });
  }

  next(): HostileCertificate {
    const dice = this.#dice;
    const odd = <T>(usual: T, unusual: () => T, probability = 0.3): T => (dice.chance(probability) ? unusual() : usual);
    const extensions = Array.from({ length: dice.below(5) }, () => this.#extension());
    const made = this.made({
      version: odd(tagged(0, integer(2)), () => dice.pick([EMPTY, tagged(0, integer(dice.below(5))), tagged(0)]), 0.15),
      serial: odd(integer(1 + dice.below(1 << 30)), () =>
        dice.pick([der(0x02), der(0x02, Buffer.from([0xff])), der(0x02, Buffer.alloc(300, 0x7f)), EMPTY]),
      ),
      issuer: odd(this.#issuer, () => this.#name(), 0.2),
      validity: odd(sequence(time("20200101000000Z"), time("20490101000000Z")), () =>
        dice.pick([
          sequence(time(dice.pick(TIMES)), time(dice.pick(TIMES))),
          sequence(time(dice.pick(TIMES))),
          sequence(),
        ]),
      ),
      subject: this.#name(),
      spki: odd(this.#spki, () => dice.pick([sequence(), EMPTY, this.#spki.subarray(0, 40)]), 0.05),
      ids: odd(EMPTY, () => Buffer.concat([der(0x81, Buffer.from([0, 1])), der(0x82, Buffer.from([0]))]), 0.1),
      extensions: odd<Buffer[] | null>(extensions, () => null, 0.1),
    });
    if (!dice.chance(0.2)) return made;
    // And some with a byte that is another one.
    const flipped = Buffer.from(made.der);
    const at = dice.below(flipped.length);
    flipped[at] = dice.below(256);
    return { ...made, der: flipped, cert: pem(flipped) };
  }

  #name(): Buffer {
    const dice = this.#dice;
    if (dice.chance(0.15)) return sequence();
    const parts = Array.from({ length: dice.chance(0.05) ? 300 : 1 + dice.below(3) }, () => {
      const value = der(dice.pick(STRING_TAGS), this.#text());
      const attribute = sequence(dottedOid(dice.pick(ATTRIBUTES)), ...(dice.chance(0.1) ? [] : [value]));
      return set(attribute, ...(dice.chance(0.1) ? [attribute] : []));
    });
    return sequence(...parts, ...(dice.chance(0.05) ? [set()] : []));
  }

  #text(): Buffer {
    const dice = this.#dice;
    const text = dice.chance(0.01) ? HUGE : dice.pick(TEXTS);
    switch (dice.below(3)) {
      case 0:
        return Buffer.from(text, "utf8");
      case 1:
        return Buffer.from(text, "utf16le").swap16();
      default:
        // Cut in the middle of a character, or random.
        return dice.chance(0.5)
          ? Buffer.from(text, "utf8").subarray(0, -1)
          : Buffer.from(Array.from({ length: dice.below(40) }, () => dice.below(256)));
    }
  }

  #extension(): Buffer {
    const dice = this.#dice;
    const general = () =>
      der(dice.pick([0x80, 0x81, 0x82, 0x83, 0x84, 0x86, 0x87, 0x88, 0xa0, 0xa4, 0x06]), this.#text());
    const names = () => sequence(...Array.from({ length: dice.chance(0.05) ? 500 : dice.below(4) }, general));
    const kinds: [oid: string, value: () => Buffer][] = [
      ["2.5.29.17", names], // subject alternative name
      ["2.5.29.18", names],
      ["2.5.29.35", () => sequence(der(0x80, this.#text()))], // authority key identifier
      ["2.5.29.14", () => octets(this.#text())], // subject key identifier
      ["2.5.29.37", () => sequence(dottedOid(dice.pick(["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1", "2.5.29.37.0"])))],
      ["2.5.29.15", () => der(0x03, Buffer.from([dice.below(8), dice.below(256)]))], // key usage
      ["2.5.29.19", () => sequence(...(dice.chance(0.5) ? [der(0x01, Buffer.from([0xff]))] : []))], // basic constraints
      ["2.5.29.30", () => sequence(tagged(0, sequence(general())))], // name constraints
      ["1.2.3.4", () => this.#text()],
    ];
    const [oid, value] = dice.pick(kinds);
    const content = dice.chance(0.15) ? this.#text() : value();
    return extension(oid, content, dice.chance(0.3));
  }

  /** One with just these fields, signed by the authority. */
  made(fields: {
    version?: Buffer;
    serial?: Buffer;
    issuer?: Buffer;
    validity?: Buffer;
    subject: Buffer;
    spki?: Buffer;
    ids?: Buffer;
    extensions?: readonly Buffer[] | null;
  }): HostileCertificate {
    const tbs = sequence(
      fields.version ?? tagged(0, integer(2)),
      fields.serial ?? integer(4711),
      ECDSA_SHA256,
      fields.issuer ?? this.#issuer,
      fields.validity ?? sequence(time("20200101000000Z"), time("20490101000000Z")),
      fields.subject,
      fields.spki ?? this.#spki,
      fields.ids ?? EMPTY,
      fields.extensions === null || fields.extensions === undefined ? EMPTY : tagged(3, sequence(...fields.extensions)),
    );
    const signature = sign("sha256", tbs, this.#issuerKey);
    const certificate = sequence(tbs, ECDSA_SHA256, der(0x03, Buffer.from([0]), signature));
    return { der: certificate, cert: pem(certificate), key: this.#key };
  }
}

export function extension(oid: string, value: Buffer, critical: boolean): Buffer {
  return sequence(dottedOid(oid), ...(critical ? [der(0x01, Buffer.from([0xff]))] : []), octets(value));
}

/** GeneralizedTime. */
function time(text: string): Buffer {
  return der(0x18, Buffer.from(text, "latin1"));
}

function pem(bytes: Buffer): string {
  const lines = bytes.toString("base64").replace(/.{64}/g, "$&\n").trimEnd();
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

/** The subject of a certificate that openssl has made: the element behind issuer and validity. */
function subjectDer(certificate: Buffer): Buffer {
  let at = 0;
  const element = () => {
    const start = at;
    at++;
    let length = certificate[at++]!;
    if (length & 0x80) {
      let bytes = length & 0x7f;
      for (length = 0; bytes > 0; bytes--) length = length * 256 + certificate[at++]!;
    }
    return { start, content: at, end: at + length };
  };
  at = element().content; // Certificate
  at = element().content; // TBSCertificate
  for (let skipped = 0; skipped < 5; skipped++) at = element().end; // version, serial, algorithm, issuer, validity
  const { start, end } = element();
  return certificate.subarray(start, end);
}
