// An authority of one's own: what it issues is taken by strict programs, and what it is asked for wrongly is refused with a reason.

import { describe, expect, test } from "bun:test";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { selfSigned } from "../../src/authority/certificate.ts";
import { keyText, newKey } from "../../src/authority/keys.ts";
import { runCommand } from "../../src/cli/program.ts";
import { sluiceCli } from "../support/cli.ts";
import { ROOT } from "../support/sluice.ts";
import { exec, temporaryDirectory } from "../support/tools.ts";

/** A directory to type in, with an authority in authority/. */
async function place(...init: string[]) {
  const cwd = temporaryDirectory();
  const type = (...args: string[]) => sluiceCli(["certs", ...args], { cwd });
  const done = async (...args: string[]) => {
    const finished = await type(...args);
    if (finished.code !== 0) throw new Error(`certs ${args.join(" ")}: ${finished.stderr}`);
    return finished;
  };
  const json = async (...args: string[]) => JSON.parse((await done(...args, "--json")).stdout);
  await done("init", ...init);
  const openssl = (...args: string[]) => exec(["openssl", ...args], { cwd });
  const file = (path: string) => join(cwd, path);
  return { cwd, type, done, json, openssl, file };
}

const KINDS = [
  [],
  ["--key=ec384"],
  ["--key=rsa"],
  ["--key=ed25519"],
  ["--intermediate"],
  ["--key=rsa2048", "--intermediate"],
];
/** Ends beyond 2049 are written in another form (RFC 5280 4.1.2.5). */
const LONG = ["--days=20000"];

describe("what an authority issues is taken by strict programs", () => {
  for (const init of KINDS)
    test(`certs init ${init.join(" ")}`, async () => {
      const { done, openssl, file, cwd } = await place(...init, ...LONG);
      await done("server", "mqtt.example.com", "127.0.0.1", "::1");
      await done("client", "dev-1", "Gerät 7", "日本🚀", "--days=19000");
      await done("client", "rsa", "--key=rsa");
      await done("client", "gone", "--key=ed25519");
      await done("revoke", "gone");
      const leaves = (kind: string) => readdirSync(file(`${kind}s`)).map((name) => `${kind}s/${name}/${kind}.crt`);
      const chain = existsSync(file("authority/intermediate.crt")) ? ["-untrusted", "authority/intermediate.crt"] : [];
      const strict = ["verify", "-x509_strict", "-crl_check_all", "-CAfile", "authority/ca.crt"];
      const lists = ["-CRLfile", "authority/crl.pem", ...chain];
      // OpenSSL reads one list of a file.
      if (chain.length > 0) lists.push("-CRLfile", "authority/ca-crl.pem");
      const good = leaves("client").filter((path) => !path.includes("gone"));
      const clients = await openssl(...strict, ...lists, "-purpose", "sslclient", ...good);
      expect(clients).toMatchObject({ code: 0, stdout: good.map((path) => `${path}: OK\n`).join("") });
      for (const name of ["-verify_hostname=mqtt.example.com", "-verify_ip=127.0.0.1", "-verify_ip=::1"])
        expect(
          await openssl(...strict, ...lists, "-purpose", "sslserver", ...name.split("="), ...leaves("server")),
        ).toMatchObject({ code: 0 });
      const gone = await openssl(...strict, ...lists, "clients/gone/client.crt");
      expect(gone.stderr).toContain("certificate revoked");
      // A client's certificate is none for a server, and the other way round.
      expect((await openssl(...strict, ...lists, "-purpose", "sslserver", ...good)).code).not.toBe(0);
      expect((await openssl(...strict, ...lists, "-purpose", "sslclient", ...leaves("server"))).code).not.toBe(0);
      for (const path of [...good, ...leaves("server")]) {
        const gnutls = await exec(
          ["certtool", "--verify", "--load-ca-certificate=authority/ca.crt", `--infile=${path}`],
          { cwd },
        );
        expect(gnutls).toMatchObject({
          code: 0,
          stdout: expect.stringContaining("Chain verification output: Verified") as unknown,
        });
      }
    });
});

const DAY = 86_400_000;
const certificateIn = (path: string) => new X509Certificate(readFileSync(path));
/** Both ends count (RFC 5280 4.1.2.5). */
const daysOf = ({ validFrom, validTo }: X509Certificate) => (Date.parse(validTo) + 1000 - Date.parse(validFrom)) / DAY;

