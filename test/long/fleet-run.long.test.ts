// A run over a table of devices loses nothing, whatever stops it: kill -9 at any moment, Control-C, a full disk.

import { expect, test } from "bun:test";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sluiceCli } from "../support/cli.ts";
import { SLUICE } from "../support/sluice.ts";
import { cleanup, exec, temporaryDirectory, waitFor } from "../support/tools.ts";

const FILES = ["README.md", "ca.crt", "client.crt", "client.key", "client.p12", "password.txt", "sluice.json"];

async function place(devices: number, family: string) {
  const cwd = temporaryDirectory();
  const { code, stderr } = await sluiceCli(["certs", "init"], { cwd });
  if (code !== 0) throw new Error(stderr);
  writeFileSync(
    join(cwd, "devices.csv"),
    `name\n${Array.from({ length: devices }, (_, at) => `dev-${at}\n`).join("")}`,
  );
  const command = [
    SLUICE,
    "certs",
    "client",
    "--from=devices.csv",
    `--for=${family}`,
    "--host=edge.example",
    "--out=out",
  ];
  const names = () => (existsSync(join(cwd, "out")) ? readdirSync(join(cwd, "out")) : []);
  /** The folders that are there; each is whole. */
  const whole = () => {
    const folders = names().filter((name) => !name.startsWith("."));
    const serials = folders.map((name) => {
      const file = (end: string) => readFileSync(join(cwd, "out", name, end));
      const certificate = new X509Certificate(file("client.crt"));
      expect(certificate.checkPrivateKey(createPrivateKey(file("client.key")))).toBe(true);
      expect(certificate.subject).toBe(`CN=${name}`);
      expect(JSON.parse(file("sluice.json").toString()).serial).toBe(certificate.serialNumber);
      return certificate.serialNumber;
    });
    return new Map(folders.map((name, at) => [name, serials[at]!]));
  };
  const listed = async (): Promise<string[]> => {
    const list = await sluiceCli(["certs", "list", "--authority=authority", "--json"], { cwd });
    return JSON.parse(list.stdout).certificates.map(({ serial }: { serial: string }) => serial);
  };
  return { cwd, command, names, whole, listed };
}

test("of 1000 devices each gets one whole folder, though the run is killed with SIGKILL over and over", async () => {
  const { cwd, command, names, whole, listed } = await place(1000, "generic");
  let before = new Map<string, string>();
  let kills = 0;
  for (let code = -1; code !== 0; ) {
    const child = Bun.spawn(command, { cwd, stdin: "ignore", stdout: "ignore", stderr: "ignore" });
    cleanup(() => child.kill("SIGKILL"));
    let isOver = false;
    void child.exited.then(() => {
      isOver = true;
    });
    // At a moment that is another one each time: also within the making of a folder.
    const target = before.size + 20 + Math.floor(Math.random() * 180);
    await waitFor("some devices more", () => isOver || names().length >= target, 120_000);
    child.kill("SIGKILL");
    code = await child.exited;
    if (code !== 0) kills++;
    const now = whole();
    for (const [name, serial] of before) expect({ name, serial: now.get(name) }).toEqual({ name, serial });
    before = now;
  }
  expect(kills).toBeGreaterThan(3);
  // Nothing of those that were interrupted is left, and each folder has all of its files.
  expect(names().filter((name) => name.startsWith("."))).toEqual([]);
  expect(before.size).toBe(1000);
  for (const name of before.keys()) expect(readdirSync(join(cwd, "out", name)).sort()).toEqual(FILES);
  const index = await listed();
  expect(new Set(index).size).toBe(index.length);
  for (const serial of before.values()) expect(index).toContain(serial);
  // A run that is killed has issued one certificate at most that nobody has.
  expect(index.length - 1000).toBeLessThanOrEqual(kills);
  const again = await exec(command, { cwd });
  expect(again).toMatchObject({ code: 0, stdout: "devices.csv: 0 devices made, 1000 were there already\n" });
}, 600_000);

