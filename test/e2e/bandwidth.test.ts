// The middleware bandwidth: the rate holds in each direction, every byte arrives, and a pause is taken for nothing else.

import { expect, test } from "bun:test";
import type { Socket } from "node:net";
import { Authority } from "../support/certs.ts";
import { drainHash, sendPattern, tcpServer, tlsClient } from "../support/clients.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });
let onAccept: (socket: Socket) => void = () => {};
const backend = await tcpServer((socket) => onAccept(socket));

const KB = 1024;
const options = {
  dynamic: `
tcp:
  middlewares:
    up: { bandwidth: { in: ${2048 * KB} } }
    down: { bandwidth: { out: ${2048 * KB} } }
    slow: { bandwidth: { in: 1024, out: 1024 } }
  routers:
${["up", "down", "slow"].map((name) => `    ${name}: { rule: "HostSNI(\`${name}.test\`)", service: backend, tls: {}, middlewares: [${name}] }`).join("\n")}
    free: { rule: "HostSNI(\`free.test\`)", service: backend, tls: {} }
  services: { backend: { loadBalancer: { servers: [{ port: ${backend.port} }], terminationDelay: 300 } } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }`,
};
const sluice = await Sluice.start(options);

async function pairOf(name: string, edge = sluice): Promise<{ client: Socket; server: Socket }> {
  const accepted = new Promise<Socket>((resolve) => {
    onAccept = resolve;
  });
  const client = await tlsClient(edge.port, { servername: `${name}.test` });
  client.write("x");
  return { client, server: await accepted };
}

const pauses = () => sluice.metric("sluice_bandwidth_pauses_total");

test.each(["up", "down"] as const)(
  "%s: what is sent at once arrives whole, later than at the rate, also behind a half-close",
  async (name) => {
    const { client, server } = await pairOf(name);
    const [from, to] = name === "up" ? [client, server] : [server, client];
    // The other one has finished already: a pause is no silence after that.
    const arrived = drainHash(to);
    const gone = drainHash(from);
    const before = await pauses();
    const startedAt = performance.now();
    to.end();
    const sent = await sendPattern(from, 4096 * KB, 3);
    from.end();
    const { bytes, sha256 } = await arrived;
    // Never faster: a second's worth comes at once, and what one read takes. This is no bound from above, which a busy machine breaks.
    expect(performance.now() - startedAt).toBeGreaterThan(500);
    if (name === "down") expect(sha256).toBe(sent);
    expect(bytes).toBe(4096 * KB + (name === "up" ? 1 : 0));
    expect(await pauses()).toBeGreaterThan(before);
    await gone;
  },
);

test("a connection without it is not held up by one that is paused", async () => {
  const slow = await pairOf("slow");
  slow.server.resume();
  slow.client.write(Buffer.alloc(256 * KB));
  await waitFor("it to be paused", async () => (await pauses()) > 0 || null);
  const free = await pairOf("free");
  const arrived = drainHash(free.server);
  const sent = await sendPattern(free.client, 4096 * KB, 5);
  free.client.end();
  expect((await arrived).bytes).toBe(4096 * KB + 1);
  expect(sent).not.toBe("");
  free.server.end();
  slow.client.destroy();
  slow.server.destroy();
});

test("a server that closes ends a client that is paused", async () => {
  const { client, server } = await pairOf("slow");
  server.resume();
  client.on("error", () => {});
  const before = await pauses();
  client.write(Buffer.alloc(64 * KB));
  await waitFor("it to be paused", async () => (await pauses()) > before || null);
  const closed = new Promise((resolve) => server.once("close", resolve));
  server.on("error", () => {});
  server.destroy();
  await closed;
  await new Promise((resolve) => client.once("close", resolve).once("end", resolve).resume());
  client.destroy();
});

test("a paused connection does not hold up a shutdown beyond its grace", async () => {
  const other = await Sluice.start({
    ...options,
    entryPoint: "    transport: { lifeCycle: { graceTimeOut: 100ms } }",
  });
  const { client, server } = await pairOf("slow", other);
  client.on("error", () => {});
  server.on("error", () => {});
  server.resume();
  client.write(Buffer.alloc(256 * KB));
  await waitFor("it to be paused", async () => (await other.metric("sluice_bandwidth_pauses_total")) > 0 || null);
  const gone = Promise.all(
    [client, server].map((socket) => new Promise((resolve) => socket.once("end", resolve).once("close", resolve))),
  );
  client.resume();
  expect(await other.stop()).toBe(0);
  await gone;
});