describe("certs show, node and OpenSSL read the same in what is issued", () => {
  test("names with umlauts, CJK and emoji, dates, serial numbers", async () => {
    const { done, json, file, openssl } = await place("--name=Größe & Söhne");
    const [issued] = await json("client", 'Gerät 日本 🚀, Halle 7 + "x"');
    const path = `${issued.folder}/client.crt`;
    const certificate = certificateIn(file(path));
    expect((await json("show", path)).entries[0].certificates[0]).toMatchObject({
      commonName: 'Gerät 日本 🚀, Halle 7 + "x"',
      issuer: "CN=Größe & Söhne",
    });
    expect(certificate.serialNumber).toBe(issued.serial);
    expect(issued.serial).toMatch(/^(?!00)[0-9A-F]{32}$/);
    expect(daysOf(certificate)).toBe(825);
    expect(Date.parse(certificate.validFrom)).toBeLessThan(Date.now() - 3_000_000);
    const { stdout } = await done("show", path);
    expect(stdout).toContain('\n  Gerät 日本 🚀, Halle 7 + "x"\n');
    const text = (await openssl("x509", "-in", path, "-noout", "-text", "-nameopt", "utf8,sep_multiline,lname")).stdout;
    expect(text).toContain('commonName=Gerät 日本 🚀, Halle 7 + "x"');
    expect(text).not.toMatch(/sha1|SHA1/);
    for (const each of [
      "authority/ca.crt",
      "authority/crl.pem",
      `${issued.folder}/client.key`,
      `${issued.folder}/ca.crt`,
    ])
      expect({ each, code: (await done("show", each)).code }).toEqual({ each, code: 0 });
    expect((await done("show", "authority/crl.pem")).stdout).toContain("revocation list of CN=Größe & Söhne\n");
  });

  test("the longest names", async () => {
    const { done, json, file, openssl } = await place(`--name=${"ü".repeat(64)}`, "--intermediate");
    for (const name of ["🚀".repeat(64), "a".repeat(64), `${"日".repeat(63)}/`]) {
      const [{ folder, serial }] = await json("client", name);
      const verify = ["verify", "-x509_strict", "-CAfile", "authority/ca.crt", "-untrusted", `${folder}/client.crt`];
      expect(await openssl(...verify, `${folder}/client.crt`)).toMatchObject({ code: 0 });
      expect((await json("show", `${folder}/client.crt`)).entries[0].certificates[0]).toMatchObject({
        commonName: name,
        serial,
      });
      expect(existsSync(file(`${folder}/client.key`))).toBe(true);
      expect((await json("revoke", name)).revoked).toHaveLength(1);
    }
    const long = `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(61)}`;
    await done("server", long);
    const [folder] = readdirSync(file("servers"));
    const text = (await openssl("x509", "-in", `servers/${folder}/server.crt`, "-noout", "-text")).stdout;
    // With no name else the alternative names are critical (RFC 5280 4.1.2.6).
    expect(text).toMatch(/Subject: \n/);
    expect(text).toContain(`X509v3 Subject Alternative Name: critical\n                DNS:${long}\n`);
    const strict = [
      "verify",
      "-x509_strict",
      "-purpose",
      "sslserver",
      "-verify_hostname",
      long,
      "-CAfile",
      "authority/ca.crt",
    ];
    const path = `servers/${folder}/server.crt`;
    expect(await openssl(...strict, "-untrusted", path, path)).toMatchObject({ code: 0 });
  });

  test("the serial number has 128 random bits: any first bit, and never a leading zero byte", async () => {
    const { json } = await place();
    const issued: { serial: string; folder: string }[] = await json(
      "client",
      ...Array.from({ length: 40 }, (_, n) => `d-${n}`),
    );
    expect(issued.some(({ serial }) => serial >= "8")).toBe(true);
    expect(issued.some(({ serial }) => serial < "8")).toBe(true);
    expect(new Set(issued.map(({ serial }) => serial)).size).toBe(40);
  });
});

