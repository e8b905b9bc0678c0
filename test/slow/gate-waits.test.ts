// What a client does while its CONNECT is read or its password is checked: leaving, sending on without end, being there at a reload. Whoever
// comes in comes in whole, nobody is dialled for who has gone, and nothing of anybody stays.

import { afterAll, expect, test } from "bun:test";
import { createHash, pbkdf2Sync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Authority } from "../support/certs.ts";
import { sendPattern } from "../support/clients.ts";
import { anyConnect } from "../support/connect-packet.ts";
import { type Answered, opening, recordingBroker } from "../support/first-packet.ts";
import { openDescriptors } from "../support/proc.ts";
import { Sluice } from "../support/sluice.ts";
import { freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

const CONNACK = "20020000";
const MB = 1024 * 1024;
const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });
const passwords = join(temporaryDirectory(), "passwords");

function hashOf(password: string, iterations: number): string {
  const salt = Buffer.alloc(12, "salt");
  const hash = pbkdf2Sync(password, salt, iterations, 64, "sha512");
  return `$7$${iterations}$${salt.toString("base64")}$${hash.toString("base64")}`;
}
/** The second one's takes long enough for others to leave meanwhile: tenths of a second. */
writeFileSync(passwords, `slow:${hashOf("tea", 20_000)}\nslowest:${hashOf("tea", 500_000)}\n`);

const broker = await recordingBroker(Buffer.from(CONNACK, "hex"));
const { streams } = broker;
const nobody = await freePort();

const dynamic = (number: number) => `
tcp:
  middlewares:
    three: { inFlightConn: { amount: 3 } }
    connect: { mqttConnect: { timeout: 30s } }
    quick: { mqttConnect: { timeout: 3s } }
    auth: { mqttAuth: { passwordFile: ${passwords}, stripPassword: true } }
  routers:
    checked: { rule: "HostSNI(\`checked.test\`)", service: broker, tls: {}, middlewares: [three, connect, auth] }
    asked: { rule: "HostSNI(\`asked.test\`) && !MQTTClientID(\`x${number}\`)", service: broker, tls: {}, middlewares: [three, connect] }
    dead: { rule: "HostSNI(\`dead.test\`)", service: dead, tls: {}, middlewares: [connect] }
    open: { rule: "HostSNI(\`open.test\`)", service: broker, tls: {}, middlewares: [connect] }
    quick: { rule: "HostSNI(\`quick.test\`)", service: broker, tls: {}, middlewares: [quick] }
  services:
    broker: { loadBalancer: { servers: [{ port: ${broker.port} }] } }
    dead: { loadBalancer: { servers: [{ port: ${nobody} }] } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }`;

const sluice = await Sluice.start({ dynamic: dynamic(0) });
afterAll(() => sluice.kill());

const held = () => sluice.metric("sluice_relay_held_bytes");
const open = () => sluice.metric("sluice_entrypoint_open_connections");
const connect = (id: string, password = "tea", username = "slow") => anyConnect(id, { username, password });
const reload = (number: number) => sluice.reload(() => sluice.replace("dynamic.yml", dynamic(number)));

async function allGone(): Promise<void> {
  await waitFor("all to be gone", async () => (await open()) === 0);
  expect(await held()).toBe(0);
}

/** Three may be there at a time, and three are: nothing of a limit is lost, and nothing is given twice. */
async function threeComeIn(name: string): Promise<void> {
  const clients = await Promise.all([0, 1, 2].map((at) => opening(sluice.port, name, connect(`one-of-three-${at}`))));
  await Promise.all(clients.map((client) => client.until(CONNACK)));
  const fourth = await opening(sluice.port, name, connect("fourth")).catch(() => null);
  if (fourth !== null) expect(["", "20020003"]).toContain(await fourth.closed());
  for (const { socket } of clients) socket.end();
  await allGone();
}

test("clients whose password is checked while the configuration is reloaded come in, once each, and it is checked once", async () => {
  const dialled = broker.accepted();
  const checks = () => sluice.metric("sluice_mqtt_authentication_duration_seconds_count", { result: "password" });
  const before = await checks();
  const clients = await Promise.all(
    [0, 1, 2].map((at) => opening(sluice.port, "checked.test", connect(`there-${at}`, "tea", "slowest"))),
  );
  await reload(1);
  await reload(2);
  await Promise.all(clients.map((client) => client.until(CONNACK)));
  expect(clients.map((client) => client.received())).toEqual([CONNACK, CONNACK, CONNACK]);
  expect(broker.accepted()).toBe(dialled + 3);
  expect(await checks()).toBe(before + 3);
  for (const { socket } of clients) socket.end();
  await allGone();
  await threeComeIn("checked.test");
});

