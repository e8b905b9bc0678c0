// The certificates and requests that this program writes hold before openssl's strictest look.

import { expect, test } from "bun:test";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createChallengeCertificate, createRequest } from "../../../src/acme/keys.ts";
import { parse } from "../../../src/asn1/ber.ts";
import { time } from "../../../src/asn1/der.ts";
import { createAuthority, issueServer } from "../../../src/certs/authority.ts";
import { detailsOf } from "../../../src/certs/details.ts";
import { exec, temporaryDirectory } from "../../support/tools.ts";

const directory = temporaryDirectory();

function file(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

async function openssl(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await exec(["openssl", ...words]);
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

const verify = (ca: string, leaf: string) =>
  openssl("verify", "-x509_strict", "-partial_chain", "-check_ss_sig", "-purpose", "sslserver", "-CAfile", ca, leaf);

test("a server's certificate leads to its authority, for names and addresses of both kinds", async () => {
  const authority = createAuthority('Tests, <no> "one\'s" ü');
  const names = ["edge.example.org", "*.example.org", "192.0.2.7", "2001:db8::1"];
  const leaf = issueServer(authority, names, 30);
  await verify(file("ca.crt", authority.cert), file("leaf.crt", leaf.cert));
  const text = await openssl("x509", "-in", join(directory, "leaf.crt"), "-noout", "-text");
  expect(text).toContain(
    "DNS:edge.example.org, DNS:*.example.org, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:1",
  );
  expect(text).toContain("Version: 3 (0x2)");
  expect(text).toMatch(/X509v3 Key Usage: critical\s+Digital Signature\n/);
  expect(text).toMatch(/X509v3 Extended Key Usage: *\s+TLS Web Server Authentication\n/);
  const certificate = new X509Certificate(leaf.cert);
  expect(certificate.checkPrivateKey(createPrivateKey(leaf.key))).toBeTrue();
  expect(certificate.serialNumber).toHaveLength(32);
  expect(detailsOf(certificate.raw)).toMatchObject({
    subject: "CN=edge.example.org",
    issuer: 'CN=Tests\\, \\<no\\> \\"one\'s\\" ü',
    isAuthority: false,
    notForServers: false,
  });
  expect(detailsOf(new X509Certificate(authority.cert).raw)).toMatchObject({ isAuthority: true });
  expect(await openssl("x509", "-in", join(directory, "ca.crt"), "-noout", "-text")).toMatch(
    /X509v3 Key Usage: critical\s+Certificate Sign, CRL Sign\n/,
  );
});

test("an authority that openssl has made issues too, whatever form its name and its key's identifier have", async () => {
  const [key, cert] = [join(directory, "other.key"), join(directory, "other.crt")];
  await openssl(
    ..."req -x509 -newkey rsa:2048 -nodes -days 2 -subj".split(" "),
    "/C=AT/O=Tests/CN=Other",
    ..."-addext subjectKeyIdentifier=01:02:03".split(" "),
    ..."-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign -keyout".split(" "),
    key,
    "-out",
    cert,
  );
  const leaf = issueServer({ cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") }, ["a.example.org"]);
  await verify(cert, file("of-other.crt", leaf.cert));
});

test.each(["EC256", "EC384", "RSA2048"] as const)("a request for a key of %s is signed by it", async (keyType) => {
  const long = `${"a".repeat(60)}.example.org`;
  for (const names of [["a.example.org", "b.example.org"], [long]]) {
    const { der, key } = await createRequest(names, keyType);
    const path = file(`${keyType}.csr`, der);
    const text = await openssl("req", "-in", path, "-inform", "DER", "-verify", "-noout", "-text");
    expect(text).toContain(names.map((name) => `DNS:${name}`).join(", "));
    expect(/Subject: ?(.*)/.exec(text)?.[1]?.replaceAll(" ", "")).toBe(names[0] === long ? "" : `CN=${names[0]}`);
    const own = await openssl("pkey", "-in", file(`${keyType}.key`, key), "-pubout");
    expect(await openssl("req", "-in", path, "-inform", "DER", "-noout", "-pubkey")).toBe(own);
  }
});

test("the answer to a challenge has the digest in a critical extension", async () => {
  const { cert, key } = await createChallengeCertificate("a.example.org", "token.thumbprint");
  expect(new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))).toBeTrue();
  const text = await openssl("x509", "-in", file("challenge.crt", cert), "-noout", "-text");
  expect(text).toContain("DNS:a.example.org");
  // openssl 3 does not know the extension by name everywhere, and shows OCTET STRING of 32 bytes.
  expect(text).toMatch(/(1\.3\.6\.1\.5\.5\.7\.1\.31|ACME Identifier): critical/);
});

test("years have two digits until 2049 (RFC 5280 4.1.2.5)", () => {
  const written = (at: string) => {
    const { tag, content } = parse(time(Date.parse(at)));
    return [tag, content.toString()];
  };
  expect(written("1969-12-31T23:59:59.999Z")).toEqual([0x17, "691231235959Z"]);
  expect(written("2049-12-31T23:59:59Z")).toEqual([0x17, "491231235959Z"]);
  expect(written("2050-01-01T00:00:00Z")).toEqual([0x18, "20500101000000Z"]);
});
