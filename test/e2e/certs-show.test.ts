// `sluice certs show` says what is in a file of certificates and keys, of whatever type, and what is wrong with it. No password and no
// control character of a certificate is ever printed.

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FileReport } from "../../src/certs/inspect/report.ts";
import { Authority } from "../support/certs.ts";
import { sluiceCli } from "../support/cli.ts";
import { keytool } from "../support/key-stores.ts";
import { SLUICE } from "../support/sluice.ts";
import { exec, temporaryDirectory, waitFor } from "../support/tools.ts";

const directory = temporaryDirectory();
const path = (name: string) => join(directory, name);
const text = (...files: string[]) => files.map((file) => readFileSync(file, "utf8")).join("");

const FOREVER = { notBefore: "20200101000000Z", notAfter: "21200101000000Z" };
const root = await (await Authority.create("Old")).intermediate("Test Root", 36_500);
await openssl("req", "-x509", "-key", root.key, "-out", root.cert, "-days", "36500", "-subj", "/CN=Test Root");
const middle = await root.intermediate("Test Intermediate", 36_500);
const names = ["mqtt.test", "*.mqtt.test", "10.0.0.1"];
const leaf = await middle.issue({ names, ...FOREVER });
const other = await middle.issue({ names: ["other.test"], ...FOREVER });
const extensions = "authorityInfoAccess=caIssuers;URI:http://ca.test/middle.crt";
const alone = await middle.issue({ names: ["alone.test"], extensions, ...FOREVER });
const chain = text(leaf.cert, middle.cert, root.cert);

