// PEM with anything half in it is broken, wherever it is read: the error names file and line, and what was good before goes on.

import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Outcome } from "../../../src/certs/files.ts";
import { CertificateFiles } from "../../../src/certs/files.ts";
import { CertificateMemory } from "../../../src/certs/memory.ts";
import { loadAuthorities, loadPair } from "../../../src/certs/pem.ts";
import { readPem } from "../../../src/certs/pem-blocks.ts";
import { Authority } from "../../support/certs.ts";
import { temporaryDirectory } from "../../support/tools.ts";

const [one, two] = await Promise.all([Authority.create("One"), Authority.create("Two", "rsa")]);
const below = await one.intermediate("Below");
const pair = await below.issue({ names: ["a.test"] });
const text = (path: string): string => readFileSync(path, "utf8");
const chain = text(pair.cert) + text(below.cert);
const key = text(pair.key);
const bundle = text(one.cert) + text(two.cert);

/** A text with one line of its n-th block missing, or cut inside that block, and the line that the error names. */
const lineOf = (whole: string, part: string): number => whole.slice(0, whole.lastIndexOf(part)).split("\n").length;
const withoutLast = (whole: string, line: string): string => {
  const at = whole.lastIndexOf(line);
  return whole.slice(0, at) + whole.slice(at + line.length + 1);
};
const BEGIN = "-----BEGIN CERTIFICATE-----";
const END = "-----END CERTIFICATE-----";

const broken = (whole: string): [what: string, text: string, line: number][] => [
  ["cut inside its last certificate", whole.slice(0, -200), lineOf(whole, BEGIN)],
  ["cut inside the last BEGIN line", whole.slice(0, whole.lastIndexOf(BEGIN) + 14), lineOf(whole, BEGIN)],
  ["cut inside the last END line", whole.trimEnd().slice(0, -3), lineOf(whole, BEGIN)],
  ["without the last BEGIN line", withoutLast(whole, BEGIN), lineOf(whole, END) - 1],
  ["without the last END line", withoutLast(whole, END), lineOf(whole, BEGIN)],
  [
    "with neither the last BEGIN line nor its END line",
    withoutLast(withoutLast(whole, END), BEGIN),
    lineOf(whole, BEGIN),
  ],
  [
    "with a line of the last body missing",
    withoutLast(whole, whole.trimEnd().split("\n").at(-3)!),
    lineOf(whole, BEGIN),
  ],
  [
    "with zeros where the rest should be",
    whole.slice(0, whole.lastIndexOf(BEGIN)) + "\0".repeat(500),
    lineOf(whole, BEGIN),
  ],
];

const directory = temporaryDirectory();
const path = (name: string): string => join(directory, name);
const memory = new CertificateMemory();

/** Writes a whole text, reads it, writes a broken one, and reads that: an error with file and line, and the former value. */
function tryOut<T>(
  file: string,
  whole: string,
  half: string,
  line: number,
  read: (files: CertificateFiles) => Outcome<T>,
) {
  writeFileSync(file, whole);
  const good = read(new CertificateFiles(memory));
  if (good.kind === "error") throw new Error(good.message);
  writeFileSync(file, half);
  const bad = read(new CertificateFiles(memory));
  expect(bad).toMatchObject({ kind: "error", former: good.value as object });
  expect(bad.kind === "error" && bad.message).toStartWith(`${file}: line ${line}: `);
  // Without a former one the load is lost.
  expect(read(new CertificateFiles())).toMatchObject({ kind: "error", former: null });
}

describe("a chain", () => {
  for (const [what, half, line] of broken(chain))
    test(what, () => {
      writeFileSync(path("a.key"), key);
      const config = { certFile: path("a.crt"), keyFile: path("a.key") };
      tryOut(config.certFile, chain, half, line, (files) => files.pair(config));
    });
});

describe("a bundle of authorities", () => {
  for (const [what, half, line] of broken(bundle))
    test(what, () => tryOut(path("ca.pem"), bundle, half, line, (files) => files.authorities(path("ca.pem"))));
});

test("a key, also beside the whole certificate in one file", () => {
  for (const half of [key.slice(0, -20), key.replace(/^-----BEGIN.*\n/, ""), key.replace(/-----END.*\n/, "")]) {
    const own = { certFile: path("a.crt"), keyFile: path("b.key") };
    writeFileSync(own.certFile, chain);
    const line = half.startsWith("-----BEGIN") ? 1 : half.split("\n").length - 1;
    tryOut(own.keyFile, key, half, line, (files) => files.pair(own));
    const lines = chain.split("\n").length - 1;
    tryOut(path("both.pem"), chain + key, chain + half, lines + line, (files) =>
      files.pair({ certFile: path("both.pem") }),
    );
  }
});

test("a file with revocation lists", async () => {
  const first = String(await one.crl());
  const second = String(await two.crl());
  const loaded = loadAuthorities(bundle);
  const authorities = loaded.kind === "ok" ? loaded.certificates : [];
  const whole = first + second;
  const at = first.split("\n").length;
  for (const half of [whole.slice(0, -100), withoutLast(whole, "-----END X509 CRL-----")])
    tryOut(path("ca.crl"), whole, half, at, (files) => files.revocationLists(path("ca.crl"), authorities));
});

test("in a directory the former pair goes on, also where the same certificate stands alone beside the cut chain", () => {
  const live = path("live");
  mkdirSync(live);
  const config = { directory: live, default: false };
  writeFileSync(join(live, "cert.pem"), text(pair.cert));
  writeFileSync(join(live, "fullchain.pem"), chain);
  writeFileSync(join(live, "privkey.pem"), key);
  const [good] = new CertificateFiles(memory).directory(config).pairs;
  expect(good!.pair.cert).toBe(chain);
  for (const [, half, line] of broken(chain)) {
    writeFileSync(join(live, "fullchain.pem"), half);
    const { pairs, problems } = new CertificateFiles(memory).directory(config);
    expect(pairs).toEqual([good!]);
    expect(problems.map(({ message }) => message)).toEqual([expect.stringContaining(`fullchain.pem: line ${line}: `)]);
    expect(problems[0]!.message).toEndWith("; the former pair goes on serving");
  }
});

test("no prefix of a bundle loads, but those that end between two blocks", () => {
  const whole = text(one.cert) + text(two.cert);
  const first = text(one.cert).trimEnd().length;
  const loads: number[] = [];
  for (let length = 0; length < whole.trimEnd().length; length++)
    if (loadAuthorities(whole.slice(0, length)).kind === "ok") loads.push(length);
  expect(loads).toEqual([first, first + 1]);
});

test("what stands between blocks does no harm: text of openssl, comments, lines of dashes, digests", () => {
  const comments = [
    "Certificate:\n    Data:\n        Version: 3 (0x2)\n            30:0a:06:08:2a:86:48:ce:3d:04:03:02\n",
    "# Subject: CN=One - the first\n=====\n--------- mine ---------\n-----\n",
    "8c7ae4b24f1f6ad3e2b54a2f9a6d1e0c5f3b7a9d8e6c4b2a1f0e9d8c7b6a5f43\n",
    "Bag Attributes\n    localKeyID: 01\nsubject=CN = x - y\n\n",
  ];
  for (const comment of comments) {
    const all = `${comment}${text(one.cert)}${comment}${text(two.cert)}${comment}`;
    expect(readPem(all).flaw).toBeNull();
    expect(loadAuthorities(all)).toMatchObject({ kind: "ok" });
    expect(loadPair(comment + chain, comment + key).kind).toBe("ok");
  }
});
