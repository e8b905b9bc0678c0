// What the tests of hostile stores share: stores of every kind to be broken, and the judgement on what comes of a broken one.

import { createPrivateKey, sign, verify, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadFromStore } from "../../../src/certs/store-pair.ts";
import { readStore } from "../../../src/certs/stores/read.ts";
import type { StoreError } from "../../../src/certs/stores/store.ts";
import { BOUNCY_CASTLE, type Chain, chainOfThree, keytool, openssl, someAtATime } from "../../support/key-stores.ts";

export const PASSWORD = "store-secret";
const REASONS = ["password", "damaged", "unsupported", "limit"];

export interface Victim {
  readonly name: string;
  readonly bytes: Buffer;
  /** What it takes to judge one, about, in milliseconds: BouncyCastle lets nobody choose its 50 000 and 100 000 iterations. */
  readonly costMs: 1 | 15 | 200;
}

/** One store of every kind, with few iterations where the tool lets one choose. */
export async function victims(): Promise<{ chain: Chain; stores: readonly Victim[] }> {
  const [chain, rsa] = await Promise.all([chainOfThree("ec"), chainOfThree("rsa")]);
  const file = (name: string): string => join(chain.directory, name);
  const pkcs12 = (name: string, { key, cert, authorities }: Chain, ...args: string[]) => {
    const from = ["-inkey", key, "-in", cert, "-certfile", authorities, "-name", "edge"];
    return openssl(
      "pkcs12",
      "-export",
      ...from,
      "-out",
      file(name),
      "-passout",
      `pass:${PASSWORD}`,
      "-iter",
      "1",
      ...args,
    );
  };
  const plain = ["-nomac", "-keypbe", "NONE", "-certpbe", "NONE"];
  await Promise.all([
    pkcs12("modern", chain),
    pkcs12("legacy", chain, "-legacy"),
    pkcs12("no-mac", chain, "-nomac", "-certpbe", "AES-256-CBC"),
    pkcs12("plain", chain, ...plain),
    pkcs12("plain-rsa", rsa, ...plain),
  ]);
  const copy = (type: string, ...args: string[]) => {
    const from = ["-srckeystore", file("modern"), "-srcstoretype", "PKCS12", "-srcstorepass", PASSWORD];
    const to = ["-destkeystore", file(args[0] === undefined ? type : `${type}-copy`), "-deststorepass", PASSWORD];
    return keytool("-importkeystore", "-noprompt", ...from, ...to, "-deststoretype", type, ...args);
  };
  await someAtATime([
    () => copy("JKS"),
    () => copy("JCEKS", "-J-Djdk.jceks.iterationCount=10000"),
    () => copy("BKS", ...BOUNCY_CASTLE),
    () => copy("PKCS12", "-destprovidername", "BC", ...BOUNCY_CASTLE),
  ]);
  const victim = (name: string, from: string, costMs: Victim["costMs"] = 1): Victim => ({
    name,
    bytes: readFileSync(file(from)),
    costMs,
  });
  return {
    chain,
    stores: [
      victim("PKCS#12", "modern"),
      victim("PKCS#12, legacy", "legacy"),
      victim("PKCS#12 without a MAC", "no-mac"),
      victim("PKCS#12 without encryption", "plain"),
      victim("PKCS#12 without encryption, RSA", "plain-rsa"),
      victim("JKS", "JKS"),
      victim("JCEKS", "JCEKS-copy", 15),
      victim("BKS", "BKS-copy", 15),
      victim("PKCS#12 of BouncyCastle", "PKCS12-copy", 200),
    ],
  };
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
