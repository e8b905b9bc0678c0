// Processes: a killed worker is replaced and costs only its own connections, a stopping Sluice lets connections finish, and nothing of
// it outlives its master.

import { expect, test } from "bun:test";
import { drainHash, sendPattern, tlsClient } from "../support/clients.ts";
import { echoEdge } from "../support/echo.ts";
import { isAlive } from "../support/proc.ts";
import { RawClient } from "../support/raw.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/tools.ts";

const { dynamic } = await echoEdge();
const grace = (duration: string) => `    transport: { lifeCycle: { graceTimeOut: ${duration} } }`;

/** Echoes one byte, which proves that the connection lives. */
async function ping(socket: Awaited<ReturnType<typeof tlsClient>>): Promise<boolean> {
  return new Promise((resolve) => {
    socket.once("data", () => resolve(true));
    socket.once("close", () => resolve(false));
    socket.once("end", () => resolve(false));
    if (!socket.write("x")) socket.once("error", () => resolve(false));
  });
}

/** The one that is to outlive its workers, and at last drains. */
const sluice = await Sluice.start({
  dynamic,
  workers: 2,
  entryPoint: grace("20s"),
  // A busy machine may leave a connection silent for longer than the default between its two ends.
  extra: "tcpServersTransport: { terminationDelay: 30s }",
});

test("kill -9 of a worker: the others go on, a new one accepts, and the totals are kept", async () => {
  const clients = await Promise.all(Array.from({ length: 24 }, () => tlsClient(sluice.port)));
  await waitFor(
    "every connection to be counted",
    async () => (await sluice.metric("sluice_entrypoint_open_connections")) === 24,
  );
  const totals = await sluice.metric("sluice_tls_handshake_duration_seconds_count");
  expect(totals).toBe(24);

  const [victim] = sluice.workers;
  process.kill(victim!, "SIGKILL");
  const alive = await Promise.all(clients.map(ping));
  const survivors = alive.filter(Boolean).length;
  expect(survivors).toBeGreaterThan(0);
  expect(survivors).toBeLessThan(24);
  await waitFor("a second worker again", () => sluice.workers.length === 2 && !sluice.workers.includes(victim!));
  await sluice.logged("a worker died and is replaced");
  for (let i = 0; i < 10; i++) {
    const socket = await tlsClient(sluice.port);
    expect(await ping(socket)).toBe(true);
    socket.destroy();
  }
  expect(await sluice.metric("sluice_tls_handshake_duration_seconds_count")).toBeGreaterThanOrEqual(totals + 10);
  expect(await sluice.metric("sluice_worker_restarts_total")).toBe(1);
  for (const socket of clients) socket.destroy();
});

test("traffic in the other worker arrives whole, both ways, while one is killed", async () => {
  // While one is being replaced, the other one gets everybody.
  await waitFor("both workers to accept", async () => (await sluice.metric("sluice_workers")) === 2);
  const clients = await Promise.all(Array.from({ length: 16 }, () => tlsClient(sluice.port)));
  const total = 1024 * 1024;
  const results = clients.map(async (socket) => {
    const received = drainHash(socket).catch(() => null);
    const sent = sendPattern(socket, total, 21).catch(() => null);
    const closed = new Promise<null>((resolve) => socket.on("close", () => resolve(null)));
    const sha256 = await Promise.race([sent, closed]);
    if (sha256 !== null) socket.end();
    return { sha256, received: await Promise.race([received, closed.then(() => received)]) };
  });
  const flowed = () => sluice.metric("sluice_router_bytes_total");
  const before = await flowed();
  await waitFor("traffic to flow", async () => (await flowed()) > before + total);
  process.kill(sluice.workers[0]!, "SIGKILL");
  const whole = (await Promise.all(results)).filter((each) => each.received?.bytes === total);
  expect(whole.length).toBeGreaterThan(0);
  for (const each of whole) expect(each.received?.sha256).toBe(each.sha256!);
}, 60_000);

test("a scrape is answered while a worker hangs", async () => {
  const [hung] = sluice.workers;
  process.kill(hung!, "SIGSTOP");
  expect(await sluice.metrics()).toContain("sluice_entrypoint_open_connections");
  process.kill(hung!, "SIGCONT");
});

test("SIGTERM: /ping says that it stops, no new connections, open ones finish, exit code 0", async () => {
  const socket = await tlsClient(sluice.port);
  expect(await ping(socket)).toBe(true);
  const received = drainHash(socket);
  sluice.process.kill("SIGTERM");
  await waitFor("503", async () => (await fetch(`http://127.0.0.1:${sluice.adminPort}/ping`)).status === 503);
  await waitFor("the port to be closed", () =>
    tlsClient(sluice.port).then(
      (late) => {
        late.destroy();
        return false;
      },
      () => true,
    ),
  );
  const sent = await sendPattern(socket, 1024 * 1024, 4);
  socket.end();
  expect(await received).toMatchObject({ sha256: sent });
  expect(await sluice.process.exited).toBe(0);
});

