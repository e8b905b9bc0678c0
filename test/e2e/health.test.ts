// Servers that are not well get no client while others are: found out by checks with MQTT, which see a broker that hangs, and told to
// workers at once; the state outlives reloads.

import { expect, test } from "bun:test";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient } from "../support/mqtt.ts";
import { Sluice } from "../support/sluice.ts";
import { freePort, waitFor } from "../support/tools.ts";
import { about, address, authority, balanced, configuration, isUp, said } from "../support/watched-edge.ts";

test("a broker that hangs, is killed or comes back is known by its checks, and gets clients when it is well", async () => {
  const [a, b] = [await Mosquitto.start(), await Mosquitto.start()];
  const sluice = await Sluice.start({
    workers: 2,
    dynamic: configuration(
      balanced([a.port, b.port], "healthCheck: { interval: 100ms, timeout: 400ms, fall: 2, rise: 2, mqtt: {} }"),
    ),
  });
  await waitFor("both to have been checked", async () => {
    const counts = [a.port, b.port].map((port) =>
      sluice.metric("sluice_server_checks_total", { server: address(port), result: "good" }),
    );
    return (await Promise.all(counts)).every((count) => count > 0);
  });
  expect(await sluice.metric("sluice_server_check_latency_seconds", { server: address(a.port) })).toBeGreaterThan(0);

  a.process.kill("SIGSTOP");
  await isUp(sluice, a.port, 0);
  expect(await said(sluice, "a server is down", a.port)).toMatchObject({ by: "check", level: "warn" });
  expect((await said(sluice, "a server is down", a.port)).reason).toContain("does not answer");
  // Nobody waits for it: all come to the other one.
  for (let round = 0; round < 6; round++) {
    const { mqtt } = await mqttClient({ port: sluice.port, ca: authority.cert }, { clientId: `round-${round}` });
    await mqtt.endAsync();
  }
  await waitFor(
    "the access log to have them",
    () => sluice.accesses.filter(({ server }) => server === address(b.port)).length >= 6,
  );
  expect(sluice.accesses.filter(({ server }) => server === address(a.port))).toEqual([]);

  a.process.kill("SIGCONT");
  await isUp(sluice, a.port, 1);
  await b.stop();
  await isUp(sluice, b.port, 0);
  const again = await Mosquitto.start({ port: b.port });
  await isUp(sluice, again.port, 1);
  for (const port of [a.port, b.port]) {
    await said(sluice, "a server is up again", port);
    expect(about(sluice, "a server is down", port)).toHaveLength(1);
    expect(about(sluice, "a server is up again", port)).toHaveLength(1);
  }
});

test("when all are down, clients are sent to them all the same, and the log says so once", async () => {
  const broker = await Mosquitto.start();
  // The check is wrong: nothing listens on the port that it looks at.
  const sluice = await Sluice.start({
    dynamic: configuration(balanced([broker.port], `healthCheck: { port: ${await freePort()}, interval: 50ms }`)),
  });
  await sluice.logged("all servers of a service are down");
  for (let round = 0; round < 3; round++) {
    const { mqtt } = await mqttClient({ port: sluice.port, ca: authority.cert });
    await mqtt.endAsync();
  }
  const text = configuration(balanced([broker.port], "healthCheck: { interval: 50ms }"));
  await sluice.reload(() => sluice.write("dynamic.yml", text));
  await sluice.logged("a service has a server again");
  expect(sluice.lines.filter(({ msg }) => msg.startsWith("all servers of a service are down"))).toHaveLength(1);
});
