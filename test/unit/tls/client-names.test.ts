// allowedNames: which names of a client's certificate let it in.

import { describe, expect, test } from "bun:test";
import type { CertificateIdentity } from "../../../src/certs/x509.ts";
import { isAllowed, parseNamePattern } from "../../../src/tls/client-names.ts";
import { cpuMs } from "../../support/cpu.ts";

type Names = Partial<Pick<CertificateIdentity, "commonNames" | "dns" | "uris" | "emails">>;

const allowed = (pattern: string, names: Names): boolean =>
  isAllowed([pattern], {
    issuer: "",
    subject: "",
    serial: "",
    commonNames: [],
    dns: [],
    uris: [],
    emails: [],
    ...names,
  });
const cn = (name: string): Names => ({ commonNames: [name] });

const MATCHES: [pattern: string, ...names: string[]][] = [
  ["CN:sensor-7", "sensor-7"],
  ["CN:sensor-*", "sensor-", "sensor-7", "sensor-a.b/c"],
  ["CN:*-7", "-7", "sensor-7", "-7-7"],
  ["CN:a*b*c", "abc", "axbxc", "abbcc", "abcbc"],
  ["CN:*a*a*", "aa", "xaxax"],
  ["CN:**", "", "x"],
  ["CN:*", "x"],
  ["CN:a:b", "a:b"],
  ["cn:x", "x"],
];
const FAILS: [pattern: string, ...names: string[]][] = [
  ["CN:sensor-7", "sensor-77", "xsensor-7", "Sensor-7", "", "sensor-7 "],
  ["CN:sensor-*", "xsensor-7", "sensor", "SENSOR-7"],
  ["CN:*-7", "sensor-70"],
  ["CN:a*a", "a", "ab"],
  ["CN:ab*ba", "aba"],
  ["CN:a*b*c", "ac", "acb", "abcd", "xabc"],
  ["CN:*a*a*", "a"],
  ["CN:a.c", "abc"],
  ["CN:[a-z]+", "abc"],
];

for (const [pattern, ...names] of MATCHES)
  for (const name of names) test(`${pattern} matches "${name}"`, () => expect(allowed(pattern, cn(name))).toBe(true));
for (const [pattern, ...names] of FAILS)
  for (const name of names)
    test(`${pattern} does not match "${name}"`, () => expect(allowed(pattern, cn(name))).toBe(false));

describe("kinds", () => {
  const all: Record<string, Names> = {
    CN: cn("name"),
    DNS: { dns: ["name"] },
    URI: { uris: ["name"] },
    email: { emails: ["name"] },
  };
  for (const kind of Object.keys(all))
    for (const [other, names] of Object.entries(all))
      test(`${kind}: ${kind === other ? "matches" : "does not match"} a name of the kind ${other}`, () =>
        expect(allowed(`${kind}:name`, names)).toBe(kind === other));
  for (const [kind, names] of Object.entries(all))
    test(`a pattern without a kind matches ${kind}`, () => expect(allowed("na*", names)).toBe(true));
  test("words that only begin like a kind are none", () => {
    for (const word of ["CNx", "dnsy", "emails", "urix"]) {
      expect(allowed(word, cn(word))).toBe(true);
      expect(allowed(word, { uris: [word] })).toBe(true);
      expect(allowed(word, cn(word.slice(0, -1)))).toBe(false);
    }
    expect(allowed("spiffe://a/*", { uris: ["spiffe://a/b"] })).toBe(true);
  });
  test("one of several names of a kind is enough, and one of several patterns", () => {
    expect(allowed("DNS:b", { dns: ["a", "b"] })).toBe(true);
    const identity = { issuer: "", subject: "", serial: "", commonNames: ["x"], dns: [], uris: [], emails: [] };
    expect(isAllowed(["CN:y", "CN:x"], identity)).toBe(true);
    expect(isAllowed(["CN:y", "CN:z"], identity)).toBe(false);
  });
});

test("of several common names none counts", () => {
  expect(allowed("CN:a", { commonNames: ["a", "b"] })).toBe(false);
  expect(allowed("CN:*", { commonNames: ["a", "a"] })).toBe(false);
  expect(allowed("*", { commonNames: ["a", "b"] })).toBe(false);
});

test("a certificate without names matches nothing", () => expect(allowed("*", {})).toBe(false));

describe("case", () => {
  test("does not count in DNS names", () =>
    expect(allowed("DNS:*.Example.COM", { dns: ["A.eXample.com"] })).toBe(true));
  test("does not count in the domain of an address, and does before it", () => {
    expect(allowed("email:Bob@Example.COM", { emails: ["Bob@eXample.com"] })).toBe(true);
    expect(allowed("email:bob@example.com", { emails: ["Bob@example.com"] })).toBe(false);
    expect(allowed("email:*@Example.com", { emails: ["Bob@EXAMPLE.com"] })).toBe(true);
    expect(allowed("*@Example.com", { emails: ["Bob@EXAMPLE.com"] })).toBe(true);
    expect(allowed("email:*@example.com", { emails: ["a@example.com@evil.com", "a@evil.com", "example.com"] })).toBe(
      false,
    );
  });
  test("counts in URIs and common names", () => {
    expect(allowed("URI:spiffe://a/B", { uris: ["spiffe://a/b"] })).toBe(false);
    expect(allowed("CN:A", cn("a"))).toBe(false);
  });
});

test("a name with a control character matches nothing", () => {
  for (const bad of ["admin\0", "admin\n", "a\r\nb", "\x1b[31m", "a\x7f", "a\x85b"])
    for (const names of [cn(bad), { dns: [bad] }, { uris: [bad] }, { emails: [bad] }])
      expect(allowed("*", names)).toBe(false);
});

test("patterns that are a mistake", () => {
  expect(parseNamePattern("")).toBe("is empty");
  expect(parseNamePattern("CN:")).toBe("is empty");
  expect(parseNamePattern("URI:")).toBe("is empty");
  expect(parseNamePattern("a\nb")).toContain("control character");
  expect(parseNamePattern("x".repeat(513))).toContain("longer");
  // And should one get this far, it matches nothing.
  expect(allowed("CN:", cn(""))).toBe(false);
});

test("many asterisks cost no more than the name is long", () => {
  const cost = cpuMs(() => expect(allowed(`CN:${"*a".repeat(250)}`, cn(`${"a".repeat(60_000)}b`))).toBe(false));
  expect(cost).toBeLessThan(1000);
});
