// Servers that are not well, by all that can be looked at: passive marks, failover, TLS, credentials, explain. A sample is in e2e/health.test.ts.

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Authority } from "../support/certs.ts";
import { sluiceCli } from "../support/cli.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient } from "../support/mqtt.ts";
import { Sluice } from "../support/sluice.ts";
import { freePort, temporaryDirectory, waitFor } from "../support/tools.ts";
import { about, address, authority, balanced, configuration, isUp, pair, said, up } from "../support/watched-edge.ts";

test("without any field a dead broker costs one client a dial; Sluice itself finds out that it is back, and a reload keeps what is known", async () => {
  const [dead, alive] = [await freePort(), await Mosquitto.start()];
  const text = configuration(balanced([dead, alive.port], "passive: { coolDown: 300ms }"));
  const sluice = await Sluice.start({ workers: 2, dynamic: text });
  const come = async () => {
    const { mqtt } = await mqttClient({ port: sluice.port, ca: authority.cert });
    await mqtt.endAsync();
  };
  // A worker may begin with either of them.
  await waitFor("a client to meet the dead one", async () => {
    await come();
    return about(sluice, "a server is down", dead).length > 0;
  });
  expect(about(sluice, "a server is down", dead)[0]).toMatchObject({ by: "dials", reason: "refused" });
  const failures = await sluice.metric("sluice_dial_errors_total", { server: address(dead) });
  for (let round = 0; round < 8; round++) await come();
  expect(await sluice.metric("sluice_dial_errors_total", { server: address(dead) })).toBe(failures);

  await sluice.reload(() => sluice.write("dynamic.yml", text.replace("coolDown: 300ms", "coolDown: 200ms")));
  expect(await up(sluice, dead)).toBe(0);
  await waitFor("it to be dialled in vain", async () => {
    return (await sluice.metric("sluice_server_checks_total", { server: address(dead), result: "refused" })) > 1;
  });
  await Mosquitto.start({ port: dead });
  await said(sluice, "a server is up again", dead);
  await waitFor("a client to be there", async () => {
    await come();
    return sluice.accesses.some(({ server }) => server === address(dead));
  });
});

test("a worker that takes a dead one's place knows at once which servers are down", async () => {
  const [hanging, alive] = [await Mosquitto.start(), await Mosquitto.start()];
  hanging.process.kill("SIGSTOP");
  const sluice = await Sluice.start({
    dynamic: configuration(
      balanced([hanging.port, alive.port], "healthCheck: { interval: 10m, timeout: 300ms, mqtt: {} }"),
    ),
  });
  await isUp(sluice, hanging.port, 0);
  const [worker] = sluice.workers;
  process.kill(worker!, "SIGKILL");
  await waitFor("another worker", () => sluice.workers.length === 1 && sluice.workers[0] !== worker);
  for (let round = 0; round < 4; round++) {
    const { mqtt } = await waitFor("a client to be in", () =>
      mqttClient({ port: sluice.port, ca: authority.cert }).catch(() => null),
    );
    await mqtt.endAsync();
  }
  expect(sluice.accesses.filter(({ server }) => server === address(hanging.port))).toEqual([]);
});

test("a failover goes to its fallback while the first service is down, and back when that has been up for returnAfter", async () => {
  const port = await freePort();
  const standby = await Mosquitto.start();
  const sluice = await Sluice.start({
    workers: 2,
    dynamic: configuration(
      "      failover: { service: main, fallback: standby, returnAfter: 1s }",
      `    main: { loadBalancer: { healthCheck: { interval: 50ms, mqtt: {} }, servers: [{ port: ${port} }] } }
    standby: { loadBalancer: { servers: [{ port: ${standby.port} }] } }`,
    ),
  });
  let clients = 0;
  const where = async () => {
    const clientId = `client-${clients++}`;
    const { mqtt } = await mqttClient({ port: sluice.port, ca: authority.cert }, { clientId });
    await mqtt.endAsync();
    await waitFor("its line", () => sluice.accesses.length === clients);
    return sluice.accesses.at(-1)!.server;
  };
  await isUp(sluice, port, 0);
  expect(await where()).toBe(address(standby.port));
  const main = await Mosquitto.start({ port });
  await isUp(sluice, port, 1);
  expect(await where()).toBe(address(standby.port));
  await waitFor("clients to come back", async () => (await where()) === address(port));
  await main.stop();
  await isUp(sluice, port, 0);
  expect(await where()).toBe(address(standby.port));
  expect(await sluice.metric("sluice_dial_errors_total", { service: "main@file" })).toBe(0);
});

