// workerSelection: address: a client that comes back meets the worker that has its TLS session, also after another one was replaced.

import { expect, test } from "bun:test";
import { connect } from "node:tls";
import { echoEdge } from "../support/echo.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/tools.ts";

const { dynamic } = await echoEdge();

interface Visit {
  readonly session: Buffer | undefined;
  readonly isReused: boolean;
}

/** A client comes from this address, is served, and goes. */
function visit(port: number, localAddress: string, session?: Buffer): Promise<Visit> {
  return new Promise((resolve, reject) => {
    const where = { host: "127.0.0.1", port, localAddress, servername: "localhost", rejectUnauthorized: false };
    const socket = connect({ ...where, maxVersion: "TLSv1.2", ...(session && { session }) }, () => socket.write("x"));
    socket.once("data", () => {
      resolve({ session: socket.getSession(), isReused: socket.isSessionReused() });
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

/** Comes back three times, each time with the session that it got at first. @returns how often it resumed it. */
async function comeBack(port: number, address: string): Promise<number> {
  const { session } = await visit(port, address);
  let resumed = 0;
  for (let i = 0; i < 3; i++) if ((await visit(port, address, session)).isReused) resumed++;
  return resumed;
}

const ADDRESSES = Array.from({ length: 8 }, (_, at) => `127.0.${at}.${at + 1}`);

test("by address, everybody who comes back resumes; by connection, who meets the right worker", async () => {
  const byConnection = await Sluice.start({ dynamic, workers: 2 });
  const sluice = await Sluice.start({ dynamic, workers: 2, entryPoint: "    workerSelection: address" });
  const offered = (of: Sluice, result: string) => of.metric("sluice_tls_sessions_offered_total", { result });
  for (const address of ADDRESSES) expect(await comeBack(sluice.port, address)).toBe(3);
  expect(await offered(sluice, "resumed")).toBe(24);
  expect(await offered(sluice, "not-resumed")).toBe(0);

  for (const address of ADDRESSES) await comeBack(byConnection.port, address);
  const [resumed, not] = [await offered(byConnection, "resumed"), await offered(byConnection, "not-resumed")];
  expect(resumed + not).toBe(24);
  expect(not).toBeGreaterThan(0);
  expect(resumed).toBeGreaterThan(0);

  // One of the workers is replaced: everybody meets the worker of the same number again.
  process.kill(sluice.workers[0]!, "SIGKILL");
  await sluice.logged("a worker died and is replaced");
  await waitFor("both to be well", async () => (await sluice.metric("sluice_workers")) === 2);
  for (const address of ADDRESSES) expect(await comeBack(sluice.port, address)).toBe(3);
}, 60_000);

test("metrics say which worker has how many connections, and how uneven that is", async () => {
  const sluice = await Sluice.start({ dynamic, workers: 2, entryPoint: "    workerSelection: address" });
  const sockets = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const socket = connect({
        host: "127.0.0.1",
        port: sluice.port,
        servername: "localhost",
        rejectUnauthorized: false,
      });
      await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
      return socket;
    }),
  );
  await waitFor("all in one", async () => (await sluice.metric("sluice_worker_imbalance_ratio")) === 2);
  const open = await Promise.all(
    [0, 1].map((worker) => sluice.metric("sluice_worker_open_connections", { worker: String(worker) })),
  );
  expect(open.sort()).toEqual([0, 6]);
  for (const socket of sockets) socket.destroy();
  await waitFor("none", async () => (await sluice.metric("sluice_worker_imbalance_ratio")) === 1);
}, 60_000);
