// Logs never hold anything: traffic, /ping, a stop and the end of the workers go on whatever becomes of the disk or the reader.

import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { tcpClient, tlsClient } from "../support/clients.ts";
import { echoEdge, echoes } from "../support/echo.ts";
import { isAlive } from "../support/proc.ts";
import { Sluice, type SluiceOptions } from "../support/sluice.ts";
import { cleanup, exec, temporaryDirectory, waitFor } from "../support/tools.ts";

const { dynamic } = await echoEdge();

/** Sluice in a mount namespace of its own, with both logs on a file system that `mount` mounts on $0. */
async function onItsOwnDisk(mount: string, options: Partial<SluiceOptions> = {}) {
  const directory = join(temporaryDirectory(), "logs");
  mkdirSync(directory);
  const sluice = await Sluice.start({
    dynamic,
    ...options,
    within: ["unshare", "-m", "sh", "-c", `${mount} && exec "$@"`, directory],
    env: {
      SLUICE_LOG_FILEPATH: join(directory, "sluice.log"),
      SLUICE_ACCESSLOG_FILEPATH: join(directory, "access.log"),
    },
  });
  const [master] = [sluice.masterPid];
  const path = (name: string) => `/proc/${master}/root${join(directory, name)}`;
  return {
    sluice,
    workers: sluice.workers,
    directory,
    path,
    read: (name: string) => readFileSync(path(name), "utf8"),
    /** Runs a program where the disk is to be seen. */
    inside: (...command: string[]) => exec(["nsenter", "-t", String(master), "-m", ...command]),
  };
}

/** Larger than what waits for it. */
const TMPFS = 'mount -t tmpfs -o size=4m none "$0"';

type Disk = Awaited<ReturnType<typeof onItsOwnDisk>>;

function fill({ path }: Disk): void {
  for (const size of [65_536, 4096])
    try {
      for (;;) writeFileSync(path("filler"), Buffer.alloc(size), { flag: "a" });
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe("ENOSPC");
    }
}

/** Clients that each leave a line. */
async function clients(port: number, count: number): Promise<void> {
  for (let done = 0; done < count; done += 50)
    await Promise.all(
      Array.from({ length: 50 }, async () => {
        const socket = await tcpClient(port);
        const closed = new Promise((resolve) => socket.once("close", resolve));
        socket.end("GET / HTTP/1.1\r\n\r\n").resume();
        await closed;
      }),
    );
}

async function isFree(port: number): Promise<boolean> {
  return tcpClient(port).then(
    (socket) => {
      socket.destroy();
      return false;
    },
    () => true,
  );
}

/** Whether a thread of the process is in the state D (proc_pid_stat(5)). */
function waitsForDisk(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).some((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8").includes(") D "),
  );
}

const exited = (process: Subprocess) => process.exited;

test("a full disk is said once on standard error, costs only lines, and is written to again when there is room", async () => {
  const disk = await onItsOwnDisk(TMPFS);
  const { sluice } = disk;
  fill(disk);
  await clients(sluice.port, 6000);
  await echoes(sluice.port);
  await waitFor("lines to be dropped", async () => (await sluice.metric("sluice_log_lines_dropped_total")) > 0);
  rmSync(disk.path("filler"));
  // What fitted into the buffer comes late, and what did not is named.
  await waitFor("the number of lost lines", () => disk.read("access.log").includes("log lines were dropped"));
  const lost = disk
    .read("access.log")
    .split("\n")
    .filter((line) => line.includes("log lines were dropped"));
  expect(JSON.parse(lost[0]!).lost).toBeGreaterThan(0);
  expect(await sluice.stop()).toBe(0);
  await waitFor("standard error", () => sluice.stderr !== "");
  expect(sluice.stderr.split("\n").filter((line) => line.includes("access.log"))).toEqual([
    `sluice: ${disk.directory}/access.log cannot be written: no space left on the device: log lines wait, and what is too much is dropped`,
  ]);
}, 60_000);

test("SIGTERM ends it with exit code 0 while the disk under its logs is full", async () => {
  const disk = await onItsOwnDisk(TMPFS, { workers: 2 });
  fill(disk);
  await clients(disk.sluice.port, 200);
  expect(await disk.sluice.stop()).toBe(0);
  expect(disk.workers.filter(isAlive)).toEqual([]);
});

test("a second SIGTERM ends it at once while the disk under its logs is full", async () => {
  const entryPoint = "    transport: { lifeCycle: { graceTimeOut: 10m } }";
  const disk = await onItsOwnDisk(TMPFS, { entryPoint });
  const { sluice } = disk;
  fill(disk);
  const open = await tlsClient(sluice.port);
  sluice.process.kill("SIGTERM");
  await waitFor("503", async () => (await fetch(`http://127.0.0.1:${sluice.adminPort}/ping`)).status === 503);
  sluice.process.kill("SIGTERM");
  expect(await exited(sluice.process)).toBe(1);
  await waitFor("the workers to be gone", () => !disk.workers.some(isAlive));
  open.destroy();
});