test("clients that leave while a password is checked leave nothing, and nobody is dialled", async () => {
  const dialled = broker.accepted();
  const ends: ((client: Answered) => void)[] = [
    ({ socket }) => socket.end(),
    ({ socket }) => socket.destroy(),
    ({ socket }) => (socket as never as { resetAndDestroy(): void }).resetAndDestroy(),
  ];
  const clients = await Promise.all(
    ends.map(() => opening(sluice.port, "checked.test", connect("leaving", "tea", "slowest"))),
  );
  await waitFor("the CONNECTs to be held", async () => (await held()) > 0);
  for (const [at, client] of clients.entries()) ends[at]!(client);
  await allGone();
  const lines = () => sluice.accesses.filter(({ clientId }) => clientId === "leaving");
  await waitFor("their lines", () => lines().length === 3 || null);
  // On a machine that is slow to leave, some may have come in before.
  const gone = lines().filter(({ reason }) => reason === "client-gone").length;
  expect(gone).toBeGreaterThan(0);
  expect(broker.accepted()).toBe(dialled + 3 - gone);
  await threeComeIn("checked.test");
});

test("clients that are at the gate while the configuration is reloaded come in", async () => {
  const whole = connect("half");
  const clients = await Promise.all(
    ["checked.test", "asked.test", "open.test"].map((name) => opening(sluice.port, name, whole.subarray(0, 12))),
  );
  await waitFor("the beginnings to be held", async () => (await held()) === 36);
  await reload(3);
  for (const { socket } of clients) socket.write(whole.subarray(12));
  await Promise.all(clients.map((client) => client.until(CONNACK)));
  for (const { socket } of clients) socket.end();
  await allGone();
  await threeComeIn("asked.test");
});

test("a client that sends 10 MB behind its CONNECT without waiting gets all of it through", async () => {
  const before = streams.length;
  const first = connect("eager");
  const client = await opening(sluice.port, "checked.test", first);
  const sent = await sendPattern(client.socket, 10 * MB, 7);
  client.socket.end();
  await allGone();
  const whole = streams[before]!.bytes;
  // The CONNECT in front of it has lost its password.
  expect(
    createHash("sha256")
      .update(whole.subarray(whole.length - 10 * MB))
      .digest("hex"),
  ).toBe(sent);
  expect(whole.length - 10 * MB).toBe(first.length - "tea".length - 2);
});

test.each([
  ["checked.test", "20020005", "bad-credentials"],
  ["dead.test", "20020003", "dial-failed"],
])("%s: a client that sends 10 MB behind its CONNECT and is refused reads why", async (name, connack, reason) => {
  for (let round = 0; round < 3; round++) {
    const id = `refused-${name}-${round}`;
    const client = await opening(sluice.port, name, connect(id, "coffee"));
    client.socket.write(Buffer.alloc(10 * MB));
    expect(await client.closed()).toBe(connack);
    const line = () => sluice.accesses.find(({ clientId }) => clientId === id) ?? null;
    const ended = (await waitFor("its line", line)).reason;
    // Who comes right after one whose dial has failed is not dialled for.
    expect(ended === "service-down" ? "dial-failed" : ended).toBe(reason);
    client.socket.destroy();
  }
  await allGone();
});

test("clients that are refused and never close keep no descriptor", async () => {
  const [pid] = sluice.workers;
  const before = openDescriptors(pid!);
  const clients = await Promise.all(
    Array.from({ length: 150 }, (_, at) => opening(sluice.port, "dead.test", connect(`stays-${at}`))),
  );
  for (const client of clients) await client.until("20020003");
  await waitFor("the descriptors to be back", () => openDescriptors(pid!) <= before + 1 || null);
  for (const { socket } of clients) socket.destroy();
  await allGone();
});

test("clients that stop in the middle of a large CONNECT are counted for what they hold, and closed in time", async () => {
  const bytes = Buffer.concat([
    Buffer.from([0x10, 0xfa, 0xff, 0x03]),
    anyConnect("a").subarray(2),
    Buffer.alloc(30_000),
  ]);
  const clients = await Promise.all([0, 1, 2].map(() => opening(sluice.port, "quick.test", bytes)));
  await waitFor("them to be held", async () => (await held()) === 3 * bytes.length);
  await Promise.all(clients.map((client) => client.closed()));
  await allGone();
});

test("nothing went wrong", () => {
  const said = sluice.lines.filter(({ level }) => level === "error" || level === "fatal");
  expect(said).toEqual([]);
});