describe("how long it is good", () => {
  test("never longer than the authority, which is said", async () => {
    const { type, file } = await place("--days=100");
    const { code, stderr } = await type("client", "dev-1");
    expect(code).toBe(0);
    expect(stderr).toMatch(/^note: it is good until \d{4}-\d\d-\d\d and not for 825 days: the authority ends then\n/);
    const [leaf, root] = [certificateIn(file("clients/dev-1/client.crt")), certificateIn(file("authority/ca.crt"))];
    expect(Date.parse(leaf.validTo)).toBeLessThanOrEqual(Date.parse(root.validTo));
  });

  test.each([
    [397, ""],
    [398, ""],
    [
      399,
      "note: browsers refuse certificates of public authorities of more than 398 days, and some clients all such ones",
    ],
    [825, "note: browsers refuse"],
    [826, "note: Apple's systems refuse server certificates of more than 825 days"],
  ])("a server's certificate of %d days", async (days, notice) => {
    const { type, file } = await place();
    const { stderr } = await type("server", "a.example", `--days=${days}`);
    expect(stderr.split("\n").find((line) => line.startsWith("note: ")) ?? "").toStartWith(notice);
    if (notice === "") expect(stderr).not.toContain("note: ");
    expect(daysOf(certificateIn(file("servers/a.example/server.crt")))).toBe(days);
  });

  test("of which certs renew and certs sign say the same, for servers alone", async () => {
    const { done, openssl } = await place();
    await done("server", "a.example");
    await done("client", "dev-1");
    await openssl("req", "-newkey", "ed25519", "-nodes", "-keyout", "k", "-out", "x.csr", "-subj", "/CN=b.example");
    const sign = ["sign", "x.csr", "--force"];
    for (const [days, notice] of [
      ["398", ""],
      ["399", "note: browsers refuse certificates of public authorities of more than 398 days"],
      ["826", "note: Apple's systems refuse server certificates of more than 825 days"],
    ] as const) {
      const said = async (...args: string[]) => (await done(...args, `--days=${days}`)).stderr;
      for (const stderr of [await said("renew", "a.example"), await said(...sign, "--for=server")])
        if (notice === "") expect(stderr).not.toContain("398");
        else expect(stderr).toContain(notice);
      for (const stderr of [await said("renew", "dev-1"), await said(...sign, "--for=client")])
        expect(stderr).not.toMatch(/398|825/);
    }
  });

  test.each(["0", "-1", "1.5", "x", "36501", ""])("--days=%s is refused", async (days) => {
    const { type } = await place();
    expect(await type("client", "dev-1", `--days=${days}`)).toMatchObject({
      code: 1,
      stderr: `--days is a number from 1 to 36500, and not '${days}'\n`,
    });
  });
});

