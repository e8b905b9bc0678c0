// tls.certificateDirectories: what appears in a directory is served, what is renewed is served anew, and what is half written or gone
// for a moment leaves the former pair serving. Open connections notice nothing.

import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Authority, type Pair } from "../support/certs.ts";
import { drainHash, sendPattern, tcpServer, tlsClient } from "../support/clients.ts";
import { echo } from "../support/echo.ts";
import { Sluice } from "../support/sluice.ts";
import { exec, temporaryDirectory, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const backend = await tcpServer(echo);
const issue = (...names: string[]) => authority.issue({ names });
const a1 = await issue("a.test");
const a2 = await issue("a.test");
const b1 = await issue("b.test", "*.b.test");

const dynamic = (directories: string, mark = "mark.test") => `
tcp:
  routers:
    mark: { rule: "HostSNI(\`${mark}\`)", service: echo, tls: {} }
    all: { rule: "HostSNI(\`*\`)", service: echo, tls: { options: strict } }
  services: { echo: { loadBalancer: { servers: [{ port: ${backend.port} }] } } }
tls:
  options: { strict: { sniStrict: true } }
  certificateDirectories: ${directories}
`;

function issued({ cert }: Pair): string {
  return new X509Certificate(readFileSync(cert)).serialNumber;
}

/** The serial number that a new client for this name is shown; null: no certificate is served for it. */
async function shown(sluice: Sluice, servername: string): Promise<string | null> {
  const socket = await tlsClient(sluice.port, { servername }).catch(() => null);
  const serial = socket?.getPeerCertificate().serialNumber ?? null;
  socket?.destroy();
  return serial;
}

async function serves(sluice: Sluice, name: string, pair: Pair | null): Promise<void> {
  const wanted = pair === null ? null : issued(pair);
  await waitFor(`${name} to be served by ${wanted}`, async () => (await shown(sluice, name)) === wanted);
}

/** At the start one directory has a pair that belongs to two names, and another one is not there yet. */
const [mixed, late] = [temporaryDirectory(), join(temporaryDirectory(), "not/yet")];
copyFileSync(a1.cert, join(mixed, "a.crt"));
copyFileSync(b1.key, join(mixed, "a.key"));
/** The one of all tests that only need one that runs. */
const sluice = await Sluice.start({ dynamic: dynamic(`[${mixed}, ${late}]`) });
let configured = 0;

/** Has it serve these directories alone, and waits until that is in force: a route has a name then that none had before. */
async function serve(directories: string): Promise<void> {
  const mark = `mark${++configured}.test`;
  sluice.write("dynamic.yml", dynamic(`[${directories}]`, mark));
  await waitFor("the configuration of a test to be in force", async () => (await shown(sluice, mark)) !== null);
}

function put(pair: Pair, directory: string, name: string): void {
  mkdirSync(directory, { recursive: true });
  copyFileSync(pair.key, join(directory, `${name}.key`));
  copyFileSync(pair.cert, join(directory, `${name}.crt`));
}

/** The log's warnings about a file. */
const warnings = (sluice: Sluice, file: string) =>
  sluice.lines
    .filter((line) => line.level === "warn" && line.msg.includes(file))
    .filter((line) => !/ expires on [\d-]+$/.test(line.msg));

test("a pair that is never complete is a warning, and no obstacle: not at the start, nor to others", async () => {
  const line = await sluice.logged("it is left out until it can be used");
  expect(line.level).toBe("warn");
  expect(await shown(sluice, "a.test")).toBeNull();
  put(b1, mixed, "other");
  await serves(sluice, "b.test", b1);
  expect(await sluice.metric("sluice_config_reloads_total", { result: "failure" })).toBe(0);
  expect(sluice.lines.filter((each) => each.level === "error")).toEqual([]);
});

test("a directory that comes only after the start", async () => {
  put(a1, late, "a");
  await serves(sluice, "a.test", a1);
});

test("each pair of the tree is served for its names, whatever the files are called", async () => {
  const directory = temporaryDirectory();
  put(a1, directory, "first");
  mkdirSync(join(directory, "deeper"));
  writeFileSync(join(directory, "deeper/all.pem"), readFileSync(b1.key, "utf8") + readFileSync(b1.cert, "utf8"));
  copyFileSync(authority.cert, join(directory, "ca.crt"));
  await serve(directory);
  expect(await shown(sluice, "a.test")).toBe(issued(a1));
  expect(await shown(sluice, "b.test")).toBe(issued(b1));
  expect(await shown(sluice, "sub.b.test")).toBe(issued(b1));
  expect(await shown(sluice, "c.test")).toBeNull();
  expect(await sluice.metric("sluice_tls_source_failing")).toBe(0);
  expect(warnings(sluice, directory)).toEqual([]);
});

test("an encrypted key is opened by the directory's password", async () => {
  const directory = temporaryDirectory();
  copyFileSync(a1.cert, join(directory, "a.crt"));
  const seal = ["openssl", "pkcs8", "-topk8", "-in", a1.key, "-out", join(directory, "a.key"), "-passout", "pass:open"];
  expect((await exec(seal)).code).toBe(0);
  const secret = join(temporaryDirectory(), "secret");
  writeFileSync(secret, "open\n");
  await serve(`{ directory: ${directory}, keyPasswordFile: ${secret} }`);
  expect(await shown(sluice, "a.test")).toBe(issued(a1));
  // The password file goes for a while: the certificate does not.
  rmSync(secret);
  await sluice.logged(`${secret}: no such file`);
  expect(await shown(sluice, "a.test")).toBe(issued(a1));
});

describe("a change is in force, and open connections stay", () => {
  test("a pair that appears, also in a new sub-directory, and one that is removed", async () => {
    const directory = temporaryDirectory();
    put(a1, directory, "a");
    await serve(directory);
    const open = await tlsClient(sluice.port, { servername: "a.test" });
    const received = drainHash(open);
    const sent = [await sendPattern(open, 64 * 1024)];
    put(b1, join(directory, "new/b"), "b");
    await serves(sluice, "b.test", b1);
    rmSync(join(directory, "a.key"));
    rmSync(join(directory, "a.crt"));
    await serves(sluice, "a.test", null);
    expect(await shown(sluice, "b.test")).toBe(issued(b1));
    // With nothing left in it the directory would be taken for a mount point without its volume.
    writeFileSync(join(directory, "README"), "");
    rmSync(join(directory, "new"), { recursive: true });
    await serves(sluice, "b.test", null);
    sent.push(await sendPattern(open, 64 * 1024));
    open.end();
    expect((await received).bytes).toBe(128 * 1024);
    expect(sent[0]).toHaveLength(64);
  });

  test("a renewal by certbot: new files in archive/, then the links of live/ one after the other", async () => {
    const directory = temporaryDirectory();
    const archive = join(directory, "archive/a.test");
    const live = join(directory, "live/a.test");
    mkdirSync(archive, { recursive: true });
    mkdirSync(live, { recursive: true });
    const renew = (pair: Pair, generation: number) => {
      copyFileSync(pair.key, join(archive, `privkey${generation}.pem`));
      copyFileSync(pair.cert, join(archive, `cert${generation}.pem`));
      copyFileSync(authority.cert, join(archive, `chain${generation}.pem`));
      const chain = readFileSync(pair.cert, "utf8") + readFileSync(authority.cert, "utf8");
      writeFileSync(join(archive, `fullchain${generation}.pem`), chain);
      for (const name of ["privkey", "cert", "chain", "fullchain"]) {
        // As certbot does it: the old link is removed, and the new one made.
        rmSync(join(live, `${name}.pem`), { force: true });
        symlinkSync(`../../archive/a.test/${name}${generation}.pem`, join(live, `${name}.pem`));
      }
    };
    renew(a1, 1);
    await serve(join(directory, "live"));
    expect(await shown(sluice, "a.test")).toBe(issued(a1));
    const open = await tlsClient(sluice.port, { servername: "a.test" });
    const received = drainHash(open);
    renew(a2, 2);
    await serves(sluice, "a.test", a2);
    await sendPattern(open, 1000);
    open.end();
    expect((await received).bytes).toBe(1000);
  });

  test("certbot's whole directory, archive/ included: the newest one has the name", async () => {
    const directory = temporaryDirectory();
    const old = await authority.issue({
      names: ["a.test"],
      notBefore: "20200101000000Z",
      notAfter: "21200101000000Z",
    });
    put(old, join(directory, "archive"), "1");
    put(a1, join(directory, "live"), "a");
    await serve(directory);
    expect(await shown(sluice, "a.test")).toBe(issued(a1));
  });

  test("a Kubernetes secret whose ..data link is swapped", async () => {
    const volume = temporaryDirectory();
    const fill = (version: string, pair: Pair) => {
      mkdirSync(join(volume, version));
      copyFileSync(pair.cert, join(volume, version, "tls.crt"));
      copyFileSync(pair.key, join(volume, version, "tls.key"));
      symlinkSync(version, join(volume, "..data_tmp"));
      renameSync(join(volume, "..data_tmp"), join(volume, "..data"));
    };
    fill("..one", a1);
    for (const name of ["tls.crt", "tls.key"]) symlinkSync(`..data/${name}`, join(volume, name));
    await serve(volume);
    expect(await shown(sluice, "a.test")).toBe(issued(a1));
    fill("..two", a2);
    rmSync(join(volume, "..one"), { recursive: true });
    await serves(sluice, "a.test", a2);
    fill("..three", b1);
    await serves(sluice, "b.test", b1);
    await serves(sluice, "a.test", null);
  });
});

test("a pair that is half written leaves the former one serving, and is taken when it is complete", async () => {
  const directory = temporaryDirectory();
  put(a1, directory, "a");
  await serve(directory);
  const key = join(directory, "a.key");
  const failing = () => sluice.metric("sluice_tls_source_failing", { source: key });
  copyFileSync(a2.cert, join(directory, "a.crt"));
  const line = await waitFor("the log line", () =>
    sluice.lines.find(({ msg }) => msg.includes(key) && msg.includes("the former pair goes on serving")),
  );
  expect(line.level).toBe("warn");
  expect(await shown(sluice, "a.test")).toBe(issued(a1));
  expect(await failing()).toBe(1);
  copyFileSync(a2.key, key);
  await serves(sluice, "a.test", a2);
  await waitFor("the gauge to be cleared", async () => (await failing()) === 0);
});

test("a key that is written in pieces, and an expired certificate, do not replace what is good", async () => {
  const directory = temporaryDirectory();
  put(a1, directory, "a");
  await serve(directory);
  const whole = readFileSync(a1.key, "utf8");
  writeFileSync(join(directory, "a.key"), whole.slice(0, 100));
  await waitFor("the load of the piece", () => warnings(sluice, "a.key").length > 0);
  expect(await shown(sluice, "a.test")).toBe(issued(a1));
  const expired = await authority.issue({ names: ["a.test"], notAfter: "20210101000000Z" });
  put(expired, directory, "a");
  await waitFor("the log line", () =>
    sluice.lines.some(
      ({ msg }) =>
        msg.includes(directory) && msg.includes("the new certificate has expired; the former one goes on serving"),
    ),
  );
  expect(await shown(sluice, "a.test")).toBe(issued(a1));
  put(a2, directory, "a");
  await serves(sluice, "a.test", a2);
});

test("a whole directory that goes away, as a volume does, keeps its pairs until it is back", async () => {
  const parent = temporaryDirectory();
  const directory = join(parent, "volume");
  put(a1, directory, "a");
  await serve(directory);
  const failing = () => sluice.metric("sluice_tls_source_failing", { source: directory });
  renameSync(directory, join(parent, "away"));
  await sluice.logged("volume: cannot be read: no such file");
  expect(await shown(sluice, "a.test")).toBe(issued(a1));
  await waitFor("the gauge", async () => (await failing()) === 1);
  put(a2, directory, "a");
  await serves(sluice, "a.test", a2);
  expect(await failing()).toBe(0);
});

test("where nothing is watched, a half-written pair waits for SIGHUP as all else does", async () => {
  const directory = temporaryDirectory();
  put(a1, directory, "a");
  copyFileSync(a1.key, join(directory, "lone.key"));
  copyFileSync(b1.key, join(directory, "b.key"));
  const sluice = await Sluice.start({ dynamic: dynamic(`[${directory}]`), file: "watch: false" });
  expect(await shown(sluice, "b.test")).toBeNull();
  await sluice.reload(() => {
    copyFileSync(b1.cert, join(directory, "b.crt"));
    sluice.process.kill("SIGHUP");
  });
  expect(await shown(sluice, "b.test")).toBe(issued(b1));
});