test("SIGKILL of the master ends the workers while the disk under their logs is full", async () => {
  const disk = await onItsOwnDisk(TMPFS, { workers: 2 });
  fill(disk);
  await clients(disk.sluice.port, 200);
  disk.sluice.process.kill("SIGKILL");
  await waitFor("the workers to be gone", () => !disk.workers.some(isAlive));
  expect(await isFree(disk.sluice.port)).toBe(true);
});

test("SIGKILL of the master ends the workers while nobody reads their standard output", async () => {
  const fifo = join(temporaryDirectory(), "fifo");
  expect((await exec(["mkfifo", fifo])).code).toBe(0);
  const reader = Bun.spawn(["sh", "-c", 'exec sleep 600 <"$0"', fifo]);
  cleanup(() => reader.kill("SIGKILL"));
  const sluice = await Sluice.start({ dynamic, workers: 2, within: ["sh", "-c", 'exec "$@" >"$0"', fifo] });
  const { workers } = sluice;
  // Their lines are several times what a pipe takes.
  await clients(sluice.port, 1000);
  sluice.process.kill("SIGKILL");
  await waitFor("the workers to be gone", () => !workers.some(isAlive));
  expect(await isFree(sluice.port)).toBe(true);
}, 60_000);

for (const [signal, what] of [
  ["SIGKILL", "SIGKILL of the master frees the port"],
  ["SIGTERM", "SIGTERM frees the port, and ends it with exit code 0 when the file system answers"],
] as const)
  test(`on a frozen file system under the logs traffic, new connections and /ping go on; ${what}`, async () => {
    const image = join(temporaryDirectory(), "image");
    writeFileSync(image, Buffer.alloc(8 * 1024 * 1024));
    expect((await exec(["mkfs.ext4", "-q", image])).code).toBe(0);
    const disk = await onItsOwnDisk(`mount -o loop '${image}' "$0"`, {
      entryPoint: "    transport: { lifeCycle: { graceTimeOut: 0 } }",
    });
    const { sluice, workers, directory } = disk;
    // A process of the namespace that outlives Sluice.
    const holder = Bun.spawn(["nsenter", "-t", String(sluice.masterPid), "-m", "sleep", "600"]);
    cleanup(() => holder.kill("SIGKILL"));
    const freeze = (how: "-f" | "-u") => exec(["nsenter", "-t", String(holder.pid), "-m", "fsfreeze", how, directory]);
    await waitFor(
      "the holder",
      async () =>
        (await exec(["nsenter", "-t", String(holder.pid), "-m", "test", "-e", join(directory, "access.log")])).code ===
        0,
    );
    const established = await tlsClient(sluice.port);
    cleanup(() => freeze("-u"));
    expect(await freeze("-f")).toMatchObject({ code: 0 });

    await clients(sluice.port, 500);
    for (let round = 0; round < 3; round++) {
      await echoes(sluice.port);
      const echoed = new Promise((resolve) => established.once("data", resolve));
      established.write("still here");
      expect(String(await echoed)).toBe("still here");
      expect((await fetch(`http://127.0.0.1:${sluice.adminPort}/ping`)).status).toBe(200);
    }
    const closed = new Promise((resolve) => established.once("close", resolve));
    established.resume().on("end", () => established.end());
    // The kernel keeps a killed process, with all that it has open, as long as one of its threads waits for a disk: then nobody can
    // know that the master is gone before the disk answers.
    const isHeld = signal === "SIGKILL" && waitsForDisk(sluice.masterPid);
    sluice.process.kill(signal);
    if (isHeld) expect(await freeze("-u")).toMatchObject({ code: 0 });
    await waitFor("the port to be free", () => isFree(sluice.port));
    await closed;
    if (!isHeld) expect(await freeze("-u")).toMatchObject({ code: 0 });
    expect(await exited(sluice.process)).toBe(signal === "SIGTERM" ? 0 : 137);
    await waitFor("the workers to be gone", () => !workers.some(isAlive));
  }, 60_000);

test("a closed standard output is said once on standard error, and only lines that were lost are counted", async () => {
  const probe = await Sluice.start({ dynamic });
  await probe.stop();
  const errors = join(probe.directory, "stderr");
  const shell = `{ "$0" run --configFile="$1" 2>"$2"; } | :`;
  const child = Bun.spawn(["sh", "-c", shell, probe.binary, `${probe.directory}/sluice.yml`, errors]);
  cleanup(async () => {
    Bun.spawnSync(["pkill", "-KILL", "-f", probe.directory]);
    await child.exited;
  });
  const ping = async () => (await fetch(`http://127.0.0.1:${probe.adminPort}/ping`).catch(() => null))?.ok;
  await waitFor("Sluice to answer", ping);
  await clients(probe.port, 100);
  const dropped = () => probe.metric("sluice_log_lines_dropped_total");
  await waitFor("the lines of 100 clients to be lost", async () => (await dropped()) >= 100);
  await waitFor("standard error", () => readFileSync(errors, "utf8") !== "");
  const before = await dropped();
  // Where it is counted ten times a second, a handful of scrapes is enough to see it.
  await new Promise((next) => setTimeout(next, 1000));
  expect(await dropped()).toBe(before);
  expect(before).toBeLessThan(150);
  expect(readFileSync(errors, "utf8")).toBe(
    "sluice: standard output cannot be written any more: nobody reads it: log lines are dropped\n",
  );
});