test("brokers with TLS are checked by the settings of their transport: a certificate that does not pass is a server that is down", async () => {
  const strangers = await (await Authority.create("Other CA")).issue({ names: ["localhost"] });
  const tls = (of: { cert: string; key: string }) => [`certfile ${of.cert}`, `keyfile ${of.key}`];
  const right = await Mosquitto.start({ lines: tls(pair) });
  const wrong = await Mosquitto.start({ lines: tls(strangers) });
  const sluice = await Sluice.start({
    dynamic: configuration(
      `      loadBalancer:
        serversTransport: inside
        healthCheck: { interval: 100ms, mqtt: { version: 5 } }
        servers: [{ port: ${right.port}, tls: true }, { port: ${wrong.port}, tls: true }]`,
      `  serversTransports: { inside: { tls: { serverName: localhost, rootCAs: [${authority.cert}] } } }`,
    ),
  });
  await isUp(sluice, wrong.port, 0);
  await waitFor("the other one to be found well", async () => {
    return (await sluice.metric("sluice_server_checks_total", { server: address(right.port), result: "good" })) > 0;
  });
  expect(await up(sluice, right.port)).toBe(1);
  expect((await said(sluice, "a server is down", wrong.port)).reason).toBe("its certificate does not pass");
  right.process.kill("SIGSTOP");
  await isUp(sluice, right.port, 0);
});

test("a broker that does not let the check in is alive while the check has no credentials, and down where it has wrong ones", async () => {
  const lines = ["allow_anonymous false"];
  const [closed, locked] = [await Mosquitto.start({ lines }), await Mosquitto.start({ lines })];
  const sluice = await Sluice.start({
    dynamic: configuration(
      "      weighted: { healthCheck: {}, services: [{ name: closed }, { name: locked }] }",
      `    closed: { loadBalancer: { healthCheck: { interval: 50ms, mqtt: {} }, servers: [{ port: ${closed.port} }] } }
    locked:
      loadBalancer:
        healthCheck: { interval: 50ms, mqtt: { username: check, password: secret-of-the-check } }
        servers: [{ port: ${locked.port} }]`,
    ),
  });
  await isUp(sluice, locked.port, 0);
  expect((await said(sluice, "a server is down", locked.port)).reason).toContain("not authorized");
  expect((await said(sluice, "a server is well, but does not let its check in", closed.port)).detail).toContain(
    "give healthCheck.mqtt a username",
  );
  await waitFor("several checks", async () => {
    return (
      (await sluice.metric("sluice_server_checks_total", { server: address(closed.port), result: "refused-check" })) > 3
    );
  });
  expect(await up(sluice, closed.port)).toBe(1);
  expect(about(sluice, "a server is well, but does not let its check in", closed.port)).toHaveLength(1);
  expect(JSON.stringify(sluice.lines)).not.toContain("secret-of-the-check");
});

test("explain --check says of each server whether it is up and why not, in the order of this moment; without it nothing is dialled", async () => {
  const [hanging, alive, gone] = [await Mosquitto.start(), await Mosquitto.start(), await freePort()];
  hanging.process.kill("SIGSTOP");
  const directory = temporaryDirectory();
  const check = "healthCheck: { interval: 5s, timeout: 300ms, mqtt: { version: 5 } }";
  writeFileSync(join(directory, "dynamic.yml"), configuration(balanced([hanging.port, gone, alive.port], check)));
  const file = join(directory, "sluice.yml");
  writeFileSync(
    file,
    `entryPoints: { mqtts: { address: ":8883" } }\nproviders: { file: { filename: ${directory}/dynamic.yml } }\n`,
  );
  const asked = ["explain", "--sni=localhost", `--configFile=${file}`];
  const found = await sluiceCli([...asked, "--check"], { cwd: directory });
  expect(found.stdout).toContain("DOWN, checked now: it takes the connection, and does not answer in time");
  expect(found.stdout).toContain("DOWN, checked now: nothing listens there");
  expect(found.stdout).toMatch(/up, checked now in \d+ ms/);
  expect(found.stdout).toContain(`first dial    ${address(alive.port)}, `);
  expect(found.stdout).toContain("checked by MQTT 5 every 5 s, each within 300 ms, out after 1, back after 1");
  const json = JSON.parse((await sluiceCli([...asked, "--check", "--json"], { cwd: directory })).stdout);
  const [{ service }] = json.explanations;
  expect(service.order.shown).toEqual([alive.port, hanging.port, gone].map(address));
  expect(service.tree.servers.shown.map((each: { check: { isUp: boolean } }) => each.check.isUp)).toEqual([
    false,
    false,
    true,
  ]);
  const blind = await sluiceCli(asked, { cwd: directory });
  expect(blind.stdout).not.toContain("checked now");
  expect(blind.stdout).toContain(`first dial    ${address(hanging.port)}, `);
});
