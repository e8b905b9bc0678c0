// Clients of one name come to the broker of the router that their CONNECT is for. It opens no door that TLS has closed, a router that is
// off keeps its own clients away and no others, and the rules in force when the CONNECT comes are those that decide.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Authority } from "../support/certs.ts";
import { tlsClient } from "../support/clients.ts";
import { anyConnect } from "../support/connect-packet.ts";
import { answers, opening, recordingBroker } from "../support/first-packet.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient } from "../support/mqtt.ts";
import { Sluice } from "../support/sluice.ts";
import { exec, freePort } from "../support/tools.ts";

const authority = await Authority.create();
const [pair, identity] = await Promise.all([
  authority.issue({ names: ["localhost", "*.test"] }),
  authority.issue({ names: ["device-7"], usage: "clientAuth" }),
]);
const [one, two, recorder] = await Promise.all([
  Mosquitto.start(),
  Mosquitto.start(),
  recordingBroker(Buffer.from("20020000", "hex")),
]);
const plainPort = await freePort();

const dynamic = (more = "") => `
tcp:
  routers:
    sensors: { rule: 'HostSNI(\`localhost\`) && MQTTClientIDRegexp(\`^Sensor-[0-9]+$\`)', priority: 90, service: one, tls: {} }
    anna: { rule: 'HostSNI(\`localhost\`) && MQTTUsername(\`änna\`) && MQTTVersion(\`5\`)', priority: 80, service: one, tls: {} }
    broken: { rule: 'HostSNI(\`localhost\`) && MQTTClientID(\`broken\`)', priority: 70, service: missing, tls: {} }
    others: { rule: 'HostSNI(\`localhost\`) && !MQTTVersion(\`3.1\`)', priority: 60, service: two, tls: {} }
    guests: { rule: 'HostSNI(\`door.test\`) && MQTTClientID(\`guest\`)', priority: 90, service: one, tls: {} }
    members: { rule: 'HostSNIRegexp(\`^door\\.test$\`)', priority: 80, service: two, tls: { options: mutual } }
    plainSensors: { rule: 'MQTTClientIDRegexp(\`^Sensor-\`)', priority: 90, service: one, entryPoints: [plain] }
    plainOthers: { rule: 'HostSNI(\`*\`)', service: two, entryPoints: [plain] }
    ${more}
  services:
    one: { loadBalancer: { servers: [{ port: ${one.port} }] } }
    two: { loadBalancer: { servers: [{ port: ${two.port} }] } }
    recorder: { loadBalancer: { servers: [{ port: ${recorder.port} }] } }
tls:
  certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }]
  options: { mutual: { clientAuth: { caFiles: [${authority.cert}], clientAuthType: RequireAndVerifyClientCert } } }
`;
const sluice = await Sluice.start({
  entryPoint: `  plain: { address: "127.0.0.1:${plainPort}" }`,
  dynamic: dynamic(),
});

/** The access-log line of the client with this user name, or this id. */
const ended = (clientId: string) => sluice.access((line) => line.clientId === clientId, `the end of ${clientId}`);

const TLS = ["-p", String(sluice.port), "--cafile", authority.cert];
const publish = (where: readonly string[], ...args: string[]) =>
  exec(["mosquitto_pub", "-h", "localhost", ...where, "-t", "t", "-m", "m", "-q", "1", ...args]);

test.each([
  ["Sensor-1", "sensors@file", TLS, []],
  ["sensor-1", "others@file", TLS, []],
  ["Sensor-2", "sensors@file", TLS, ["-V", "mqttv31"]],
  ["a1", "anna@file", TLS, ["-u", "änna", "-V", "5"]],
  ["a2", "others@file", TLS, ["-u", "Änna", "-V", "5"]],
  ["a3", "others@file", TLS, ["-u", "änna", "-V", "311"]],
  ["Sensor-3", "plainSensors@file", ["-p", String(plainPort)], []],
  ["x", "plainOthers@file", ["-p", String(plainPort)], ["-V", "5"]],
])("mosquitto_pub as %s comes to %s", async (clientId, router, where, args) => {
  expect(await publish(where, "-i", clientId, ...args)).toMatchObject({ code: 0, stderr: "" });
  expect(await ended(clientId)).toMatchObject({ router, reason: expect.stringMatching(/^(client|server)-closed$/) });
});

test("so does MQTT.js, whose packets come in pieces of their own", async () => {
  for (const [clientId, router] of [
    ["Sensor-9", "sensors@file"],
    ["js", "others@file"],
  ]) {
    const { mqtt } = await mqttClient({ port: sluice.port, ca: authority.cert }, { clientId: clientId! });
    await mqtt.endAsync();
    expect((await ended(clientId!)).router).toBe(router!);
  }
});

test("a router that is off refuses its own clients by CONNACK, and no others", async () => {
  const { code, stderr } = await publish(TLS, "-i", "broken");
  expect(code).not.toBe(0);
  expect(stderr).toContain("Connection error: Connection Refused: broker unavailable");
  expect(await ended("broken")).toMatchObject({ router: "broken@file", reason: "router-off" });
  expect((await publish(TLS, "-i", "broken2")).code).toBe(0);
});

test("a client that is nobody's is refused by CONNACK, and counts for no router", async () => {
  expect((await publish(TLS, "-i", "old", "-V", "mqttv31")).stderr).toContain("not authorised");
  const line = await ended("old");
  expect(line.reason).toBe("no-route");
  expect(line.router).toBeUndefined();
});

test("no CONNECT leads to a router that asks for a certificate which the handshake did not ask for", async () => {
  const [cert, key] = [identity.cert, identity.key].map((file) => readFileSync(file, "utf8"));
  const says = (clientId: string) =>
    opening(sluice.port, "door.test", anyConnect(clientId), { cert: cert!, key: key! });
  expect(await (await says("member")).closed()).toBe("20020005");
  expect(await ended("member")).toMatchObject({ router: "members@file", reason: "other-tls" });
  const guest = await says("guest");
  await guest.until("20020000");
  guest.socket.destroy();
});

test("after a reload the rules in force decide about a client that has still to send its CONNECT", async () => {
  const open = async () => answers(await tlsClient(sluice.port, { servername: "localhost" }));
  const [stays, turned, shut] = [await open(), await open(), await open()];
  await sluice.reload(() =>
    sluice.replace(
      "dynamic.yml",
      dynamic(`
    first: { rule: 'HostSNI(\`localhost\`) && MQTTClientID(\`turned\`)', priority: 99, service: recorder, tls: {} }
    shut: { rule: 'HostSNI(\`localhost\`) && MQTTClientID(\`shut\`)', priority: 99, service: missing, tls: {} }`),
    ),
  );
  stays.socket.write(anyConnect("Sensor-77"));
  await stays.until("20020000");
  turned.socket.write(anyConnect("turned"));
  await turned.until("20020000");
  expect(recorder.streams.at(-1)!.bytes.equals(anyConnect("turned"))).toBe(true);
  shut.socket.write(anyConnect("shut"));
  expect(await shut.closed()).toBe("20020003");
  for (const { socket } of [stays, turned]) socket.destroy();
  expect((await ended("Sensor-77")).router).toBe("sensors@file");
});
