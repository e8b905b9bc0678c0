// An authority's index: runs at the same time do not clash, and whatever kills a run, what it has said to have done stays done.

import { expect, test } from "bun:test";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { appendFileSync, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { sluiceCli } from "../support/cli.ts";
import { SLUICE } from "../support/sluice.ts";
import { cleanup, exec, temporaryDirectory, waitFor } from "../support/tools.ts";

const PRESS = join(import.meta.dir, "../support/authority-press.ts");

async function place() {
  const cwd = temporaryDirectory();
  const type = (...args: string[]) => sluiceCli(["certs", ...args], { cwd });
  const done = async (...args: string[]) => {
    const finished = await type(...args);
    if (finished.code !== 0) throw new Error(`certs ${args.join(" ")}: ${finished.stderr}`);
    return finished;
  };
  await done("init");
  const file = (path: string) => join(cwd, path);
  const listed = async (): Promise<{ serial: string; commonName: string; state: string }[]> =>
    JSON.parse((await type("list", "--authority=authority", "--json")).stdout).certificates;
  /** The serial numbers that OpenSSL reads in the list. */
  const inCrl = async () => {
    const { stdout } = await exec(["openssl", "crl", "-in", "authority/crl.pem", "-noout", "-text"], { cwd });
    return [...stdout.matchAll(/Serial Number: ([0-9A-F]+)/g)].map((match) => match[1]!).sort();
  };
  return { cwd, type, done, file, listed, inCrl };
}

const RUNS = 20;

test(`${RUNS} runs at once issue ${RUNS} certificates, and half as many that revoke at once are all in the list`, async () => {
  const { cwd, file, listed, inCrl } = await place();
  const names = Array.from({ length: RUNS }, (_, n) => `dev-${n}`);
  const run = (...args: string[]) => exec([SLUICE, "certs", ...args], { cwd, timeoutMs: 120_000 });
  const issued = await Promise.all(names.map((name) => run("client", name)));
  expect(issued.map(({ code, stderr }) => ({ code, stderr })).filter(({ code }) => code !== 0)).toEqual([]);
  const after = await listed();
  expect(after.map(({ commonName }) => commonName).sort()).toEqual([...names].sort());
  expect(new Set(after.map(({ serial }) => serial)).size).toBe(RUNS);
  expect(readdirSync(file("authority/issued")).sort()).toEqual(after.map(({ serial }) => `${serial}.crt`).sort());
  const revoked = await Promise.all(names.slice(0, RUNS / 2).map((name) => run("revoke", name)));
  expect(revoked.every(({ code }) => code === 0)).toBe(true);
  const gone = (await listed()).filter(({ state }) => state === "revoked").map(({ serial }) => serial);
  expect(gone).toHaveLength(RUNS / 2);
  expect(await inCrl()).toEqual(gone.sort());
});

test("of runs for one name at once one gets the folder, and with --force its key and certificate belong together", async () => {
  const { cwd, file } = await place();
  const run = (...args: string[]) => exec([SLUICE, "certs", "client", "dev-1", ...args], { cwd, timeoutMs: 120_000 });
  const first = await Promise.all([run(), run(), run(), run()]);
  expect(first.map(({ code }) => code).sort()).toEqual([0, 1, 1, 1]);
  for (const { code, stderr } of first) if (code === 1) expect(stderr).toContain("client.key is there already");
  await Promise.all([run("--force"), run("--force"), run("--force"), run("--force")]);
  const [cert, key] = ["crt", "key"].map((end) => readFileSync(file(`clients/dev-1/client.${end}`)));
  expect(new X509Certificate(cert!).checkPrivateKey(createPrivateKey(key!))).toBe(true);
});

test("runs that are killed at any moment lose nothing that they said was done, and leave nothing that is in the way", async () => {
  const { cwd, type, file, listed, inCrl } = await place();
  const [issued, revoked] = [new Set<string>(), new Set<string>()];
  const rounds = 25;
  for (let round = 0; round < rounds; round++) {
    const child = Bun.spawn([process.execPath, PRESS, file("authority"), file("clients"), `r${round}`], {
      cwd,
      stdio: ["ignore", "pipe", "inherit"],
    });
    cleanup(() => child.kill("SIGKILL"));
    let said = "";
    const reading = (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of child.stdout) said += decoder.decode(chunk, { stream: true });
    })();
    await waitFor("the first one", () => said.includes("issued "));
    await Bun.sleep(Math.random() * 200);
    child.kill("SIGKILL");
    await Promise.all([child.exited, reading]);
    // A line that is cut off was not said.
    for (const [, what, serial] of said.matchAll(/^(issued|revoked) (\w+)\n/gm))
      (what === "issued" ? issued : revoked).add(serial!);

    const { code } = await type("list", "--authority=authority");
    const certificates = await listed();
    const known = new Map(certificates.map(({ serial, state }) => [serial, state]));
    expect([...issued].filter((serial) => !known.has(serial))).toEqual([]);
    expect([...revoked].filter((serial) => known.get(serial) !== "revoked")).toEqual([]);
    // What is revoked in the index and in no list yet is said, and nothing else is missing.
    const listedAsRevoked = certificates.filter(({ state }) => state === "revoked").map(({ serial }) => serial);
    if (code === 0) expect(await inCrl()).toEqual(listedAsRevoked.sort());
    else expect((await inCrl()).length).toBeLessThanOrEqual(listedAsRevoked.length);
    // Whatever was signed is in the index.
    const files = readdirSync(file("authority/issued")).filter((name) => name.endsWith(".crt"));
    expect(files.filter((name) => !known.has(name.slice(0, -4)))).toEqual([]);
  }
  expect(issued.size).toBeGreaterThanOrEqual(rounds);
  expect((await type("crl")).code).toBe(0);
  expect((await type("list", "--authority=authority")).code).toBe(0);
  const gone = (await listed()).filter(({ state }) => state === "revoked").map(({ serial }) => serial);
  expect(await inCrl()).toEqual(gone.sort());
  // Each key that is there is whole, and nobody else's to read.
  for (const name of readdirSync(file("clients"))) {
    const key = file(`clients/${name}/client.key`);
    if (!existsSync(key)) continue;
    expect(statSync(key).mode & 0o777).toBe(0o600);
    expect(readFileSync(key, "utf8")).toEndWith("-----END PRIVATE KEY-----\n");
  }
}, 180_000);

