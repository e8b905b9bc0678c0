// What each worker hears of the others.

import { expect, test } from "bun:test";
import { Tables } from "../../../src/admission/tables.ts";
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
  const workers = new Map<number, { states: ServerStates; sharing: WorkerSharing; table: StickyTable; keys: Tables }>();
  let row = service;
  let messages = 0;
  /** What stands for other generations. */
  const neighbours = new Map<number, (shares: Shares) => void>();
  const master = new Sharing({
    workers: () => [...workers.keys(), ...neighbours.keys()],
    tell: (index, shares) => {
      messages++;
      const neighbour = neighbours.get(index);
      if (neighbour !== undefined) return neighbour(shares);
      const { sharing, table } = workers.get(index)!;
      sharing.put(structuredClone(shares), (name) => (name === "s" ? table : null));
    },
    serviceOf: (name) => (name === "s" ? row : null),
  });
  const join = (index: number) => {
    const states = new ServerStates();
    const keys = new Tables(count, () => 0);
    states.of("s a").count();
    const sharing = new WorkerSharing(index, states, keys, (shares: Shares) =>
      master.take(index, structuredClone(shares)),
    );
    const table = new StickyTable(3, (client, address) => sharing.came({ service: "s", client, address }));
    workers.set(index, { states, sharing, table, keys });
    master.joined(index);
    return workers.get(index)!;
  };
  for (let index = 0; index < count; index++) join(index);
  const at = (index: number) => workers.get(index)!;
  const state = (index: number, key: string) => at(index).states.of(key);
  return {
    master,
    neighbours,
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

const LIMIT = { limit: 4, maxEntries: 10 };

test("a limit counts what all workers have of a key, and a worker that dies takes its part along", async () => {
  const { at, workers, master, join } = make(2);
  const here = at(0).keys.counts("t", LIMIT);
  const there = at(1).keys.counts("t", LIMIT);
  const leases = [here.take("=a"), here.take("=a"), there.take("=a")];
  await waitFor("both to know", () => here.of("=a") === 3 && there.of("=a") === 3);
  expect(there.take("=a")).not.toBeNull();
  expect(there.take("=a")).toBeNull();
  await waitFor("the other to hear", () => here.of("=a") === 4);
  expect(here.take("=a")).toBeNull();
  leases[0]!.release();
  await waitFor("the release", () => there.of("=a") === 3);
  const late = join(2).keys.counts("t", LIMIT);
  expect(late.of("=a")).toBe(3); // told before it had the table
  workers.delete(1);
  master.gone(1);
  await waitFor("what the dead one had", () => here.of("=a") === 1);
});

test("tokens that one worker spends are spent in all", async () => {
  const { at } = make(2);
  const rate = { intervalMs: 1000, burst: 4, maxEntries: 10 };
  const here = at(0).keys.rates("t", rate);
  const there = at(1).keys.rates("t", rate);
  for (let n = 0; n < 4; n++) expect(here.take(1, 0)).toBe(0);
  await waitFor("the other to hear", () => there.size === 1);
  expect(there.take(1, 0)).toBe(Number.POSITIVE_INFINITY);
  expect(there.take(1, 1000)).toBe(0);
});

test("another generation is one more worker, and the newest one puts in order who came last", async () => {
  // Two masters: the newest knows the old one as -2, and that one the newest as -1.
  const newest = make(2);
  const old = make(1);
  old.neighbours.set(-1, (shares) => newest.master.take(-2, structuredClone(shares)));
  newest.neighbours.set(-2, (shares) => old.master.take(-1, structuredClone(shares)));
  old.master.follow(-1);
  old.master.joined(-1);
  newest.master.joined(-2);

  for (const state of [newest.state(0, "s a"), newest.state(1, "s a"), old.state(0, "s a")]) state.open = 2;
  await waitFor("the old one to know of four", () => old.state(0, "s a").elsewhere === 4);
  await waitFor("the newest ones to know of each other and the old one", () => newest.state(0, "s a").elsewhere === 4);

  old.at(0).table.set("client", "old");
  await waitFor("a client of the old one to be known", () => newest.at(1).table.get("client") === "old");
  newest.at(0).table.set("client", "new");
  await waitFor("where it came later", () => old.at(0).table.get("client") === "new");
  expect(newest.at(1).table.get("client")).toBe("new");
  // Nothing goes to and fro for ever.
  const messages = () => old.messages() + newest.messages();
  const before = await settled(messages);
  expect(messages()).toBe(before);

  newest.neighbours.delete(-2);
  newest.master.gone(-2);
  await waitFor("what it had to be gone", () => newest.state(0, "s a").elsewhere === 2);
});

/** The number, once it has not changed for some messages' time. */
async function settled(number: () => number): Promise<number> {
  for (let last = -1; ; last = number()) {
    await Bun.sleep(150);
    if (number() === last) return last;
  }
}
