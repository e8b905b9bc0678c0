// `sluice certs renew` goes by what is in the folders: an index knows also of certificates that never came there, because a run was killed or
// the disk was full.

import { expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sluiceCli } from "../support/cli.ts";
import { temporaryDirectory } from "../support/tools.ts";

const directory = temporaryDirectory();
const file = (name: string) => join(directory, name);
const run = (...args: string[]) => sluiceCli(["certs", ...args], { cwd: directory });
async function certs(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args);
  if (code !== 0) throw new Error(`sluice certs ${args.join(" ")}: ${stderr}`);
  return stdout;
}
const certificateIn = (name: string) => new X509Certificate(readFileSync(file(name)));
await certs("init");

/** Another certificate in the index for the same names, which nobody has got. */
async function unfinished(purpose: "server" | "client", ...names: string[]): Promise<void> {
  await certs(purpose, ...names, "--out=elsewhere");
  rmSync(file("elsewhere"), { recursive: true });
}

test("one that ends soon is renewed although a run that failed has issued its successor already", async () => {
  await certs("server", "edge.test", "--days=5");
  await certs("client", "dev-1", "--days=5", "--for=paho-java");
  await unfinished("server", "edge.test");
  await unfinished("client", "dev-1");
  expect(await certs("renew", "--within=30")).toMatch(
    /^renewed: servers\/edge\.test, .*\nrenewed: clients\/dev-1, .*\n$/,
  );
  expect(await certs("renew", "--within=30")).toBe("Nothing is to be renewed.\n");
});

test("a successor whose file is missing in the authority's folder keeps nothing from being renewed", async () => {
  await certs("server", "full.test");
  const before = new Set(readdirSync(file("authority/issued")));
  await unfinished("server", "full.test");
  for (const name of readdirSync(file("authority/issued")).filter((name) => !before.has(name)))
    rmSync(file(`authority/issued/${name}`));
  expect(await certs("renew", "full.test")).toStartWith("renewed: servers/full.test, ");
});

test("--sameKey keeps the key that is in the folder, and not that of a successor that never came there", async () => {
  for (const options of [[], ["--for=mosquitto"], ["--for=thingsboard"]]) {
    const name = `keeps${options.join("").slice(6)}`;
    await certs("client", name, ...options);
    await unfinished("client", name);
    const { publicKey } = certificateIn(`clients/${name}/client.crt`);
    await certs("renew", name, "--sameKey");
    expect(certificateIn(`clients/${name}/client.crt`).publicKey.equals(publicKey)).toBe(true);
  }
});

test("a server that got further names keeps them, although the former certificate ends first", async () => {
  await certs("server", "a.test", "--days=5");
  await certs("server", "a.test", "b.test", "--days=6", "--force");
  expect(await certs("renew", "--within=30")).toMatch(/^renewed: servers\/a\.test, [^\n]*\n$/);
  expect(certificateIn("servers/a.test/server.crt").subjectAltName).toBe("DNS:a.test, DNS:b.test");
});

test("devices whose names differ in capital letters alone are renewed and revoked by their own names", async () => {
  for (const name of ["Pump", "PUMP", "pump"]) await certs("client", name);
  expect(await certs("renew", "Pump")).toStartWith("renewed: clients/Pump, ");
  expect((await certs("revoke", "PUMP")).match(/revoked: \w+/g)).toEqual(["revoked: PUMP"]);
  expect((await run("revoke", "pUMP")).stderr).toBe(
    "authority has issued nothing to 'pUMP' (did you mean \"Pump\"?)\n",
  );
});

test("runs over one table at the same time share its devices, and each ends well", async () => {
  writeFileSync(file("shared.csv"), `name\n${Array.from({ length: 12 }, (_, at) => `s-${at}\n`).join("")}`);
  const bin = join(import.meta.dir, "../../bin/sluice");
  const both = ["1", "2"].map(() =>
    Bun.spawn([bin, "certs", "client", "--from=shared.csv", "--for=mosquitto", "--out=shared", "--host=edge.test"], {
      ...{ cwd: directory, stdout: "pipe", stderr: "pipe", stdin: "ignore" },
    }),
  );
  const ends = await Promise.all(
    both.map(async (each) => [
      await each.exited,
      await new Response(each.stderr).text(),
      await new Response(each.stdout).text(),
    ]),
  );
  expect(ends.map(([code, stderr]) => [code, stderr])).toEqual([
    [0, ""],
    [0, ""],
  ]);
  const made = ends.map(([, , stdout]) => Number(/(\d+) devices? made/.exec(String(stdout))![1]));
  expect(made[0]! + made[1]!).toBe(12);
  expect(readdirSync(file("shared"))).toHaveLength(12);
});

test("a list that somebody has removed or damaged is written again, even by a revocation that was known", async () => {
  await certs("client", "twice");
  await certs("revoke", "twice");
  const list = () => readFileSync(file("authority/crl.pem"), "utf8");
  const spoil = [() => rmSync(file("authority/crl.pem")), () => writeFileSync(file("authority/crl.pem"), "garbage")];
  for (const each of spoil) {
    each();
    expect(await certs("revoke", "twice")).toContain("authority/crl.pem says so");
    expect(list()).toStartWith("-----BEGIN X509 CRL-----\n");
  }
});

test("a folder whose password.txt was changed is not renewed with another password than its device has", async () => {
  await certs("client", "typo", "--for=generic");
  const before = readFileSync(file("clients/typo/client.p12"));
  const password = readFileSync(file("clients/typo/password.txt"), "utf8");
  const refusals = {
    "": "clients/typo/password.txt is not there, or empty: give --storePasswordFile FILE or --storePasswordEnv NAME\n",
    "another\n":
      "clients/typo/password.txt is not the password of the key stores beside it: put it right, or give --storePasswordFile FILE\n",
  };
  for (const [text, stderr] of Object.entries(refusals)) {
    writeFileSync(file("clients/typo/password.txt"), text);
    expect(await run("renew", "typo")).toMatchObject({ code: 1, stderr });
  }
  expect(readFileSync(file("clients/typo/client.p12"))).toEqual(before);
  writeFileSync(file("clients/typo/password.txt"), password);
  await certs("renew", "typo");
});

test("a sluice.json whose parts do not go together is refused", async () => {
  await certs("client", "edited", "--for=paho-java");
  const manifest = JSON.parse(readFileSync(file("clients/edited/sluice.json"), "utf8"));
  for (const wrong of [
    { ...manifest, store: null },
    { ...manifest, for: "mosquitto" },
  ]) {
    writeFileSync(file("clients/edited/sluice.json"), JSON.stringify(wrong));
    expect((await run("renew", "edited")).stderr).toMatch(/sluice\.json is not as Sluice wrote it\n$/);
  }
});

test("what a killed run has left among the servers is removed by the next one", async () => {
  const { fingerprint256 } = certificateIn("authority/ca.crt");
  const left = `servers/.killed.test.${fingerprint256.replaceAll(":", "").slice(0, 8).toLowerCase()}.tmp`;
  mkdirSync(file(left), { recursive: true });
  writeFileSync(file(`${left}/server.key`), "a key that nobody will ask for");
  await certs("server", "next.test");
  expect(existsSync(file(left))).toBe(false);
});
