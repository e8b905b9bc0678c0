// acme.json is Traefik's in both directions, readable by its owner alone, and whole at every moment.

import { expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AcmeManager } from "../../../src/acme/manager.ts";
import type { Resolver } from "../../../src/acme/resolver.ts";
import { AcmeStorage, type StoredCertificate } from "../../../src/acme/storage.ts";
import { Authority } from "../../support/certs.ts";
import { cleanup, temporaryDirectory, waitFor } from "../../support/tools.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");

/** As Traefik 3 writes it, with fields of its own that Sluice does not know. */
const TRAEFIK = {
  myresolver: {
    Account: {
      Email: "a@b.c",
      Registration: { body: { status: "valid", contact: ["mailto:a@b.c"] }, uri: "https://ca.test/acme/acct/123" },
      PrivateKey: base64("key of the account"),
      KeyType: "4096",
    },
    Certificates: [
      {
        domain: { main: "mqtt.example.com", sans: ["b.example.com"] },
        certificate: base64("CERT"),
        key: base64("KEY"),
        Store: "default",
      },
      { domain: { main: "empty.example.com" }, certificate: "", key: "", Store: "default" },
    ],
  },
  other: { Account: null, Certificates: null },
};

function file(content: string, mode = 0o600): string {
  const path = join(temporaryDirectory(), "acme.json");
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

function value<T>(result: { kind: "ok"; value: T } | { kind: "error"; message: string }): T {
  if (result.kind === "error") throw new Error(result.message);
  return result.value;
}

const certificate: StoredCertificate = { main: "new.example.com", sans: [], certificate: "C", key: "K" };

test("Traefik's file is read: account and certificates, empty entries left out, null as nothing", () => {
  const storage = new AcmeStorage(file(JSON.stringify(TRAEFIK, null, 2)));
  expect(value(storage.read("myresolver"))).toEqual({
    account: {
      email: "a@b.c",
      uri: "https://ca.test/acme/acct/123",
      body: { status: "valid", contact: ["mailto:a@b.c"] },
      privateKey: Buffer.from("key of the account"),
    },
    certificates: [{ main: "mqtt.example.com", sans: ["b.example.com"], certificate: "CERT", key: "KEY" }],
  });
  expect(value(storage.read("other"))).toEqual({ account: null, certificates: [] });
  expect(value(storage.read("third"))).toEqual({ account: null, certificates: [] });
});

test("a change keeps everything that it is not about, fields that Sluice does not know included", () => {
  const path = file(JSON.stringify(TRAEFIK, null, 2));
  const storage = new AcmeStorage(path);
  value(storage.saveCertificate("myresolver", certificate));
  const written = JSON.parse(readFileSync(path, "utf8"));
  expect(written.other).toEqual(TRAEFIK.other);
  expect(written.myresolver.Account).toEqual(TRAEFIK.myresolver.Account);
  expect(written.myresolver.Certificates).toEqual([
    ...TRAEFIK.myresolver.Certificates,
    { domain: { main: "new.example.com" }, certificate: base64("C"), key: base64("K"), Store: "default" },
  ]);
});

test("a renewed certificate takes the place of the one for the same names, in whatever order they stand", () => {
  const path = file(JSON.stringify(TRAEFIK));
  const storage = new AcmeStorage(path);
  const renewed = { main: "b.example.com", sans: ["mqtt.example.com"], certificate: "NEW", key: "NEWKEY" };
  value(storage.saveCertificate("myresolver", renewed));
  expect(value(storage.read("myresolver")).certificates).toEqual([renewed]);
});

test("an account is kept with its key, and read back", () => {
  const storage = new AcmeStorage(join(temporaryDirectory(), "acme.json"));
  const account = {
    email: "x@y.z",
    uri: "https://ca.test/acct/1",
    body: { status: "valid" },
    privateKey: Buffer.from([1, 2, 3]),
  };
  value(storage.saveAccount("r", account));
  expect(value(storage.read("r")).account).toEqual(account);
});

test("a file that is not there and an empty one are alike, and a new one is readable by its owner alone", () => {
  const missing = join(temporaryDirectory(), "acme.json");
  for (const path of [missing, file("")]) {
    const storage = new AcmeStorage(path);
    expect(value(storage.read("r"))).toEqual({ account: null, certificates: [] });
    value(storage.saveCertificate("r", certificate));
    expect(statSync(path).mode & 0o777).toBe(0o600);
  }
});

test("a file that others can read is refused, with the command that mends it", () => {
  for (const mode of [0o644, 0o640, 0o604]) {
    const path = file("{}", mode);
    const storage = new AcmeStorage(path);
    for (const result of [storage.read("r"), storage.saveCertificate("r", certificate)])
      expect(result).toEqual({ kind: "error", message: expect.stringContaining(`Run: chmod 600 ${path}`) });
    expect(readFileSync(path, "utf8")).toBe("{}");
  }
});

test("what is not acme.json is never written over, and not quoted either", () => {
  for (const content of ["secret words", "[]", '"text"', '{"r": ', "null"]) {
    const path = file(content);
    const storage = new AcmeStorage(path);
    expect(storage.saveCertificate("r", certificate)).toEqual({
      kind: "error",
      message: `${path} is not acme.json: mend it, or move it away to begin anew`,
    });
    expect(readFileSync(path, "utf8")).toBe(content);
  }
});

test("a directory that cannot be written is an error that says so, and leaves nothing behind", () => {
  const path = join(temporaryDirectory(), "nowhere", "acme.json");
  expect(new AcmeStorage(path).saveCertificate("r", certificate)).toEqual({
    kind: "error",
    message: `${path} cannot be written: no such file`,
  });
});

test("killed while it writes, the file is whole: the former content or the new", async () => {
  const directory = temporaryDirectory();
  const path = join(directory, "acme.json");
  const program = `import { AcmeStorage } from "${join(import.meta.dir, "../../../src/acme/storage.ts")}";
const storage = new AcmeStorage(${JSON.stringify(path)});
const certificate = "C".repeat(2_000_000);
for (let i = 0; ; i++) storage.saveCertificate("r", { main: "a.test", sans: [], certificate, key: String(i) });`;
  for (let round = 0; round < 8; round++) {
    const child = Bun.spawn([process.execPath, "-e", program], { stdout: "ignore", stderr: "inherit" });
    await waitFor("a first write", () => existsSync(path) || null);
    // Each round at another moment of the write.
    const until = performance.now() + round * 3;
    await waitFor("the moment", () => performance.now() >= until || null);
    child.kill("SIGKILL");
    await child.exited;
    const stored = value(new AcmeStorage(path).read("r")).certificates;
    expect(stored).toHaveLength(1);
    expect(stored[0]!.certificate).toHaveLength(2_000_000);
  }
  // What the killed one left is no obstacle for the next.
  expect(value(new AcmeStorage(path).saveCertificate("r", certificate))).toBeNull();
  expect(readdirSync(directory).filter((name) => name === "acme.json")).toEqual(["acme.json"]);
});

test("a storage that becomes unreadable while Sluice runs keeps its certificates serving, and nothing is ordered anew", async () => {
  const authority = await Authority.create();
  const pair = await authority.issue({ names: ["a.test"], notAfter: "21200101000000Z" });
  const path = join(temporaryDirectory(), "acme.json");
  const stored = {
    main: "a.test",
    sans: [],
    certificate: readFileSync(pair.cert, "utf8"),
    key: readFileSync(pair.key, "utf8"),
  };
  new AcmeStorage(path).saveCertificate("le", stored);
  const resolver: Resolver = {
    ...{ name: "le", storage: path, email: "", keyType: "EC256", profile: null, preferredChain: null },
    ...{ externalAccount: null, responders: [] },
    endpoint: { directory: "https://ca.invalid/", ca: null, serverName: null, timeoutMs: 1000, userAgent: "test" },
  };
  const manager = new AcmeManager([resolver], { onObtained() {}, onResult() {}, log() {} });
  cleanup(() => manager.close());
  const wanted = [{ resolver: "le", names: ["a.test"], router: "r", asDefault: false }];
  const serving = [{ resolver: "le", certificate: stored }];
  expect(manager.stored()).toEqual({ certificates: serving, problems: [] });
  manager.want(wanted);
  const [planned] = manager.states();
  expect(planned!.next).toBeGreaterThan(Date.now());
  const spoil: [string, () => void][] = [
    ["is not acme.json", () => writeFileSync(path, "{ half")],
    ["could read them", () => chmodSync(path, 0o644)],
    [
      "is not a regular file",
      () => {
        rmSync(path);
        mkdirSync(path, { mode: 0o700 });
      },
    ],
  ];
  for (const [problem, act] of spoil) {
    act();
    expect(manager.stored()).toEqual({ certificates: serving, problems: [expect.stringContaining(problem)] });
    manager.want(wanted);
    expect(manager.states()).toEqual([planned!]);
  }
});

test("a certificate in the storage that is cut off is not served in part: the former one goes on, and one that has none is ordered anew", async () => {
  const authority = await Authority.create();
  const below = await authority.intermediate("Below");
  const pair = await below.issue({ names: ["a.test"] });
  const chain = readFileSync(pair.cert, "utf8") + readFileSync(below.cert, "utf8");
  const path = join(temporaryDirectory(), "acme.json");
  const stored = { main: "a.test", sans: [], certificate: chain, key: readFileSync(pair.key, "utf8") };
  const cut = { ...stored, certificate: chain.slice(0, -200) };
  const resolver: Resolver = {
    ...{ name: "le", storage: path, email: "", keyType: "EC256", profile: null, preferredChain: null },
    ...{ externalAccount: null, responders: [] },
    endpoint: { directory: "https://ca.invalid/", ca: null, serverName: null, timeoutMs: 1000, userAgent: "test" },
  };
  const start = () => {
    const manager = new AcmeManager([resolver], { onObtained() {}, onResult() {}, log() {} });
    cleanup(() => manager.close());
    return manager;
  };
  const storage = new AcmeStorage(path);
  value(storage.saveCertificate("le", stored));
  const running = start();
  const serving = [{ resolver: "le", certificate: stored }];
  expect(running.stored()).toEqual({ certificates: serving, problems: [] });
  value(storage.saveCertificate("le", cut));
  const line = readFileSync(pair.cert, "utf8").split("\n").length;
  const problem = `${path}: the certificate for a.test: line ${line}: what begins as CERTIFICATE has no end`;
  expect(running.stored()).toEqual({
    certificates: serving,
    problems: [expect.stringMatching(new RegExp(`^${RegExp.escape(problem)}.*; the former one goes on serving$`))],
  });
  const restarted = start();
  expect(restarted.stored()).toEqual({ certificates: [], problems: [expect.stringMatching(/; it is ordered anew$/)] });
  restarted.want([{ resolver: "le", names: ["a.test"], router: "r", asDefault: false }]);
  expect(restarted.states()[0]!.notAfter).toBeNull();
});
