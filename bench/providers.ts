// What 10 000 routers in a store cost: a start, one changed key, and doing nothing. Real stores, and Sluice as users run it:
//
//   TEST_PROGRAM=dist/sluice bun test --timeout 600000 ./bench/providers.ts
//
// With STORES=etcd only that one; others are redis, consul and zooKeeper. IDLE_MS is how long nothing is done.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Consul } from "../test/support/consul.ts";
import { Etcd } from "../test/support/etcd.ts";
import type { KeyServer } from "../test/support/key-store.ts";
import { RedisServer } from "../test/support/redis.ts";
import { Sluice } from "../test/support/sluice.ts";
import { waitFor } from "../test/support/tools.ts";
import { ZooKeeper } from "../test/support/zookeeper.ts";

const ROUTERS = 10_000;
const CHANGES = 20;
const CALM_MS = 20_000;
const IDLE_MS = Number(process.env.IDLE_MS ?? 60_000);
/** Keys in a transaction: of Consul 64 are the most. */
const BATCH = 60;
/** Ticks of the clock that /proc counts in, per second: USER_HZ. */
const HZ = 100;

const router = (n: number, field: string) => `sluice/tcp/routers/r${n}/${field}`;

/** CPU time of the master so far, in milliseconds. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / HZ;
}

type Startable = KeyServer & { readonly endpoint: string };

const STORES: Readonly<Record<string, () => Promise<Startable>>> = {
  redis: () => RedisServer.start(),
  etcd: () => Etcd.start(),
  consul: () => Consul.start(),
  zooKeeper: () => ZooKeeper.start(),
};
const wanted = (process.env.STORES ?? "redis,etcd").split(",");

test.each(wanted)(
  `${ROUTERS} routers in %s`,
  async (store) => {
    const server = await STORES[store]!();
    await server.change({ "sluice/tcp/services/brokers/loadbalancer/servers/0/address": "127.0.0.1:1883" });
    for (let first = 0; first < ROUTERS; first += BATCH / 3) {
      const keys: Record<string, string> = {};
      for (let n = first; n < Math.min(ROUTERS, first + BATCH / 3); n++)
        Object.assign(keys, {
          [router(n, "rule")]: `HostSNI(\`device-${n}.example.com\`)`,
          [router(n, "service")]: "brokers",
          [router(n, "tls")]: "true",
        });
      await server.change(keys);
    }

    const began = performance.now();
    const env = { [`SLUICE_PROVIDERS_${store.toUpperCase()}_ENDPOINTS`]: server.endpoint };
    const sluice = await Sluice.start({ dynamic: "{}\n", env });
    const ready = await sluice.logged("ready");
    console.log(`${store}, start: ${Math.round(performance.now() - began)} ms until all of them are in force`);
    expect(ready.routers).toBe(ROUTERS);
    await waitFor("the first snapshot", () => sluice.lines.some(({ msg }) => msg === "snapshot in force"));

    const times: number[] = [];
    const before = cpuOf(sluice.masterPid);
    for (let n = 0; n < CHANGES; n++) {
      const from = sluice.lines.length;
      const since = performance.now();
      await server.change({ [router(n, "priority")]: String(100 + n) });
      while (!sluice.lines.slice(from).some(({ msg }) => msg === "snapshot in force")) await Bun.sleep(2);
      times.push(performance.now() - since);
      // One load is not to wait for the throttle of the former.
      await Bun.sleep(500);
    }
    times.sort((a, b) => a - b);
    const cpu = (cpuOf(sluice.masterPid) - before) / CHANGES;
    console.log(
      `${store}, one key: ${Math.round(times[CHANGES / 2]!)} ms until it is in force (median; at most ${Math.round(times.at(-1)!)} ms), ${Math.round(cpu)} ms of the master's CPU time`,
    );

    // The garbage of the last changes is collected meanwhile.
    await Bun.sleep(CALM_MS);
    const idle = cpuOf(sluice.masterPid);
    await Bun.sleep(IDLE_MS);
    const share = (cpuOf(sluice.masterPid) - idle) / IDLE_MS;
    console.log(`${store}, idle: ${(share * 100).toFixed(2)} % of a core`);
    await sluice.stop();
    await server.kill();
  },
  600_000,
);
