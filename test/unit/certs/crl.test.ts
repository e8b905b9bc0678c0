// A revocation list counts only when it is whole, of a kind that is understood, and signed by one of the authorities.

import { describe, expect, test } from "bun:test";
import { sign, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { parse } from "../../../src/asn1/ber.ts";
import { loadRevocationLists, type RevocationList } from "../../../src/certs/crl.ts";
import { identityOf } from "../../../src/certs/x509.ts";
import { Authority } from "../../support/certs.ts";
import { der, oid, sequence } from "../../support/der.ts";
import { flips } from "./flips.ts";

const [ec, rsa, ed, twin] = await Promise.all([
  Authority.create("P-256"),
  Authority.create("RSA", "rsa"),
  Authority.create("Ed25519", "ed25519"),
  Authority.create("P-256", "rsa"),
]);
const certificate = (authority: Authority) => new X509Certificate(readFileSync(authority.cert));
const everyone = [ec, rsa, ed].map(certificate);
for (const authority of [ec, rsa, ed]) for (const serial of ["0A", "00FF12", "7B"]) authority.revoke(serial);

function lists(bytes: Buffer, authorities = everyone): readonly RevocationList[] {
  const loaded = loadRevocationLists(bytes, authorities);
  if (loaded.kind === "error") throw new Error(loaded.message);
  return loaded.lists;
}

function problem(bytes: Buffer, authorities = everyone): string {
  const loaded = loadRevocationLists(bytes, authorities);
  return loaded.kind === "error" ? loaded.message : "none";
}

describe("signed by", () => {
  const cases: [string, Authority, readonly string[]][] = [
    ["P-256", ec, []],
    ["P-256 with SHA-384", ec, ["-md", "sha384"]],
    ["RSA", rsa, []],
    ["RSA with SHA-512", rsa, ["-md", "sha512"]],
    ["RSA-PSS", rsa, ["-sigopt", "rsa_padding_mode:pss"]],
    [
      "RSA-PSS with SHA-384 and a short salt",
      rsa,
      ["-md", "sha384", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:20"],
    ],
    ["Ed25519", ed, []],
  ];
  for (const [name, authority, args] of cases)
    for (const form of ["PEM", "DER"] as const)
      test(`${name}, ${form}`, async () => {
        const [list, ...more] = lists(await authority.crl({ form, args }));
        expect(more).toEqual([]);
        expect(list).toMatchObject({
          issuer: identityOf(certificate(authority).raw)!.subject,
          usersOnly: false,
          point: null,
        });
        expect([...list!.serials].sort()).toEqual(["7B", "A", "FF12"]);
        expect(Math.abs(list!.thisUpdate - Date.now())).toBeLessThan(60_000);
        expect(list!.nextUpdate).toBe(list!.thisUpdate + 30 * 86_400_000);
      });

  test("the right one of two authorities of one name", async () => {
    expect(lists(await twin.crl(), [certificate(ec), certificate(twin)])).toHaveLength(1);
    expect(lists(await ec.crl(), [certificate(twin), certificate(ec)])).toHaveLength(1);
  });
});

describe("a list is refused", () => {
  test("of an authority that is not among them", async () => {
    expect(problem(await ec.crl(), [certificate(rsa)])).toContain("not among caFiles");
  });
  test("signed with another key under the authority's name", async () => {
    expect(problem(await ec.crl(), [certificate(twin)])).toContain("its authority did not sign it");
    expect(problem(await twin.crl(), [certificate(ec)])).toContain("its authority did not sign it");
  });
  const kinds: [string, string, string][] = [
    ["a delta list", "deltaCRL=critical,ASN1:INTEGER:1", ""],
    ["an indirect list", "issuingDistributionPoint=critical,@p\n[p]\nindirectCRL=TRUE", "indirect"],
    ["one for authorities alone", "issuingDistributionPoint=critical,@p\n[p]\nonlyCA=TRUE", "authorities alone"],
    ["one for attributes", "issuingDistributionPoint=critical,@p\n[p]\nonlyAA=TRUE", "attribute"],
    [
      "one for some reasons",
      "issuingDistributionPoint=critical,@p\n[p]\nonlysomereasons=keyCompromise",
      "some reasons",
    ],
    [
      "a critical extension that nobody knows",
      "1.2.3.4=critical,ASN1:NULL",
      "critical extension that Sluice does not know (1.2.3.4)",
    ],
  ];
  for (const [name, extensions, message] of kinds)
    test(name, async () => {
      const wanted = name === "a delta list" ? "2.5.29.27=critical,ASN1:INTEGER:1" : extensions;
      expect(problem(await ec.crl({ extensions: wanted }))).toContain(message || "delta list");
    });
  test("with anything behind it", async () => {
    const list = await ec.crl({ form: "DER" });
    expect(problem(Buffer.concat([list, list]))).toContain("damaged");
  });
  test("an empty file, and one of something else", () => {
    expect(problem(Buffer.alloc(0))).toContain("damaged");
    expect(problem(Buffer.from("hello"))).toContain("damaged");
    expect(problem(readFileSync(ec.cert))).toContain("holds no revocation list");
    expect(problem(Buffer.alloc(32 * 1024 * 1024 + 1))).toContain("larger");
  });
});

test("a distribution point, users' certificates alone and an unknown extension that is not critical are noted or let pass", async () => {
  const [point] = lists(
    await ec.crl({ extensions: "issuingDistributionPoint=critical,@p\n[p]\nfullname=URI:http://a/b\nonlyuser=TRUE" }),
  );
  expect(point).toMatchObject({
    usersOnly: true,
    point: expect.stringContaining(Buffer.from("http://a/b").toString("hex")),
  });
  expect(lists(await ec.crl({ extensions: "1.2.3.4=ASN1:NULL" }))).toHaveLength(1);
});

test("several lists in one PEM file, text between them", async () => {
  const file = Buffer.concat([
    await ec.crl(),
    Buffer.from("some text\n"),
    readFileSync(ec.cert),
    await rsa.crl(),
    await ed.crl(),
  ]);
  expect(lists(file).map((list) => list.serials.length)).toEqual([3, 3, 3]);
  // One bad list spoils the file.
  expect(problem(file, [certificate(ec), certificate(rsa)])).toContain("not among caFiles");
});

test("a PEM file that is half written is refused, and does not pass for one with fewer lists", async () => {
  const file = Buffer.concat([await ec.crl(), await rsa.crl()]);
  const second = file.lastIndexOf("-----BEGIN");
  for (let length = second + 20; length < file.length - 1; length += 7)
    expect(problem(file.subarray(0, length))).not.toBe("none");
});

test("a list without entries, and one with many", async () => {
  const authority = await Authority.create("Many");
  const own = [certificate(authority)];
  expect(lists(await authority.crl(), own)).toMatchObject([{ serials: [] }]);
  for (let i = 0; i < 20_000; i++) authority.revoke((0x10000000 + i).toString(16).toUpperCase());
  const [many] = lists(await authority.crl(), own);
  expect(many!.serials).toHaveLength(20_000);
  expect(new Set(many!.serials).has("10004E1F")).toBe(true);
});

test("times before and after 2050 are read", async () => {
  const [list] = lists(await ec.crl({ lastUpdate: "20200102030405Z", nextUpdate: "20600102030405Z" }));
  expect(list).toMatchObject({ thisUpdate: Date.UTC(2020, 0, 2, 3, 4, 5), nextUpdate: Date.UTC(2060, 0, 2, 3, 4, 5) });
});

/** A list of `ec` that openssl does not write: without a next update, and with these entries. */
function handmade(...entries: readonly Buffer[]): Buffer {
  const algorithm = sequence(oid("2a8648ce3d040302"));
  const fields = parse(certificate(ec).raw).children()[0]!.children();
  const thisUpdate = der(0x17, Buffer.from("250101000000Z"));
  const signed = sequence(der(0x02, Buffer.from([1])), algorithm, fields[3]!.whole, thisUpdate, sequence(...entries));
  const signature = sign("sha256", signed, readFileSync(ec.key, "utf8"));
  return sequence(signed, algorithm, der(0x03, Buffer.from([0]), signature));
}

const SERIAL = der(0x02, Buffer.from([0x12, 0x34]));
const REVOKED_AT = der(0x17, Buffer.from("250101000000Z"));

test("a list that does not say when the next one comes", () => {
  expect(lists(handmade(sequence(SERIAL, REVOKED_AT)))).toMatchObject([{ nextUpdate: null, serials: ["1234"] }]);
});

test("an entry with a critical extension refuses the list: it may be of another authority", () => {
  const value = der(0x04, sequence());
  const critical = sequence(oid("551d1d"), der(0x01, Buffer.from([0xff])), value);
  expect(problem(handmade(sequence(SERIAL, REVOKED_AT, sequence(critical))))).toContain(
    "an entry has a critical extension",
  );
  expect(lists(handmade(sequence(SERIAL, REVOKED_AT, sequence(sequence(oid("551d15"), value)))))).toHaveLength(1);
});

describe("bytes from anywhere", () => {
  for (const [name, authority, args] of [
    ["P-256", ec, []],
    ["RSA-PSS", rsa, ["-sigopt", "rsa_padding_mode:pss"]],
    ["Ed25519", ed, []],
  ] as const) {
    test(`${name}: every prefix of a list is an error`, async () => {
      const list = await authority.crl({ form: "DER", args });
      for (let length = 0; length < list.length; length++) expect(problem(list.subarray(0, length))).not.toBe("none");
    });
    test(`${name}: no list with a changed byte is taken for another`, async () => {
      const bytes = await authority.crl({ form: "DER", args });
      const good = lists(bytes);
      for (const bad of flips(bytes, 3000)) {
        const loaded = loadRevocationLists(bad, everyone);
        // Only what says the same in other bytes may pass, such as a length in a longer form.
        if (loaded.kind === "ok") expect(loaded.lists).toEqual([...good]);
      }
    });
  }
});
