// A worker that hangs: nobody new comes to it, who waits in its queue is served by the one that replaces it, and everything that tells how
// Sluice is says so.

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tlsClient } from "../support/clients.ts";
import { echoEdge, echoes } from "../support/echo.ts";
import { isAlive } from "../support/proc.ts";
import { Sluice } from "../support/sluice.ts";
import { cleanup, waitFor } from "../support/tools.ts";

const { dynamic } = await echoEdge();
const pingOf = async (sluice: Sluice) => {
  const answer = await fetch(`http://127.0.0.1:${sluice.adminPort}/ping`);
  return [answer.status, (await answer.text()).trim()];
};

function stopped(pid: number): number {
  process.kill(pid, "SIGSTOP");
  cleanup(() => {
    try {
      process.kill(pid, "SIGKILL");
    } catch {} // it has been killed already
  });
  return pid;
}

test("one of two: every client is served, the worker is killed and replaced, and a reload is loaded when both have it", async () => {
  const sluice = await Sluice.start({ dynamic, workers: 2 });
  const hung = stopped(sluice.workers[0]!);
  // About half of these come into the queue of the one that hangs.
  const early = Promise.all(Array.from({ length: 40 }, () => echoes(sluice.port)));
  const up = (worker: number) => sluice.metric("sluice_worker_up", { worker: String(worker) });
  await waitFor("it to be told from the other", async () => (await up(0)) === 0);
  expect(await pingOf(sluice)).toEqual([200, "OK"]);
  // Those that come now meet the other one.
  await Promise.all(Array.from({ length: 40 }, () => echoes(sluice.port)));
  writeFileSync(join(sluice.dynamicDirectory, "dynamic.yml"), `${dynamic}\n# changed\n`);
  const said = await sluice.logged("a worker hangs");
  expect(said).toMatchObject({ level: "error", worker: 0, pid: hung, where: expect.stringContaining("SIGSTOP") });
  const loaded = await sluice.logged("configuration loaded");
  expect(isAlive(hung)).toBe(false);
  // It was published while the worker hung, and is called loaded only behind its end.
  expect(sluice.lines.indexOf(loaded)).toBeGreaterThan(sluice.lines.indexOf(said));
  await early;
  await waitFor("both to be well", async () => (await sluice.metric("sluice_workers")) === 2);
  expect(await sluice.metric("sluice_worker_hangs_total")).toBe(1);
  expect(await sluice.metric("sluice_worker_restarts_total")).toBe(1);
  const version = (worker: number) => sluice.metric("sluice_worker_snapshot_version", { worker: String(worker) });
  await waitFor("both to have it", async () => (await version(0)) > 1 && (await version(0)) === (await version(1)));
}, 60_000);

test("the only one: /ping says that no worker answers, who waits is served by the next one", async () => {
  const sluice = await Sluice.start({ dynamic });
  const hung = stopped(sluice.workers[0]!);
  const waiting = Promise.all(Array.from({ length: 20 }, () => echoes(sluice.port)));
  await waitFor("/ping to say so", async () => (await pingOf(sluice))[0] === 503);
  expect(isAlive(hung)).toBe(true);
  expect(await pingOf(sluice)).toEqual([503, "no worker answers"]);
  await waiting;
  await waitFor("/ping to be well", async () => (await pingOf(sluice))[0] === 200);
}, 60_000);

test("a worker that is killed loses its own connections alone: nobody in its queue is reset", async () => {
  const sluice = await Sluice.start({ dynamic, workers: 2 });
  const [victim, other] = await Promise.all(
    sluice.workers.map(async (pid) => {
      // One of each: the others are closed again.
      for (;;) {
        const socket = await tlsClient(sluice.port);
        if (acceptedBy(pid, socket.localPort!)) return { pid, socket };
        socket.destroy();
      }
    }),
  );
  process.kill(victim!.pid, "SIGSTOP");
  const waiting = Promise.allSettled(Array.from({ length: 60 }, () => echoes(sluice.port)));
  await waitFor("connections to wait", () => queued(sluice.port) > 0);
  // FIN or RST, as the kernel sees fit.
  const lost = new Promise((resolve) => victim!.socket.once("end", resolve).once("close", resolve).resume());
  process.kill(victim!.pid, "SIGKILL");
  await lost;
  const results = await waiting;
  expect(results.filter(({ status }) => status === "rejected")).toEqual([]);
  const echoed = new Promise((resolve) => other!.socket.once("data", resolve));
  other!.socket.write("still here");
  expect(String(await echoed)).toBe("still here");
  other!.socket.destroy();
}, 60_000);

/** Whether a process has the server's end of a connection from this port. */
function acceptedBy(pid: number, clientPort: number): boolean {
  const hex = clientPort.toString(16).toUpperCase().padStart(4, "0");
  const inodes = readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[2]?.endsWith(`:${hex}`))
    .map((fields) => `socket:[${fields[9]}]`);
  const { stdout } = Bun.spawnSync(["ls", "-l", `/proc/${pid}/fd`]);
  return inodes.some((inode) => `${stdout}`.includes(inode));
}

/** Connections that wait to be accepted on a port: the receive queue of a socket that listens is that (ss(8)). */
function queued(port: number): number {
  const { stdout } = Bun.spawnSync(["ss", "-Hltn", `sport = :${port}`]);
  return `${stdout}`
    .trim()
    .split("\n")
    .reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[1]), 0);
}
