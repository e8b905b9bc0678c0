// Where a worker is full, those who say nothing make room for those who speak, and nobody is pushed out who has come in.

import { expect, test } from "bun:test";
import { recordedHellos } from "../fixtures/hello/hellos.ts";
import { Authority } from "../support/certs.ts";
import { helloFor, tlsClient } from "../support/clients.ts";
import { echoEdge, echoes } from "../support/echo.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient } from "../support/mqtt.ts";
import { RawClient } from "../support/raw.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/tools.ts";

const { dynamic } = await echoEdge();
const MAX = 50;
const extra = `limits: { maxConnections: ${MAX} }`;
const crowd = (port: number, count: number, from: (index: number) => string) =>
  Promise.all(Array.from({ length: count }, (_, index) => RawClient.open(port, from(index))));
const open = (clients: readonly RawClient[]) => clients.filter(({ closed }) => !closed).length;

test("60 silent sockets of one address keep nobody out, and cost a slow client of another address nothing", async () => {
  const sluice = await Sluice.start({ dynamic, extra });
  const stayed = await tlsClient(sluice.port);
  const slow = await RawClient.open(sluice.port, "127.0.0.8");
  const hello = recordedHellos().find(({ name }) => name === "curl")!.bytes;
  slow.socket.write(hello.subarray(0, 20));
  for (let round = 0; round < 5; round++) {
    await crowd(sluice.port, 60, () => "127.0.0.9");
    await echoes(sluice.port);
  }
  // The kernel keeps who says nothing for a second.
  await waitFor("some to make room", () => sluice.accesses.some(({ reason }) => reason === "gave-way"));
  expect([slow.closed, stayed.destroyed]).toEqual([false, false]);
  expect(new Set(sluice.accesses.filter(({ reason }) => reason === "gave-way").map(({ client }) => client))).toEqual(
    new Set(["127.0.0.9"]),
  );
  // Its hello goes on where it was, and is answered: by an alert, for it asks for a name that nobody has.
  slow.socket.write(hello.subarray(20));
  await slow.untilClosed();
  expect(slow.received[0]).toBe(21);
  expect(await sluice.metric("sluice_connections_total", { result: "limit" })).toBe(0);
  const echoed = new Promise((resolve) => stayed.once("data", resolve));
  stayed.write("still here");
  expect(String(await echoed)).toBe("still here");
  stayed.destroy();
});

test("of silent sockets of a thousand addresses the oldest go, one for each client that comes", async () => {
  const sluice = await Sluice.start({ dynamic, extra });
  const silent = await crowd(sluice.port, MAX, (index) => `127.0.1.${index + 1}`);
  await waitFor(
    "the worker to be full",
    async () => (await sluice.metric("sluice_entrypoint_open_connections")) === MAX,
  );
  const stay = [await tlsClient(sluice.port), await tlsClient(sluice.port), await tlsClient(sluice.port)];
  await waitFor("three to be closed", () => open(silent) === MAX - 3);
  expect(await sluice.metric("sluice_connections_total", { result: "gave-way" })).toBe(3);
  for (const socket of stay) socket.destroy();
});

test("clients in their handshake and clients that send no CONNECT make room; whoever is with the broker does not", async () => {
  const authority = await Authority.create();
  const pair = await authority.issue({ names: ["localhost"] });
  const broker = await Mosquitto.start();
  const sluice = await Sluice.start({
    dynamic: `
tcp:
  middlewares: { gate: { mqttConnect: { timeout: 60s } } }
  routers: { mqtt: { rule: "HostSNI(\`localhost\`)", service: broker, middlewares: [gate], tls: {} } }
  services: { broker: { loadBalancer: { servers: [{ port: ${broker.port} }] } } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }
`,
    extra: "limits: { maxConnections: 12 }",
  });
  const endpoint = { port: sluice.port, ca: authority.cert };
  const staying = await mqttClient(endpoint, { clientId: "staying" });
  const withoutConnect = await Promise.all(Array.from({ length: 11 }, () => tlsClient(sluice.port)));
  let gone = 0;
  for (const socket of withoutConnect) {
    socket.on("close", () => gone++);
    socket.on("end", () => socket.end());
    socket.resume();
  }
  for (let index = 0; index < 11; index++) await mqttClient(endpoint, { clientId: `client-${index}` });
  await waitFor("all of them to be gone", () => gone === 11);
  expect(await sluice.metric("sluice_connections_total", { result: "gave-way" })).toBe(11);
  expect(staying.mqtt.connected).toBe(true);
  // Twelve have come in, and nobody goes for a thirteenth.
  await expect(mqttClient(endpoint, { clientId: "one-too-many" })).rejects.toThrow();
  expect(await sluice.metric("sluice_connections_total", { result: "limit" })).toBe(1);
});

test("those who wait because their address has too many handshakes make room as well, where they are many", async () => {
  const admission =
    "{ trustedIPs: [], perAddress: { silent: 100 }, handshakes: { perAddress: { rate: 1, burst: 1 } }, maxWait: 60s }";
  const sluice = await Sluice.start({ dynamic, extra, entryPoint: `    admission: ${admission}` });
  const hello = await helloFor("localhost");
  for (const client of await crowd(sluice.port, MAX, () => "127.0.0.9")) client.socket.write(hello);
  await waitFor("them to wait", async () => (await sluice.metric("sluice_admission_waiting")) > MAX - 10);
  const from = (index: number) => tlsClient(sluice.port, { localAddress: `127.0.0.${20 + index}` });
  const stay = await Promise.all(Array.from({ length: 20 }, (_, index) => from(index)));
  expect(stay.filter(({ destroyed }) => destroyed)).toEqual([]);
  expect(await sluice.metric("sluice_connections_total", { result: "limit" })).toBe(0);
  for (const socket of stay) socket.destroy();
});