test("a crash loop backs off; SIGTERM closes what does not finish after graceTimeOut, exit code 0", async () => {
  const sluice = await Sluice.start({ dynamic, entryPoint: grace("500ms") });
  const deaths = () => sluice.lines.filter((line) => line.msg === "a worker died and is replaced");
  for (let round = 1; round <= 3; round++) {
    const [worker] = await waitFor("a worker", () => (sluice.workers.length === 1 ? sluice.workers : null));
    process.kill(worker!, "SIGKILL");
    await waitFor(`death ${round}`, () => deaths().length === round);
  }
  expect(deaths().map((line) => line.restartInMs)).toEqual([0, 500, 1000]);

  const socket = await waitFor("the last worker to serve", () => tlsClient(sluice.port).catch(() => null));
  expect(await ping(socket)).toBe(true);
  const ended = new Promise((resolve) => socket.on("end", resolve).resume());
  expect(await sluice.stop()).toBe(0);
  await ended;
  await sluice.access((line) => line.reason === "shutdown");
});

test("the master dying ends the workers, and loses no line of the access log", async () => {
  const sluice = await Sluice.start({ dynamic, workers: 2 });
  // Who sends this is refused, and noted just before the connection is closed; the line then waits for others to go with it.
  const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.open(sluice.port)));
  const { workers } = sluice;
  expect(workers).toHaveLength(2);
  for (const { socket } of clients) socket.write("GET / HTTP/1.1\r\n\r\n");
  await Promise.all(clients.map(({ socket }) => new Promise((closed) => socket.once("end", closed))));
  sluice.process.kill("SIGKILL");
  await waitFor("the workers to be gone", () => workers.every((pid) => !isAlive(pid)));
  await waitFor("all lines", () => sluice.accesses.filter(({ reason }) => reason === "http").length === 20, 5000);
});

test("requestAcceptGraceTimeout: /ping says 503 while clients still come in; then the port closes", async () => {
  const lifeCycle = "{ requestAcceptGraceTimeout: 60s, graceTimeOut: 200ms }";
  const sluice = await Sluice.start({ dynamic, entryPoint: `    transport: { lifeCycle: ${lifeCycle} }` });
  sluice.process.kill("SIGTERM");
  await sluice.logged("stopping soon");
  expect((await fetch(`http://127.0.0.1:${sluice.adminPort}/ping`)).status).toBe(503);
  const socket = await tlsClient(sluice.port);
  expect(await ping(socket)).toBe(true);
  await sluice.reload(() => sluice.replace("dynamic.yml", `${dynamic}\n# changed\n`));
  socket.destroy();
  sluice.process.kill("SIGTERM");
  expect(await sluice.process.exited).toBe(1);

  const short = await Sluice.start({
    dynamic,
    entryPoint: "    transport: { lifeCycle: { requestAcceptGraceTimeout: 100ms, graceTimeOut: 100ms } }",
  });
  expect(await short.stop()).toBe(0);
  await short.logged("stopping: no new connections");
});

test("spread: connections end one after another over graceTimeOut, not all at its end", async () => {
  const sluice = await Sluice.start({
    dynamic,
    entryPoint: "    transport: { lifeCycle: { graceTimeOut: 4s, spread: true } }",
  });
  const clients = await Promise.all(Array.from({ length: 20 }, () => tlsClient(sluice.port)));
  expect(await Promise.all(clients.map(ping))).not.toContain(false);
  const ends: number[] = [];
  for (const socket of clients) socket.on("end", () => ends.push(performance.now())).resume();
  sluice.process.kill("SIGTERM");
  // While some have been closed, others still serve.
  await waitFor("the first to be closed", () => ends.length > 0);
  const open = clients.filter((socket) => !socket.readableEnded);
  expect(open.length).toBeGreaterThan(0);
  expect((await Promise.all(open.map(ping))).filter(Boolean).length).toBeGreaterThan(0);
  expect(await sluice.process.exited).toBe(0);
  await waitFor("the rest", () => ends.length === 20);
});

test("a second signal closes at once", async () => {
  const sluice = await Sluice.start({ dynamic, entryPoint: grace("60s") });
  const workers = sluice.workers;
  const socket = await tlsClient(sluice.port);
  expect(await ping(socket)).toBe(true);
  const ended = new Promise((resolve) => socket.on("end", resolve).on("close", resolve).resume());
  sluice.process.kill("SIGTERM");
  await sluice.logged("stopping");
  // The open connection has a minute; the process still runs for it, and ends as failed when it is not given that.
  expect(sluice.process.exitCode).toBe(null);
  sluice.process.kill("SIGTERM");
  expect(await sluice.process.exited).toBe(1);
  await ended;
  await waitFor("the workers to be gone", () => workers.every((pid) => !isAlive(pid)));
});
