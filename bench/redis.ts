// What 10 000 routers in Redis cost: a start, one changed key, and doing nothing. Real Redis, and Sluice as users run it:
//
//   TEST_PROGRAM=dist/sluice bun test --timeout 600000 ./bench/redis.ts

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { RedisServer } from "../test/support/redis.ts";
import { Sluice } from "../test/support/sluice.ts";
import { waitFor } from "../test/support/tools.ts";

const ROUTERS = 10_000;
const CHANGES = 20;
const IDLE_MS = 60_000;
/** Ticks of the clock that /proc counts in, per second: USER_HZ. */
const HZ = 100;

const router = (n: number, field: string) => `sluice/tcp/routers/r${n}/${field}`;

/** CPU time of the master so far, in milliseconds. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / HZ;
}

test(`${ROUTERS} routers`, async () => {
  const server = await RedisServer.start();
  const keys: Record<string, string> = {
    "sluice/tcp/services/brokers/loadbalancer/servers/0/address": "127.0.0.1:1883",
  };
  for (let n = 0; n < ROUTERS; n++)
    Object.assign(keys, {
      [router(n, "rule")]: `HostSNI(\`device-${n}.example.com\`)`,
      [router(n, "service")]: "brokers",
      [router(n, "tls")]: "true",
    });
  await server.client.mset(keys);

  const began = performance.now();
  const env = { SLUICE_PROVIDERS_REDIS_ENDPOINTS: server.endpoint };
  const sluice = await Sluice.start({ dynamic: "{}\n", env });
  const ready = await sluice.logged("ready");
  console.log(`start: ${Math.round(performance.now() - began)} ms until all of them are in force`);
  expect(ready.routers).toBe(ROUTERS);
  await waitFor("the first snapshot", () => sluice.lines.some(({ msg }) => msg === "snapshot in force"));

  const times: number[] = [];
  const before = cpuOf(sluice.masterPid);
  for (let n = 0; n < CHANGES; n++) {
    const from = sluice.lines.length;
    const since = performance.now();
    await server.client.set(router(n, "priority"), String(100 + n));
    while (!sluice.lines.slice(from).some(({ msg }) => msg === "snapshot in force")) await Bun.sleep(2);
    times.push(performance.now() - since);
    // One load is not to wait for the throttle of the former.
    await Bun.sleep(500);
  }
  times.sort((a, b) => a - b);
  const cpu = (cpuOf(sluice.masterPid) - before) / CHANGES;
  console.log(
    `one key: ${Math.round(times[CHANGES / 2]!)} ms until it is in force (median; at most ${Math.round(times.at(-1)!)} ms), ${Math.round(cpu)} ms of the master's CPU time`,
  );

  const idle = cpuOf(sluice.masterPid);
  await Bun.sleep(IDLE_MS);
  const share = (cpuOf(sluice.masterPid) - idle) / IDLE_MS;
  console.log(`idle: ${(share * 100).toFixed(2)} % of a core`);
  await sluice.stop();
}, 600_000);