async function openssl(...args: string[]): Promise<void> {
  const { code, stderr } = await exec(["openssl", ...args], { cwd: directory });
  if (code !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`);
}

/** Runs it in the directory of the files, where nobody can be asked. */
const show = (args: string[], env: Record<string, string> = {}) =>
  sluiceCli(["certs", "show", ...args], { cwd: directory, env });

async function report(args: string[], env: Record<string, string> = {}): Promise<{ code: number; json: FileReport }> {
  const { code, stdout } = await show(["--json", ...args], env);
  return { code, json: JSON.parse(stdout) };
}

/** The codes of all problems. */
const codes = (json: FileReport) =>
  [...json.problems, ...json.entries.flatMap((each) => each.problems)].map((each) => each.code);

function write(name: string, content: string): string {
  writeFileSync(path(name), content);
  return name;
}

describe("a sound file", () => {
  test("for people", async () => {
    const file = write("pair.pem", text(leaf.key) + chain);
    const { code, stdout, stderr } = await show([file]);
    // What openssl says of the same certificate.
    const prints = await Promise.all(
      ["sha256", "sha1"].map(async (digest) => {
        const said = await exec(["openssl", "x509", "-in", leaf.cert, "-noout", "-fingerprint", `-${digest}`]);
        return [digest, said.stdout.trim().split("=")[1]!] as const;
      }),
    );
    const print = (digest: string) => new Map(prints).get(digest as never);
    expect(stdout.replace(/serial .*/, "serial ...")).toBe(`pair.pem: PEM, 3 certificates, 1 private key

  mqtt.test
    names    DNS:mqtt.test DNS:*.mqtt.test IP:10.0.0.1
    subject  CN=mqtt.test
    issuer   CN=Test Intermediate
    serial ...
    valid    2020-01-01 00:00:00 UTC to 2120-01-01 00:00:00 UTC
    key      EC, P-256
    sha256   ${print("sha256")}
    sha1     ${print("sha1")}
    private  belongs to the certificate
    chain    Test Intermediate <- Test Root; in order; complete, root in the file
`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });

  test("as JSON, whose shape is a promise", async () => {
    const { code, json } = await report([write("pair.pem", text(leaf.key) + chain)]);
    const certificate = {
      subject: expect.stringMatching(/^CN=/),
      issuer: expect.stringMatching(/^CN=Test /),
      commonName: expect.any(String),
      names: expect.any(Array),
      serial: expect.stringMatching(/^[0-9A-F]+$/),
      notBefore: expect.stringMatching(/^20..-..-..T..:..:..\.000Z$/),
      notAfter: expect.stringMatching(/^21..-..-..T..:..:..\.000Z$/),
      key: { type: "ec", bits: null, curve: "P-256" },
      fingerprint: expect.stringMatching(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/),
      fingerprintSha1: expect.stringMatching(/^([0-9A-F]{2}:){19}[0-9A-F]{2}$/),
      isAuthority: true,
    };
    const san = [
      { kind: "DNS", value: "mqtt.test" },
      { kind: "DNS", value: "*.mqtt.test" },
      { kind: "IP", value: "10.0.0.1" },
    ];
    expect(json as unknown).toEqual({
      file: "pair.pem",
      type: "PEM",
      entries: [
        {
          alias: null,
          certificates: [{ ...certificate, names: san, isAuthority: false }, certificate, certificate],
          chain: { inOrder: true, complete: true, end: "root", issuer: null },
          privateKey: { type: "ec", bits: null, curve: "P-256", state: "open", belongs: true },
          problems: [],
        },
      ],
      lists: [],
      others: [],
      problems: [],
    });
    expect(code).toBe(0);
  });

  test("a certificate in DER, a key alone, a bundle of authorities", async () => {
    await openssl("x509", "-in", root.cert, "-outform", "DER", "-out", "root.der");
    expect((await report(["root.der"])).json).toMatchObject({
      type: "DER",
      entries: [{ chain: { end: "self-signed" } }],
    });
    const key = await report([write("key.pem", text(leaf.key))]);
    expect(key).toMatchObject({ code: 0, json: { entries: [{ certificates: [], privateKey: { belongs: false } }] } });
    const bundle = await report([write("bundle.pem", text(root.cert, middle.cert))]);
    expect(bundle.json.entries.map((each) => each.certificates.map((one) => one.commonName))).toEqual([
      ["Test Intermediate", "Test Root"],
    ]);
    // A bundle of authorities is one of entries, not a chain that is out of order.
    expect(bundle.json.entries[0]!.privateKey).toBeNull();
  });
});

describe("what is wrong", () => {
  const cases: [string, () => Promise<string> | string, string[]][] = [
    ["a key of another certificate", () => text(leaf.cert, middle.cert, root.cert, other.key), ["key-mismatch"]],
    ["a chain out of order", () => text(leaf.key, root.cert, middle.cert, leaf.cert), ["chain-order"]],
    ["a chain without its root", () => text(leaf.cert, middle.cert), ["chain-incomplete"]],
    ["a certificate without the one that it names", () => text(alone.cert), ["chain-incomplete"]],
    [
      "one that has expired",
      async () => text((await root.issue({ notAfter: "20210101000000Z" })).cert, root.cert),
      ["expired"],
    ],
    ["one that expires soon", async () => text((await root.issue()).cert, root.cert), ["expires-soon"]],
    [
      "one that is not valid yet",
      async () =>
        text((await root.issue({ notBefore: "20900101000000Z", notAfter: "21000101000000Z" })).cert, root.cert),
      ["not-yet-valid"],
    ],
    ["a short RSA key", () => odd("rsa:1024"), ["short-rsa"]],
    ["a kind of key that cannot serve", () => odd("ec", "secp256k1"), ["key-unsupported"]],
    ["a key that is damaged", () => text(leaf.key).replace("MIG", "AAA") + chain, ["key-unreadable"]],
    ["a certificate that is damaged", () => text(leaf.cert).replace("MII", "AAA"), ["certificate-unreadable"]],
    [
      "nothing but a request",
      () => "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n",
      ["unreadable"],
    ],
    ["a text that is cut off", () => text(leaf.cert).slice(0, 200), ["cut-off"]],
    ["a chain that is cut off", () => chain.slice(0, -200), ["cut-off", "chain-incomplete"]],
  ];
  async function odd(kind: string, curve?: string): Promise<string> {
    const parameters = curve === undefined ? [] : ["-pkeyopt", `ec_paramgen_curve:${curve}`];
    const out = ["-nodes", "-keyout", "/dev/null", "-out", "odd.crt", "-days", "3650", "-subj", "/CN=odd"];
    await openssl("req", "-x509", "-newkey", kind, ...parameters, ...out);
    return text(path("odd.crt"));
  }
  for (const [what, make, wanted] of cases)
    test(what, async () => {
      const file = write("wrong.pem", await make());
      const { code, json } = await report([file]);
      expect(codes(json)).toEqual(wanted as never);
      expect(code).toBe(1);
      const people = await show([file]);
      expect(people.code).toBe(1);
      expect(people.stdout).toMatch(/^ +wrong:? /m);
    });

  test("a file that is none of these, or is not there: one line on standard error", async () => {
    write("notes.txt", "nothing");
    const none = await show(["notes.txt"]);
    expect(none).toEqual({
      code: 1,
      stdout: "",
      stderr: "notes.txt: it is neither PEM, a certificate in DER, PKCS#12, JKS, JCEKS nor BKS, or it is damaged\n",
    });
    const missing = await show(["missing.pem"]);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toMatch(/^missing\.pem: \/.*missing\.pem: no such file\n$/);
    expect((await report(["missing.pem"])).json).toMatchObject({ type: null, problems: [{ code: "unreadable" }] });
  });
});

test("a server's certificate without alternative names, or that demands stapling; an authority and a client's are no such", async () => {
  const issue = async (more: Parameters<typeof middle.issue>[0]) =>
    text((await middle.issue({ ...FOREVER, ...more })).cert, middle.cert, root.cert);
  const cases: [string, Parameters<typeof middle.issue>[0], string[]][] = [
    ["none.pem", { names: [], subject: "/CN=none.test" }, ["without-names"]],
    ["staple.pem", { names: ["a.test"], extensions: "tlsfeature=status_request" }, ["must-staple"]],
    ["client.pem", { names: [], subject: "/CN=device", usage: "clientAuth" }, []],
    ["fine.pem", { names: ["a.test"] }, []],
  ];
  for (const [file, options, wanted] of cases)
    expect([file, ...codes((await report([write(file, await issue(options))])).json)] as string[]).toEqual([
      file,
      ...wanted,
    ]);
  expect(codes((await report([write("authority.pem", text(root.cert))])).json)).toEqual([]);
});

test("a file of another kind is called that, and nothing of it is printed", async () => {
  await openssl("req", "-new", "-key", leaf.key, "-subj", "/CN=a", "-outform", "DER", "-out", "request.der");
  expect((await show(["request.der"])).stderr).toBe(
    "request.der: is a certificate signing request, and no certificate: give what the authority has issued for it\n",
  );
  writeFileSync(path("utf16.pem"), Buffer.from(`\ufeff${text(leaf.cert)}`, "utf16le"));
  expect((await show(["utf16.pem"])).stderr).toMatch(/^utf16.pem: is in UTF-16: save it in UTF-8/);
});

describe("passwords", () => {
  const env = { STORE: "storesecret", KEY: "keysecret" };

  test("the program in a process of its own, without a terminal, asks for none", async () => {
    await openssl("pkcs8", "-topk8", "-in", leaf.key, "-out", "alone.key", "-passout", "pass:keysecret");
    const inProcess = await show(["alone.key"]);
    expect(inProcess).toMatchObject({ code: 1, stdout: expect.stringContaining("needs a password") });
    expect(await exec(["setsid", SLUICE, "certs", "show", "alone.key"], { cwd: directory })).toEqual(inProcess);
  });

  test("PKCS#12: from a variable or a file; without one it says what to give", async () => {
    write("chain.pem", text(middle.cert, root.cert));
    const bundle = ["-inkey", leaf.key, "-in", leaf.cert, "-certfile", "chain.pem", "-name", "gateway"];
    await openssl("pkcs12", "-export", ...bundle, "-out", "store.p12", "-passout", "pass:storesecret");
    write("password", "storesecret\n");
    for (const given of [
      ["--passwordEnv", "STORE"],
      ["--passwordFile", "password"],
    ]) {
      const { code, json } = await report(["store.p12", ...given], env);
      expect(code).toBe(0);
      expect(json).toMatchObject({
        type: "PKCS12",
        entries: [{ alias: "gateway", privateKey: { belongs: true }, chain: { inOrder: null, complete: true } }],
      });
      expect(json.entries).toHaveLength(1);
      expect(json.entries[0]!.certificates).toHaveLength(3);
    }
    const none = await show(["store.p12"]);
    expect(none.code).toBe(1);
    expect(none.stdout).toContain("needs a password: give --passwordFile FILE or --passwordEnv NAME");
    const wrong = await show(["store.p12", "--passwordEnv", "KEY"], env);
    expect(wrong.code).toBe(1);
    expect(wrong.stdout).toContain("the password is wrong");
    expect(wrong.stdout + wrong.stderr).not.toContain("keysecret");
  });

  test("an encrypted key in PEM", async () => {
    await openssl("pkcs8", "-topk8", "-in", leaf.key, "-out", "sealed.key", "-passout", "pass:keysecret");
    write("sealed.pem", text(path("sealed.key")) + chain);
    for (const option of ["--passwordEnv", "--keyPasswordEnv"]) {
      const { code, json } = await report(["sealed.pem", option, "KEY"], env);
      expect({ code, entries: json.entries }).toMatchObject({ code: 0, entries: [{ privateKey: { belongs: true } }] });
    }
    const { code, json } = await report(["sealed.pem"]);
    expect({ code, codes: codes(json) }).toEqual({ code: 1, codes: ["key-locked"] });
    expect(json.entries).toMatchObject([{ privateKey: { state: "locked", belongs: null } }, { privateKey: null }]);
    const wrong = await show(["sealed.pem", "--keyPasswordEnv", "STORE"], env);
    expect(wrong.stdout).toContain("the private key is not opened: the private key: the password is wrong");
  });

  test("JKS with a key that has a password of its own", async () => {
    const pair = [
      "-genkeypair",
      "-alias",
      "gateway",
      "-keyalg",
      "EC",
      "-dname",
      "CN=mqtt.test",
      "-validity",
      "3650",
      "-ext",
      "SAN=dns:mqtt.test",
    ];
    const secrets = ["-storepass", "storesecret", "-keypass", "keysecret"];
    await keytool(...pair, ...secrets, "-storetype", "JKS", "-keystore", path("store.jks"));
    const both = await report(["store.jks", "--passwordEnv", "STORE", "--keyPasswordEnv", "KEY"], env);
    expect(both).toMatchObject({
      code: 0,
      json: { type: "JKS", entries: [{ alias: "gateway", privateKey: { state: "open", belongs: true } }] },
    });
    const store = await show(["store.jks", "--passwordEnv", "STORE"], env);
    expect(store.code).toBe(1);
    expect(store.stdout).toContain(
      "it has a password of its own: give --keyPasswordFile FILE or --keyPasswordEnv NAME",
    );
    // Certificates of such a store can be read by anybody.
    const none = await report(["store.jks"]);
    expect(none.json.entries).toMatchObject([{ alias: "gateway", certificates: [{ commonName: "mqtt.test" }] }]);
    expect(codes(none.json)).toEqual(["key-locked"]);
  });

  test("options that contradict each other, or lead nowhere", async () => {
    const file = write("pair.pem", text(leaf.key) + chain);
    const twice = await show([file, "--passwordEnv", "STORE", "--passwordFile", "x"], env);
    expect(twice).toEqual({
      code: 1,
      stdout: "",
      stderr: "--passwordFile and --passwordEnv are two sources: give one of them\n",
    });
    expect((await show([file, "--keyPasswordEnv", "NOT_SET_AT_ALL"])).stderr).toBe(
      "--keyPasswordEnv: the variable NOT_SET_AT_ALL is not set\n",
    );
    expect((await show([file, "--passwordFile", "missing"])).stderr).toMatch(/missing: no such file\n$/);
  });

  test("asked for on a terminal, without echo", async () => {
    await openssl("pkcs8", "-topk8", "-in", leaf.key, "-out", "sealed.key", "-passout", "pass:keysecret");
    write("sealed.pem", text(path("sealed.key")) + chain);
    // What is typed: with a mistake that is taken back, and then the right one.
    for (const [typed, code] of [
      ["keysecretX\x7f\r", 0],
      ["guess\x15keysecret\r", 0],
      ["guess\r", 1],
      ["\x03", 1],
    ] as const) {
      const child = Bun.spawn(["script", "-qec", `${SLUICE} certs show sealed.pem`, "/dev/null"], {
        cwd: directory,
        stdin: "pipe",
        stdout: "pipe",
        stderr: "ignore",
        timeout: 20_000,
      });
      let printed = "";
      const reading = (async () => {
        for await (const chunk of child.stdout) printed += Buffer.from(chunk).toString();
      })();
      await waitFor("the question", () => printed.includes("Password (sealed.pem): "));
      child.stdin.write(typed);
      child.stdin.flush();
      await reading;
      expect(await child.exited).toBe(code);
      expect(printed).not.toMatch(/keysecret|guess/);
      if (code === 0) expect(printed).toContain("belongs to the certificate");
    }
  });
});

test("control characters and changes of direction in a certificate do not reach the terminal", async () => {
  const evil = "evil\u001b[31m\u009b2J\u202e\u2066\nsubject";
  const out = ["-nodes", "-keyout", "/dev/null", "-out", "evil.crt", "-days", "3650"];
  await openssl(
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    ...out,
    "-utf8",
    "-subj",
    `/CN=${evil}`,
  );
  const people = await show(["evil.crt"]);
  expect(people.stdout).toContain("subject  CN=evil\\u001b[31m\\u009b2J\\u202e\\u2066\\u000asubject");
  const json = await show(["evil.crt", "--json"]);
  expect(JSON.parse(json.stdout).entries[0].certificates[0].commonName).toBe(evil);
  // `check` names it, too: as the issuer that is missing.
  write("evil.ext", "authorityInfoAccess=caIssuers;URI:http://ca.test/evil.crt\n");
  await openssl(
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-keyout",
    "evil.key",
    "-out",
    "evil-ca.crt",
    "-utf8",
    "-subj",
    `/CN=${evil}`,
  );
  await openssl(
    "req",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-keyout",
    "leaf.key",
    "-out",
    "leaf.csr",
    "-subj",
    "/CN=leaf",
  );
  await openssl(
    "x509",
    "-req",
    "-in",
    "leaf.csr",
    "-CA",
    "evil-ca.crt",
    "-CAkey",
    "evil.key",
    "-set_serial",
    "1",
    "-extfile",
    "evil.ext",
    "-out",
    "leaf.crt",
  );
  write("sluice.yml", "entryPoints: { mqtts: { address: ':8883' } }\nproviders: { file: { filename: dynamic.yml } }\n");
  write("dynamic.yml", "tls: { certificates: [{ certFile: leaf.crt, keyFile: leaf.key }] }\n");
  const check = await sluiceCli(["check", "--configFile=sluice.yml"], { cwd: directory });
  expect(check.stderr).toContain("no public root: CN=evil\\u001b[31m");
  for (const printed of [people.stdout, json.stdout, check.stderr])
    expect(printed).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
});

test("no bytes make it fail in another way than by saying so", async () => {
  const { inspect } = await import("../../src/certs/inspect/inspect.ts");
  const whole = [Buffer.from(text(leaf.key) + chain), readFileSync(path("root.der")), readFileSync(path("store.p12"))];
  const passwords = { store: "storesecret", key: null };
  for (const bytes of whole)
    for (let round = 0; round < 150; round++) {
      const copy = Buffer.from(bytes);
      copy[(round * 7919) % copy.length]! ^= 1 << (round % 8);
      inspect("x", copy, passwords, 0);
      inspect("x", bytes.subarray(0, Math.floor((bytes.length * round) / 150)), passwords, 0);
    }
});
