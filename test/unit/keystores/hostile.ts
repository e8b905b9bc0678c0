// What the tests of hostile stores share: stores of every kind to be broken, and the judgement on what comes of a broken one.

import { createPrivateKey, sign, verify, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Malformed, parse, TAG } from "../../../src/asn1/ber.ts";
import { loadFromStore } from "../../../src/certs/store-pair.ts";
import { readStore } from "../../../src/keystores/read.ts";
import type { StoreError } from "../../../src/keystores/store.ts";
import { indefinite, inPieces } from "../../support/der.ts";
import { BOUNCY_CASTLE, type Chain, chainOfThree, keytool, openssl, someAtATime } from "../../support/key-stores.ts";

export const PASSWORD = "store-secret";
const REASONS = ["password", "damaged", "unsupported", "limit"];

export interface Victim {
  readonly name: string;
  readonly bytes: Buffer;
  /** What it takes to judge one, about, in milliseconds: BouncyCastle lets nobody choose its 50 000 and 100 000 iterations. */
  readonly costMs: 1 | 15 | 200;
}

type Make = (chain: Chain, rsa: Chain) => Promise<Buffer>;

const plain = ["-nomac", "-keypbe", "NONE", "-certpbe", "NONE"];

async function pkcs12({ directory, key, cert, authorities }: Chain, ...args: string[]): Promise<Buffer> {
  const out = join(directory, `${args.join("")}.p12`);
  const from = ["-inkey", key, "-in", cert, "-certfile", authorities, "-name", "edge"];
  await openssl("pkcs12", "-export", ...from, "-out", out, "-passout", `pass:${PASSWORD}`, "-iter", "1", ...args);
  return readFileSync(out);
}

async function byKeytool(chain: Chain, type: string, ...args: string[]): Promise<Buffer> {
  await pkcs12(chain, "-macalg", "sha256");
  const [source, out] = [join(chain.directory, "-macalgsha256.p12"), join(chain.directory, `copy.${type}`)];
  const from = ["-srckeystore", source, "-srcstoretype", "PKCS12", "-srcstorepass", PASSWORD];
  const to = ["-destkeystore", out, "-deststorepass", PASSWORD, "-deststoretype", type];
  await keytool("-importkeystore", "-noprompt", ...from, ...to, ...args);
  return readFileSync(out);
}

/** With few iterations where the tool lets one choose. */
const KINDS: Record<string, [Make, Victim["costMs"]]> = {
  "PKCS#12": [(chain) => pkcs12(chain), 1],
  "PKCS#12, legacy": [(chain) => pkcs12(chain, "-legacy"), 1],
  "PKCS#12, RC4": [
    (chain) => pkcs12(chain, "-legacy", "-keypbe", "PBE-SHA1-RC4-128", "-certpbe", "PBE-SHA1-RC4-40"),
    1,
  ],
  "PKCS#12 without a MAC": [(chain) => pkcs12(chain, "-nomac", "-certpbe", "AES-256-CBC"), 1],
  "PKCS#12 without encryption": [(chain) => pkcs12(chain, ...plain), 1],
  "PKCS#12 without encryption, RSA": [(_, rsa) => pkcs12(rsa, ...plain), 1],
  "PKCS#12 with open certificates": [(chain) => pkcs12(chain, "-nomac"), 1],
  "PKCS#12 in indefinite lengths": [async (chain) => rewritten(await pkcs12(chain, "-nomac")), 1],
  JKS: [(chain) => byKeytool(chain, "JKS"), 1],
  JCEKS: [(chain) => byKeytool(chain, "JCEKS"), 15],
  BKS: [(chain) => byKeytool(chain, "BKS", ...BOUNCY_CASTLE), 15],
  "PKCS#12 of BouncyCastle": [(chain) => byKeytool(chain, "PKCS12", "-destprovidername", "BC", ...BOUNCY_CASTLE), 200],
};

/** A store of each of these kinds, by default of every kind. */
export async function victims(kinds = Object.keys(KINDS)): Promise<{ chain: Chain; stores: readonly Victim[] }> {
  const [chain, rsa] = await Promise.all([chainOfThree("ec"), chainOfThree("rsa")]);
  const made = new Map<string, Buffer>();
  await someAtATime(kinds.map((name) => async () => made.set(name, await KINDS[name]![0](chain, rsa))));
  const stores = kinds.map((name) => ({ name, bytes: made.get(name)!, costMs: KINDS[name]![1] }));
  return { chain, stores };
}

/** The same PKCS#12 with indefinite lengths and octet strings in pieces, as far down as others than DER are in use. */
export function rewritten(bytes: Buffer): Buffer {
  const walk = (all: Buffer, octetLevel: number): Buffer => {
    const found = parse(all);
    if (found.tag === TAG.octets && octetLevel < 2 && found.content[0] === TAG.sequence) {
      try {
        return inPieces(0x24, walk(found.content, octetLevel + 1), 100);
      } catch (error) {
        // Something encrypted that begins by chance as a sequence does: one in 256.
        if (!(error instanceof Malformed)) throw error;
        return found.whole;
      }
    }
    // The encrypted content of a part, [0] IMPLICIT OCTET STRING.
    if (found.tag === 0x80) return inPieces(0xa0, found.content, 100);
    if (![TAG.sequence, TAG.set, TAG.context(0)].includes(found.tag) || octetLevel > 2) return found.whole;
    return indefinite(found.tag, ...found.children().map((child) => walk(child.whole, octetLevel)));
  };
  return walk(bytes, 0);
}

export interface Verdict {
  /** Of reading with the password, and without where there is none. */
  readonly read: StoreError["reason"] | "ok";
  readonly unchecked: StoreError["reason"] | "ok";
  /** Whether a certificate with a key came out. */
  readonly pair: boolean;
  readonly ms: number;
}

/** Reads bytes in every way. Throws when something is thrown, is no proper error, or is a key that does not fit its certificate. */
export function judge(bytes: Buffer): Verdict {
  const started = performance.now();
  const outcomes = [PASSWORD, null].map((password) => {
    const store = readStore(bytes, password);
    if (store.kind === "error") return proper(store);
    for (const entry of store.entries) {
      const key = entry.key?.(PASSWORD);
      if (key?.kind === "error") proper(key);
    }
    return "ok";
  });
  const pairs = [PASSWORD, null].map((storePassword) => {
    const request = { type: undefined, storePassword, keyPassword: PASSWORD, alias: undefined };
    const loaded = loadFromStore(bytes, request);
    if (loaded.kind === "error") {
      if (loaded.message.includes(PASSWORD)) throw new Error(`a message has the password: ${loaded.message}`);
      return false;
    }
    const data = Buffer.from("a handshake");
    const key = createPrivateKey(loaded.pair.key);
    const publicKey = new X509Certificate(loaded.pair.cert).publicKey;
    if (!verify("sha256", data, publicKey, sign("sha256", data, key)))
      throw new Error("key and certificate do not fit");
    return true;
  });
  return { read: outcomes[0]!, unchecked: outcomes[1]!, pair: pairs.includes(true), ms: performance.now() - started };
}

function proper(error: StoreError): StoreError["reason"] {
  if (!REASONS.includes(error.reason)) throw new Error(`the reason is ${error.reason}`);
  if (error.message === "" || error.message.includes(PASSWORD)) throw new Error(`the message is "${error.message}"`);
  return error.reason;
}
