// Drains by the configuration and by hand together: which servers get nobody, and whose connections the workers are told to let go.

import { afterEach, expect, test } from "bun:test";
import { Drains } from "../../../src/control/drains.ts";
import type { InForce } from "../../../src/control/present.ts";
import type { Logger } from "../../../src/observe/logger.ts";
import { type Row, rowKey, type ToWorker } from "../../../src/protocol/messages.ts";
import type { LivePolicy } from "../../../src/upstream/live.ts";
import type { ServerChange } from "../../../src/upstream/server-state.ts";
import type { Server } from "../../../src/upstream/service.ts";
import { transport } from "../explain/explainers.ts";

const open: Drains[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

function master() {
  const told: ToWorker[] = [];
  const servers: ServerChange[] = [];
  const drains = new Drains(
    {
      tell: (message) => void told.push(message),
      tellServers: (changes) => void servers.push(...changes),
      workers: () => [0],
    },
    { info: () => {} } as unknown as Logger,
  );
  open.push(drains);
  let version = 0;
  /** A service with these servers comes into force. */
  const configure = (addresses: Readonly<Record<string, LivePolicy | null>>) => {
    const list = Object.entries(addresses).map(([address, drain]): Server => {
      return { address, host: "h", port: 1, tls: false, ...(drain !== null && { drain }) };
    });
    const row: Row = { kind: "service", name: "s@file", value: { kind: "loadBalancer", servers: list, transport } };
    const rows = new Map([[rowKey(row), row]]);
    const all = { has: () => true };
    const named = { routers: all, services: all, partial: { has: () => false } };
    drains.inForce({ rows, configured: rows, named } satisfies InForce, ++version);
  };
  const states = () => drains.states().map(({ about, policy }) => `${about.server} ${policy.kind}`);
  return { drains, told, servers, configure, states };
}

const KEEP = { kind: "keep" } as const;
const CLOSE = { kind: "close" } as const;

test("a server that is drained by hand gets nobody, whatever the configuration says, until that is taken back", () => {
  const { drains, told, servers, configure, states } = master();
  configure({ "h:1": null, "h:2": KEEP });
  expect(states()).toEqual(["h:2 keep"]);
  expect(drains.drain("s@file", "h:1", { kind: "spread", perSecond: 5 })).toBe(true);
  expect(drains.drain("s@file", "h:2", CLOSE)).toBe(true);
  expect(servers).toEqual([
    { key: "s@file h:1", isDraining: true },
    { key: "s@file h:2", isDraining: true },
  ]);
  expect(states()).toEqual(["h:2 close", "h:1 spread"]);
  // A reload that changes nothing of it lets it go on.
  const before = told.length;
  configure({ "h:1": null, "h:2": KEEP });
  expect(told.length).toBe(before);
  expect([drains.undrain("s@file", "h:1"), drains.undrain("s@file", "h:2")]).toEqual([true, true]);
  expect(servers.slice(2)).toEqual([
    { key: "s@file h:1", isDraining: false },
    { key: "s@file h:2", isDraining: false },
  ]);
  expect(states()).toEqual(["h:2 keep"]);
});

test("a server that does not exist cannot be drained, and one that is not drained by hand cannot be taken back", () => {
  const { drains, servers, configure } = master();
  configure({ "h:1": KEEP });
  expect(drains.drain("s@file", "h:9", CLOSE)).toBe(false);
  expect(drains.drain("t@file", "h:1", CLOSE)).toBe(false);
  expect(drains.undrain("s@file", "h:1")).toBe(false);
  expect(servers).toEqual([]);
});

test("a drain by hand ends with its server: one that comes back later is not drained", () => {
  const { drains, servers, configure, states } = master();
  configure({ "h:1": null, "h:2": null });
  drains.drain("s@file", "h:1", CLOSE);
  configure({ "h:2": null });
  expect(servers.at(-1)).toEqual({ key: "s@file h:1", isDraining: false });
  configure({ "h:1": null, "h:2": null });
  expect(states()).toEqual([]);
});

test("a worker that starts is told of all that is to end", () => {
  const { drains, told, configure } = master();
  drains.started(0);
  expect(told).toEqual([]);
  configure({ "h:1": CLOSE, "h:2": KEEP });
  drains.started(0);
  expect(told.at(-1)).toMatchObject({
    type: "leaving",
    put: [
      { which: { by: "server", key: "s@file h:1" }, atOnce: true },
      { which: { by: "server", key: "s@file h:2" }, atOnce: false },
    ],
  });
});
