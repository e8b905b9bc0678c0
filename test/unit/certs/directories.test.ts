// A directory gives every pair of certificate and key in it, whatever tool laid it out and whatever the files are called.

import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { scanDirectory } from "../../../src/certs/directories.ts";
import { CertificateFiles } from "../../../src/certs/files.ts";
import { CertificateMemory } from "../../../src/certs/memory.ts";
import { Authority } from "../../support/certs.ts";
import { cleanup, exec, temporaryDirectory, waitFor } from "../../support/tools.ts";

const root = await Authority.create("Root");
const authority = await root.intermediate("Intermediate", 36_500);
const one = await authority.issue({ names: ["one.test"] });
const two = await authority.issue({ names: ["two.test"], keyType: "rsa" });
const text = (...files: string[]) => files.map((file) => readFileSync(file, "utf8")).join("");

/** A directory with files of these contents; a value that begins with -> is a link. */
function tree(files: Record<string, string>): string {
  const directory = temporaryDirectory();
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    if (content.startsWith("->")) symlinkSync(content.slice(2), path);
    else writeFileSync(path, content);
  }
  return directory;
}

/** Certificate and key file of each pair, and what is not one, relative to the directory. */
function scan(directory: string, password: string | null = null) {
  const found = scanDirectory(directory, password);
  const name = (path: string) => relative(directory, path);
  return {
    pairs: found.pairs.map(({ certFile, keyFile }) => `${name(certFile)} ${name(keyFile)}`),
    unpaired: found.unpaired.map(({ file, message }) => `${name(file)}: ${message}`),
    problem: found.problem,
  };
}

const fine = (...pairs: string[]) => ({ pairs, unpaired: [], problem: null });
const lone = (file: string) => `${file}: no certificate beside it belongs to the private key in it`;

describe("the layout of", () => {
  test("certbot's live/: links into archive/, and the file with the chain is taken", () => {
    const archived = (n: number, pair: { cert: string; key: string }) => ({
      [`archive/one.test/cert${n}.pem`]: text(pair.cert),
      [`archive/one.test/chain${n}.pem`]: text(authority.cert),
      [`archive/one.test/fullchain${n}.pem`]: text(pair.cert, authority.cert),
      [`archive/one.test/privkey${n}.pem`]: text(pair.key),
    });
    const directory = tree({
      ...archived(1, two),
      ...archived(2, one),
      "live/README": "This directory contains your keys and certificates.",
      ...Object.fromEntries(
        ["cert", "chain", "fullchain", "privkey"].map((name) => [
          `live/one.test/${name}.pem`,
          `->../../archive/one.test/${name}2.pem`,
        ]),
      ),
    });
    expect(scan(join(directory, "live"))).toEqual(fine("one.test/fullchain.pem one.test/privkey.pem"));
  });

  test("a Kubernetes secret: links through ..data", () => {
    const directory = tree({
      "..2026_01_01/tls.crt": text(one.cert),
      "..2026_01_01/tls.key": text(one.key),
      "..2026_01_01/ca.crt": text(authority.cert),
      "..data": "->..2026_01_01",
      "ca.crt": "->..data/ca.crt",
      "tls.crt": "->..data/tls.crt",
      "tls.key": "->..data/tls.key",
    });
    expect(scan(directory)).toEqual(fine("tls.crt tls.key"));
  });

  test("lego", () => {
    const directory = tree({
      "accounts/acme.example/me@one.test/keys/me@one.test.key.json": "{}",
      "certificates/one.test.crt": text(one.cert, authority.cert),
      "certificates/one.test.issuer.crt": text(authority.cert),
      "certificates/one.test.json": "{}",
      "certificates/one.test.key": text(one.key),
      "certificates/_.two.test.crt": text(two.cert),
      "certificates/_.two.test.key": text(two.key),
    });
    expect(scan(directory)).toEqual(
      fine(
        "certificates/_.two.test.crt certificates/_.two.test.key",
        "certificates/one.test.crt certificates/one.test.key",
      ),
    );
  });

  test("acme.sh, with its request beside them", () => {
    const directory = tree({
      "one.test_ecc/ca.cer": text(authority.cert),
      "one.test_ecc/fullchain.cer": text(one.cert, authority.cert),
      "one.test_ecc/one.test.cer": text(one.cert),
      "one.test_ecc/one.test.conf": "Le_Domain='one.test'",
      "one.test_ecc/one.test.csr": "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n",
      "one.test_ecc/one.test.key": text(one.key),
    });
    expect(scan(directory)).toEqual(fine("one.test_ecc/fullchain.cer one.test_ecc/one.test.key"));
  });

  test("mkcert, with its authority in the same folder", () => {
    const directory = tree({
      "one.test+1.pem": text(one.cert),
      "one.test+1-key.pem": text(one.key),
      "rootCA.pem": text(root.cert),
    });
    expect(scan(directory)).toEqual(fine("one.test+1.pem one.test+1-key.pem"));
  });

  test("a folder of name.crt and name.key, and of PEM files with both", () => {
    const directory = tree({
      "a.crt": text(one.cert),
      "a.key": text(one.key),
      "b.pem": text(two.key, two.cert, authority.cert),
      "ca.crt": text(authority.cert, root.cert),
      "notes.txt": text(one.key),
      ".hidden.key": text(two.key),
    });
    expect(scan(directory)).toEqual(fine("a.crt a.key", "b.pem b.pem"));
  });
});

