// What choosing a server costs: `BUN_JSC_useFTLJIT=0 bun bench/choice.ts`, because workers run so. One line per strategy; microseconds per choice, and how evenly 10 000 clients come to
// lie over 10 servers. No process and no socket takes part: this is the code of src/upstream alone.

import { LoadBalancer } from "../src/upstream/load-balancer.ts";
import { ServerStates } from "../src/upstream/server-state.ts";
import type { Balancing, Chooser, Target, Transport } from "../src/upstream/service.ts";
import { StickyTable } from "../src/upstream/sticky.ts";

const CHOICES = 1000;
/** The best of many short ones: what others do on the machine meanwhile only adds. */
const ROUNDS = 200;
const SIZES = [10, 100, 1000];
const STICKY_KEYS = 50_000;

interface Case {
  readonly name: string;
  readonly balancing: Balancing;
  /** Of each server, by its place. */
  readonly weight?: (index: number) => number;
  /** One server is down, so all have to be looked at. */
  readonly isOneDown?: boolean;
}

const CASES: readonly Case[] = [
  { name: "wrr", balancing: {} },
  { name: "wrr, weights", balancing: {}, weight: (index) => 1 + (index % 5) },
  { name: "wrr, slowStart", balancing: { slowStartMs: 30_000 } },
  { name: "leastconn", balancing: { strategy: "leastconn" } },
  { name: "p2c", balancing: { strategy: "p2c" } },
  { name: "hrw", balancing: { strategy: "hrw" } },
  { name: "hrw, weights", balancing: { strategy: "hrw" }, weight: (index) => 1 + (index % 5) },
  { name: "leastconn, one down", balancing: { strategy: "leastconn" }, isOneDown: true },
  { name: "hrw, one down", balancing: { strategy: "hrw" }, isOneDown: true },
  { name: "sticky over wrr", balancing: { sticky: { key: "clientId", maxEntries: 100_000 } } },
];

const clients: readonly Chooser[] = Array.from({ length: STICKY_KEYS }, (_, index) => {
  return { clientAddress: "192.0.2.1", sni: "", clientId: `device-${index}`, username: "", certificate: "" };
});

function make(
  { balancing, weight, isOneDown }: Case,
  size: number,
): { balancer: LoadBalancer; targets: readonly Target[] } {
  const states = new ServerStates();
  const targets = Array.from({ length: size }, (_, index): Target => {
    const address = `broker-${index}:1883`;
    const server = { address, host: address, port: 1883, tls: false, ...(weight ? { weight: weight(index) } : {}) };
    return { service: "s", key: `s ${address}`, server, transport: {} as Transport, state: states.of(`s ${address}`) };
  });
  if (isOneDown) targets[size >> 1]!.state.health = "down";
  const { sticky } = balancing;
  const table = sticky === undefined ? null : new StickyTable(sticky.maxEntries);
  const context = { states, start: 0, random: Math.random, sticky: table };
  return { balancer: new LoadBalancer(targets, balancing, context), targets };
}

/** A client that reaches the first server that it is given. */
function come(balancer: LoadBalancer, client: (typeof clients)[number]): void {
  const choice = balancer.choose(client);
  const target = choice.next()!;
  choice.reached(target);
  target.state.open++;
}

function microseconds(balancer: LoadBalancer): number {
  let best = Number.POSITIVE_INFINITY;
  let seat = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const startedAt = performance.now();
    for (let choice = 0; choice < CHOICES; choice++) {
      come(balancer, clients[seat++ % clients.length]!);
    }
    best = Math.min(best, ((performance.now() - startedAt) / CHOICES) * 1000);
  }
  return best;
}

/** How far the server with the most and the one with the fewest clients are from even, in percent. */
function spread({ balancer, targets }: ReturnType<typeof make>): string {
  for (const client of clients.slice(0, 10_000)) come(balancer, client);
  const even = 10_000 / targets.length;
  const counts = targets.map(({ state }) => state.open);
  const percent = (count: number) => ((count / even - 1) * 100).toFixed(1);
  return `${percent(Math.min(...counts))} to +${percent(Math.max(...counts))} %`;
}

console.log(["", ...SIZES.map((size) => `${size} servers`), "10 000 clients over 10"].join("\t"));
for (const each of CASES) {
  const times = SIZES.map((size) => `${microseconds(make(each, size).balancer).toFixed(2)} us`);
  console.log([each.name, ...times, each.weight || each.isOneDown ? "" : spread(make(each, 10))].join("\t"));
}