test("a last line that was cut off is no event: the next run takes it away", async () => {
  const { type, done, file, listed } = await place();
  await done("client", "dev-1");
  const whole = readFileSync(file("authority/index.txt"), "utf8");
  appendFileSync(file("authority/index.txt"), "2026-11-26T03:24:36Z\tissued\t3D24F9013E92D9D2E6D02DB6");
  expect(await listed()).toHaveLength(1);
  expect((await type("list", "--authority=authority")).code).toBe(0);
  await done("client", "dev-2");
  expect(readFileSync(file("authority/index.txt"), "utf8")).toStartWith(whole);
  expect((await listed()).map(({ commonName }) => commonName)).toEqual(["dev-1", "dev-2"]);
});

test("a line within the index that is no event stops everything, with its number", async () => {
  const { type, done, file } = await place();
  await done("client", "dev-1");
  appendFileSync(file("authority/index.txt"), "2026-11-26T03:24:36Z\trevoqued\t3D24\tsuperseded\n");
  for (const args of [["client", "dev-2"], ["list", "--authority=authority"], ["crl"]]) {
    const { code, stderr } = await type(...args);
    expect(code).toBe(1);
    expect(stderr).toMatch(/index\.txt:5: this is no event of an index: .*revoqued/);
  }
});

test("a revocation whose list was not written is told of, and is in the next list whatever writes it", async () => {
  const { type, done, file, listed, inCrl } = await place();
  await done("client", "dev-1", "dev-2");
  const [first, second] = await listed();
  // As a run leaves it that dies between the two.
  appendFileSync(file("authority/index.txt"), `2026-11-26T03:24:36Z\trevoked\t${first!.serial}\tkeyCompromise\n`);
  const behind = await type("list", "--authority=authority");
  expect(behind).toMatchObject({
    code: 1,
    stderr: "wrong: authority/crl.pem lacks what was revoked last: sluice certs crl writes it\n",
  });
  expect(await inCrl()).toEqual([]);
  await done("client", "dev-3");
  expect(await inCrl()).toEqual([first!.serial]);
  await done("revoke", second!.serial);
  expect(await inCrl()).toEqual([first!.serial, second!.serial].sort());
});

test("on a full disk nothing is handed over and the index stays whole; with room again everything goes on", async () => {
  const directory = temporaryDirectory();
  const script = `
    mount -t tmpfs -o size=100k tmpfs "$PWD" && cd "$PWD"
    sluice() { "${SLUICE}" certs "$@"; }
    sluice init && sluice client first && cp authority/index.txt before
    dd if=/dev/zero of=fill bs=1k count=200
    for name in a b c; do sluice client $name; echo "issued: $?"; done
    sluice revoke first; echo "revoked: $?"
    rm fill
    sluice revoke first && sluice client later && sluice list --authority=authority
    cmp -n "$(stat -c %s before)" before authority/index.txt && echo "the beginning is the same"
    openssl crl -in authority/crl.pem -noout -text`;
  const { stdout, stderr } = await exec(["unshare", "-m", "sh", "-c", `cd ${directory} && ${script}`], {
    timeoutMs: 60_000,
  });
  expect(stdout.match(/issued: 1/g)).toHaveLength(3);
  expect(stdout).toContain("revoked: 1\n");
  expect(stderr.match(/no space left on the device/g)).toHaveLength(4);
  expect(stdout).toMatch(/^later +client +\w+ +\S+ +good$/m);
  expect(stdout).toMatch(/^first +client +\w+ +\S+ +revoked on /m);
  expect(stdout).toContain("the beginning is the same\n");
  expect(stdout).toMatch(/Serial Number: /);
});