test("of several certificates for one key the newest that is valid now is taken, and who comes later is told of", async () => {
  const names = ["renewed.test"];
  const old = await authority.issue({ names, notBefore: "20200101000000Z", notAfter: "20210101000000Z" });
  const of = (notBefore: string, notAfter: string) => authority.issue({ names, notBefore, notAfter, key: old.key });
  const [early, late, next] = await Promise.all([
    of("20240101000000Z", "20300101000000Z"),
    of("20250101000000Z", "20310101000000Z"),
    of("20290101000000Z", "20350101000000Z"),
  ]);
  const directory = tree({
    "1-old.crt": text(old.cert),
    "2-next.crt": text(next.cert),
    "3-early.crt": text(early.cert),
    "4-late.crt": text(late.cert),
    "key.key": text(old.key),
  });
  const at = (year: number) => {
    const { pairs, waiting } = scanDirectory(directory, null, Date.UTC(year, 5, 1));
    return [
      pairs.map(({ certFile }) => relative(directory, certFile)),
      waiting.map((time) => new Date(time).getUTCFullYear()).sort(),
    ];
  };
  expect(at(2020)).toEqual([["1-old.crt"], [2024, 2025, 2029]]);
  expect(at(2024)).toEqual([["3-early.crt"], [2025, 2029]]);
  expect(at(2026)).toEqual([["4-late.crt"], [2029]]);
  expect(at(2029)).toEqual([["2-next.crt"], []]);
  expect(at(2040)).toEqual([["2-next.crt"], []]); // all are over: the last of them
});

test("a certificate in one file with its key makes room for a newer one beside it, and not for one that is no better", async () => {
  const names = ["kept.test"];
  const old = await authority.issue({ names, notBefore: "20200101000000Z", notAfter: "20210101000000Z" });
  const next = await authority.issue({
    names,
    notBefore: "20210101000000Z",
    notAfter: "21200101000000Z",
    key: old.key,
  });
  const both = { "a.pem": text(old.cert, old.key), "b.pem": text(next.cert) };
  expect(scan(tree(both))).toEqual(fine("b.pem a.pem"));
  expect(scan(tree({ "a.pem": text(next.cert), "b.pem": text(next.cert, next.key) }))).toEqual(fine("b.pem b.pem"));
  // Two in one file: the first one is what it serves.
  const double = { "a.pem": text(old.cert, next.cert), "b.pem": text(next.cert), "c.key": text(old.key) };
  expect(scan(tree(double))).toEqual(fine("b.pem c.key"));
});

test("of several certificates for one key the newest is taken, chain or not", async () => {
  const directory = tree({
    "a.key": text(one.key),
    "b-former.crt": text(one.cert, authority.cert),
    "z-former.crt": text(one.cert),
  });
  expect(scan(directory)).toEqual(fine("b-former.crt a.key"));
  const renew = [
    "openssl",
    "req",
    "-x509",
    "-key",
    one.key,
    "-subj",
    "/CN=one.test",
    "-out",
    join(directory, "new.crt"),
  ];
  // One second later at the least, for that is how fine the dates of certificates are.
  const next = Date.parse(new X509Certificate(text(one.cert)).validFrom) + 1000;
  await waitFor("the next second", () => Date.now() > next);
  expect((await exec(renew)).code).toBe(0);
  expect(scan(directory)).toEqual(fine("new.crt a.key"));
});

