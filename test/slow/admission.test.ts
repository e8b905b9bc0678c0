// Admission of an entry point: who comes too fast waits in his order and is then refused, others notice nothing, and all workers count.

import { expect, test } from "bun:test";
import { Authority } from "../support/certs.ts";
import { helloFor, tlsClient } from "../support/clients.ts";
import { echoEdge, echoes } from "../support/echo.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient } from "../support/mqtt.ts";
import { RawClient } from "../support/raw.ts";
import { Sluice } from "../support/sluice.ts";
import { exec, waitFor } from "../support/tools.ts";

const { dynamic } = await echoEdge();
const admission = (fields: string) => `    admission: { trustedIPs: [], ${fields} }`;
const start = (fields: string, more: Partial<Parameters<typeof Sluice.start>[0]> = {}) =>
  Sluice.start({ dynamic, entryPoint: admission(fields), ...more });
const refused = (sluice: Sluice, reason: string, stage: string) =>
  sluice.metric("sluice_admission_refusals_total", { reason, stage });

/** Whether a handshake comes to its end. */
const handshakes = (port: number, localAddress: string) =>
  tlsClient(port, { localAddress }).then(
    (socket) => {
      socket.destroy();
      return true;
    },
    () => false,
  );

test("connections of an address over its rate wait, read by nobody, and what would wait too long is closed before TLS", async () => {
  const sluice = await start("perAddress: { rate: 1, burst: 2 }, maxWait: 1500ms");
  // Two at once, then one in each second; who would wait longer than maxWait is closed.
  const clients = await Promise.all(Array.from({ length: 12 }, () => RawClient.open(sluice.port, "127.0.0.9")));
  for (const client of clients) client.socket.write("GET / HTTP/1.1\r\n\r\n");
  // Somebody else is served while they wait.
  await echoes(sluice.port);
  await Promise.all(clients.map((client) => client.untilClosed()));
  const waits = await sluice.metric("sluice_admission_waits_total", { limit: "address-too-fast" });
  const refusals = await refused(sluice, "address-too-fast", "accepted");
  expect(waits).toBeGreaterThanOrEqual(1);
  expect(refusals).toBeGreaterThanOrEqual(1);
  await waitFor("twelve lines", () => sluice.accesses.filter(({ client }) => client === "127.0.0.9").length === 12);
  const count = (reason: string) => sluice.accesses.filter((access) => access.reason === reason).length;
  expect([count("address-too-fast"), count("http")]).toEqual([refusals, 12 - refusals]);
});

test("handshakes of an address over its rate wait in their order; another address has its own, and who is trusted none", async () => {
  const sluice = await Sluice.start({
    dynamic,
    entryPoint:
      "    admission: { trustedIPs: [127.0.0.7/32], handshakes: { perAddress: { rate: 2, burst: 2 } }, maxWait: 2s }",
  });
  const from = (address: string, count: number) =>
    Promise.all(Array.from({ length: count }, () => handshakes(sluice.port, address)));
  const [crowd, other, trusted] = await Promise.all([
    from("127.0.0.9", 10),
    from("127.0.0.8", 2),
    from("127.0.0.7", 20),
  ]);
  expect([other, trusted].map((each) => each.filter((came) => came).length)).toEqual([2, 20]);
  // Two at once and those whose tokens come within two seconds; the rest is closed without a handshake.
  const came = crowd.filter((each) => each).length;
  expect(came).toBeGreaterThanOrEqual(5);
  expect(came).toBeLessThan(10);
  expect(await refused(sluice, "address-too-many-handshakes", "hello")).toBe(10 - came);
});

test("handshakes under way are limited: who never finishes keeps his own address waiting, and no other", async () => {
  // An address has half of them where nothing is said of it.
  const sluice = await start("handshakes: { concurrent: 4 }, maxWait: 1s");
  const hello = await helloFor("localhost");
  const unfinished = await Promise.all(Array.from({ length: 2 }, () => RawClient.open(sluice.port, "127.0.0.9")));
  for (const client of unfinished) client.socket.write(hello);
  await waitFor("both to have the server's flight", () => unfinished.every(({ received }) => received.length > 0));
  const late = await RawClient.open(sluice.port, "127.0.0.9");
  late.socket.write(hello);
  await echoes(sluice.port);
  await late.untilClosed();
  expect(late.received).toHaveLength(0);
  expect(await refused(sluice, "address-too-many-handshakes", "hello")).toBe(1);
  // One leaves, and the next one of its address has its place.
  const next = await RawClient.open(sluice.port, "127.0.0.9");
  next.socket.write(hello);
  await waitFor("it to wait", async () => (await sluice.metric("sluice_admission_waits_total")) === 2);
  unfinished[0]!.socket.destroy();
  await waitFor("the server's flight", () => next.received.length > 0);
});

test("the connections of one address and of an entry point are counted over all workers, and who has not come in makes room", async () => {
  const sluice = await start("maxConnections: 30, perAddress: { connections: 5 }", { workers: 2 });
  const silent = await Promise.all(Array.from({ length: 20 }, () => RawClient.open(sluice.port, "127.0.0.9")));
  await waitFor(
    "the address to have no more than it may",
    async () => (await sluice.metric("sluice_entrypoint_open_connections")) <= 10,
  );
  // The silent ones made room for each other, or were refused where the other worker has them.
  await waitFor("the rest to be closed", () => silent.filter(({ closed }) => closed).length >= 10);
  await echoes(sluice.port);
});

