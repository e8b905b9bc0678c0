// MQTT works the same through every kind of route: terminated, passed through, re-encrypted, plain, and with client certificates.

import { describe, expect, test } from "bun:test";
import { Authority } from "../support/certs.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { type Endpoint, mosquittoPub, mqttClient } from "../support/mqtt.ts";
import { mqttSuite } from "../support/mqtt-suite.ts";
import { Sluice } from "../support/sluice.ts";
import { freePort, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const brokers = await Authority.create("Brokers");
const [edge, behind, client] = await Promise.all([
  authority.issue({ names: ["localhost"] }),
  brokers.issue({ names: ["localhost", "127.0.0.1"] }),
  authority.issue({ usage: "clientAuth", subject: "/CN=sensor-7" }),
]);
const [plainBroker, tlsBroker] = await Promise.all([
  Mosquitto.start(),
  Mosquitto.start({ lines: [`certfile ${behind.cert}`, `keyfile ${behind.key}`] }),
]);

interface Mode {
  readonly name: string;
  readonly port: number;
  readonly router: string;
  readonly endpoint: Omit<Endpoint, "port">;
  /** What the access log says of it. */
  readonly logged: object;
}

const NAME = 'rule: "HostSNI(`localhost`)"';
const throughTls = { sni: "localhost", tlsVersion: "TLSv1.3", tlsCipher: expect.stringMatching(/^TLS_/) };
const modes: Mode[] = [
  {
    name: "terminate",
    port: await freePort(),
    router: `{ ${NAME}, service: plain, tls: {}, entryPoints: [terminate] }`,
    endpoint: { ca: authority.cert },
    logged: { service: "plain@file", ...throughTls },
  },
  {
    name: "passthrough",
    port: await freePort(),
    router: `{ ${NAME}, service: same, tls: { passthrough: true }, entryPoints: [passthrough] }`,
    endpoint: { ca: brokers.cert },
    logged: { service: "same@file", sni: "localhost", tlsVersion: undefined },
  },
  {
    name: "re-encrypt",
    port: await freePort(),
    router: `{ ${NAME}, service: again, tls: {}, entryPoints: [re-encrypt] }`,
    endpoint: { ca: authority.cert },
    logged: { service: "again@file", ...throughTls },
  },
  {
    name: "plain",
    port: await freePort(),
    router: '{ rule: "HostSNI(`*`)", service: plain, entryPoints: [plain] }',
    endpoint: {},
    logged: { service: "plain@file", sni: undefined, tlsVersion: undefined },
  },
  {
    name: "mutual-tls",
    port: await freePort(),
    router: `{ ${NAME}, service: plain, tls: { options: mutual }, entryPoints: [mutual-tls] }`,
    endpoint: { ca: authority.cert, identity: client },
    logged: { service: "plain@file", clientSubject: "CN=sensor-7", ...throughTls },
  },
];

const sluice = await Sluice.start({
  entryPoint: modes.map(({ name, port }) => `  ${name}: { address: "127.0.0.1:${port}" }`).join("\n"),
  dynamic: `
tcp:
  routers:
${modes.map(({ name, router }) => `    ${name}: ${router}`).join("\n")}
  services:
    plain: { loadBalancer: { servers: [{ port: ${plainBroker.port} }] } }
    same: { loadBalancer: { servers: [{ address: "127.0.0.1:${tlsBroker.port}" }] } }
    again: { loadBalancer: { servers: [{ address: "localhost:${tlsBroker.port}", tls: true }], serversTransport: brokers } }
  serversTransports:
    brokers: { tls: { rootCAs: [${brokers.cert}] } }
tls:
  certificates: [{ certFile: ${edge.cert}, keyFile: ${edge.key} }]
  options:
    mutual: { clientAuth: { caFiles: [${authority.cert}] } }
`,
});

describe.each(modes)("$name", ({ name, port, endpoint, logged }) => {
  const here = { ...endpoint, port };
  mqttSuite(name, here);

  test("the access log says which way it went", async () => {
    expect(await mosquittoPub(here, "-t", "log", "-m", "x".repeat(1000))).toMatchObject({ code: 0 });
    const line = await sluice.access((each) => each.entryPoint === name && each.bytesIn > 1000 && each.bytesIn < 2000);
    expect(line).toMatchObject({ router: `${name}@file`, client: "127.0.0.1" });
    for (const [key, value] of Object.entries(logged)) expect(line[key as keyof typeof line]).toEqual(value);
  });
});

test("with client certificates required, a client without one does not get through", async () => {
  const { port } = modes.find(({ name }) => name === "mutual-tls")!;
  await expect(mqttClient({ port, ca: authority.cert })).rejects.toThrow();
  await sluice.access((line) => line.entryPoint === "mutual-tls" && line.reason === "client-certificate-missing");
});

test("every byte of an MQTT stream is counted to its route, each way", async () => {
  const sum = (key: "bytesIn" | "bytesOut") =>
    sluice.accesses.reduce((total, line) => total + (line.router === "terminate@file" ? line[key] : 0), 0);
  const metric = (direction: string) =>
    sluice.metric("sluice_router_bytes_total", { router: "terminate@file", direction });
  // A line of the log may be a moment behind the metric.
  await waitFor("the log and the metric to agree", async () => (await metric("in")) === sum("bytesIn") || null);
  await waitFor("the log and the metric to agree", async () => (await metric("out")) === sum("bytesOut") || null);
  expect(sum("bytesIn")).toBeGreaterThan(4 * 1024 * 1024);
});
