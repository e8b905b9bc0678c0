// What the provider docker costs with 1000 containers that have labels: their first reading, one change, and doing nothing for two
// minutes, in which everything is compared twice. Real containers of a real daemon, made and not started. As root:
//
//   bun test --timeout 600000 ./bench/docker.ts

import { expect, test } from "bun:test";
import { dockerEngine } from "../src/providers/docker/make.ts";
import { RemoteProvider } from "../src/providers/remote.ts";
import { Dockerd } from "../test/support/container-daemon.ts";
import { DEFAULTS } from "../test/support/container-store.ts";
import { waitFor } from "../test/support/tools.ts";

const CONTAINERS = 1000;
const IDLE_MS = 120_000;

const labelsOf = (name: string) => ({
  "sluice.docker.allownonrunning": "true",
  [`sluice.tcp.routers.${name}.rule`]: `HostSNI(\`${name}.example.com\`)`,
  [`sluice.tcp.routers.${name}.tls`]: "true",
  [`sluice.tcp.services.${name}.loadbalancer.server.port`]: "1883",
});

test(`${CONTAINERS} containers`, async () => {
  const daemon = await Dockerd.start();
  const make = (name: string) => daemon.run({ name, labels: labelsOf(name), network: "none", isIdle: true });
  for (let n = 0; n < CONTAINERS; n += 20) await Promise.all(Array.from({ length: 20 }, (_, m) => make(`c${n + m}`)));
  const engine = dockerEngine({ ...DEFAULTS, endpoint: daemon.endpoint });
  const provider = new RemoteProvider(engine, { entryPoints: new Set(["mqtts"]), cache: null, once: false });
  const routers = () => Object.keys(provider.current().offer?.[0]?.value.tcp.routers ?? {}).length;

  const cpu = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  let [before, since] = [cpu(), performance.now()];
  const say = (what: string) => {
    console.log(`${what}: ${Math.round(performance.now() - since)} ms, ${Math.round(cpu() - before)} ms of CPU time`);
    [before, since] = [cpu(), performance.now()];
  };
  await provider.start(() => {});
  await waitFor("all of them", () => routers() === CONTAINERS, 60_000);
  say("the first reading");
  // The second one, when the stream of events is open.
  await Bun.sleep(5000);
  say("the second reading, and 5 s");
  await make("another");
  await waitFor("the change", () => routers() === CONTAINERS + 1);
  say("one change, from before its container is made");
  await Bun.sleep(IDLE_MS);
  say(`${IDLE_MS / 1000} s of nothing`);
  expect(routers()).toBe(CONTAINERS + 1);
  await provider.close();
}, 600_000);
