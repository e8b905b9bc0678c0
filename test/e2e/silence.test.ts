// Silence has an end in every phase: who is let in and sends nothing, or only a part of what has to be answered, is let go after the entry
// point's connectTimeout. A server that speaks first, and a client that has done its part, are not asked for more.

import { expect, test } from "bun:test";
import type { Socket } from "node:net";
import { recordedHellos } from "../fixtures/hello/hellos.ts";
import { Authority } from "../support/certs.ts";
import { tcpClient, tcpServer, tlsClient } from "../support/clients.ts";
import { anyConnect } from "../support/connect-packet.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient } from "../support/mqtt.ts";
import { opensslServer } from "../support/openssl-server.ts";
import { Sluice } from "../support/sluice.ts";
import { freePort, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost", "quiet.test"] });
const [plain, patient, greeter, secure] = await Promise.all([freePort(), freePort(), freePort(), opensslServer(pair)]);
const broker = await Mosquitto.start();
/** It speaks first, and sends back what comes. */
const speaker = await tcpServer((socket) => {
  socket.write("220 at your service\r\n");
  socket.pipe(socket);
});
/** It takes everything and answers nothing. */
const mute = await tcpServer((socket) => void socket.resume());

const timeouts = (ms: string) => `{ respondingTimeouts: { readTimeout: 5s, connectTimeout: ${ms} } }`;
const sluice = await Sluice.start({
  entryPoint: `    transport: ${timeouts("1s")}
  plain: { address: "127.0.0.1:${plain}", transport: ${timeouts("1s")} }
  greeter: { address: "127.0.0.1:${greeter}", transport: ${timeouts("1s")} }
  patient: { address: "127.0.0.1:${patient}", transport: ${timeouts("0")} }`,
  dynamic: `
tcp:
  routers:
    tls: { rule: "HostSNI(\`localhost\`)", service: broker, tls: {}, entryPoints: [mqtts, patient] }
    spoken: { rule: "HostSNI(\`speaker.test\`)", service: speaker, tls: {}, entryPoints: [mqtts] }
    mute: { rule: "HostSNI(\`quiet.test\`)", service: mute, tls: {}, entryPoints: [mqtts] }
    passed: { rule: "HostSNI(\`*\`)", service: secure, tls: { passthrough: true }, entryPoints: [mqtts] }
    plain: { rule: "HostSNI(\`*\`)", service: broker, entryPoints: [plain] }
    greeter: { rule: "HostSNI(\`*\`)", service: speaker, entryPoints: [greeter] }
  services:
    broker: { loadBalancer: { servers: [{ port: ${broker.port} }] } }
    secure: { loadBalancer: { servers: [{ port: ${secure} }] } }
    speaker: { loadBalancer: { servers: [{ port: ${speaker.port} }] } }
    mute: { loadBalancer: { servers: [{ port: ${mute.port} }] } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }`,
});

const closed = (socket: Socket) => new Promise<void>((done) => socket.resume().once("end", done).once("close", done));
const reasonOf = async ({ localPort }: Socket) =>
  (await sluice.access((each) => (each as unknown as { clientPort: number }).clientPort === localPort)).reason;

/** What this connection ends with, which it has to do by itself. */
async function letGo(socket: Socket): Promise<string> {
  await closed(socket);
  const reason = await reasonOf(socket);
  socket.destroy();
  return reason;
}

test.concurrent("a client that has finished TLS and sends nothing is let go, also where no middleware reads its CONNECT", async () => {
  expect(await letGo(await tlsClient(sluice.port))).toBe("silence-timeout");
});

test.concurrent("a plain client that sends nothing is let go", async () => {
  expect(await letGo(await tcpClient(plain))).toBe("silence-timeout");
});

test.concurrent("a client that sends its CONNECT byte by byte, and never the last one, is let go", async () => {
  const socket = await tlsClient(sluice.port);
  const over = letGo(socket);
  let isOver = false;
  void over.then(() => (isOver = true));
  for (const byte of anyConnect("drip").subarray(0, -1)) {
    if (isOver) break;
    socket.write(Uint8Array.of(byte));
    await Bun.sleep(40);
  }
  expect(await over).toBe("silence-timeout");
});

test.concurrent("a client that is passed through and never finishes its handshake is let go, though its server has answered", async () => {
  const socket = await tcpClient(sluice.port);
  const hello = recordedHellos().find(({ name }) => name === "curl")!.bytes;
  socket.write(hello);
  expect(await letGo(socket)).toBe("silence-timeout");
  expect(socket.bytesRead).toBeGreaterThan(100);
});

test("clients that have done their part stay as long as they like, and so does everybody with connectTimeout 0", async () => {
  const spoken = await tcpClient(greeter);
  await new Promise((resolve) => spoken.once("data", resolve));
  const [patientOne, passed, silentStream] = await Promise.all([
    tlsClient(patient),
    tlsClient(sluice.port, { servername: "passed.test" }),
    tlsClient(sluice.port, { servername: "quiet.test" }),
  ]);
  // A stream that is no MQTT, and whose server never says a word.
  silentStream.write("a line of a log\n");
  const { mqtt } = await mqttClient({ port: sluice.port, ca: authority.cert }, { keepalive: 0 });
  const staying = [spoken, patientOne, passed, silentStream];
  // Who came after all of them is let go first, and they are still there.
  expect(await letGo(await tlsClient(sluice.port))).toBe("silence-timeout");
  expect(staying.map((socket) => socket.readyState)).toEqual(staying.map(() => "open"));
  expect(mqtt.connected).toBe(true);
  const answered = new Promise((resolve) => spoken.once("data", resolve));
  spoken.write("still here");
  expect(String(await answered)).toBe("still here");
  const connack = new Promise<Buffer>((resolve) => patientOne.once("data", resolve));
  patientOne.write(anyConnect("patient"));
  expect((await connack).toString("hex")).toStartWith("20");
  await mqtt.endAsync();
  for (const socket of staying) socket.destroy();
});

test("a server that speaks first is heard by a whole crowd that has to take turns", async () => {
  const heard = Array.from({ length: 64 }, async () => {
    const socket = await tlsClient(sluice.port, { servername: "speaker.test" });
    const chunk = await new Promise((resolve) => socket.once("data", resolve));
    socket.destroy();
    return String(chunk);
  });
  expect(new Set(await Promise.all(heard))).toEqual(new Set(["220 at your service\r\n"]));
  expect(sluice.lines.filter(({ level }) => level === "error")).toEqual([]);
});

test("who is silent costs its server nothing afterwards: no connection is left", async () => {
  await waitFor(
    "all connections to be over",
    async () => (await sluice.metric("sluice_server_open_connections")) === 0,
  );
});
