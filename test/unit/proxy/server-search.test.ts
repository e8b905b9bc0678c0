// In which order servers and their addresses are dialled, who gives way to whom, and what is made of those that lose. Dials and deadlines
// are let happen by hand here.

import { expect, test } from "bun:test";
import type { Timed } from "../../../src/net/deadlines.ts";
import type { DialError, DialOwner } from "../../../src/net/dial.ts";
import type { NativeSocket } from "../../../src/net/socket.ts";
import type { Edge } from "../../../src/proxy/edge.ts";
import { ServerSearch } from "../../../src/proxy/server-search.ts";
import { ServerStates } from "../../../src/upstream/server-state.ts";
import type { Choice, Target, Transport } from "../../../src/upstream/service.ts";

const transport = { dialTimeoutMs: 30_000, keepAliveMs: -1 } as Transport;

interface Dialled {
  readonly address: string;
  readonly owner: DialOwner;
  /** `slow`: it was given up, because its address has had its time. */
  state: "under way" | "open" | "failed" | "cancelled" | "slow";
}

/** A search among servers with these addresses, in this order; each is named by its first address. */
function searchAmong(
  servers: readonly (readonly string[])[],
  options: { header?: () => void; wasFull?: boolean } = {},
) {
  const states = new ServerStates();
  const targets = servers.map(([host]): Target => {
    const server = { address: host!, host: host!, port: 1883, tls: false };
    return { service: "s", key: `s ${host}`, server, transport, state: states.ofServer(`s ${host}`, "s", host!) };
  });
  const dials: Dialled[] = [];
  const events: string[] = [];
  const due = new Map<Timed, number>();
  const edge = {
    lookup: {
      resolve: (host: string, answer: (addresses: readonly string[]) => void) =>
        answer(servers.find(([first]) => first === host)!.filter((address) => address !== "none")),
    },
    dialer: {
      dial: (address: string, _port: number, _timeout: number, _keepAlive: number, owner: DialOwner) => {
        const dial: Dialled = { address, owner, state: "under way" };
        dials.push(dial);
        return {
          cancel: () => void (dial.state = "cancelled"),
          giveUp: () => void (dial.state = "slow"),
        };
      },
    },
    deadlines: {
      set: (timed: Timed, ms: number) => void due.set(timed, ms),
      clear: (timed: Timed) => void due.delete(timed),
    },
    observer: {
      onDial: ({ server }: Target) => void events.push(`reached ${server.address}`),
      onDialFailed: ({ server }: Target, reason: DialError) => void events.push(`${server.address} ${reason}`),
    },
  } as unknown as Edge;
  let [next, resort] = [1, 0];
  const reached: string[] = [];
  const choice = {
    next: () => targets[next++] ?? null,
    lastResort: () => targets[resort++] ?? null,
    wasFull: options.wasFull ?? false,
    reached: ({ server }: Target) => void reached.push(server.address),
  } as unknown as Choice;
  const search: ServerSearch = new ServerSearch(edge, choice, targets[0]!, {
    headerFor: () => {
      options.header?.();
      return null;
    },
    onServerOpen: ({ server }) => void events.push(`got ${server.address}`),
    onNoServer: (isDown) => void events.push(isDown ? "all are down" : "none"),
  });
  const find = (address: string) => dials.findLast((dial) => dial.address === address)!;
  return {
    search,
    targets,
    events,
    /** What the choice was told. */
    reached,
    /** Of each dial so far, in order. */
    dialled: () => dials.map(({ address, state }) => `${address} ${state}`),
    open: (address: string) => {
      find(address).state = "open";
      find(address).owner.onDialOpen({} as NativeSocket);
    },
    fail: (address: string, reason: DialError = "refused") => {
      find(address).state = "failed";
      find(address).owner.onDialFailed(reason);
    },
    /** What is due soonest is due now. */
    wait: () => {
      const [timed, ms] = [...due].reduce((soonest, each) => (each[1] < soonest[1] ? each : soonest));
      due.delete(timed);
      timed.onDeadline();
      return ms;
    },
    isWaiting: () => due.size > 0,
    /** Connections that count at each server. */
    counts: () => targets.map(({ state }) => state.open),
    avoided: () => targets.filter(({ state }) => !state.isUsable).map(({ server }) => server.address),
  };
}

test("a server that answers gets the client, and nobody else is dialled", () => {
  const { search, open, events, dialled, counts, isWaiting } = searchAmong([["a"], ["b"]]);
  search.start();
  expect(counts()).toEqual([1, 0]);
  open("a");
  expect(events).toEqual(["reached a", "got a"]);
  expect(dialled()).toEqual(["a open"]);
  expect(counts()).toEqual([1, 0]);
  expect(isWaiting()).toBe(false);
});

test("a server that fails is followed by the next one at once, and is avoided", () => {
  const { search, open, fail, events, avoided, counts } = searchAmong([["a"], ["b"]]);
  search.start();
  fail("a");
  open("b");
  expect(events).toEqual(["a refused", "reached b", "got b"]);
  expect(avoided()).toEqual(["a"]);
  expect(counts()).toEqual([0, 1]);
});

test("a slow server gives way after a second and goes on: when it is there first it is the one, and the other one is not blamed", () => {
  const { search, open, wait, events, dialled, avoided, counts } = searchAmong([["a"], ["b"]]);
  search.start();
  expect(wait()).toBe(1000);
  expect(dialled()).toEqual(["a under way", "b under way"]);
  expect(counts()).toEqual([1, 1]);
  open("a");
  expect(events).toEqual(["reached a", "got a"]);
  expect(dialled()).toEqual(["a open", "b cancelled"]);
  expect(avoided()).toEqual([]);
  expect(counts()).toEqual([1, 0]);
});

