// Everything an outsider can make grow has a limit, and over it Sluice stays well.

import { expect, test } from "bun:test";
import { closeSync, constants, openSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { tcpServer, tlsClient } from "../support/clients.ts";
import { echoEdge } from "../support/echo.ts";
import { cpuSeconds, openDescriptors, residentKb } from "../support/proc.ts";
import { Sluice } from "../support/sluice.ts";
import { exec, waitFor } from "../support/tools.ts";

const { backend, dynamic } = await echoEdge();

function rawClient(port: number): Promise<{ socket: Socket; closed: Promise<void> }> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    const closed = new Promise<void>((done) => socket.on("close", () => done()));
    socket.on("error", () => {});
    socket.on("connect", () => resolve({ socket, closed }));
    void closed.then(() => resolve({ socket, closed }));
  });
}

test("over maxConnections clients are closed and counted, the CPU stays idle, and service resumes", async () => {
  const sluice = await Sluice.start({ dynamic, extra: "limits: { maxConnections: 50 }" });
  const worker = sluice.workers[0]!;
  const held = await Promise.all(Array.from({ length: 50 }, () => tlsClient(sluice.port)));
  const extra = await Promise.all(Array.from({ length: 100 }, () => rawClient(sluice.port)));
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

test("over the bound of a worker the largest stalled connection is cut and counted, and the others go on", async () => {
  const flood = await tcpServer((socket) => {
    const chunk = Buffer.alloc(256 * 1024, 7);
    const pump = () => {
      while (!socket.destroyed && socket.write(chunk));
    };
    socket.on("drain", pump);
    pump();
  });
  const sluice = await Sluice.start({
    extra: "limits: { heldBytesPerWorker: 1200000 }",
    dynamic: dynamic
      .replace("routers: {", 'routers: { flood: { rule: "HostSNI(`flood.test`)", service: flood, tls: {} },')
      .replace("services: {", `services: { flood: { loadBalancer: { servers: [{ port: ${flood.port} }] } },`),
  });
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

test("10 000 garbage connections leave descriptors at the baseline and memory within 20 MB of it", async () => {
  const sluice = await Sluice.start({
    dynamic,
    entryPoint: "    transport: { respondingTimeouts: { readTimeout: 1s } }",
    extra: "",
  });
  const worker = sluice.workers[0]!;
  let state = 12345;
  const random = () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state / 2 ** 32;
  };
  const garbage = (index: number): Buffer => {
    const bytes = Buffer.from(Array.from({ length: 1 + Math.floor(random() * 200) }, () => Math.floor(random() * 256)));
    // Half of it looks like TLS for a while.
    if (index % 2 === 0) Buffer.from("160301", "hex").copy(bytes);
    return bytes;
  };
  const batch = async (count: number) => {
    for (let done = 0; done < count; done += 100) {
      const clients = await Promise.all(Array.from({ length: 100 }, () => rawClient(sluice.port)));
      for (const [index, { socket }] of clients.entries()) {
        socket.write(garbage(index));
        // What is left hanging is closed by the deadline; most leave by themselves, half of them with a reset.
        if (index % 10 === 0) continue;
        if (index % 2 === 0) socket.resetAndDestroy();
        else socket.end();
      }
      for (const { socket } of clients) socket.resume();
    }
  };
  await batch(1000);
  await waitFor(
    "the first thousand to be gone",
    async () => (await sluice.metric("sluice_entrypoint_open_connections")) === 0,
  );
  const [descriptors, memory] = [openDescriptors(worker), residentKb(worker)];
  await batch(10_000);
  await waitFor(
    "all to be gone",
    async () => (await sluice.metric("sluice_entrypoint_open_connections")) === 0,
    20_000,
  );
  await waitFor("descriptors at the baseline", () => openDescriptors(worker) <= descriptors);
  expect(residentKb(worker) - memory).toBeLessThan(20 * 1024);
  // Four in ten are reset, and one that is reset before it is accepted was never one.
  expect(await sluice.metric("sluice_connections_total")).toBeGreaterThan(6000);
  expect(backend.accepted()).toBeLessThan(200);
}, 60_000);

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
    for (let done = 0; done < 6000; done += 100) {
      const clients = await Promise.all(Array.from({ length: 100 }, () => rawClient(probe.port)));
      for (const { socket } of clients) socket.end("GET / HTTP/1.1\r\n\r\n").resume();
      await Promise.all(clients.map((each) => each.closed));
    }
    const socket = await tlsClient(probe.port);
    const echoed = new Promise((resolve) => socket.once("data", resolve));
    socket.write("alive");
    expect(String(await echoed)).toBe("alive");
    socket.destroy();
    expect(await probe.metric("sluice_log_lines_dropped_total")).toBeGreaterThan(0);
  } finally {
    child.kill("SIGTERM");
    child.kill("SIGTERM");
    await child.exited;
    closeSync(neverRead);
  }
}, 60_000);