test("a real client over the limit of its address is closed before TLS, and comes in when another one has left", async () => {
  const authority = await Authority.create();
  const pair = await authority.issue({ names: ["localhost"] });
  const broker = await Mosquitto.start();
  const sluice = await Sluice.start({
    dynamic: `
tcp:
  routers: { mqtt: { rule: "HostSNI(\`localhost\`)", service: broker, tls: {} } }
  services: { broker: { loadBalancer: { servers: [{ port: ${broker.port} }] } } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }
`,
    entryPoint: admission("perAddress: { connections: 2 }"),
  });
  const endpoint = { port: sluice.port, ca: authority.cert };
  const clients = [await mqttClient(endpoint), await mqttClient(endpoint)];
  await expect(mqttClient(endpoint)).rejects.toThrow();
  const openssl = await exec([
    "openssl",
    "s_client",
    "-connect",
    `127.0.0.1:${sluice.port}`,
    "-servername",
    "localhost",
  ]);
  expect(openssl.code).not.toBe(0);
  expect(await refused(sluice, "address-full", "accepted")).toBe(2);
  await clients[0]!.mqtt.endAsync();
  await waitFor("the place to be free", async () => (await sluice.metric("sluice_entrypoint_open_connections")) === 1);
  (await mqttClient(endpoint)).mqtt.end(true);
});

test("of one address no more than perAddress.silent stay silent: the oldest goes, and who is trusted is not counted", async () => {
  const sluice = await Sluice.start({
    dynamic,
    entryPoint: "    admission: { trustedIPs: [127.0.0.7/32], perAddress: { silent: 3 } }",
  });
  const crowd = (from: string) => Promise.all(Array.from({ length: 10 }, () => RawClient.open(sluice.port, from)));
  const [silent, trusted] = await Promise.all([crowd("127.0.0.9"), crowd("127.0.0.7")]);
  await waitFor("seven to be closed", () => silent.filter(({ closed }) => closed).length === 7);
  expect(trusted.filter(({ closed }) => closed)).toEqual([]);
  expect(await refused(sluice, "gave-way", "accepted")).toBe(7);
});

test("behind a balancer the limits are the client's, and the balancer has none", async () => {
  const sluice = await Sluice.start({
    dynamic,
    entryPoint: `    proxyProtocol: { trustedIPs: [127.0.0.1/32] }\n${admission("perAddress: { connections: 1 }")}`,
  });
  const come = async (address: string) => {
    const client = await RawClient.open(sluice.port);
    client.socket.write(`PROXY TCP4 ${address} 127.0.0.1 4711 8883\r\n`);
    return client;
  };
  // Silent ones of one client: the second makes the first go, for it has not come in.
  const first = await come("192.0.2.1");
  const other = await come("192.0.2.2");
  await come("192.0.2.1");
  await first.untilClosed();
  const headless = await Promise.all([RawClient.open(sluice.port), RawClient.open(sluice.port)]);
  await waitFor("four to be open", async () => (await sluice.metric("sluice_entrypoint_open_connections")) === 4);
  expect([other, ...headless].map(({ closed }) => closed)).toEqual([false, false, false]);
  expect(await sluice.metric("sluice_connections_total", { result: "gave-way" })).toBe(1);
});

test("a reload forgets nothing, in any worker: who is at his limit, who waits, and who is banned", async () => {
  const sluice = await Sluice.start({
    dynamic,
    workers: 2,
    entryPoint: `${admission("perAddress: { connections: 4 }, handshakes: { concurrent: 2 }, maxWait: 60s")}
    ban: { failures: 2, time: 1h, trustedIPs: [] }`,
  });
  const isFull = () => waitFor("the address to be full in all workers", () => everyTry("127.0.0.9", false));
  const everyTry = async (from: string, came: boolean) => {
    for (let n = 0; n < 8; n++) if ((await handshakes(sluice.port, from)) !== came) return null;
    return true;
  };
  const staying = await Promise.all(
    Array.from({ length: 4 }, () => tlsClient(sluice.port, { localAddress: "127.0.0.9" })),
  );
  await isFull();
  await waitFor("the ban", async () => {
    const scanner = await RawClient.open(sluice.port, "127.0.0.66");
    scanner.socket.write("SSH-2.0-scan\r\n");
    await scanner.untilClosed();
    return (await sluice.metric("sluice_banned_addresses")) === 1;
  });
  await waitFor("it to be refused in all workers", () => everyTry("127.0.0.66", false));
  // One address may have one handshake under way; a worker may have begun one before it hears of the other's.
  const hello = await helloFor("localhost");
  const unfinished: RawClient[] = [];
  await waitFor("one to wait", async () => {
    const client = await RawClient.open(sluice.port, "127.0.0.8");
    client.socket.write(hello);
    unfinished.push(client);
    await waitFor(
      "it to begin or to wait",
      async () => client.received.length > 0 || (await sluice.metric("sluice_admission_waiting")) === 1,
    );
    return client.received.length === 0;
  });
  const waiting = unfinished.pop()!;

  await sluice.reload(() => {
    const more = "tcp: { middlewares: { other: { inFlightConn: { amount: 9 } } } }";
    sluice.write("more.yml", more);
  });
  expect(await everyTry("127.0.0.9", false)).toBe(true);
  expect(await everyTry("127.0.0.66", false)).toBe(true);
  expect(await sluice.metric("sluice_banned_addresses")).toBe(1);
  expect([waiting.received.length, waiting.closed, staying.some(({ destroyed }) => destroyed)]).toEqual([
    0,
    false,
    false,
  ]);
  // Whoever waited comes in when it is his turn, and the places that are given back are free.
  for (const client of unfinished) client.socket.destroy();
  await waitFor("the server's flight", () => waiting.received.length > 0);
  for (const socket of staying) socket.destroy();
  await waitFor("the address to have room", () => handshakes(sluice.port, "127.0.0.9"));
}, 120_000);
