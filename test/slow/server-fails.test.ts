// A server that dies, hangs, closes or says nothing loses its clients to the next one: none of them is lost, and nobody waits for a server
// that is known to have failed. A client whom nobody takes is told so.

import { expect, test } from "bun:test";
import type { Socket } from "node:net";
import { blackHole } from "../support/black-hole.ts";
import { Authority } from "../support/certs.ts";
import { tcpClient, tcpServer, tlsClient } from "../support/clients.ts";
import { anyConnect, connectPacket } from "../support/connect-packet.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient } from "../support/mqtt.ts";
import { Sluice } from "../support/sluice.ts";
import { cleanup, freePort, waitFor } from "../support/tools.ts";

const CLIENTS = 24;
const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });
const gated = await freePort();

/** The one of all tests. Who comes by `gated` has its CONNECT read. */
const sluice = await Sluice.start({ dynamic: "{}\n", entryPoint: `  gated: { address: "127.0.0.1:${gated}" }` });

const address = (port: number) => `127.0.0.1:${port}`;
let configurations = 0;

/** A service of its own for each test: what is known of a server stays over reloads. */
async function balance(ports: readonly number[], more = "", transport = ""): Promise<string> {
  const name = `s${++configurations}`;
  await sluice.reload(() =>
    sluice.replace(
      "dynamic.yml",
      `
tcp:
  routers:
    plain: { rule: "HostSNI(\`*\`)", service: ${name}, entryPoints: [mqtts] }
    tls: { rule: "HostSNI(\`localhost\`)", service: ${name}, tls: {}, entryPoints: [mqtts] }
    gated: { rule: "HostSNI(\`*\`)", service: ${name}, entryPoints: [gated], middlewares: [connect] }
  middlewares: { connect: { mqttConnect: {} } }
  services:
    ${name}: { loadBalancer: { serversTransport: t, ${more} servers: [${ports.map((port) => `{ port: ${port} }`).join(", ")}] } }
  serversTransports: { t: { ${transport} } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }`,
    ),
  );
  return `${name}@file`;
}

const threeBrokers = () => Promise.all([Mosquitto.start(), Mosquitto.start(), Mosquitto.start()]);

/** So many clients come at once, half of them over TLS; each must get its CONNACK. */
async function crowd(count = CLIENTS): Promise<void> {
  const clients = Array.from({ length: count }, (_, i) =>
    mqttClient({ port: sluice.port, ca: i % 2 === 0 ? authority.cert : undefined }),
  );
  for (const { mqtt } of await Promise.all(clients)) await mqtt.endAsync();
}

const ended = (port: number, result: string) =>
  sluice.metric("sluice_server_connections_total", { server: address(port), result });

/** How many have been let in by a server, once nobody is left at any. */
async function served(port: number): Promise<number> {
  await waitFor(
    "the connections to be over",
    async () => (await sluice.metric("sluice_server_open_connections")) === 0,
  );
  const all = await sluice.metric("sluice_server_connections_total", { server: address(port) });
  return all - (await ended(port, "closed")) - (await ended(port, "silent"));
}

/** What a client that has sent this gets until it is closed. */
async function answerTo(port: number, ...pieces: Buffer[]): Promise<string> {
  const socket = await tcpClient(port);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  for (const piece of pieces) socket.write(piece);
  await new Promise<void>((done) => socket.on("end", done));
  socket.destroy();
  return Buffer.concat(chunks).toString("hex");
}

/** A client that stays, and what it has got. */
async function client(port: number, ...pieces: Buffer[]): Promise<{ socket: Socket; text: () => string }> {
  const socket = await tcpClient(port);
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
  });
  cleanup(() => socket.destroy());
  for (const piece of pieces) socket.write(piece);
  return { socket, text: () => text };
}

test("of three brokers one is killed: those who are there first find out, all get in, and it has its share again when it is back", async () => {
  const [a, b, c] = await threeBrokers();
  await balance([a.port, b.port, c.port], "passive: { coolDown: 200ms },");
  await crowd();
  for (const { port } of [a, b, c]) expect(await served(port)).toBe(CLIENTS / 3);
  await a.stop();
  await crowd();
  const failures = await sluice.metric("sluice_dial_errors_total", { server: address(a.port) });
  expect(failures).toBeGreaterThan(0);
  await crowd();
  expect(await sluice.metric("sluice_dial_errors_total", { server: address(a.port) })).toBe(failures);
  await Mosquitto.start({ port: a.port });
  await waitFor("it to have clients again", async () => {
    await crowd(6);
    return (await served(a.port)) > CLIENTS / 3;
  });
});

