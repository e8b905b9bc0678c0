// What must not grow however long Sluice runs: tried with few rounds in test/serial, and with many in test/long.

import { expect } from "bun:test";
import type { Socket } from "node:net";
import { Authority } from "./certs.ts";
import { looseClient, tcpServer, tlsClient } from "./clients.ts";
import { echoEdge } from "./echo.ts";
import { openDescriptors, residentKb } from "./proc.ts";
import { Sluice } from "./sluice.ts";
import { waitFor } from "./tools.ts";

/** Resolves when something has come back. */
function echoed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once("data", () => resolve());
    socket.write("x");
  });
}

/**
 * Connections that each echo a byte, 20 at a time: after `warmUp` of them, two times `samples` samples of `each` connections. Resolves
 * with the kilobytes by which the lowest of the second half is above the lowest of the first: between two collections memory goes up
 * and down by some 15 MB.
 */
export async function growthOverConnections(warmUp: number, samples: number, each: number): Promise<number> {
  const { dynamic } = await echoEdge();
  const sluice = await Sluice.start({ dynamic });
  const worker = sluice.workers[0]!;
  const visits = async (count: number) => {
    let left = count;
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        while (left-- > 0) {
          const socket = await tlsClient(sluice.port);
          await echoed(socket);
          socket.destroy();
        }
      }),
    );
  };
  const lowest = async () => {
    const kilobytes: number[] = [];
    for (let sample = 0; sample < samples; sample++) {
      await visits(each);
      kilobytes.push(residentKb(worker));
    }
    return Math.min(...kilobytes);
  };
  await visits(warmUp);
  const first = await lowest();
  return (await lowest()) - first;
}

/**
 * Reloads that each replace `routers` routers, with a connection after each. Resolves with the kilobytes by which a worker has grown
 * from the end of `warmUp` of them to the end of `rounds` more; a snapshot takes it about one for each router.
 */
export async function growthOverReloads(routers: number, warmUp: number, rounds: number): Promise<number> {
  const pair = await (await Authority.create()).issue({ names: ["a.test"] });
  const backend = await tcpServer((socket) => socket.on("end", () => socket.end()).resume());
  const routes = (round: number) => `
tcp:
  routers:
    a: { rule: "HostSNI(\`a.test\`)", service: broker, tls: {} }
${Array.from({ length: routers }, (_, n) => `    r${n}: { rule: "HostSNI(\`r${round}-${n}.test\`)", service: broker, tls: {} }`).join("\n")}
  services: { broker: { loadBalancer: { servers: [{ port: ${backend.port} }] } } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }
`;
  const sluice = await Sluice.start({ dynamic: routes(0), throttle: "0s" });
  const worker = sluice.workers[0]!;
  const reloads = async (from: number, to: number) => {
    for (let round = from; round <= to; round++) {
      await sluice.reload(() => sluice.write("dynamic.yml", routes(round)));
      (await tlsClient(sluice.port, { servername: "a.test" })).destroy();
    }
    return residentKb(worker);
  };
  const before = await reloads(1, warmUp);
  const after = await reloads(warmUp + 1, warmUp + rounds);
  expect(await sluice.metric("sluice_tls_contexts")).toBe(1);
  return after - before;
}

/**
 * Connections of garbage, half of it like TLS for a while, of which most leave by themselves and half of those with a reset. Proves that
 * descriptors are at the baseline afterwards and that few reach the server. Resolves with the kilobytes by which a worker has grown.
 */
export async function growthOverGarbage(count: number): Promise<number> {
  const { backend, dynamic } = await echoEdge();
  const sluice = await Sluice.start({
    dynamic,
    entryPoint: "    transport: { respondingTimeouts: { readTimeout: 1s } }",
  });
  const worker = sluice.workers[0]!;
  let state = 12345;
  const random = () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state / 2 ** 32;
  };
  const garbage = (index: number): Buffer => {
    const bytes = Buffer.from(Array.from({ length: 1 + Math.floor(random() * 200) }, () => Math.floor(random() * 256)));
    if (index % 2 === 0) Buffer.from("160301", "hex").copy(bytes);
    return bytes;
  };
  const batch = async (size: number) => {
    for (let done = 0; done < size; done += 100) {
      const clients = await Promise.all(Array.from({ length: 100 }, () => looseClient(sluice.port)));
      for (const [index, { socket }] of clients.entries()) {
        socket.write(garbage(index));
        // What is left hanging is closed by the deadline.
        if (index % 10 === 0) continue;
        if (index % 2 === 0) socket.resetAndDestroy();
        else socket.end();
      }
      for (const { socket } of clients) socket.resume();
    }
    await waitFor("all to be gone", async () => (await sluice.metric("sluice_entrypoint_open_connections")) === 0);
  };
  await batch(1000);
  const [descriptors, memory] = [openDescriptors(worker), residentKb(worker)];
  await batch(count);
  await waitFor("descriptors at the baseline", () => openDescriptors(worker) <= descriptors);
  // Four in ten are reset, and one that is reset before it is accepted was never one.
  expect(await sluice.metric("sluice_connections_total")).toBeGreaterThan(0.5 * count);
  expect(backend.accepted()).toBeLessThan(0.02 * (count + 1000));
  return residentKb(worker) - memory;
}