describe("what is no pair", () => {
  test("a key without its certificate, and a certificate alone, which is no mistake", () => {
    const directory = tree({ "a.key": text(one.key), "b.crt": text(two.cert) });
    expect(scan(directory)).toEqual({ pairs: [], unpaired: [lone("a.key")], problem: null });
  });

  test("a pair across two directories: files belong together where they stand together", () => {
    const directory = tree({ "certs/a.crt": text(one.cert), "private/a.key": text(one.key) });
    expect(scan(directory).pairs).toEqual([]);
  });

  test("files that are cut off are named, and the others are found", () => {
    const directory = tree({
      "a.crt": text(one.cert).slice(0, 300),
      "a.key": text(one.key),
      "b.crt": text(two.cert),
      "b.key": text(two.key).slice(0, 300),
      "c.pem": text(two.cert, two.key),
      "e.key": "\n",
      "d.crt": text(one.cert).replace(/^MII.{20}/m, ""),
    });
    expect(scan(directory)).toEqual({
      pairs: ["c.pem c.pem"],
      unpaired: [
        "a.crt: line 1: what begins as CERTIFICATE has no end: it is cut off, or its END line is missing",
        lone("a.key"),
        "b.key: line 1: what begins as PRIVATE KEY has no end: it is cut off, or its END line is missing",
        "d.crt: line 1: the certificate that begins there is damaged",
        "e.key: it is empty",
      ],
      problem: null,
    });
  });

  test("an encrypted key: opened with the password, named without it", async () => {
    const directory = tree({ "a.crt": text(one.cert) });
    const sealed = [
      "openssl",
      "pkcs8",
      "-topk8",
      "-in",
      one.key,
      "-out",
      join(directory, "a.key"),
      "-passout",
      "pass:open",
    ];
    expect((await exec(sealed)).code).toBe(0);
    expect(scan(directory, "open")).toEqual(fine("a.crt a.key"));
    expect(scan(directory).unpaired).toEqual([
      "a.key: the private key is encrypted: give keyPassword or keyPasswordFile",
    ]);
    expect(scan(directory, "no").unpaired).toEqual([
      "a.key: the private key: the password is wrong, or the file is damaged",
    ]);
  });

  test("an authority with a key of a kind that the runtime does not know", async () => {
    const directory = tree({ "a.crt": text(one.cert), "a.key": text(one.key) });
    const odd =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:secp256k1 -nodes -keyout /dev/null -subj /CN=odd";
    expect((await exec([...odd.split(" "), "-out", join(directory, "ca.crt")])).code).toBe(0);
    expect(scan(directory)).toEqual(fine("a.crt a.key"));
  });
});

