// Servers across a network: one whose packets are lost costs nobody its timeout, and of a name with several addresses the one that
// answers is found at once (RFC 8305).

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { blackHole } from "../support/black-hole.ts";
import { cable } from "../support/cable.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient } from "../support/mqtt.ts";
import { Sluice } from "../support/sluice.ts";
import { freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

/** That each dial lasts longer than a test shows that none is waited for. */
const configuration = (servers: string) => `
tcp:
  routers: { plain: { rule: "HostSNI(\`*\`)", service: brokers } }
  services: { brokers: { loadBalancer: { serversTransport: patient, passive: { coolDown: 200ms }, servers: [${servers}] } } }
  serversTransports: { patient: { dialTimeout: 10m } }`;

async function comeIn({ port }: Sluice, count: number): Promise<void> {
  const clients = await Promise.all(Array.from({ length: count }, () => mqttClient({ port })));
  for (const { mqtt } of clients) await mqtt.endAsync();
}

test("a broker in a network that begins to swallow packets costs its clients a second, and is used again when the network is back", async () => {
  const { them, inside, swallow, restore } = await cable();
  const far = await Mosquitto.start({ host: them, command: [...inside, "mosquitto"] });
  const near = await Mosquitto.start();
  const sluice = await Sluice.start({
    dynamic: configuration(`{ address: "${them}:${far.port}" }, { port: ${near.port} }`),
  });
  const atFar = () => sluice.accesses.filter(({ server }) => server === `${them}:${far.port}`).length;
  await comeIn(sluice, 10);
  await waitFor("half of them to have been there", () => atFar() === 5);
  await swallow();
  await comeIn(sluice, 10);
  await comeIn(sluice, 10);
  expect(atFar()).toBe(5);
  await sluice.logged("a server is down");
  await restore();
  await waitFor("the far one to have clients again", async () => {
    await comeIn(sluice, 2);
    return atFar() > 5;
  });
});

test("a name whose IPv6 swallows packets and whose IPv4 works, or the other way round, is reached by what works", async () => {
  const hosts = join(temporaryDirectory(), "hosts");
  const names = [
    { name: "six-is-dead", dead: "::1", alive: "127.0.0.21" },
    { name: "four-is-dead", dead: "127.0.0.22", alive: "::1" },
    { name: "first-is-dead", dead: "127.0.0.22", alive: "127.0.0.21" },
  ];
  const lines = names.flatMap(({ name, dead, alive }) => [`${dead} ${name}`, `${alive} ${name}`]);
  writeFileSync(hosts, ["127.0.0.1 localhost", ...lines, ""].join("\n"));
  const within = ["unshare", "-m", "sh", "-c", `mount --bind ${hosts} /etc/hosts && exec "$@"`, "sh"];
  const sluice = await Sluice.start({ dynamic: "{}\n", within });
  const ready = names.map(async ({ name, dead, alive }) => {
    const port = await freePort();
    await Promise.all([blackHole(dead, port), Mosquitto.start({ host: alive, port })]);
    return `${name}:${port}`;
  });
  for (const address of await Promise.all(ready)) {
    await sluice.reload(() => sluice.replace("dynamic.yml", configuration(`{ address: "${address}" }`)));
    await comeIn(sluice, 4);
  }
  expect(await sluice.metric("sluice_dial_errors_total")).toBe(0);
});
