// MQTT over WebSocket through TLS: Sluice terminates wss and pipes it to the broker's WebSocket port, beside MQTT over TLS on the same
// entry point. The recipe is in docs/recipes.md.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect } from "node:tls";
import { Authority } from "../support/certs.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient, received } from "../support/mqtt.ts";
import { Sluice } from "../support/sluice.ts";
import { freePort } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost", "ws.localhost"] });
const wsPort = await freePort();
const broker = await Mosquitto.start({
  lines: [`listener ${wsPort} 127.0.0.1`, "protocol websockets"],
});
const sluice = await Sluice.start({
  dynamic: `
tcp:
  routers:
    mqtt: { rule: "HostSNI(\`localhost\`)", service: mqtt, tls: {} }
    websocket: { rule: "HostSNI(\`ws.localhost\`)", service: websocket, tls: {} }
    browser: { rule: "HostSNI(\`localhost\`) && ALPN(\`http/1.1\`)", service: websocket, tls: {} }
  services:
    mqtt: { loadBalancer: { servers: [{ port: ${broker.port} }] } }
    websocket: { loadBalancer: { servers: [{ port: ${wsPort} }] } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }
`,
});

test("a message goes from MQTT.js over wss to a client of MQTT over TLS, and back", async () => {
  const endpoint = { port: sluice.port, ca: authority.cert };
  const browser = await mqttClient(endpoint, { protocol: "wss", host: "ws.localhost", servername: "ws.localhost" });
  const device = await mqttClient(endpoint);
  await browser.mqtt.subscribeAsync("to/browser");
  await device.mqtt.subscribeAsync("to/device");
  await browser.mqtt.publishAsync("to/device", "from a browser", { qos: 1 });
  await device.mqtt.publishAsync("to/browser", "from a device", { qos: 1 });
  expect((await received(device, "to/device")).payload.toString()).toBe("from a browser");
  expect((await received(browser, "to/browser")).payload.toString()).toBe("from a device");
  await Promise.all([browser, device].map(({ mqtt }) => mqtt.endAsync()));
  expect(await sluice.access(({ router }) => router === "websocket@file")).toMatchObject({
    sni: "ws.localhost",
    server: `127.0.0.1:${wsPort}`,
  });
});

test("a browser is told from a device by the protocols that it offers", async () => {
  const upgrade =
    "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
  // As Chrome and Firefox offer them for wss.
  const answer = await new Promise<string>((resolve, reject) => {
    const options = { port: sluice.port, servername: "localhost", ca: readFileSync(authority.cert) };
    const socket = connect({ ...options, ALPNProtocols: ["http/1.1"] }, () => socket.write(upgrade));
    socket.once("data", (data) => {
      resolve(data.toString());
      socket.destroy();
    });
    socket.once("error", reject);
  });
  expect(answer).toStartWith("HTTP/1.1 101 ");
  await sluice.access(({ router }) => router === "browser@file");
});
