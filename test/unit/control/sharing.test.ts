// What each worker hears of the others.

import { expect, test } from "bun:test";
import { Sharing } from "../../../src/control/sharing.ts";
import type { Shares } from "../../../src/protocol/shares.ts";
import { Sharing as WorkerSharing } from "../../../src/proxy/sharing.ts";
import { ServerStates } from "../../../src/upstream/server-state.ts";
import type { ServiceRow } from "../../../src/upstream/service.ts";
import { StickyTable } from "../../../src/upstream/sticky.ts";
import { waitFor } from "../../support/tools.ts";

const sticky = (maxEntries: number): ServiceRow =>
  ({
    kind: "loadBalancer",
    servers: [],
    balancing: { sticky: { key: "clientId", maxEntries } },
  }) as unknown as ServiceRow;

/** A master with workers, whose messages come at once. */
function make(count: number, service: ServiceRow | null = sticky(3)) {
  const workers = new Map<number, { states: ServerStates; sharing: WorkerSharing; table: StickyTable }>();
  let row = service;
  let messages = 0;
  const master = new Sharing({
    workers: () => workers.keys(),
    tell: (index, shares) => {
      messages++;
      const { sharing, table } = workers.get(index)!;
      sharing.put(structuredClone(shares), (name) => (name === "s" ? table : null));
    },
    serviceOf: (name) => (name === "s" ? row : null),
  });
  const join = (index: number) => {
    const states = new ServerStates();
    states.of("s a").count();
    const sharing = new WorkerSharing(index, states, (shares: Shares) => master.take(index, structuredClone(shares)));
    const table = new StickyTable(3, (client, address) => sharing.came({ service: "s", client, address }));
    workers.set(index, { states, sharing, table });
    master.joined(index);
    return workers.get(index)!;
  };
  for (let index = 0; index < count; index++) join(index);
  const at = (index: number) => workers.get(index)!;
  const state = (index: number, key: string) => at(index).states.of(key);
  return {
    master,
    workers,
    at,
    state,
    join,
    messages: () => messages,
    change: (next: ServiceRow | null) => (row = next),
  };
}

test("each worker knows what all others have open, and none counts itself twice", async () => {
  const { state } = make(3);
  for (let index = 0; index < 3; index++) state(index, "s a").open += index + 1;
  await waitFor("all to know", () => [0, 1, 2].every((index) => state(index, "s a").elsewhere === 6 - (index + 1)));
  state(2, "s a").open = 0;
  await waitFor("all to know of the end", () => state(0, "s a").elsewhere === 2 && state(1, "s a").elsewhere === 1);
});

test("what a worker has open is gone with it, and its successor knows what the others have", async () => {
  const { state, master, workers, join } = make(2);
  state(0, "s a").open = 5;
  state(1, "s a").open = 7;
  await waitFor("both to know", () => state(0, "s a").elsewhere === 7 && state(1, "s a").elsewhere === 5);
  workers.delete(1);
  master.gone(1);
  await waitFor("the other to know", () => state(0, "s a").elsewhere === 0);
  join(1);
  expect(state(1, "s a").elsewhere).toBe(5);
});

test("a crowd of connections is a few messages, and a server that nobody counts is none", async () => {
  const { state, at, messages } = make(2);
  for (let count = 0; count < 10_000; count++) state(0, "s a").open++;
  await waitFor("the other to know", () => state(1, "s a").elsewhere === 10_000);
  expect(messages()).toBeLessThan(10);
  const before = messages();
  at(0).states.of("s uncounted").open = 3;
  state(0, "s a").open++;
  await waitFor("the other to know", () => state(1, "s a").elsewhere === 10_001);
  expect(at(1).states.of("s uncounted").elsewhere).toBe(0);
  expect(messages()).toBeLessThanOrEqual(before + 2);
});

test("where a client came is known to all workers and to a new one, within the bound of the table", async () => {
  const { at, join } = make(2);
  for (const client of ["1", "2", "3", "4"]) at(0).table.set(client, `address-${client}`);
  await waitFor("the other to know", () => at(1).table.get("4") === "address-4");
  const third = join(2);
  for (const { table } of [at(0), at(1), third]) {
    expect(table.size).toBe(3);
    expect(["1", "2", "3", "4"].map((client) => table.get(client))).toEqual([
      null,
      "address-2",
      "address-3",
      "address-4",
    ]);
  }
});

test("of two workers that send a client to different servers at once all remember the same one", async () => {
  const { at } = make(2);
  at(0).table.set("client", "a");
  at(1).table.set("client", "b");
  await waitFor("both to agree", () => at(0).table.get("client") === at(1).table.get("client"));
});

test("the clients of a service that is not sticky any more are forgotten", async () => {
  const { at, master, change, join } = make(1);
  at(0).table.set("client", "a");
  await waitFor("a new worker to be told", () => join(1).table.get("client") === "a");
  change(null);
  master.settle();
  expect(join(2).table.size).toBe(0);
});