test("a server that a later one has overtaken counts as one that does not answer: the next client does not wait for it", () => {
  const { search, open, wait, events, dialled, avoided, counts } = searchAmong([["a"], ["b"]]);
  search.start();
  wait();
  open("b");
  expect(events).toEqual(["a timeout", "reached b", "got b"]);
  expect(dialled()).toEqual(["a slow", "b open"]);
  expect(avoided()).toEqual(["a"]);
  expect(counts()).toEqual([0, 1]);
});

test("two servers at most are dialled at a time, and the last two have the rest of the time", () => {
  const { search, open, wait, events, dialled, counts } = searchAmong([["a"], ["b"], ["c"]]);
  search.start();
  wait();
  wait();
  expect(dialled()).toEqual(["a slow", "b under way", "c under way"]);
  expect(wait()).toBe(1000);
  expect(wait()).toBeGreaterThan(20_000);
  expect(dialled()).toEqual(["a slow", "b under way", "c under way"]);
  open("b");
  expect(events).toEqual(["a timeout", "reached b", "got b"]);
  expect(counts()).toEqual([0, 1, 0]);
});

test("when all have failed each has been dialled once, and that is known", () => {
  const { search, fail, events, dialled, counts } = searchAmong([["a"], ["b"], ["none"]]);
  search.start();
  fail("a");
  fail("b");
  expect(events).toEqual(["a refused", "b refused", "none dns", "all are down"]);
  expect(dialled()).toEqual(["a failed", "b failed"]);
  expect(counts()).toEqual([0, 0, 0]);
});

test("what this machine lacks is no fault of a server: nobody is avoided, and the service is not down", () => {
  const { search, fail, events, avoided } = searchAmong([["a"], ["b"]]);
  search.start();
  fail("a", "local-ports");
  fail("b", "refused");
  expect(events.at(-1)).toBe("none");
  expect(avoided()).toEqual(["b"]);
});

test("a server that was reached and was of no use is not tried again, and the service is not down", () => {
  const { search, targets, open, fail, events, dialled } = searchAmong([["a"], ["b"]]);
  search.start();
  open("a");
  search.reject(targets[0]!);
  search.start();
  fail("b");
  expect(events).toEqual(["reached a", "got a", "b refused", "none"]);
  expect(dialled()).toEqual(["a open", "b failed"]);
});

test("of several addresses the next one is dialled when one is slow, and the first that opens is it", () => {
  const { search, open, wait, events, dialled } = searchAmong([["a1", "a2", "a3"], ["b"]]);
  search.start();
  expect(wait()).toBeLessThanOrEqual(250);
  expect(dialled()).toEqual(["a1 under way", "a2 under way"]);
  open("a2");
  expect(dialled()).toEqual(["a1 slow", "a2 open"]);
  expect(events).toEqual(["reached a1", "got a1"]);
});

test("an address that fails is followed by the next one at once; a server has failed when all of its addresses have", () => {
  const { search, open, fail, events, dialled } = searchAmong([["a1", "a2"], ["b"]]);
  search.start();
  fail("a1", "unreachable");
  expect(dialled()).toEqual(["a1 failed", "a2 under way"]);
  fail("a2", "refused");
  open("b");
  expect(events).toEqual(["a1 refused", "reached b", "got b"]);
});

test("four addresses at most are dialled at a time", () => {
  const { search, wait, dialled } = searchAmong([["1", "2", "3", "4", "5", "6"]]);
  search.start();
  for (let i = 0; i < 4; i++) wait();
  expect(dialled()).toEqual(["1 slow", "2 under way", "3 under way", "4 under way", "5 under way"]);
});

test("after the last try no further address and no further server is dialled", () => {
  const { search, fail, events, dialled } = searchAmong([["a1", "a2"], ["b"]]);
  search.start();
  search.last();
  fail("a1");
  expect(dialled()).toEqual(["a1 failed"]);
  expect(events).toEqual(["a1 refused", "none"]);
});

test("a search that is stopped leaves nothing under way, whenever that is", () => {
  for (const waits of [0, 1]) {
    const { search, wait, events, counts, dialled, isWaiting } = searchAmong([["a"], ["b"]]);
    search.start();
    for (let i = 0; i < waits; i++) wait();
    search.stop();
    expect(events).toEqual([]);
    expect(counts()).toEqual([0, 0]);
    expect(dialled().filter((dial) => dial.endsWith("under way"))).toEqual([]);
    expect(isWaiting()).toBe(false);
  }
  const within = searchAmong([["a"]], { header: () => within.search.stop() });
  within.search.start();
  expect([within.dialled(), within.counts(), within.events]).toEqual([[], [0], []]);
});

test("an address that fails leaves no turn for one that there is not: the last address has its time", () => {
  const { search, open, fail, wait, dialled, events } = searchAmong([["a1", "a2"]]);
  search.start();
  fail("a1");
  expect(dialled()).toEqual(["a1 failed", "a2 under way"]);
  // Only the search itself waits.
  expect(wait()).toBeGreaterThan(200);
  expect(dialled()).toEqual(["a1 failed", "a2 under way"]);
  open("a2");
  expect(events).toEqual(["reached a1", "got a1"]);
});

test("the choice learns which server was reached, which is not always the last that it gave", () => {
  const { search, open, wait, reached } = searchAmong([["a"], ["b"]]);
  search.start();
  wait();
  open("a");
  expect(reached).toEqual(["a"]);
});

test("a service of which a server was passed over, because it has all of its connections, is not down", () => {
  const { search, fail, events } = searchAmong([["a"]], { wasFull: true });
  search.start();
  fail("a");
  expect(events).toEqual(["a refused", "none"]);
});
