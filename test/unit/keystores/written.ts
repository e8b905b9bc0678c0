// What the tests of writers share: certificates of every algorithm, and what our own readers and others see in a store.

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { NewEntry } from "../../../src/keystores/new-entry.ts";
import { readStore } from "../../../src/keystores/read.ts";
import { openssl, type Seen } from "../../support/key-stores.ts";
import { temporaryDirectory } from "../../support/tools.ts";

const NEW_KEY = {
  "EC P-256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
  "EC P-384": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
  "RSA 2048": ["-newkey", "rsa:2048"],
  Ed25519: ["-newkey", "ed25519"],
  "EC P-521": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
  "RSA 1024": ["-newkey", "rsa:1024"],
  "RSA 3072": ["-newkey", "rsa:3072"],
  "RSA 4096": ["-newkey", "rsa:4096"],
} as const;

export type Algorithm = keyof typeof NEW_KEY;
/** What an authority issues for. */
export const ALGORITHMS: readonly Algorithm[] = ["EC P-256", "EC P-384", "RSA 2048", "Ed25519"];
/** And what others have. */
export const ALL_ALGORITHMS = Object.keys(NEW_KEY) as Algorithm[];

export interface Device {
  readonly key: KeyObject;
  /** Its own certificate and its authority's, in DER. */
  readonly certificates: readonly Buffer[];
}

export interface Fleet {
  readonly directory: string;
  readonly authority: Buffer;
  readonly devices: Readonly<Record<Algorithm, Device>>;
}

/** An authority, and a device with a key of each algorithm. Their names are what people write. */
export async function fleet(algorithms = ALGORITHMS): Promise<Fleet> {
  const directory = temporaryDirectory();
  const file = (name: string): string => join(directory, name);
  const request = async (name: string, subject: string, ...args: readonly string[]): Promise<Buffer> => {
    const out = ["-keyout", file(`${name}.key`), "-out", file(`${name}.crt`)];
    await openssl("req", "-x509", "-nodes", "-utf8", "-subj", subject, "-days", "20", ...out, ...args);
    return new X509Certificate(readFileSync(file(`${name}.crt`))).raw;
  };
  const authority = await request("ca", "/O=Größe & Söhne/CN=証明機関 🏭", ...NEW_KEY["EC P-256"]);
  const devices = await Promise.all(
    algorithms.map(async (algorithm): Promise<[Algorithm, Device]> => {
      const issuer = ["-CA", file("ca.crt"), "-CAkey", file("ca.key"), "-addext", "basicConstraints=CA:FALSE"];
      const own = await request(algorithm, `/CN=Fühler 温度 🌡 ${algorithm}`, ...issuer, ...NEW_KEY[algorithm]);
      const key = createPrivateKey(readFileSync(file(`${algorithm}.key`)));
      return [algorithm, { key, certificates: [own, authority] }];
    }),
  );
  return { directory, authority, devices: Object.fromEntries(devices) as Record<Algorithm, Device> };
}

/** An entry of each algorithm with its chain, and their authority as a trusted one. The aliases are what people write. */
export function entriesOf({ devices, authority }: Fleet, algorithms = ALGORITHMS): (NewEntry & Written)[] {
  const keys = algorithms.map((algorithm) => ({ alias: `Gerät ${algorithm} 設備 🔑`, ...devices[algorithm] }));
  return [...keys, { alias: "Die Behörde 機関", key: null, certificates: [authority] }];
}

interface Written {
  readonly key: KeyObject | null;
}

/** What is to be seen of entries in a store, in the order of aliases as `folded` makes them. */
export function expected(entries: readonly (NewEntry & Written)[], folded: (alias: string) => string): Seen[] {
  return entries
    .map(({ alias, key, certificates }) => ({
      alias: folded(alias),
      key: key === null ? null : (key.export({ type: "pkcs8", format: "der" }) as Buffer),
      certificates,
    }))
    .sort((a, b) => (a.alias < b.alias ? -1 : 1));
}

/** What our own reader sees, in the order of aliases. PKCS#12 has an authority apart from the entries; it is put behind each here. */
export function seenBySluice(bytes: Buffer, password: string, keyPassword = password): Seen[] | string {
  const store = readStore(bytes, password);
  if (store.kind === "error") return store.reason;
  if (!store.verified && store.type !== "BKS") return "not verified";
  const seen: Seen[] = [];
  const apart =
    store.type === "PKCS12"
      ? [
          ...store.loose,
          ...store.entries.filter(({ kind }) => kind === "certificate").flatMap((each) => each.certificates),
        ]
      : [];
  for (const { alias, key, certificates } of store.entries) {
    const opened = key?.(keyPassword) ?? null;
    if (opened?.kind === "error") return opened.reason;
    const chain = opened === null ? certificates : [...certificates, ...apart];
    seen.push({ alias, key: opened === null ? null : opened.pkcs8, certificates: chain });
  }
  return seen.sort((a, b) => (a.alias < b.alias ? -1 : 1));
}

/** A private key compared by what it is: others write PKCS#8 with or without its public half. */
export function comparable(seen: Seen[] | string): unknown {
  if (typeof seen === "string") return seen;
  return seen.map(({ alias, key, certificates }) => ({
    alias,
    key: key === null ? null : createPrivateKey({ key, format: "der", type: "pkcs8" }).export({ format: "jwk" }),
    certificates: certificates.map((der) => der.toString("base64")),
  }));
}

export function write(file: string, bytes: Buffer): string {
  writeFileSync(file, bytes);
  return file;
}
