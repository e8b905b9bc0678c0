// A broker's clients come back at once through a Sluice with a handshake rate: those who are connected go on, all come in, and who floods
// from one address costs the others nothing.

import { expect, test } from "bun:test";
import type { MqttClient } from "mqtt";
import { Authority } from "../support/certs.ts";
import { tlsClient } from "../support/clients.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient } from "../support/mqtt.ts";
import { RawClient } from "../support/raw.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/tools.ts";

const STORM = 300;
const STEADY = 20;

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });
const broker = await Mosquitto.start();
const dynamic = `
tcp:
  middlewares: { gate: { mqttConnect: {} } }
  routers: { mqtt: { rule: "HostSNI(\`localhost\`)", service: broker, middlewares: [gate], tls: {} } }
  services: { broker: { loadBalancer: { servers: [{ port: ${broker.port} }] } } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }
`;

/** Comes again at once until it is let in. */
async function persistent(port: number): Promise<MqttClient> {
  for (;;) {
    const client = await mqttClient({ port, ca: authority.cert }, { clean: true, keepalive: 60 }).catch(() => null);
    if (client !== null) return client.mqtt;
  }
}

test("in a storm all clients come back, at no more than the rate, while those who are connected are answered", async () => {
  const sluice = await Sluice.start({
    dynamic,
    workers: 2,
    entryPoint:
      "    admission: { trustedIPs: [], handshakes: { rate: 100, burst: 20, concurrent: 50, perAddress: { rate: 0 } }, maxWait: 1s }",
  });
  const steady = await Promise.all(Array.from({ length: STEADY }, () => persistent(sluice.port)));
  let isOver = false;
  let answers = 0;
  const pinging = Promise.all(
    steady.map(async (client, index) => {
      const topic = `steady/${index}`;
      await client.subscribeAsync(topic);
      while (!isOver) {
        const back = new Promise((resolve) => client.once("message", resolve));
        await client.publishAsync(topic, "ping", { qos: 1 });
        await back;
        answers++;
      }
    }),
  );
  const clients = await Promise.all(Array.from({ length: STORM }, () => persistent(sluice.port)));
  isOver = true;
  await pinging;
  expect(clients.every(({ connected }) => connected)).toBe(true);
  expect(steady.every(({ connected }) => connected)).toBe(true);
  expect(answers).toBeGreaterThan(STEADY);
  // Not all of them could have their turn at once.
  expect(await sluice.metric("sluice_admission_waits_total", { limit: "too-many-handshakes" })).toBeGreaterThan(0);
  expect(sluice.lines.filter(({ level }) => level === "error" || level === "fatal")).toEqual([]);
  await Promise.all([...clients, ...steady].map((client) => client.endAsync(true)));
}, 180_000);

test("half-open connections, slow hellos and floods of one address, and of a thousand, keep no client out of a full worker", async () => {
  const sluice = await Sluice.start({ dynamic, extra: "limits: { maxConnections: 200 }" });
  const staying = await persistent(sluice.port);
  const hold: RawClient[] = [];
  const flood = async (count: number, from: (index: number) => string, bytes: Uint8Array) => {
    for (let at = 0; at < count; at += 100)
      hold.push(
        ...(await Promise.all(
          Array.from({ length: 100 }, async (_, index) => {
            const client = await RawClient.open(sluice.port, from(at + index));
            client.socket.write(bytes);
            return client;
          }),
        )),
      );
  };
  const ways: [count: number, from: (index: number) => string, bytes: Uint8Array][] = [
    [500, () => "127.0.0.9", new Uint8Array(0)],
    [500, () => "127.0.0.9", Uint8Array.of(22, 3, 1, 2)],
    [1000, (index) => `127.1.${index >> 8}.${1 + (index % 250)}`, new Uint8Array(0)],
  ];
  for (const [count, from, bytes] of ways) {
    await flood(count, from, bytes);
    const client = await persistent(sluice.port);
    await client.publishAsync("x", "y", { qos: 1 });
    await client.endAsync();
  }
  expect(staying.connected).toBe(true);
  expect(await sluice.metric("sluice_entrypoint_open_connections")).toBeLessThanOrEqual(200);
  for (const client of hold) client.socket.destroy();
  await waitFor("all to be gone", async () => (await sluice.metric("sluice_entrypoint_open_connections")) === 1);
  expect(await sluice.metric("sluice_newcomers")).toBe(0);
  expect(sluice.lines.filter(({ level }) => level === "error" || level === "fatal")).toEqual([]);
  await staying.endAsync();
}, 180_000);

test("what a worker had is free when it dies, and its successor counts with the others", async () => {
  const sluice = await Sluice.start({
    dynamic,
    workers: 2,
    entryPoint: "    admission: { trustedIPs: [], perAddress: { connections: 6 } }",
  });
  const open = () => sluice.metric("sluice_entrypoint_open_connections");
  const crowd = async () => {
    const clients = await Promise.all(Array.from({ length: 30 }, () => tlsClient(sluice.port).catch(() => null)));
    return clients.filter((client) => client !== null);
  };
  const first = await crowd();
  expect(first.length).toBeGreaterThanOrEqual(5);
  const before = sluice.workers;
  process.kill(before[0]!, "SIGKILL");
  await waitFor("another worker", () => sluice.workers.length === 2 && !sluice.workers.includes(before[0]!));
  for (const socket of first) socket.destroy();
  await waitFor("all to be gone", async () => (await open()) === 0);
  // All that may come can come, and not many more.
  await waitFor("six to be let in", async () => {
    const again = await crowd();
    const count = again.length;
    for (const socket of again) socket.destroy();
    await waitFor("all to be gone", async () => (await open()) === 0);
    return count >= 5;
  });
}, 120_000);
