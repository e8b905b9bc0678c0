// inFlightConn and rateLimit: clients are told apart by what the middleware says, all workers count together, and who is refused hears it
// by the protocol's own means.

import { expect, test } from "bun:test";
import type { MqttClient } from "mqtt";
import { Authority } from "../support/certs.ts";
import { tcpServer, tlsClient } from "../support/clients.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient } from "../support/mqtt.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/tools.ts";

const [authority, broker, server] = await Promise.all([
  Authority.create(),
  Mosquitto.start(),
  tcpServer((socket) => socket.write("hello")),
]);
const [pair, one, two] = await Promise.all([
  authority.issue({ names: ["localhost"] }),
  authority.issue({ names: [], subject: "/CN=one", usage: "clientAuth" }),
  authority.issue({ names: [], subject: "/CN=two", usage: "clientAuth" }),
]);

const NAMES = ["ids", "users", "certificates", "rare", "rare-ids"] as const;
const sluice = await Sluice.start({
  workers: 2,
  dynamic: `
tcp:
  middlewares:
    ids: { inFlightConn: { amount: 1, key: clientId } }
    users: { inFlightConn: { amount: 2, key: username } }
    certificates: { inFlightConn: { amount: 1, key: certificate } }
    names: { inFlightConn: { amount: 1, key: sni } }
    rare: { rateLimit: { average: 1, period: 1h, burst: 2 } }
    rare-ids: { rateLimit: { average: 1, period: 1h, key: clientId } }
  routers:
${NAMES.map((name) => `    ${name}: { rule: "HostSNI(\`${name}.test\`)", service: broker, tls: { options: ${name === "certificates" ? "asking" : "default"} }, middlewares: [${name}] }`).join("\n")}
    names: { rule: "HostSNIRegexp(\`.*\\\\.sni\\\\.test\`)", service: s, tls: {}, middlewares: [names] }
  services:
    broker: { loadBalancer: { servers: [{ port: ${broker.port} }] } }
    s: { loadBalancer: { servers: [{ port: ${server.port} }] } }
tls:
  options: { asking: { clientAuth: { caFiles: [${authority.cert}], clientAuthType: RequireAndVerifyClientCert } } }
  certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }]`,
});

type Options = NonNullable<Parameters<typeof mqttClient>[1]>;

/** Connects with MQTT.js; gives the client, or the code of the CONNACK that refuses it. */
const come = (name: string, options: Options, identity = one) =>
  mqttClient(
    { port: sluice.port, ca: authority.cert, identity: name === "certificates" ? identity : undefined },
    { servername: `${name}.test`, rejectUnauthorized: false, ...options },
  ).then(
    ({ mqtt }) => mqtt,
    (error: Error & { code?: number }) => error.code ?? error.message,
  );

/** Comes again until it is as `expected` says: what a client has elsewhere is known a moment later. */
const comes = (name: string, options: Options, identity = one) =>
  waitFor(`${name} to let it in`, async () => {
    const client = await come(name, options, identity);
    return typeof client === "object" ? client : null;
  });

/** Every one of eight attempts ends like this: all workers know of the client. Who comes in before stays until then. */
async function allAre(name: string, expected: (result: unknown) => boolean, options: (n: number) => Options) {
  const extra: MqttClient[] = [];
  await waitFor("all workers to know", async () => {
    const results = [];
    for (let n = 0; n < 8; n++) results.push(await come(name, options(n)));
    for (const result of results) if (typeof result === "object") extra.push(result);
    return results.every(expected) || null;
  });
  for (const client of extra) client.end(true);
}

test.each([
  ["ids", 1, { clientId: "a" }, { clientId: "b" }],
  ["users", 2, { username: "anna", password: "x" }, { username: "bob", password: "x" }],
] as const)(
  "%s: a client has so many connections over all workers, and another one its own",
  async (name, amount, first, second) => {
    const held = [];
    for (let n = 0; n < amount; n++) held.push(await comes(name, { ...first, protocolVersion: 5 }));
    await allAre(
      name,
      (code) => code === 0x97,
      () => ({ ...first, protocolVersion: 5 }),
    );
    expect(typeof (await come(name, second))).toBe("object");
    for (const client of held) client.end(true);
    await comes(name, first);
  },
);

test("certificates: a device is told apart by its certificate, whatever it calls itself", async () => {
  const first = await comes("certificates", { clientId: "a" });
  await allAre(
    "certificates",
    (code) => code === 0x97,
    (n) => ({ clientId: `other-${n}`, protocolVersion: 5 }),
  );
  expect(typeof (await come("certificates", {}, two))).toBe("object");
  first.end(true);
  await comes("certificates", {});
});

test("sni: a server name has so many connections, and is refused before TLS", async () => {
  const first = await tlsClient(sluice.port, { servername: "a.sni.test" });
  const code = (servername: string) =>
    tlsClient(sluice.port, { servername }).then(
      (socket) => socket.destroy() && "in",
      (error: NodeJS.ErrnoException) => error.code ?? error.message,
    );
  await waitFor("all workers to know", async () => {
    const codes = [];
    for (let n = 0; n < 8; n++) codes.push(await code("a.sni.test"));
    return codes.every((each) => each.includes("ACCESS_DENIED")) || null;
  });
  expect(await code("b.sni.test")).toBe("in");
  first.destroy();
});

test("rateLimit: before TLS the alert access_denied, with its reason in the access log", async () => {
  const results: unknown[] = [];
  await waitFor("the burst to be spent in all workers", async () => {
    for (let n = 0; n < 8; n++) results.push(await come("rare", {}));
    return results.slice(-8).every((each) => String(each).includes("ACCESS_DENIED")) || null;
  });
  const passed = results.filter((each) => typeof each === "object");
  // Each of two workers may let a burst in before it hears of the other's.
  expect(passed.length).toBeGreaterThanOrEqual(2);
  expect(passed.length).toBeLessThanOrEqual(4);
  await sluice.access((each) => each.sni === "rare.test" && each.reason === "too-many-connects");
});

test.each([
  [4, 3],
  [5, 0x9f],
] as const)("rateLimit: after CONNECT of version %i the CONNACK has code %i", async (protocolVersion, code) => {
  const clientId = `fast-${protocolVersion}`;
  await comes("rare-ids", { clientId, protocolVersion });
  await allAre(
    "rare-ids",
    (each) => each === code,
    () => ({ clientId, protocolVersion }),
  );
  expect(typeof (await come("rare-ids", { clientId: `other-${protocolVersion}`, protocolVersion }))).toBe("object");
  // A reload forgets nothing.
  await sluice.reload(() =>
    sluice.write(`more-${code}.yml`, "tcp: { middlewares: { other: { rateLimit: { average: 9 } } } }"),
  );
  expect(await come("rare-ids", { clientId, protocolVersion })).toBe(code);
  expect(
    await sluice.metric("sluice_table_entries", { table: "middleware rare-ids@file clientId/32/64" }),
  ).toBeGreaterThan(0);
});
