// A client that gives up while its broker is dialled takes its dial with it. Its CONNECT, if it came to a broker later, would take the
// session over from the same device that has come back meanwhile: that one's connection would be closed, and its will published.

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { blackHole } from "../support/black-hole.ts";
import { Authority } from "../support/certs.ts";
import { tcpClient, tcpServer, tlsClient } from "../support/clients.ts";
import { connectPacket } from "../support/connect-packet.ts";
import { canConnect, Mosquitto } from "../support/mosquitto.ts";
import { mqttClient, received } from "../support/mqtt.ts";
import { openDescriptors } from "../support/proc.ts";
import { Sluice } from "../support/sluice.ts";
import { cleanup, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

const DEVICES = 50;
const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });

const hole = await blackHole();
/** The one of all tests. */
const sluice = await Sluice.start({ dynamic: "{}\n" });
const configure = (dynamic: string) => sluice.reload(() => sluice.replace("dynamic.yml", dynamic));

interface Device {
  readonly socket: TLSSocket;
  /** It has its CONNACK. */
  connected: boolean;
  closed: boolean;
}

/** A device that has said CONNECT, and waits. */
async function device(port: number, name: string): Promise<Device> {
  const socket = await tlsClient(port);
  const made: Device = { socket, connected: false, closed: false };
  socket.on("data", (chunk: Buffer) => {
    if (chunk[0] === 0x20) made.connected = true;
  });
  socket.on("end", () => socket.end());
  socket.on("close", () => {
    made.closed = true;
  });
  cleanup(() => socket.destroy());
  socket.write(connectPacket(name, `will/${name}`));
  return made;
}

/**
 * Fifty devices come by `port`, behind which every second connection is tried at a server that never answers before it goes to `broker`.
 * Those that wait give up and come back to the broker itself, as devices do that find another way. Returns how many live ones were
 * thrown out by then, once a patient client has shown that the time for dials is over.
 */
async function takeovers(
  port: number,
  broker: Mosquitto,
  gaveUp: (ghosts: number) => Promise<unknown>,
): Promise<number> {
  const watcher = await mqttClient({ port: broker.port });
  await watcher.mqtt.subscribeAsync("will/#");
  const devices = await Promise.all(Array.from({ length: DEVICES }, (_, i) => device(port, `d${i}`)));
  await waitFor("those with a broker to be connected", () => devices.filter((each) => each.connected).length === 25);
  const ghosts = devices.flatMap((each, i) => (each.connected ? [] : [{ ...each, name: `d${i}` }]));
  for (const { socket } of ghosts) socket.end();
  await gaveUp(ghosts.length);
  const back = await Promise.all(
    ghosts.map(({ name }) => mqttClient({ port: broker.port }, { clientId: name, clean: true })),
  );
  let lost = 0;
  for (const { mqtt } of back) mqtt.on("close", () => lost++);
  // Two that wait: one of them is tried at the silent server first, later than all that have given up.
  const patient = await Promise.all(["p1", "p2"].map((name) => device(port, name)));
  await waitFor("the patient ones to be connected", () => patient.every((each) => each.connected));
  await watcher.mqtt.publishAsync("will/last", "");
  await received(watcher, "will/last");
  const wills = watcher.messages.filter(({ payload }) => payload.toString() === "gone").length;
  expect(wills).toBe(lost);
  return lost;
}

test("50 devices, half of which give up: no CONNECT of one that is gone takes over the session of one that is back", async () => {
  const broker = await Mosquitto.start();
  await configure(`
tcp:
  routers: { mqtt: { rule: "HostSNI(\`localhost\`)", service: broker, tls: {} } }
  services:
    broker:
      loadBalancer: { serversTransport: quick, servers: [{ port: ${hole} }, { port: ${broker.port} }] }
  serversTransports: { quick: { dialTimeout: 3s } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }`);
  const worker = sluice.workers[0]!;
  const before = openDescriptors(worker);
  const lost = await takeovers(sluice.port, broker, async (ghosts) => {
    await waitFor(
      "those that gave up to be counted",
      async () => (await sluice.metric("sluice_connections_total", { result: "client-gone" })) === ghosts,
    );
    await waitFor("their descriptors to be free", () => openDescriptors(worker) <= before + 2 * (DEVICES - ghosts) + 1);
  });
  expect(lost).toBe(0);
  // The dials were given up before their time.
  expect(await sluice.metric("sluice_dial_errors_total", { reason: "timeout" })).toBe(1);
}, 90_000);

test("HAProxy with abortonclose beside it: the same scene, and the same end", async () => {
  const [broker, port] = [await Mosquitto.start(), await freePort()];
  const directory = temporaryDirectory();
  const bundle = join(directory, "bundle.pem");
  writeFileSync(bundle, readFileSync(pair.cert, "utf8") + readFileSync(pair.key, "utf8"));
  const file = join(directory, "haproxy.cfg");
  writeFileSync(
    file,
    `defaults
  mode tcp
  timeout connect 3s
  timeout client 1h
  timeout server 1h
  option abortonclose
  option redispatch
  retries 1
frontend mqtts
  bind 127.0.0.1:${port} ssl crt ${bundle}
  default_backend brokers
backend brokers
  server hole 127.0.0.1:${hole}
  server broker 127.0.0.1:${broker.port}
`,
  );
  const haproxy = Bun.spawn(["/usr/sbin/haproxy", "-db", "-f", file], { stdio: ["ignore", "ignore", "ignore"] });
  cleanup(async () => {
    haproxy.kill("SIGKILL");
    await haproxy.exited;
  });
  await waitFor("HAProxy to listen", () => canConnect("127.0.0.1", port));
  const lost = await takeovers(port, broker, async () => {});
  expect(lost).toBe(0);
}, 90_000);

test("a plain client that is no MQTT may half-close: the server under way gets what it sent, and answers", async () => {
  const heard: string[] = [];
  const server = await tcpServer((socket) => {
    socket.on("data", (chunk) => heard.push(chunk.toString()));
    socket.on("end", () => socket.end("the answer"));
  });
  await configure(`
tcp:
  routers: { plain: { rule: "HostSNI(\`*\`)", service: s } }
  services: { s: { loadBalancer: { servers: [{ port: ${server.port} }] } } }`);
  const client = await tcpClient(sluice.port);
  let answer = "";
  client.on("data", (chunk) => {
    answer += chunk;
  });
  client.end("a question");
  await waitFor("the answer", () => answer === "the answer");
  expect(heard.join("")).toBe("a question");
});

for (const [what, bytes, end] of [
  ["an MQTT client", connectPacket("plain"), "client-gone"],
  ["a client that has sent nothing", Buffer.alloc(0), "client-gone"],
  ["another client that half-closes, to whom no further server is tried,", Buffer.from("a question"), "client-gone"],
] as const)
  test(`${what} on a plain router ends with FIN while its server is dialled: ${end}, and no other server hears of it`, async () => {
    const other = await tcpServer(() => {});
    await configure(`
tcp:
  routers: { plain: { rule: "HostSNI(\`*\`)", service: s } }
  services: { s: { loadBalancer: { serversTransport: quick, servers: [{ port: ${hole} }, { port: ${other.port} }] } } }
  serversTransports: { quick: { dialTimeout: 500ms } }`);
    const ended = () => sluice.accesses.filter(({ reason }) => reason === end).length;
    const before = ended();
    const client = await tcpClient(sluice.port);
    client.end(bytes);
    await waitFor(`${what} to be noted`, () => ended() > before);
    expect(other.accepted()).toBe(0);
  });