test("of three brokers one is stopped: those who are sent there get in elsewhere, also a crowd that waits for it at once", async () => {
  const [a, b, c] = await threeBrokers();
  await balance([a.port, b.port, c.port], "firstByteTimeout: 500ms,");
  a.process.kill("SIGSTOP");
  await crowd();
  const silent = await ended(a.port, "silent");
  expect(silent).toBe(CLIENTS / 3);
  // From here on it is known.
  await crowd();
  expect(await ended(a.port, "silent")).toBe(silent);
  a.process.kill("SIGCONT");
});

for (const [what, end] of [
  ["closes", (socket: Socket) => socket.end()],
  ["resets", (socket: Socket) => socket.resetAndDestroy()],
] as const)
  test(`of two servers one ${what} at once, which would cost half of the clients: all get in at the other one`, async () => {
    const [bad, broker] = [await tcpServer(end), await Mosquitto.start()];
    await balance([bad.port, broker.port]);
    await crowd();
    expect(await served(broker.port)).toBe(CLIENTS);
    // A reset may come before the dial is over.
    const dials = await sluice.metric("sluice_dial_errors_total", { server: address(bad.port) });
    expect((await ended(bad.port, "closed")) + dials).toBe(bad.accepted());
    expect(bad.accepted()).toBeGreaterThan(0);
  });

test("a server that closes when it has read CONNECT loses its clients as well, and they are told from those that sent nothing", async () => {
  const bad = await tcpServer((socket) => socket.on("data", () => socket.end()));
  const broker = await Mosquitto.start();
  await balance([bad.port, broker.port], "passive: { unanswered: 3, coolDown: 1h },");
  for (let i = 0; i < 5; i++) await crowd(2);
  // Three in a row take it out.
  expect(bad.accepted()).toBe(3);
  expect(await ended(bad.port, "closed")).toBe(3);
  expect(await served(broker.port)).toBe(10);
});

test("what no broker answers is held against none: nobody takes brokers out with it", async () => {
  const [a, b] = await Promise.all([Mosquitto.start(), Mosquitto.start()]);
  await balance([a.port, b.port], "passive: { unanswered: 1, coolDown: 1h },");
  // No CONNACK is as short as its Maximum Packet Size says: a broker closes (5, 3.1.2.11.4).
  const properties = Uint8Array.of(0x27, 0, 0, 0, 2);
  for (let i = 0; i < 3; i++)
    for (const port of [gated, sluice.port]) await answerTo(port, anyConnect("deaf", { level: 5, properties }));
  for (const { port } of [a, b]) {
    expect(await ended(port, "closed")).toBe(6);
    expect(await sluice.metric("sluice_server_up", { server: address(port) })).toBe(1);
  }
  await crowd(4);
  for (const { port } of [a, b]) expect(await served(port)).toBe(2);
});

test("a server that does not answer the dial gives way after a second, long before dialTimeout, and only once", async () => {
  const [hole, broker] = [await blackHole(), await Mosquitto.start()];
  await balance([hole, broker.port], "passive: { coolDown: 1h },", "dialTimeout: 10m");
  await crowd(2);
  await crowd();
  const timeouts = await sluice.metric("sluice_dial_errors_total", { server: address(hole), reason: "timeout" });
  expect(timeouts).toBe(1);
});

test("dialBudget ends a search among servers of which none answers", async () => {
  const holes = await Promise.all([blackHole(), blackHole()]);
  await balance(holes, "", "dialTimeout: 10m, dialBudget: 300ms");
  expect(await answerTo(gated, connectPacket("patient"))).toBe("20020003");
  expect((await sluice.access(({ clientId }) => clientId === "patient")).reason).toBe("dial-failed");
});

test("when nobody answers, a client whose CONNECT was read is told so in its own version, and any other is closed", async () => {
  const hanging = await Mosquitto.start();
  const closing = await tcpServer((socket) => socket.on("data", () => socket.end()));
  await balance([hanging.port, closing.port], "firstByteTimeout: 200ms,");
  hanging.process.kill("SIGSTOP");
  const unanswered = () => sluice.metric("sluice_connections_total", { entrypoint: "mqtts", result: "unanswered" });
  const before = await unanswered();
  expect(await answerTo(gated, connectPacket("three"))).toBe("20020003");
  expect(await answerTo(gated, anyConnect("five", { level: 5 }))).toBe("2003008800");
  expect(await answerTo(sluice.port, connectPacket("unread"))).toBe("");
  for (const id of ["three", "five"])
    expect((await sluice.access(({ clientId }) => clientId === id)).reason).toBe("unanswered");
  expect(await unanswered()).toBe(before + 1);
});