test("Control-C finishes the device that is being made, and says how many are left; the same command makes them", async () => {
  const { cwd, command, names, whole } = await place(150, "generic");
  let written = "";
  const child = Bun.spawn(command, {
    cwd,
    terminal: {
      data(terminal, data) {
        written += Buffer.from(data).toString();
        if (written.endsWith("each gets its own): ")) terminal.write("\r");
      },
    },
  });
  cleanup(() => child.kill("SIGKILL"));
  await waitFor("a bar that has moved", () => /█.* of 150 devices/.test(written), 60_000);
  await waitFor("some devices", () => names().length > 10, 60_000);
  child.terminal!.write("\x03");
  expect(await child.exited).toBe(130);
  const done = whole().size;
  expect(done).toBeLessThan(150);
  expect(names().filter((name) => name.startsWith("."))).toEqual([]);
  expect(written).toContain(`devices.csv: ${done} devices made, ${150 - done} are left: the same command goes on`);
  const again = await exec(command, { cwd, timeoutMs: 120_000 });
  expect(again).toMatchObject({
    code: 0,
    stdout: `devices.csv: ${150 - done} devices made, ${done} were there already\n`,
  });
  expect(whole().size).toBe(150);
}, 300_000);

test("at a terminal a phone's address is shown as a QR code, and nothing of its key", async () => {
  const { cwd } = await place(1, "mqttx");
  let written = "";
  const data = (_: unknown, chunk: Uint8Array) => {
    written += Buffer.from(chunk).toString();
  };
  const command = [SLUICE, "certs", "client", "phone 1", "--for=mqttx", "--host=edge.example"];
  const child = Bun.spawn(command, { cwd, terminal: { cols: 120, rows: 50, data } });
  cleanup(() => child.kill("SIGKILL"));
  expect(await child.exited).toBe(0);
  expect(written).toContain("mqtts://edge.example:8883?clientId=phone%201");
  expect(
    written.split("\n").filter((line) => line.includes("\x1b[30;107m") && line.includes("█")).length,
  ).toBeGreaterThan(10);
  expect(written).not.toContain("PRIVATE KEY");
  // The runtime paints what console.error gets: good news would be red.
  expect(written).not.toContain("\x1b[31m");
});

test("a disk that is full leaves whole folders alone, and says so; with room the same command goes on", async () => {
  const { cwd, command } = await place(60, "generic");
  const script = `
    mkdir out && mount -t tmpfs -o size=600k tmpfs out
    "$@"; echo "code $?"; find out -mindepth 1 -maxdepth 1 | sed 's/.*/left &/' | sort
    for each in out/dev-*; do ls -A "$each" | tr '\\n' ' '; echo; done | sort | uniq -c | sed 's/^ *//'
    mount -o remount,size=20m out
    "$@"; echo "code $?"; ls -A out | wc -l`;
  const { stdout, stderr } = await exec(["unshare", "-m", "sh", "-c", script, "sh", ...command], {
    cwd,
    timeoutMs: 60_000,
  });
  const [, made] = /devices\.csv: (\d+) devices made, \d+ are left/.exec(stderr)!;
  expect(stderr).toContain("\nout: no space left on the device\n");
  expect(stdout).not.toContain("left out/.");
  expect(stdout).toContain(`code 1\n`);
  // All folders have the same files.
  expect(stdout).toContain(`\n${made} ${FILES.join(" ")} \n`);
  expect(stdout).toEndWith(`devices.csv: ${60 - Number(made)} devices made, ${made} were there already\ncode 0\n60\n`);
});

test("two runs over the same table at once make each device once", async () => {
  const { cwd, command, whole } = await place(40, "generic");
  const [one, two] = await Promise.all([exec(command, { cwd }), exec(command, { cwd })]);
  // Whoever comes second to a folder stops there, and leaves it as it is.
  for (const { code, stderr } of [one, two]) if (code !== 0) expect(stderr).toContain("is there already");
  const again = await exec(command, { cwd });
  expect(again.code).toBe(0);
  expect(whole().size).toBe(40);
});

test("a disk that is full is said with the file that had no room, and a renewal goes on where it stopped", async () => {
  const cwd = temporaryDirectory();
  const script = `
    mkdir disk && mount -t tmpfs -o size=200k tmpfs disk && cd disk
    "$0" certs init >/dev/null && "$0" certs server edge.example --days=5 >/dev/null 2>&1
    dd if=/dev/zero of=fill bs=4k 2>/dev/null
    "$0" certs renew --within=30
    rm fill
    "$0" certs renew --within=30`;
  const { stdout, stderr } = await exec(["unshare", "-m", "sh", "-c", script, SLUICE], { cwd, timeoutMs: 60_000 });
  expect(stderr).toMatch(/^not renewed: edge\.example: \S*authority\/(?:issued\/)?\S+: no space left on the device\n$/);
  expect(stdout).toStartWith("renewed: servers/edge.example, ");
});
