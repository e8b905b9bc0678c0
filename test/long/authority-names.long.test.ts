// Names of all scripts and keys of all kinds, at random: what an authority issues says them as they were typed, to our own reader, Node,
// OpenSSL, GnuTLS, Java and BouncyCastle, who all validate it up to the root, and refuse what its list has.

import { expect, test } from "bun:test";
import { createPublicKey, X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { entriesCalled } from "../../src/authority/authority.ts";
import { REASONS, type RevocationReason } from "../../src/authority/certificate.ts";
import { createAuthority } from "../../src/authority/create.ts";
import { type KeyChoice, newKey } from "../../src/authority/keys.ts";
import { clientSubject } from "../../src/authority/names.ts";
import { detailsOf } from "../../src/certs/details.ts";
import { validatedByJava } from "../support/key-stores.ts";
import { type Random, random } from "../support/random.ts";
import { exec, temporaryDirectory } from "../support/tools.ts";

const seed = Number(process.env.SLUICE_FUZZ_SEED ?? 20261126);
const LETTERS = [
  ..."aZ09 _-.:@+,;=<>#\"\\'/*?%&()[]{}|~^`$!äÖßéçЖשع機設備한글ไทย",
  ..."👩‍🔧|🇩🇪|☂️|🏭|🌡|é|ﬁ|𝔐|İ|ı".split("|"),
];
/** No RSA of 4096 bits: a second for each. */
const KEYS: readonly KeyChoice[] = ["ec", "ec384", "ed25519", "rsa2048", "rsa1024"];
const NAMES = 30;

/** One that the authority takes. */
function nameOf(dice: Random): string {
  for (;;) {
    const name = Array.from({ length: 1 + dice.below(30) }, () => dice.pick(LETTERS)).join("");
    const { kind } = clientSubject(name);
    if (kind === "ok") return name;
  }
}

for (const [index, [key, hasIntermediate]] of (
  [
    ["ec", false],
    ["ec384", true],
    ["rsa3072", false],
    ["ed25519", true],
  ] as const
).entries())
  test(`an authority with ${key}${hasIntermediate ? " and an intermediate one" : ""}`, async () => {
    const dice = random(seed + index);
    const directory = join(temporaryDirectory(), "authority");
    const name = nameOf(dice);
    const created = await createAuthority({ directory, name, days: 3650, key, hasIntermediate, passphrase: null });
    if (created.kind === "error") throw new Error(created.message);
    const { authority } = created;
    const { files } = authority.facts;
    const keys = await Promise.all(KEYS.map(newKey));
    const issued = new Map<string, { readonly chain: string; readonly serial: string }>();
    while (issued.size < NAMES) {
      const typed = nameOf(dice);
      const named = clientSubject(typed);
      if (named.kind === "error" || issued.has(typed.normalize("NFC"))) continue;
      const answer = await authority.issue({
        ...{ purpose: "client", subject: named.subject, days: 1 + dice.below(3000) },
        key: createPublicKey(dice.pick(keys)),
      });
      if (answer.kind === "error") throw new Error(answer.message);
      const chain = `${directory}/${issued.size}.pem`;
      writeFileSync(chain, answer.issued.certificate + answer.issued.chain);
      issued.set(named.subject.commonName, { chain, serial: answer.issued.serial });
    }
    const reasons = Object.keys(REASONS) as RevocationReason[];
    const gone = new Map([...issued].filter(() => dice.chance(0.2)));
    for (const { serial } of gone.values()) await authority.revoke([serial], dice.pick(reasons));

    const lists = hasIntermediate ? ["-CRLfile", files.list, "-CRLfile", files.root.list] : ["-CRLfile", files.list];
    const strict = ["openssl", "verify", "-x509_strict", "-crl_check_all", "-CAfile", files.root.cert, ...lists];
    for (const [commonName, { chain, serial }] of issued) {
      const where = { seed, commonName };
      const certificate = new X509Certificate(readFileSync(chain));
      const { subject } = clientSubject(commonName) as Extract<ReturnType<typeof clientSubject>, { kind: "ok" }>;
      expect({ where, ...detailsOf(certificate.raw) }).toMatchObject({ where, commonNames: [commonName] });
      expect(certificate.serialNumber).toBe(serial);
      // What the index has is found by the name as it is typed.
      expect(entriesCalled(commonName, authority.facts.index.read()).map((each) => each.serial)).toContain(serial);

      const isGone = gone.has(commonName);
      const openssl = await exec([...strict, "-untrusted", chain, "-purpose", "sslclient", chain]);
      expect({ where, code: openssl.code, said: openssl.stderr }).toEqual({
        ...{ where, code: isGone ? 2 : 0 },
        said: isGone ? (expect.stringContaining("certificate revoked") as unknown as string) : "",
      });
      const { value } = subject.alternativeNames[0]!;
      for (const provider of ["Java", "BC"] as const) {
        const seen = await validatedByJava(provider, { chain, authority: files.root.cert, lists: files.list });
        if (isGone) expect({ where, seen }).toEqual({ where, seen: expect.stringMatching(/revo[ck]/i) as never });
        else expect({ where, provider, seen }).toEqual({ where, provider, seen: [commonName, value] });
      }
    }
    const gnutls = await exec(["certtool", "--crl-info", "--infile", files.list]);
    expect(gnutls.stdout).toContain(`Revoked certificates (${gone.size}):`);
  }, 300_000);
