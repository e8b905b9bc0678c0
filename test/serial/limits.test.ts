// Everything an outsider can make grow has a limit, and over it Sluice stays well.

import { expect, test } from "bun:test";
import { closeSync, constants, openSync } from "node:fs";
import { join } from "node:path";
import { fatalAlert } from "../../src/wire/alert.ts";
import { MAX_HELLO_MESSAGE } from "../../src/wire/client-hello.ts";
import { inRecords, messageOfSize } from "../fixtures/hello/hellos.ts";
import { looseClient, tcpServer, tlsClient } from "../support/clients.ts";
import { echoEdge } from "../support/echo.ts";
import { growthOverGarbage } from "../support/growth.ts";
import { cpuSeconds } from "../support/proc.ts";
import { drippingProxy, RawClient } from "../support/raw.ts";
import { Sluice } from "../support/sluice.ts";
import { exec, waitFor } from "../support/tools.ts";

const { dynamic } = await echoEdge();

/** A server that sends without end. */
const flood = await tcpServer((socket) => {
  const chunk = Buffer.alloc(256 * 1024, 7);
  const pump = () => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on("drain", pump);
  pump();
});
/** For the tests of one limit each, which leave it as they find it. */
const sluice = await Sluice.start({
  extra: "limits: { maxConnections: 50, helloBytesPerWorker: 300000, heldBytesPerWorker: 1200000 }",
  dynamic: dynamic
    .replace("routers: {", 'routers: { flood: { rule: "HostSNI(`flood.test`)", service: flood, tls: {} },')
    .replace("services: {", `services: { flood: { loadBalancer: { servers: [{ port: ${flood.port} }] } },`),
});

test("over maxConnections clients are closed and counted, the CPU stays idle, and service resumes", async () => {
  const worker = sluice.workers[0]!;
  const held = await Promise.all(Array.from({ length: 50 }, () => tlsClient(sluice.port)));
  await waitFor(
    "all to be with the server",
    async () => (await sluice.metric("sluice_server_open_connections")) === 50,
  );
  const extra = await Promise.all(Array.from({ length: 100 }, () => looseClient(sluice.port)));
  await Promise.all(extra.map((each) => each.closed));
  expect(await sluice.metric("sluice_connections_total", { result: "limit" })).toBe(100);
  expect(await sluice.metric("sluice_entrypoint_open_connections")).toBe(50);

  const [cpu, from] = [cpuSeconds(worker), performance.now()];
  await waitFor("a second to pass", () => performance.now() - from > 1000);
  expect(cpuSeconds(worker) - cpu).toBeLessThan(0.5);

  for (const socket of held) socket.destroy();
  await waitFor(
    "room for new connections",
    async () => (await sluice.metric("sluice_entrypoint_open_connections")) === 0,
  );
  const socket = await tlsClient(sluice.port);
  socket.destroy();
});

test("a limit that the descriptors cannot carry is refused at the start", async () => {
  await expect(Sluice.start({ dynamic, extra: "limits: { maxConnections: 9000000 }" })).rejects.toThrow(
    /limits\.maxConnections is 9000000, but the descriptor limit/,
  );
});

test("over the bound of unfinished hellos the largest is closed and counted, and clients go on being served", async () => {
  const announced = inRecords(messageOfSize(MAX_HELLO_MESSAGE), [16_000, 32_000, 48_000, 64_000]);
  const half = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const client = await RawClient.open(sluice.port);
      client.socket.write(announced.subarray(0, 40_000));
      return client;
    }),
  );
  // 64 kB of memory each: four fit.
  await waitFor("the rest to be closed", () => half.filter(({ closed }) => closed).length === 16 || null);
  expect(await sluice.metric("sluice_connections_total", { result: "hello-limit" })).toBe(16);
  expect(await sluice.metric("sluice_hello_held_bytes")).toBe(4 * 65_536);
  for (const client of half.filter(({ closed }) => closed))
    expect(client.received).toEqual(Buffer.from(fatalAlert("internal_error")));
  // Who comes now, in small pieces too, is served.
  for (const port of [sluice.port, await drippingProxy(sluice.port)]) (await tlsClient(port)).destroy();
  for (const client of half) client.socket.destroy();
  await waitFor("nothing to be held", async () => (await sluice.metric("sluice_hello_held_bytes")) === 0);
});

test("over the bound of a worker the largest stalled connection is cut and counted, and the others go on", async () => {
  const stalled = await Promise.all(
    Array.from({ length: 12 }, async () => {
      const socket = await tlsClient(sluice.port, { servername: "flood.test" });
      socket.pause();
      return socket;
    }),
  );
  await waitFor(
    "a connection to be cut",
    async () => (await sluice.metric("sluice_connections_total", { result: "held-limit" })) > 0,
  );
  expect(await sluice.metric("sluice_relay_held_bytes")).toBeLessThanOrEqual(1_200_000);
  const healthy = await tlsClient(sluice.port);
  const echoed = new Promise((resolve) => healthy.once("data", resolve));
  healthy.write("still here");
  expect(String(await echoed)).toBe("still here");
  healthy.destroy();
  for (const socket of stalled) socket.destroy();
});

test("garbage connections leave descriptors at the baseline and memory within 20 MB of it", async () => {
  expect(await growthOverGarbage(2000)).toBeLessThan(20 * 1024);
});

test("a log that nobody reads never stalls traffic: lines are dropped and counted", async () => {
  // Started by hand: the reader of Sluice's output must not read.
  const probe = await Sluice.start({ dynamic });
  await probe.stop();
  const fifo = join(probe.directory, "stdout");
  expect((await exec(["mkfifo", fifo])).code).toBe(0);
  const neverRead = openSync(fifo, constants.O_RDWR);
  const child = Bun.spawn([probe.binary, "run", `--configFile=${probe.directory}/sluice.yml`], {
    stdio: ["ignore", neverRead, "inherit"],
  });
  try {
    await waitFor(
      "Sluice to answer",
      async () => (await fetch(`http://127.0.0.1:${probe.adminPort}/ping`).catch(() => null))?.ok,
    );
    // The pipe takes 64 kB and the buffer 1 MB; a line has 300 characters.
    const dropped = () => probe.metric("sluice_log_lines_dropped_total");
    for (let done = 0; done < 10_000 && (done % 500 > 0 || (await dropped()) === 0); done += 100) {
      const clients = await Promise.all(Array.from({ length: 100 }, () => looseClient(probe.port)));
      for (const { socket } of clients) socket.end("GET / HTTP/1.1\r\n\r\n").resume();
      await Promise.all(clients.map((each) => each.closed));
    }
    const socket = await tlsClient(probe.port);
    const echoed = new Promise((resolve) => socket.once("data", resolve));
    socket.write("alive");
    expect(String(await echoed)).toBe("alive");
    socket.destroy();
    expect(await dropped()).toBeGreaterThan(0);
  } finally {
    child.kill("SIGTERM");
    child.kill("SIGTERM");
    await child.exited;
    closeSync(neverRead);
  }
}, 60_000);
