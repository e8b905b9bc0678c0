// What a page of connections costs a worker that has 100 000: `BUN_JSC_useFTLJIT=0 bun bench/listing.ts`, because workers run so. No process and
// no socket takes part. Milliseconds for a page, and the longest turn of the event loop meanwhile.

import type { ListRequest } from "../src/protocol/looking.ts";
import type { LiveConnection } from "../src/proxy/edge.ts";
import { Listing } from "../src/proxy/listing.ts";

const CONNECTIONS = 100_000;
const ROUNDS = 15;

const connections = new Set<LiveConnection>();
for (let index = 0; index < CONNECTIONS; index++) {
  const record = {
    entryPoint: "mqtts",
    startedAt: index,
    clientAddress: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
    clientPort: 1024 + (index % 60_000),
    balancer: "",
    sni: "mqtt.example.com",
    alpn: "",
    meters: { router: "mqtt@file", service: "brokers@file" },
    server: `10.1.0.${index % 10}:1883`,
    tlsVersion: "TLSv1.3",
    tlsCipher: "TLS_AES_128_GCM_SHA256",
    clientSubject: "",
    mqtt: {
      version: "5",
      clientId: `device-${(index * 7919) % CONNECTIONS}`,
      username: `site-${index % 100}`,
      keepAlive: 60,
      clean: true,
      will: false,
    },
  };
  const traffic = { bytesIn: index * 10, bytesOut: index * 3 };
  connections.add({
    record,
    isOver: false,
    stepName: "relay",
    isResumed: false,
    traffic: () => traffic,
  } as unknown as LiveConnection);
}
const listing = new Listing(0, connections);

/** The longest time between two turns of the event loop while `work` runs. Milliseconds. */
async function longestTurn(work: () => Promise<unknown>): Promise<{ readonly ms: number; readonly turn: number }> {
  let [turn, last, isOver] = [0, performance.now(), false];
  const tick = () => {
    const now = performance.now();
    turn = Math.max(turn, now - last);
    last = now;
    if (!isOver) setImmediate(tick);
  };
  setImmediate(tick);
  const startedAt = performance.now();
  await work();
  const ms = performance.now() - startedAt;
  tick();
  isOver = true;
  return { ms, turn };
}

const plain: ListRequest = { filter: {}, sort: "since", descending: true, limit: 100, after: null };
const requests: Readonly<Record<string, ListRequest>> = {
  "the newest": plain,
  "by client id": { ...plain, sort: "clientId", descending: false },
  "by bytes": { ...plain, sort: "bytesIn" },
  "by rate": { ...plain, sort: "rate" },
  "one client id": { ...plain, filter: { clientId: "device-77" } },
  "a text anywhere": { ...plain, filter: { search: "Device-9999" } },
  "a network": { ...plain, filter: { address: "10.1.0.0/16" } },
};
for (const [name, request] of Object.entries(requests)) {
  let [ms, turn] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < ROUNDS; round++) {
    const taken = await longestTurn(() => listing.page(request));
    ms = Math.min(ms, taken.ms);
    turn = Math.min(turn, taken.turn);
  }
  console.log(`${name.padEnd(16)} ${ms.toFixed(1)} ms, longest turn ${turn.toFixed(1)} ms`);
}
