// A broker that is dialled over TLS must prove who it is before a byte of the client's reaches it, and gets the certificate that the
// serversTransport holds for it.

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { connect } from "node:tls";
import { Backend } from "../support/backend.ts";
import { Authority } from "../support/certs.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient, received } from "../support/mqtt.ts";
import { sClient } from "../support/openssl.ts";
import { Sluice } from "../support/sluice.ts";
import { cleanup, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

const DIAL_TIMEOUT_MS = 500;

const [authority, brokers, strangers] = await Promise.all([
  Authority.create(),
  Authority.create("Brokers"),
  Authority.create("Strangers"),
]);
const [edge, good, misnamed, expired, identity, sni] = await Promise.all([
  authority.issue({ names: ["*.edge.test"] }),
  brokers.issue({ names: ["localhost"] }),
  brokers.issue({ names: ["other.test"] }),
  brokers.issue({ names: ["localhost"], notAfter: "20210101000000Z" }),
  brokers.issue({ usage: "clientAuth", subject: "/CN=edge" }),
  brokers.issue({ names: ["by-name.test"] }),
]);
const directory = temporaryDirectory();
const acl = join(directory, "acl");
writeFileSync(acl, "user edge\ntopic readwrite #\n");

const listener = (pair: typeof good) => [`certfile ${pair.cert}`, `keyfile ${pair.key}`];
const [goodBroker, misnamedBroker, expiredBroker, strictBroker, plainBroker, talkative] = await Promise.all([
  Mosquitto.start({ lines: listener(good) }),
  Mosquitto.start({ lines: listener(misnamed) }),
  Mosquitto.start({ lines: listener(expired) }),
  Mosquitto.start({
    lines: [
      ...listener(good),
      `cafile ${brokers.cert}`,
      "require_certificate true",
      "use_identity_as_username true",
      `acl_file ${acl}`,
    ],
  }),
  Mosquitto.start(),
  Backend.start("not-tls"),
]);

const silent = { port: await freePort() };
const mute = createServer();
await new Promise<void>((listening) => mute.listen(silent.port, "127.0.0.1", listening));
cleanup(() => mute.close());

// s_server shows its second certificate only to who asks for by-name.test.
const namedPort = await freePort();
const named = Bun.spawn(
  [
    ...["openssl", "s_server", "-accept", String(namedPort), "-rev"],
    ...["-cert", misnamed.cert, "-key", misnamed.key],
    ...["-servername", "by-name.test", "-cert2", sni.cert, "-key2", sni.key],
  ],
  { stdin: "ignore", stdout: "pipe", stderr: "ignore" },
);
cleanup(() => named.kill("SIGKILL"));

interface Route {
  readonly server: string;
  /** tls of the serversTransport. */
  readonly tls: string;
}
const ROOTS = `rootCAs: [${brokers.cert}]`;
const at = (host: string, broker: { port: number }) => `${host}:${broker.port}`;

const served: Record<string, Route> = {
  "the server's host": { server: at("localhost", goodBroker), tls: `{ ${ROOTS} }` },
  "serverName instead of the host": { server: at("127.0.0.1", goodBroker), tls: `{ ${ROOTS}, serverName: localhost }` },
  "serverName of another host": {
    server: at("localhost", misnamedBroker),
    tls: `{ ${ROOTS}, serverName: other.test }`,
  },
  "several rootCAs": { server: at("localhost", goodBroker), tls: `{ rootCAs: [${strangers.cert}, ${brokers.cert}] }` },
  "insecureSkipVerify, wrong name": {
    server: at("localhost", misnamedBroker),
    tls: `{ ${ROOTS}, insecureSkipVerify: true }`,
  },
  "insecureSkipVerify, no rootCAs": { server: at("localhost", goodBroker), tls: "{ insecureSkipVerify: true }" },
  "insecureSkipVerify, wrong name and no rootCAs": {
    server: at("localhost", misnamedBroker),
    tls: "{ insecureSkipVerify: true }",
  },
  "insecureSkipVerify, expired": { server: at("localhost", expiredBroker), tls: "{ insecureSkipVerify: true }" },
};
const refused: Record<string, Route & { reason: string }> = {
  "the wrong name": { server: at("localhost", misnamedBroker), tls: `{ ${ROOTS} }`, reason: "certificate" },
  "an address that is not in it": { server: at("127.0.0.1", goodBroker), tls: `{ ${ROOTS} }`, reason: "certificate" },
  "not the serverName": {
    server: at("localhost", goodBroker),
    tls: `{ ${ROOTS}, serverName: other.test }`,
    reason: "certificate",
  },
  "no rootCAs for it": { server: at("localhost", goodBroker), tls: "{}", reason: "certificate" },
  "another authority": {
    server: at("localhost", goodBroker),
    tls: `{ rootCAs: [${strangers.cert}] }`,
    reason: "certificate",
  },
  "an expired date": { server: at("localhost", expiredBroker), tls: `{ ${ROOTS} }`, reason: "certificate" },
  "no TLS at all": { server: at("127.0.0.1", talkative), tls: `{ ${ROOTS} }`, reason: "tls" },
  "not the protocol": { server: at("localhost", plainBroker), tls: `{ ${ROOTS} }`, reason: "tls" },
  "no answer to the hello": { server: at("127.0.0.1", silent), tls: `{ ${ROOTS} }`, reason: "timeout" },
};

const routes: [key: string, route: Route][] = [
  ...Object.values(served).map((route, index): [string, Route] => [`served-${index}`, route]),
  ...Object.values(refused).map((route, index): [string, Route] => [`refused-${index}`, route]),
  [
    "identified",
    {
      server: at("localhost", strictBroker),
      tls: `{ ${ROOTS}, certificates: [{ certFile: ${identity.cert}, keyFile: ${identity.key} }] }`,
    },
  ],
  ["anonymous", { server: at("localhost", strictBroker), tls: `{ ${ROOTS} }` }],
  ["by-name", { server: `127.0.0.1:${namedPort}`, tls: `{ ${ROOTS}, serverName: by-name.test }` }],
];
const sluice = await Sluice.start({
  dynamic: `
tcp:
  routers:
${routes.map(([key]) => `    ${key}: { rule: "HostSNI(\`${key}.edge.test\`)", service: ${key}, tls: {} }`).join("\n")}
    next: { rule: "HostSNI(\`next.edge.test\`)", service: next, tls: {} }
  services:
${routes
  .map(
    ([key, { server }]) =>
      `    ${key}: { loadBalancer: { servers: [{ address: "${server}", tls: true }], serversTransport: ${key} } }`,
  )
  .join("\n")}
    next:
      loadBalancer:
        serversTransport: served-0
        servers:
          - { address: "${at("localhost", misnamedBroker)}", tls: true }
          - { address: "${at("localhost", goodBroker)}", tls: true }
  serversTransports:
${routes.map(([key, { tls }]) => `    ${key}: { dialTimeout: ${DIAL_TIMEOUT_MS}ms, tls: ${tls} }`).join("\n")}
tls:
  certificates: [{ certFile: ${edge.cert}, keyFile: ${edge.key} }]
`,
});

/** A round trip through the broker behind `key`. */
async function roundTrip(key: string): Promise<void> {
  const client = await mqttClient({ port: sluice.port, ca: authority.cert }, { servername: `${key}.edge.test` });
  await client.mqtt.subscribeAsync("there/and/back", { qos: 1 });
  await client.mqtt.publishAsync("there/and/back", "hello", { qos: 1 });
  expect(String((await received(client, "there/and/back")).payload)).toBe("hello");
  await client.mqtt.endAsync();
}

describe("a broker is accepted by", () => {
  for (const [index, what] of Object.keys(served).entries())
    test(what, async () => {
      await roundTrip(`served-${index}`);
      const line = await sluice.access((each) => each.router === `served-${index}@file`);
      expect(line).toMatchObject({
        reason: expect.stringMatching(/^(client|server)-closed$/),
        server: served[what]!.server,
      });
    });

  test("its certificate for the name that it was asked for", async () => {
    const ended = Promise.withResolvers<string>();
    const ca = await Bun.file(authority.cert).text();
    const socket = connect({ host: "127.0.0.1", port: sluice.port, servername: "by-name.edge.test", ca });
    socket.on("error", ended.reject);
    socket.on("close", () => ended.reject(new Error("closed without an answer")));
    socket.once("data", (chunk) => ended.resolve(String(chunk)));
    // s_server -rev answers a line with the line reversed.
    socket.write("abc\n");
    expect(await ended.promise).toBe("cba\n");
    socket.destroy();
  });
});

describe("a broker is refused, the client closed and nothing sent, for", () => {
  for (const [index, what] of Object.keys(refused).entries())
    test(what, async () => {
      const { server, reason } = refused[what]!;
      const key = `refused-${index}`;
      expect((await sClient(sluice.port, `${key}.edge.test`)).reached).toBeNull();
      const line = await sluice.access((each) => each.router === `${key}@file`);
      expect(line).toMatchObject({ reason: "dial-failed", bytesIn: 0, bytesOut: 0 });
      expect(await sluice.metric("sluice_dial_errors_total", { service: `${key}@file`, server, reason })).toBe(1);
      expect(await sluice.metric("sluice_dial_errors_total", { service: `${key}@file` })).toBe(1);
    });

  test("and the next server is tried", async () => {
    await roundTrip("next");
    await roundTrip("next");
    const labels = { service: "next@file", reason: "certificate" };
    await waitFor("both servers' turns", async () => (await sluice.metric("sluice_dial_errors_total", labels)) === 1);
  });
});

describe("a broker that wants a client certificate", () => {
  test("gets the transport's, and knows Sluice by it", async () => {
    await roundTrip("identified");
  });

  test("refuses a transport without one", async () => {
    const options = { servername: "anonymous.edge.test", connectTimeout: 5000 };
    await expect(mqttClient({ port: sluice.port, ca: authority.cert }, options)).rejects.toThrow();
    const line = await sluice.access((each) => each.router === "anonymous@file");
    expect(line.bytesOut).toBe(0);
  });
});