test("while no server can be dialled clients are refused at once, one in a while tries, and all come in when one is back", async () => {
  const port = await freePort();
  const service = await balance([port], "passive: { coolDown: 1h },");
  const dials = () => sluice.metric("sluice_dial_errors_total", { service });
  expect(await answerTo(gated, connectPacket("first"))).toBe("20020003");
  const refusals = await Promise.all(Array.from({ length: 59 }, (_, i) => answerTo(gated, connectPacket(`c${i}`))));
  expect(new Set(refusals)).toEqual(new Set(["20020003"]));
  const tried = await dials();
  expect(tried).toBeLessThan(60);
  const down = await sluice.metric("sluice_connections_total", { entrypoint: "gated", result: "service-down" });
  expect(down).toBe(60 - tried);
  await Mosquitto.start({ port });
  await waitFor("a client to get in", async () => (await mqttClient({ port: gated }).catch(() => null)) !== null);
  await mqttClient({ port: gated });
  expect(await dials()).toBeLessThan(60);
});

test("each server gets the PROXY header before the CONNECT, in one read", async () => {
  const heard: string[] = [];
  const bad = await tcpServer((socket) =>
    socket.on("data", (chunk) => {
      heard.push(chunk.toString("latin1"));
      socket.end();
    }),
  );
  const good = await tcpServer((socket) =>
    socket.on("data", (chunk) => {
      heard.push(chunk.toString("latin1"));
      socket.write("answered");
    }),
  );
  await balance([bad.port, good.port], "", "proxyProtocol: { version: 1 }");
  const packet = connectPacket("with-a-header");
  for (let i = 0; i < 2 || bad.accepted() === 0; i++) {
    const { socket, text } = await client(gated, packet);
    await waitFor("the answer", () => text() === "answered");
    socket.end();
  }
  expect(heard).toHaveLength(bad.accepted() + good.accepted());
  for (const each of heard) {
    expect(each).toMatch(/^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\n\x10/);
    expect(each.endsWith(packet.toString("latin1"))).toBe(true);
  }
});

test("TLS that is passed through goes to the next server too, with the hello that it has sent", async () => {
  const bad = await tcpServer((socket) => socket.on("data", () => socket.end()));
  const files = [`certfile ${pair.cert}`, `keyfile ${pair.key}`];
  const broker = await Mosquitto.start({ lines: files });
  await balance([bad.port, broker.port]);
  await sluice.reload(() =>
    sluice.replace(
      "dynamic.yml",
      `
tcp:
  routers: { through: { rule: "HostSNI(\`localhost\`)", service: through, tls: { passthrough: true }, entryPoints: [mqtts] } }
  services: { through: { loadBalancer: { servers: [{ port: ${bad.port} }, { port: ${broker.port} }] } } }`,
    ),
  );
  for (let i = 0; i < 6; i++) {
    const { mqtt } = await mqttClient({ port: sluice.port, ca: authority.cert });
    await mqtt.endAsync();
  }
  // Whoever likes may send a hello that a server closes on: that takes nobody out.
  expect(bad.accepted()).toBeGreaterThanOrEqual(3);
  expect(await sluice.metric("sluice_server_up", { server: address(bad.port) })).toBe(1);
});

test("a first answer that is AUTH or no MQTT at all passes, and ends the matter", async () => {
  const server = await tcpServer((socket) =>
    socket.on("data", () => {
      socket.write(Buffer.from("f00018", "hex"));
      socket.end();
    }),
  );
  const service = await balance([server.port, server.port + 1]);
  expect(await answerTo(gated, anyConnect("scram", { level: 5 }))).toBe("f00018");
  expect((await sluice.access((line) => line.clientId === "scram")).reason).toBe("server-closed");
  expect(await sluice.metric("sluice_dial_errors_total", { service })).toBe(0);
});

