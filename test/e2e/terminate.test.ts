// A message that is published through Sluice over TLS arrives at a subscriber through Sluice, with a real Mosquitto behind it.

import { expect, test } from "bun:test";
import { Authority } from "../support/certs.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { Sluice } from "../support/sluice.ts";
import { exec } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });
const broker = await Mosquitto.start();
const sluice = await Sluice.start({
  dynamic: `
tcp:
  routers:
    mqtt: { rule: "HostSNI(\`localhost\`)", service: broker, tls: {} }
  services:
    broker: { loadBalancer: { servers: [{ port: ${broker.port} }] } }
tls:
  certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }]
`,
});

test("a message published over TLS reaches a subscriber over TLS", async () => {
  const common = ["-h", "localhost", "-p", String(sluice.port), "--cafile", authority.cert, "-t", "greeting"];
  const published = await exec(["mosquitto_pub", ...common, "-m", "hello", "-r", "-q", "1"]);
  expect(published).toMatchObject({ code: 0, stderr: "" });
  const received = await exec(["mosquitto_sub", ...common, "-C", "1", "-W", "10"]);
  expect(received).toEqual({ code: 0, stdout: "hello\n", stderr: "" });
  // The broker may close on DISCONNECT before the client's own end is seen: either of the two is the first.
  const access = await sluice.access((line) => line.bytesOut > 10);
  expect(["client-closed", "server-closed"]).toContain(access.reason);
  expect(access).toMatchObject({
    router: "mqtt@file",
    service: "broker@file",
    sni: "localhost",
    tlsVersion: "TLSv1.3",
    client: "127.0.0.1",
  });
});
