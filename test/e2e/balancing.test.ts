// Balancing before three real Mosquittos, with two workers, which count as one.

import { expect, test } from "bun:test";
import type { IClientOptions, MqttClient } from "mqtt";
import { Authority } from "../support/certs.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { type Client, mosquittoPub, mqttClient, received } from "../support/mqtt.ts";
import { type Access, Sluice } from "../support/sluice.ts";
import { temporaryDirectory, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const routers = ["hrw", "user", "sticky", "capped", "taken", "guarded", "least", "two"];
const server = await authority.issue({ names: [...routers, "renamed"].map((name) => `${name}.test`) });

const persistent = () => ["persistence true", `persistence_location ${temporaryDirectory()}/`];
const kept = [persistent(), persistent(), persistent()];
const start = (index: number, port?: number) =>
  Mosquitto.start({ lines: kept[index]!, ...(port === undefined ? {} : { port }) });
const brokers = await Promise.all([start(0), start(1), start(2)]);
/** It lets nobody in. */
const closed = await Mosquitto.start({ lines: ["allow_anonymous false"] });

const servers = brokers.map(({ port }) => `{ port: ${port} }`).join(", ");
const sluice = await Sluice.start({
  workers: 2,
  dynamic: `
tcp:
  middlewares:
    read: { mqttConnect: {} }
    named: { mqttIdentity: { clientId: "all-as-one" } }
  routers:
${routers.map((name) => `    ${name}: { rule: "HostSNI(\`${name}.test\`)", service: ${name}, middlewares: [read], tls: {} }`).join("\n")}
    renamed: { rule: "HostSNI(\`renamed.test\`)", service: hrw, middlewares: [named], tls: {} }
  services:
    hrw: { loadBalancer: { strategy: hrw, passive: { coolDown: 1s }, servers: [${servers}] } }
    user: { loadBalancer: { strategy: hrw, hashKey: username, servers: [${servers}] } }
    sticky: { loadBalancer: { sticky: {}, servers: [${servers}] } }
    capped: { loadBalancer: { servers: [{ port: ${brokers[0]!.port}, maxConnections: 2 }, { port: ${brokers[1]!.port}, maxConnections: 1, backup: true }] } }
    least: { loadBalancer: { strategy: leastconn, servers: [${servers}] } }
    two: { loadBalancer: { strategy: p2c, servers: [${servers}] } }
    taken: { loadBalancer: { takeover: close, servers: [${servers}] } }
    guarded: { loadBalancer: { takeover: close, servers: [{ port: ${brokers[0]!.port}, maxConnections: 1 }, { port: ${closed.port}, backup: true }] } }
tls:
  certificates: [{ certFile: ${server.cert}, keyFile: ${server.key} }]
`,
});

const connect = (name: string, clientId: string, options: IClientOptions = {}): Promise<Client> =>
  mqttClient({ port: sluice.port, ca: authority.cert }, { servername: `${name}.test`, clientId, ...options });

let visits = 0;
/** Comes and leaves; which server it has come to, and by which worker, the access log says a little later. */
async function visit(name: string, clientId: string, options: IClientOptions = {}): Promise<() => Promise<Visit>> {
  const username = options.username ?? `visit-${++visits}`;
  const before = sluice.accesses.length;
  const { mqtt } = await connect(name, clientId, { username, ...options });
  await mqtt.endAsync();
  const isIt = (access: Access) => access.router === `${name}@file` && access.username === username;
  return () =>
    waitFor("the access-log line", () => (sluice.accesses.slice(before).find(isIt) as Visit | undefined) ?? null);
}

type Visit = Access & { readonly role: string };

test("hrw: a client comes to the same server each time and in every worker, by what the server sees of it", async () => {
  const ids = ["a", "b", "c", "d", "e", "f", "g", "h"];
  const placesOf = async (name: string, options: IClientOptions = {}) => {
    const told: (() => Promise<Visit>)[] = [];
    for (const id of ids) told.push(await visit(name, id, options));
    return (await Promise.all(told.map((each) => each()))).map((each) => each.server);
  };
  const places = await placesOf("hrw");
  expect(await placesOf("hrw")).toEqual(places);
  expect(await placesOf("hrw")).toEqual(places);
  expect(new Set(places).size).toBeGreaterThan(1);
  // Renamed, they are all one client.
  const one = await (await visit("hrw", "all-as-one"))();
  expect(new Set(await placesOf("renamed"))).toEqual(new Set([one.server]));
  // By user name, and not by client id.
  expect(new Set(await placesOf("user", { username: "one" })).size).toBe(1);
});

test("hrw: a persistent session meets its broker, and what is queued there, again through kill and return", async () => {
  const session: IClientOptions = { clean: false };
  const first = await connect("hrw", "session", session);
  await first.mqtt.subscribeAsync("queued", { qos: 1 });
  await first.mqtt.endAsync();
  const { server: home } = await sluice.access(({ clientId }) => clientId === "session");
  const index = brokers.findIndex(({ port }) => home === `127.0.0.1:${port}`);
  const broker = brokers[index]!;
  expect((await mosquittoPub({ port: broker.port }, "-t", "queued", "-q", "1", "-m", "kept for you")).code).toBe(0);
  broker.process.kill("SIGTERM"); // which lets it write down what it holds
  await broker.process.exited;
  // Meanwhile another broker takes it in, and knows nothing of it.
  const away = await connect("hrw", "session", session);
  expect(away.sessionPresent).toBe(false);
  await away.mqtt.endAsync();
  brokers[index] = await start(index, broker.port);
  const back = await waitFor("the session to be found again", async () => {
    const client = await connect("hrw", "session", session);
    if (client.sessionPresent && (await isAt(client, broker.port))) return client;
    await client.mqtt.endAsync();
    return null;
  });
  expect((await received(back, "queued")).payload.toString()).toBe("kept for you");
  await back.mqtt.endAsync();
});

/** Whether a client is with the broker on this port: it hears what is published there. */
async function isAt({ mqtt, messages }: Client, port: number): Promise<boolean> {
  await mqtt.subscribeAsync("here");
  const seen = messages.length;
  await mosquittoPub({ port }, "-t", "here", "-q", "1", "-m", "?");
  await mqtt.unsubscribeAsync("here"); // its answer comes behind the message
  return messages.slice(seen).some(({ topic }) => topic === "here");
}

test("sticky: a client stays with the server that it came to first, also when it comes by another worker", async () => {
  await waitFor("twelve visits in a row to the same server, by both workers", async () => {
    const told: (() => Promise<Visit>)[] = [];
    for (let count = 0; count < 12; count++) told.push(await visit("sticky", "sticky-device"));
    const came = await Promise.all(told.map((each) => each()));
    return new Set(came.map((each) => each.server)).size === 1 && new Set(came.map(({ role }) => role)).size === 2;
  });
  // Of others nothing is known: they go in turn.
  const told: (() => Promise<Visit>)[] = [];
  for (let count = 0; count < 12; count++) told.push(await visit("sticky", `other-${count}`));
  expect(new Set((await Promise.all(told.map((each) => each()))).map((each) => each.server)).size).toBe(3);
});

test("maxConnections and backup: what all workers have open counts, and who finds no room is told to come later", async () => {
  const inside = new Map<string, Client>();
  const codes: number[] = [];
  const options: IClientOptions[] = [{ protocolVersion: 4 }, { protocolVersion: 5 }];
  // The workers may know each other's newest connections a moment late, so a few more may come in.
  await waitFor("clients to be refused, of both versions", async () => {
    const id = `capped-${inside.size}-${codes.length}`;
    try {
      inside.set(id, await connect("capped", id, options[codes.length % 2]!));
    } catch (error) {
      codes.push((error as { code: number }).code);
    }
    return codes.length === 6;
  });
  expect(new Set(codes)).toEqual(new Set([3, 0x97]));
  expect(inside.size).toBeGreaterThanOrEqual(3);
  expect(inside.size).toBeLessThan(10);
  await sluice.access(({ reason, router }) => reason === "servers-full" && router === "capped@file");
  for (const { mqtt } of inside.values()) await mqtt.endAsync();
  await waitFor("room again", () =>
    connect("capped", "late").then(
      ({ mqtt }) => mqtt.endAsync().then(() => true),
      () => false,
    ),
  );
});

test("leastconn and p2c: who stays is spread over all servers by what both workers have", async () => {
  for (const name of ["least", "two"]) {
    const open = (port: number) =>
      sluice.metric("sluice_server_open_connections", { service: `${name}@file`, server: `127.0.0.1:${port}` });
    const inside: Client[] = [];
    for (let count = 0; count < 18; count++) inside.push(await connect(name, `${name}-${count}`));
    const counts = await Promise.all(brokers.map(({ port }) => open(port)));
    expect(counts.reduce((sum, each) => sum + each, 0)).toBe(18);
    // 6 each, if each worker knew of every connection of the other at once.
    for (const each of counts) expect(each).toBeGreaterThanOrEqual(2);
    await Promise.all(inside.map(({ mqtt }) => mqtt.endAsync()));
  }
});

const isClosed = (mqtt: MqttClient) => new Promise<void>((resolve) => void mqtt.once("close", () => resolve()));

test("takeover: a client id that another server lets in ends its older connection, whichever worker has it", async () => {
  const workers = new Set<unknown>();
  await waitFor("older connections to end in both workers", async () => {
    const older = await connect("taken", "twice");
    const gone = isClosed(older.mqtt);
    const newer = await connect("taken", "twice");
    await gone;
    expect(newer.mqtt.connected).toBe(true);
    const over = newer.mqtt.endAsync();
    await over;
    for (const access of sluice.accesses)
      if (access.reason === "taken-over") workers.add((access as unknown as { role: string }).role);
    return workers.size === 2;
  });
});

test("takeover: a client that its server does not let in ends nobody's connection", async () => {
  const older = await connect("guarded", "mine");
  // When every worker knows that its server is full, all others come to the one that lets nobody in.
  let refused = 0;
  await waitFor("others to be refused, ten times in a row", async () => {
    const came = await connect("guarded", "other").catch(() => null);
    await came?.mqtt.endAsync();
    refused = came === null ? refused + 1 : 0;
    return refused === 10;
  });
  for (let round = 0; round < 6; round++) expect(await connect("guarded", "mine").catch(({ code }) => code)).toBe(5);
  await older.mqtt.publishAsync("still", "here", { qos: 1 });
  expect(older.mqtt.connected).toBe(true);
  await older.mqtt.endAsync();
  const { reason } = await sluice.access(
    ({ clientId, server: at }) => clientId === "mine" && at !== `127.0.0.1:${closed.port}`,
  );
  expect(["client-closed", "server-closed"]).toContain(reason);
});