test("a client that leaves while its server is silent is closed there, and no other server hears of it", async () => {
  const heard: string[] = [];
  const listen = (name: string) =>
    tcpServer((socket) => {
      socket.on("data", () => heard.push(name));
      socket.on("end", () => socket.end());
    });
  const servers = await Promise.all(["a", "b"].map(listen));
  await balance(
    servers.map(({ port }) => port),
    "firstByteTimeout: 1h,",
  );
  for (const leave of [(socket: Socket) => socket.end(), (socket: Socket) => socket.resetAndDestroy()]) {
    const before = heard.length;
    const { socket } = await client(gated, connectPacket("leaver"));
    await waitFor("its CONNECT to be there", () => heard.length > before);
    leave(socket);
    await waitFor("the server's side to be closed", () => servers.every(({ sockets }) => sockets.size === 0));
    expect(heard).toHaveLength(before + 1);
  }
});

test("a CONNECT that is not whole is nobody's fault: the server that has its beginning gets its end, however late", async () => {
  const broker = await Mosquitto.start();
  await balance([broker.port], "firstByteTimeout: 100ms,");
  const packet = connectPacket("slow-writer");
  const { socket, text } = await client(sluice.port, packet.subarray(0, 8));
  await Bun.sleep(500); // the time for an answer is over by then
  socket.write(packet.subarray(8));
  await waitFor("the CONNACK", () => text() === "\x20\x02\0\0");
  expect(await ended(broker.port, "silent")).toBe(0);
});

test("what is no sound CONNECT goes to one server, which may close on it as often as it is sent", async () => {
  const seen: number[] = [];
  const servers = await Promise.all(
    [0, 1].map((i) =>
      tcpServer((socket) =>
        socket.on("data", () => {
          seen.push(i);
          socket.end();
        }),
      ),
    ),
  );
  await balance(servers.map(({ port }) => port));
  const unsound = connectPacket("unsound");
  unsound[8] = 9; // the level
  for (let i = 0; i < 8; i++) expect(await answerTo(sluice.port, unsound)).toBe("");
  expect([seen.length, seen.filter((each) => each === 0).length]).toEqual([8, 4]);
  const lines = () => sluice.accesses.filter(({ server }) => servers.some(({ port }) => server === address(port)));
  await waitFor("the access log to have them", () => lines().length === 8);
  expect(new Set(lines().map(({ reason }) => reason))).toEqual(new Set(["server-closed"]));
});

test("more than is kept goes to one server, whole and in order, however slowly it reads", async () => {
  const chunks: Buffer[] = [];
  const slow = await tcpServer((socket) => {
    socket.pause();
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  });
  await balance([slow.port]);
  const sent = Buffer.concat([
    connectPacket("big"),
    Buffer.from(Array.from({ length: 600_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff)),
  ]);
  const { socket } = await client(sluice.port);
  for (let at = 0; at < sent.length; at += 10_000) socket.write(sent.subarray(at, at + 10_000));
  const [accepted] = await waitFor("the server to be dialled", () =>
    slow.sockets.size > 0 ? [...slow.sockets] : null,
  );
  accepted!.resume();
  await waitFor("all of it", () => chunks.reduce((sum, { length }) => sum + length, 0) === sent.length);
  expect(Buffer.concat(chunks).equals(sent)).toBe(true);
});

test("a shutdown tells those who still wait for their server", async () => {
  const silent = await tcpServer((socket) => socket.resume());
  const port = await freePort();
  const other = await Sluice.start({
    entryPoint: `    transport: { lifeCycle: { graceTimeOut: 100ms } }
  gated: { address: "127.0.0.1:${port}", transport: { lifeCycle: { graceTimeOut: 100ms } } }`,
    dynamic: `
tcp:
  routers: { gated: { rule: "HostSNI(\`*\`)", service: s, entryPoints: [gated], middlewares: [connect] } }
  middlewares: { connect: { mqttConnect: {} } }
  services: { s: { loadBalancer: { servers: [{ port: ${silent.port} }] } } }`,
  });
  const waiting = answerTo(port, connectPacket("waiting"));
  await waitFor("its CONNECT to be there", () => silent.accepted() === 1);
  other.process.kill("SIGTERM");
  expect(await waiting).toBe("20020003");
  await waitFor("the server's side to be closed", () => silent.sockets.size === 0);
});

test("a TLS client that has sent nothing when its server closes is given to the next one", async () => {
  const bad = await tcpServer((socket) => socket.end());
  const good = await tcpServer((socket) => socket.write("here"));
  await balance([bad.port, good.port]);
  for (let i = 0; i < 4; i++) {
    const socket = await tlsClient(sluice.port);
    const text = await new Promise<string>((done) => socket.once("data", (chunk: Buffer) => done(chunk.toString())));
    expect(text).toBe("here");
    socket.destroy();
  }
});