describe("keys", () => {
  test("are for the owner's eyes alone, whatever the umask is", async () => {
    const before = process.umask(0);
    try {
      const { done, file } = await place("--intermediate");
      await done("server", "a.example");
      await done("client", "dev-1");
      for (const key of [
        "authority/ca.key",
        "authority/intermediate.key",
        "servers/a.example/server.key",
        "clients/dev-1/client.key",
      ])
        expect({ key, mode: statSync(file(key)).mode & 0o777 }).toEqual({ key, mode: 0o600 });
      // A Sluice of another user reads these.
      for (const open of ["authority/ca.crt", "authority/crl.pem", "servers/a.example/server.crt"])
        expect(statSync(file(open)).mode & 0o777).toBe(0o644);
    } finally {
      process.umask(before);
    }
  });

  test("the authority's is encrypted with the passphrase, which comes from a file, a variable or a prompt, and from no argument", async () => {
    const cwd = temporaryDirectory();
    const type = (...args: string[]) =>
      sluiceCli(["certs", ...args], { cwd, env: { RIGHT: "pässword", WRONG: "x", EMPTY: "" } });
    expect((await type("init", "--passphrase=x")).stderr).toContain("unknown option '--passphrase");
    expect((await type("init", "--passphraseEnv=EMPTY")).stderr).toBe(
      "the passphrase is empty: give one, or leave the option out\n",
    );
    expect((await type("init", "--passphraseEnv=RIGHT")).code).toBe(0);
    const pem = readFileSync(join(cwd, "authority/ca.key"), "utf8");
    expect(pem).toStartWith("-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
    writeFileSync(join(cwd, "phrase"), "pässword\n");
    const pkey = await exec(["openssl", "pkey", "-in", "authority/ca.key", "-passin", "file:phrase", "-noout"], {
      cwd,
    });
    expect(pkey).toMatchObject({ code: 0 });
    expect((await exec(["openssl", "asn1parse", "-in", "authority/ca.key"], { cwd })).stdout).toMatch(
      /:PBES2[\s\S]*:PBKDF2[\s\S]*INTEGER +:0927C0[\s\S]*:hmacWithSHA256[\s\S]*:aes-256-cbc/,
    );
    expect((await type("client", "dev-1", "--passphraseFile=phrase")).code).toBe(0);
    expect((await type("client", "dev-2", "--passphraseEnv=RIGHT")).code).toBe(0);
    expect((await type("client", "dev-3")).stderr).toBe(
      "authority/ca.key: the authority's key is encrypted: give --passphraseFile FILE or --passphraseEnv NAME\n",
    );
    expect((await type("client", "dev-3", "--passphraseEnv=WRONG")).stderr).toBe(
      "authority/ca.key: the passphrase of the authority's key is wrong\n",
    );
    expect(existsSync(join(cwd, "clients/dev-3"))).toBe(false);
    expect((await type("list", "--authority=authority")).code).toBe(0);
    // At a terminal it is asked for.
    const asked: string[] = [];
    const [log, error] = [() => {}, () => {}];
    const answers = (...given: (string | null)[]) => ({
      log,
      error,
      ask: async (question: string) => {
        asked.push(question);
        return given.shift() ?? null;
      },
    });
    const at = (path: string) => join(cwd, path);
    const dev4 = ["certs", "client", "dev-4", `--authority=${at("authority")}`, `--out=${at("clients")}`];
    expect(await runCommand(dev4, answers("pässword"))).toBe(0);
    expect(await runCommand([...dev4, "--force"], answers("no"))).toBe(1);
    expect(await runCommand([...dev4, "--force"], answers(null))).toBe(1);
    const init = ["certs", "init", `--dir=${at("second")}`];
    expect(await runCommand(init, answers("one", "two", "three", "three"))).toBe(0);
    expect(asked.slice(3)).toEqual([
      "Passphrase for the authority's key (empty: none): ",
      "The same again: ",
      "Passphrase for the authority's key (empty: none): ",
      "The same again: ",
    ]);
    expect(readFileSync(at("second/ca.key"), "utf8")).toContain("ENCRYPTED");
  });

  test("RSA of 1024 bits and des3 are only made with --insecure", async () => {
    const { type, file, openssl } = await place();
    writeFileSync(file("secret"), "sésame");
    const old = ["client", "old", "--key=rsa1024", "--keyCipher=des3", "--keyPasswordFile=secret"];
    expect((await type(...old)).stderr).toStartWith("--key=rsa1024 is not safe");
    expect((await type("client", "old", "--keyCipher=des3", "--keyPasswordFile=secret")).stderr).toStartWith(
      "--keyCipher=des3 is not safe",
    );
    expect((await type("init", "--dir=weak", "--key=rsa1024")).stderr).toBe(
      "--key=rsa1024 is not safe, and who finds an authority's key is every device at once: take rsa2048 at least\n",
    );
    expect(existsSync(file("clients"))).toBe(false);
    const made = await type(...old, "--insecure");
    expect(made.code).toBe(0);
    expect(made.stderr).toContain("note: RSA of 1024 bits is not safe, and many clients refuse it\n");
    const key = readFileSync(file("clients/old/client.key"), "utf8");
    expect(key).toMatch(/^-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,/);
    const opened = await openssl("pkey", "-in", "clients/old/client.key", "-passin", "file:secret", "-noout", "-text");
    expect(opened.stdout).toContain("(1024 bit");
    // Renewing makes no other such key unasked, and none that the device cannot read.
    const renew = ["renew", "old", "--keyPasswordFile=secret"];
    for (const more of [[], ["--sameKey"]])
      expect((await type(...renew, ...more)).stderr).toBe(
        "clients/old/client.crt is for a key of RSA with 1024 bits, which is not safe: if the device can do nothing else, add --insecure\n",
      );
    expect((await type(...renew, "--insecure")).stderr).toBe(
      "clients/old/client.key is encrypted as old OpenSSL did it: give --keyCipher=des3 --insecure for another such key, or --keyCipher=aes256 if its device reads that\n",
    );
    expect(readFileSync(file("clients/old/client.key"), "utf8")).toBe(key);
    expect((await type(...renew, "--insecure", "--keyCipher=des3")).code).toBe(0);
    expect(readFileSync(file("clients/old/client.key"), "utf8")).toMatch(
      /^-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4/,
    );
    // Nor is a request signed for one.
    await openssl("req", "-newkey", "rsa:1024", "-nodes", "-keyout", "k", "-out", "weak.csr", "-subj", "/CN=weak");
    expect((await type("sign", "weak.csr", "--for=client")).stderr).toBe(
      "weak.csr: its RSA key has 1024 bits, which is not safe: if the device can do nothing else, add --insecure\n",
    );
    expect(await type("sign", "weak.csr", "--for=client", "--insecure")).toMatchObject({
      code: 0,
      stderr: "note: RSA of 1024 bits is not safe, and many clients refuse it\n",
    });
  });

  test("one that cannot be as it is asked for is refused before anything is issued", async () => {
    const { type, file, json } = await place();
    writeFileSync(file("secret"), "sésame");
    writeFileSync(file("nothing"), "");
    const old = ["--keyCipher=des3", "--insecure", "--keyPasswordFile=secret"];
    expect((await type("client", "dev-1", "--key=ed25519", ...old)).stderr).toBe(
      "--keyCipher=des3 is a form of RSA and EC keys, and Ed25519 has none: leave it out\n",
    );
    expect((await type("client", "dev-1", "--keyPasswordFile=nothing")).stderr).toBe(
      "the password of the key is empty: give one, or leave the option out\n",
    );
    expect(existsSync(file("clients"))).toBe(false);
    expect((await json("list", "--authority=authority")).certificates).toEqual([]);
  });

  test("a device's is encrypted where a password is given, and the lines for Sluice say by which", async () => {
    const { done, file, openssl } = await place();
    writeFileSync(file("secret"), "sésame");
    const { stdout } = await done("server", "a.example", "--keyPasswordFile=secret");
    expect(stdout).toContain("      keyFile: servers/a.example/server.key\n      keyPasswordFile: secret\n");
    const opened = await openssl("pkey", "-in", "servers/a.example/server.key", "-passin", "file:secret", "-noout");
    expect(opened.code).toBe(0);
  });
});

test("what has expired leaves the list once a list had it since then", async () => {
  const { done, json, file, openssl } = await place();
  const index = file("authority/index.txt");
  const events = [
    "2025-01-01T00:00:00Z\tissued\tA1B2\tclient\t2025-02-01T00:00:00Z\told\tDNS:old",
    "2025-01-02T00:00:00Z\trevoked\tA1B2\tkeyCompromise",
    "2025-01-02T00:00:00Z\tlist\t7\t2036-01-01T00:00:00Z",
  ];
  writeFileSync(index, `${readFileSync(index, "utf8")}${events.join("\n")}\n`);
  const listed = async () =>
    (await openssl("crl", "-in", "authority/crl.pem", "-noout", "-text")).stdout.includes("A1B2");
  await done("crl");
  expect(await listed()).toBe(true);
  await done("crl");
  expect(await listed()).toBe(false);
  expect((await json("list", "--authority=authority")).certificates[0].state).toBe("revoked");
});

test("an authority that has ended issues nothing more, and says so", async () => {
  const { type, file, openssl } = await place();
  const key = await newKey("ec");
  const validity = { notBefore: Date.now() - 2 * DAY, notAfter: Date.now() - DAY };
  writeFileSync(file("authority/ca.key"), keyText(key, null));
  writeFileSync(file("authority/ca.crt"), await selfSigned("ended", key, validity, 0));
  expect((await type("client", "dev-1")).stderr).toMatch(
    /^the authority ended on \d{4}-\d\d-\d\d: nothing can be issued by it any more\n$/,
  );
  expect((await type("list", "--authority=authority")).stderr).toMatch(/^wrong: the authority ended on \d{4}-/);
  // A key that is another's.
  writeFileSync(file("authority/ca.key"), (await openssl("genpkey", "-algorithm", "ed25519")).stdout);
  expect((await type("client", "dev-1")).stderr).toBe(
    "authority/ca.key: this is not the key of the authority's certificate\n",
  );
  writeFileSync(file("authority/ca.key"), "nothing");
  expect((await type("client", "dev-1")).stderr).toBe("authority/ca.key holds no private key in PEM form\n");
});

test("the lines that certs server prints are a dynamic configuration that check takes", async () => {
  const { done, file, cwd } = await place("--intermediate");
  const { stdout } = await done("server", "mqtt.example.com");
  const routing =
    "tcp: { routers: { mqtt: { rule: 'HostSNI(`mqtt.example.com`)', service: broker, tls: {} } }, services: { broker: { loadBalancer: { servers: [{ port: 1883 }] } } } }\n";
  mkdirSync(file("dynamic"));
  writeFileSync(
    file("sluice.yml"),
    'entryPoints: { mqtts: { address: ":8883" } }\nproviders: { file: { directory: dynamic } }\n',
  );
  for (const lines of [stdout, stdout.replaceAll(/^ {2}# (?!To let)/gm, "  ")]) {
    writeFileSync(file("dynamic/mqtt.yml"), routing + lines);
    const { code, stderr } = await sluiceCli(["check", "--configFile=sluice.yml"], { cwd });
    // Clients must have the authority as their root, as check says of every private one.
    expect(stderr.split("\n").filter((line) => line !== "" && !line.endsWith("[certificate-chain]"))).toEqual([]);
    expect(code).toBe(0);
  }
});

describe("nothing is overwritten, and nothing is issued in vain", () => {
  test("a folder that is there, without --force", async () => {
    const { done, type, json, file } = await place();
    await done("client", "dev-1");
    const before = readFileSync(file("clients/dev-1/client.key"));
    expect(await type("client", "dev-2", "dev-1")).toMatchObject({
      code: 1,
      stderr:
        "clients/dev-1/client.key is there already: sluice certs renew replaces it, and --force makes another one\n",
    });
    expect(readFileSync(file("clients/dev-1/client.key"))).toEqual(before);
    expect((await json("list", "--authority=authority")).certificates).toHaveLength(1);
    await done("client", "dev-1", "--force");
    expect(readFileSync(file("clients/dev-1/client.key"))).not.toEqual(before);
  });

  test("an authority that is there, or another's key", async () => {
    const { type, file } = await place();
    expect((await type("init")).stderr).toBe("authority has an authority already\n");
    mkdirSync(file("other"));
    writeFileSync(file("other/ca.key"), "something");
    expect((await type("init", "--dir=other")).stderr).toStartWith("other/ca.key is there, but no index");
    expect(readFileSync(file("other/ca.key"), "utf8")).toBe("something");
  });

  test("names that are wrong, one of many", async () => {
    const { type, file } = await place();
    expect((await type("client", "dev-1", "a\tb")).stderr).toBe(
      "the client name 'a\\u0009b' has a control character\n",
    );
    expect((await type("server", "a.example", "http://x")).stderr).toBe(
      "'http://x' is no host name: leave out the scheme and the path\n",
    );
    expect(existsSync(file("clients"))).toBe(false);
    expect(readdirSync(file("authority/issued"))).toEqual([]);
  });

  test("without an authority", async () => {
    const { type, file } = await place();
    for (const args of [["client", "x"], ["server", "x"], ["revoke", "x"], ["crl"], ["renew", "x"], ["list"]])
      expect(await type(...args, "--authority=nowhere")).toMatchObject({
        code: 1,
        stderr: `nowhere is no authority: ${file("nowhere/index.txt")}: no such file. sluice certs init --dir=nowhere makes one\n`,
      });
  });
});

describe("signing requests of others", () => {
  const REQUEST = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "device.key"];

  test("get what they ask for by name, and nothing else", async () => {
    const { type, done, file, openssl } = await place();
    const make = async (out: string, subject: string, ...args: string[]) => {
      const made = await openssl(...REQUEST, "-out", out, "-subj", subject, ...args);
      if (made.code !== 0) throw new Error(made.stderr);
    };
    await make(
      "device.csr",
      "/O=Evil/CN=dev-1",
      "-addext",
      "basicConstraints=critical,CA:TRUE",
      "-addext",
      "keyUsage=keyCertSign",
    );
    expect((await type("sign", "device.csr")).stderr).toBe(
      "the request does not say what it is for: give --for=server or --for=client\n",
    );
    const signed = await type("sign", "device.csr", "--for=client");
    expect(signed).toMatchObject({
      code: 0,
      stderr: "note: the request asks for the rights of an authority, which it does not get\n",
      stdout: expect.stringMatching(/^device\.crt: good until /) as unknown,
    });
    const certificate = certificateIn(file("device.crt"));
    expect(certificate.subject).toBe("CN=dev-1");
    expect(certificate.ca).toBe(false);
    expect(certificate.subjectAltName).toBe("DNS:dev-1");
    expect(
      (await openssl("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", "authority/ca.crt", "device.crt"))
        .code,
    ).toBe(0);
    expect((await type("sign", "device.csr", "--for=client")).stderr).toBe(
      "device.crt is there already: --force replaces it\n",
    );

    await make(
      "s.csr",
      "/CN=ignored",
      "-addext",
      "subjectAltName=DNS:a.example,IP:192.0.2.1,IP:::1",
      "-addext",
      "extendedKeyUsage=serverAuth",
    );
    await openssl("req", "-in", "s.csr", "-outform", "DER", "-out", "s.der");
    await done("sign", "s.der");
    expect(certificateIn(file("s.crt")).subjectAltName).toBe(
      "DNS:a.example, IP Address:192.0.2.1, IP Address:0:0:0:0:0:0:0:1",
    );
    await done("sign", "s.der", "--name", "b.example", "c.example", "--out=named.crt");
    expect(certificateIn(file("named.crt")).subjectAltName).toBe("DNS:b.example, DNS:c.example");
    expect((await type("list", "--authority=authority")).stdout.match(/ good$/gm)).toHaveLength(3);
  });

  test("are refused with a reason", async () => {
    const { type, file, openssl } = await place();
    const refused = async (name: string, bytes: string | Uint8Array) => {
      writeFileSync(file(name), bytes);
      const { code, stderr } = await type("sign", name, "--for=client", "--force");
      expect(code).toBe(1);
      return stderr;
    };
    await openssl(...REQUEST, "-out", "good.csr", "-subj", "/CN=dev-1", "-outform", "DER");
    const good = readFileSync(file("good.csr"));
    expect((await type("sign", "missing.csr")).stderr).toContain("no such file");
    expect(await refused("bad.csr", "garbage")).toBe("bad.csr: is no signing request (PKCS#10), or a damaged one\n");
    // Another name than the one that was signed.
    const forged = Buffer.from(good);
    forged[good.indexOf("dev-1")] = "D".charCodeAt(0);
    expect(await refused("forged.csr", forged)).toContain("its signature is wrong");
    for (let length = 0; length < good.length; length++)
      expect(await refused("cut.csr", good.subarray(0, length))).toContain("is no signing request");
    await openssl("req", "-newkey", "rsa:1024", "-nodes", "-keyout", "k", "-out", "weak.csr", "-subj", "/CN=x");
    expect(await refused("weak.csr", readFileSync(file("weak.csr")))).toContain("its RSA key has 1024 bits");
    await openssl(
      "req",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:secp256k1",
      "-nodes",
      "-keyout",
      "k",
      "-out",
      "k1.csr",
      "-subj",
      "/CN=x",
    );
    expect(await refused("k1.csr", readFileSync(file("k1.csr")))).toStartWith("k1.csr: ");
    await openssl(...REQUEST, "-out", "nameless.csr", "-subj", "/O=x");
    expect(await refused("nameless.csr", readFileSync(file("nameless.csr")))).toBe(
      "nameless.csr: a client needs a name: this one is empty. --name gives it another name\n",
    );
    expect(readdirSync(file("authority/issued"))).toEqual([]);
  });
});

describe("certs renew", () => {
  const spki = (path: string) => certificateIn(path).publicKey.export({ type: "spki", format: "pem" });

  test("issues anew for the same names, with a new key of the same kind, or with the same one", async () => {
    const { done, json, file } = await place();
    await done("server", "a.example", "127.0.0.1", "--key=rsa", "--days=30");
    const path = file("servers/a.example/server.crt");
    const [before, key] = [certificateIn(path), spki(path)];
    const [renewed] = await json("renew", "127.0.0.1");
    expect(renewed).toMatchObject({ former: before.serialNumber, names: ["DNS:a.example", "IP:127.0.0.1"] });
    const after = certificateIn(path);
    expect(after.subjectAltName).toBe(before.subjectAltName);
    expect(daysOf(after)).toBe(397);
    expect(spki(path)).not.toBe(key);
    expect(after.publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048);
    const renewedKey = spki(path);
    await done("renew", after.serialNumber, "--sameKey");
    expect(certificateIn(path).serialNumber).not.toBe(after.serialNumber);
    expect(spki(path)).toBe(renewedKey);
    const pair = await done("show", "servers/a.example/server.key");
    expect(pair.code).toBe(0);
    expect(
      certificateIn(path).checkPrivateKey(createPrivateKey(readFileSync(file("servers/a.example/server.key")))),
    ).toBe(true);
  });

  test("--within takes the newest of each name, where it ends soon and is not revoked", async () => {
    const { done, type, json } = await place();
    await done("client", "soon", "gone", "--days=20");
    await done("client", "later");
    await done("revoke", "gone");
    const renewed: { commonName: string }[] = await json("renew", "--within=30");
    expect(renewed.map(({ commonName }) => commonName)).toEqual(["soon"]);
    expect((await done("renew", "--within=30")).stdout).toBe("Nothing is to be renewed.\n");
    expect((await type("renew", "gone")).stderr).toBe("what was issued to 'gone' is revoked: issue a new one\n");
    expect((await type("renew", "unknown")).stderr).toBe("the authority has issued nothing to 'unknown'\n");
    expect((await type("renew")).stderr).toStartWith("name what is to be renewed");
    expect((await type("renew", "--within=x")).stderr).toStartWith("--within is a number");
  });

  test("--within renews what it can, says of each other one why not, and ends with 1", async () => {
    const { done, type, json, file, openssl } = await place();
    await done("client", "away", "soon", "sealed", "--days=20");
    await done("server", "a.example", "--days=20");
    await openssl("req", "-newkey", "ed25519", "-nodes", "-keyout", "k", "-out", "own-key.csr", "-subj", "/CN=own-key");
    await done("sign", "own-key.csr", "--for=client", "--days=20");
    rmSync(file("clients/away"), { recursive: true });
    writeFileSync(
      file("clients/sealed/client.key"),
      (await openssl("pkey", "-in", "clients/sealed/client.key", "-aes256", "-passout", "pass:secret")).stdout,
    );
    const { code, stdout, stderr } = await type("renew", "--within=30");
    expect(code).toBe(1);
    expect(stdout.replaceAll(/\d{4}-\d\d-\d\d/g, "then")).toBe(
      "renewed: clients/soon, good until then\nrenewed: servers/a.example, good until then\n",
    );
    expect(stderr.split("\n").map((line) => line.split(". ")[0])).toEqual([
      "not renewed: away: clients/away/client.crt is not there: --clients says in which directory the folders of clients are",
      "not renewed: sealed: clients/sealed/client.key is encrypted: give --keyPasswordFile for the new key, or --sameKey",
      "not renewed: own-key: clients/own-key/client.crt is not there: --clients says in which directory the folders of clients are",
      "",
    ]);
    expect((await json("list", "--authority=authority")).certificates).toHaveLength(7);
  });

  test("a key that is encrypted is not written anew without a password, and a folder that is elsewhere is not made anew", async () => {
    const { done, type, file } = await place();
    writeFileSync(file("secret"), "sesame");
    await done("client", "dev-1", "--keyPasswordFile=secret");
    expect((await type("renew", "dev-1")).stderr).toBe(
      "clients/dev-1/client.key is encrypted: give --keyPasswordFile for the new key, or --sameKey\n",
    );
    expect((await type("renew", "dev-1", "--clients=elsewhere")).stderr).toStartWith(
      "elsewhere/dev-1/client.crt is not there: --clients says in which directory the folders of clients are.",
    );
    await done("renew", "dev-1", "--keyPasswordFile=secret");
    expect(readFileSync(file("clients/dev-1/client.key"), "utf8")).toContain("ENCRYPTED");
  });
});

describe("certs revoke", () => {
  test("by name all that bear it, by serial number one, with its reason; and again is no mistake", async () => {
    const { done, type, json, openssl } = await place();
    await done("client", "dev-1");
    await done("client", "dev-1", "--force");
    const [, second] = (await json("list", "--authority=authority")).certificates;
    const colons = second.serial.toLowerCase().replace(/..(?=.)/g, "$&:");
    expect((await json("revoke", colons, "--reason=keyCompromise")).revoked).toMatchObject([{ serial: second.serial }]);
    const { stdout, stderr } = await done("revoke", "dev-1", "--reason=superseded");
    expect(stderr).toBe(`dev-1, serial number ${second.serial} was revoked before\n`);
    expect(stdout).toStartWith("revoked: dev-1, serial number ");
    expect((await json("list", "--authority=authority")).certificates).toMatchObject([
      { state: "revoked", revoked: { reason: "superseded" } },
      { state: "revoked", revoked: { reason: "keyCompromise" } },
    ]);
    const text = (await openssl("crl", "-in", "authority/crl.pem", "-noout", "-text", "-CAfile", "authority/ca.crt"))
      .stdout;
    expect(text).toMatch(/Superseded[\s\S]*Key Compromise/);
    expect(text).toMatch(/X509v3 CRL Number: \n\s*3\n/);
    expect(await type("revoke", "dev-11")).toMatchObject({
      code: 1,
      stderr: "authority has issued nothing to 'dev-11' (did you mean \"dev-1\"?)\n",
    });
    expect((await type("revoke", "dev-1", "--reason=compromise")).stderr).toStartWith(
      "--reason is one of unspecified, keyCompromise,",
    );
  });

  test("a list that is good for some days is written by certs crl, and certs list tells when it is due", async () => {
    const { done, json, openssl, file, type } = await place();
    expect(await json("crl", "--days=7")).toMatchObject({ list: "authority/crl.pem", number: 2, revoked: 0 });
    const { stdout } = await openssl("crl", "-in", "authority/crl.pem", "-noout", "-nextupdate");
    expect(Math.round((Date.parse(stdout.split("=")[1]!) - Date.now()) / DAY)).toBe(7);
    const index = file("authority/index.txt");
    writeFileSync(index, `${readFileSync(index, "utf8")}2026-01-01T00:00:00Z\tlist\t3\t2026-01-08T00:00:00Z\n`);
    expect(await type("list", "--authority=authority")).toMatchObject({
      code: 1,
      stderr: "wrong: authority/crl.pem was good until 2026-01-08: sluice certs crl writes it anew\n",
    });
    await done("crl");
    expect((await type("list", "--authority=authority")).code).toBe(0);
  });
});

test("the commands of docs/certificates.md do what it says, in its order", async () => {
  const cwd = temporaryDirectory();
  await exec(
    [
      "openssl",
      "req",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-keyout",
      "k",
      "-out",
      "device.csr",
      "-subj",
      "/CN=device",
    ],
    { cwd },
  );
  const page = readFileSync(join(ROOT, "docs/certificates.md"), "utf8");
  const blocks = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((match) => match[1]!);
  // `certs check` looks at a server, and the variables of ThingsBoard are another page's: both have tests of their own.
  const isOther = /^bin\/sluice certs check |--thingsboard=/;
  const commands = blocks
    .flatMap((block) => block.split("\n"))
    .filter((line) => line.startsWith("bin/sluice ") && !isOther.test(line));
  expect(commands).toHaveLength(14);
  writeFileSync(join(cwd, "devices.csv"), /^```csv\n([\s\S]*?)^```$/m.exec(page)![1]!);
  writeFileSync(join(cwd, "password"), "changeit 42\n");
  for (const command of commands) {
    const { code, stdout, stderr } = await sluiceCli(command.split(" ").slice(1), { cwd });
    expect({ command, code, text: stdout + stderr }).toMatchObject({ command, code: 0 });
  }
  const yaml = /^```yaml\n([\s\S]*?)^```$/m.exec(page)![1]!;
  for (const [, path] of yaml.matchAll(/(\S+\.(?:crt|key|pem))$/gm)) expect(existsSync(join(cwd, path!))).toBe(true);
});
