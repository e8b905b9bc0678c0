// The pictures of the dashboard in docs/images/: a Sluice with brokers, clients and some trouble, looked at by Debian's chromium.
//
//   node_modules/.bin/bun test ./scripts/screenshots.ts --timeout 300000

import { test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openBrowser, openPage } from "../test/support/browser.ts";
import { Authority } from "../test/support/certs.ts";
import { Mosquitto } from "../test/support/mosquitto.ts";
import { mqttClient } from "../test/support/mqtt.ts";
import { Sluice } from "../test/support/sluice.ts";
import { freePort, waitFor } from "../test/support/tools.ts";

const IMAGES = join(import.meta.dir, "../docs/images");
/** Samples of the plots that are waited for: they come every 5 s. */
const SAMPLES = 14;

test("pictures of the dashboard", async () => {
  mkdirSync(IMAGES, { recursive: true });
  const authority = await Authority.create("Example Devices CA");
  const pair = await authority.issue({ names: ["localhost", "mqtt.example.com"] });
  const [first, second, dead] = [await Mosquitto.start(), await Mosquitto.start(), await freePort()];
  const sluice = await Sluice.start({
    dynamic: `
tcp:
  routers:
    devices: { rule: "HostSNI(\`localhost\`)", service: everywhere, tls: {}, middlewares: [office, devices-only] }
    partners: { rule: "HostSNI(\`partners.example.com\`)", service: brokers, tls: { passthrough: true } }
    forgotten: { rule: "HostSNI(\`old.example.com\`)", service: retired, tls: { passthrough: true } }
  services:
    brokers: { loadBalancer: { servers: [ { address: "127.0.0.1:${first.port}" }, { address: "127.0.0.1:${second.port}" } ], healthCheck: { interval: 5s, mqtt: {} } } }
    spare: { loadBalancer: { servers: [ { address: "127.0.0.1:${dead}" } ], healthCheck: { interval: 5s } } }
    everywhere: { failover: { service: brokers, fallback: spare } }
  middlewares:
    office: { ipAllowList: { sourceRange: [127.0.0.0/8] } }
    devices-only: { mqttConnect: { clientId: { pattern: "(pump|meter|gate)-.*" } } }
tls: { certificates: [ { certFile: ${pair.cert}, keyFile: ${pair.key} } ] }
`,
    workers: 2,
    entryPoint: "    ban: {}",
    extra: "api: { dashboard: true, anonymous: admin }",
  });
  const browser = await openBrowser();
  const endpoint = { port: sluice.port, ca: authority.cert };
  const url = (page: string) => `http://127.0.0.1:${sluice.adminPort}/dashboard/#/${page}`;

  for (let sample = 0; sample < SAMPLES; sample++) {
    for (let index = 0; index < 9; index++) {
      const kind = ["pump", "meter", "gate"][index % 3];
      const { mqtt } = await mqttClient(endpoint, {
        clientId: `${kind}-${100 + sample * 9 + index}`,
        username: `site-${1 + (index % 4)}`,
      });
      mqtt.subscribe("site/#");
      setInterval(() => mqtt.publish("site/level", Buffer.alloc(60 + 40 * index)), 700 + 90 * index);
    }
    if (sample % 4 === 2)
      for (let tries = 0; tries < 12; tries++)
        await mqttClient(endpoint, { clientId: `camera-${tries}` }).catch(() => {});
    const seen = sample;
    await waitFor("the next sample", async () => {
      const { samples } = (await (await fetch(`http://127.0.0.1:${sluice.adminPort}/api/sluice/history`)).json()) as {
        samples: unknown[];
      };
      return samples.length > seen;
    });
  }

  for (const [page, scheme] of [
    ["now", "light"],
    ["now", "dark"],
    ["clients", "light"],
    ["routes", "dark"],
    ["brokers", "light"],
  ] as const) {
    const { page: window } = await openPage(browser, url(page), scheme);
    await window.waitForSelector(page === "routes" ? ".route .state" : "tbody tr");
    await waitFor("all of it", async () => !(await window.textContent("main"))!.includes("Loading"));
    // A rate is there from the second look on.
    await window.waitForTimeout(4000);
    await window.screenshot({ path: join(IMAGES, `dashboard-${page}-${scheme}.png`) });
    await window.context().close();
  }
});