describe("a directory that", () => {
  test("does not exist, or is a file", () => {
    const directory = tree({ file: "" });
    expect(scanDirectory(join(directory, "none"), null).problem).toBe(
      `${directory}/none: cannot be read: no such file`,
    );
    expect(scanDirectory(join(directory, "file"), null).problem).toBe(
      `${directory}/file: cannot be read: not a directory`,
    );
  });

  test("may not be read: the others are, and it is named", async () => {
    // Not below TMPDIR, which may be closed to others.
    const directory = mkdtempSync("/tmp/sluice-test-");
    cleanup(() => rmSync(directory, { recursive: true, force: true }));
    cpSync(tree({ "a/a.crt": text(one.cert), "a/a.key": text(one.key), "b/b.key": text(two.key) }), directory, {
      recursive: true,
    });
    chmodSync(directory, 0o755);
    chmodSync(join(directory, "b"), 0);
    const module = join(import.meta.dir, "../../../src/certs/directories.ts");
    // Root may read everything, so somebody else looks.
    const script = `const { scanDirectory } = await import(${JSON.stringify(module)});
      if (process.getuid() === 0) process.setuid(65534);
      const { pairs, problem } = scanDirectory(${JSON.stringify(directory)}, null);
      console.log(JSON.stringify({ certFiles: pairs.map((pair) => pair.certFile), problem }));`;
    const { stdout, stderr } = await exec([process.execPath, "-e", script]);
    chmodSync(join(directory, "b"), 0o700);
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toEqual({
      certFiles: [`${directory}/a/a.crt`],
      problem: `${directory}/b: cannot be read: permission denied`,
    });
  });

  test("is reached by several links, in a loop too: each pair is found once", () => {
    const directory = tree({
      "a.crt": text(one.cert),
      "a.key": text(one.key),
      again: "->.",
      "sub/up": "->..",
      "sub/b.pem": text(two.cert, two.key),
      twin: "->sub",
    });
    expect(scan(directory)).toEqual(fine("a.crt a.key", "sub/b.pem sub/b.pem"));
  });

  test("is nested deeper than any tool makes it is read so far", () => {
    const directory = tree({ "1/2/3/4/a.pem": text(one.cert, one.key), "1/2/3/4/5/b.pem": text(two.cert, two.key) });
    const found = scan(directory);
    expect(found.pairs).toEqual(["1/2/3/4/a.pem 1/2/3/4/a.pem"]);
    expect(found.problem).toBe(`${directory}/1/2/3/4/5: nested deeper than 4 directories`);
    // So that what was there before it moved so deep goes on serving.
    expect(scanDirectory(directory, null).unread).toEqual([join(directory, "1/2/3/4/5")]);
  });

  test("has links that lead nowhere", () => {
    const directory = tree({
      "a.crt": "->gone.crt",
      "a.key": "->a.key",
      "b.crt": text(one.cert),
      "b.key": text(one.key),
    });
    expect(scan(directory)).toEqual(fine("b.crt b.key"));
  });

  test("has links that lead nowhere any more: what they held goes on serving, and what is removed does not", () => {
    const [directory, volume] = [
      tree({ README: "" }),
      tree({ "t/a.pem": text(one.cert, one.key), "b.pem": text(two.cert, two.key) }),
    ];
    symlinkSync(join(volume, "t"), join(directory, "t"));
    symlinkSync(join(volume, "b.pem"), join(directory, "b.pem"));
    const memory = new CertificateMemory();
    const load = () => {
      const files = new CertificateFiles(memory);
      const { pairs, problems } = files.directory({ directory, default: false });
      files.finish();
      return {
        names: pairs.map(({ pair }) => pair.names.join()).sort(),
        problems: problems.map(({ message }) => message),
      };
    };
    expect(load()).toEqual({ names: ["one.test", "two.test"], problems: [] });
    rmSync(volume, { recursive: true });
    const problems = [
      `${join(directory, "b.pem")}: leads to nothing (yet?); the former pair goes on serving`,
      `${directory}: a directory in it leads to nothing now; the former pairs go on serving`,
    ];
    for (let time = 0; time < 2; time++) expect(load()).toEqual({ names: ["one.test", "two.test"], problems });
    rmSync(join(directory, "t"));
    rmSync(join(directory, "b.pem"));
    expect(load()).toEqual({ names: [], problems: [] });
  });

  test("has lost everything in it, as a mount point without its volume: what it held goes on serving", () => {
    const directory = tree({ "t/a.pem": text(one.cert, one.key), "b.pem": text(two.cert, two.key) });
    const memory = new CertificateMemory();
    const load = (configured = true) => {
      const files = new CertificateFiles(memory);
      const { pairs, problems } = configured
        ? files.directory({ directory, default: false })
        : { pairs: [], problems: [] };
      files.finish();
      return {
        names: pairs.map(({ pair }) => pair.names.join()).sort(),
        problems: problems.map(({ message }) => message),
      };
    };
    expect(load()).toEqual({ names: ["one.test", "two.test"], problems: [] });
    rmSync(join(directory, "b.pem"));
    expect(load()).toEqual({ names: ["one.test"], problems: [] });
    rmSync(join(directory, "t"), { recursive: true });
    const problems = [
      `${directory}: there is nothing in it any more; the former pairs go on serving: mount its volume and reload, or remove the directory from the configuration`,
    ];
    for (let time = 0; time < 2; time++) expect(load()).toEqual({ names: ["one.test"], problems });
    load(false);
    expect(load()).toEqual({ names: [], problems: [] });
  });

  test("is read anew each time", () => {
    const directory = tree({ "a.crt": text(one.cert), "a.key": text(one.key) });
    expect(scan(directory).pairs).toHaveLength(1);
    copyFileSync(two.key, join(directory, "a.key"));
    expect(scan(directory)).toEqual({ pairs: [], unpaired: [lone("a.key")], problem: null });
    rmSync(join(directory, "a.key"));
    expect(scan(directory)).toEqual(fine());
  });
});
