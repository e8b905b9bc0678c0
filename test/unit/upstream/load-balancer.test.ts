// The ways to choose among the servers of a load balancer.

import { describe, expect, test } from "bun:test";
import type { Balancing } from "../../../src/upstream/service.ts";
import { StickyTable } from "../../../src/upstream/sticky.ts";
import { counted, make, NOBODY, named } from "./pools.ts";

const many = (count: number) => Array.from({ length: count }, (_, index) => ({ address: `broker-${index}:1883` }));
const ids = (count: number) => Array.from({ length: count }, (_, index) => ({ clientId: `device-${index}` }));
const STRATEGIES = ["wrr", "leastconn", "p2c", "hrw"] as const;

/** The same promises for each of them. */
for (const strategy of STRATEGIES)
  describe(strategy, () => {
    const balancing: Balancing = { strategy };
    const client = { clientId: "device-1" };

    test("a choice gives every server once", () => {
      const { order } = make(many(20), balancing);
      expect(order(client).sort()).toEqual(
        many(20)
          .map(({ address }) => address)
          .sort(),
      );
    });

    test("a server that is down comes last, and one that is drained never", () => {
      const { order, targets } = make(named("a", "b", "c", "d"), balancing);
      targets[1]!.state.health = "down";
      targets[2]!.state.isDrained = true;
      for (let round = 0; round < 8; round++) {
        const tried = order(client);
        expect(tried.slice(0, 2).sort()).toEqual(["a", "d"]);
        expect(tried.slice(2)).toEqual(["b"]);
      }
    });

    test("when all are down, all are tried", () => {
      const { order, targets } = make(named("a", "b", "c"), balancing);
      for (const { state } of targets) state.health = "down";
      expect(order(client).sort()).toEqual(["a", "b", "c"]);
    });

    test("a backup is for when no other server can be chosen, and comes before those that are down", () => {
      const { order, targets } = make([...named("a", "b"), { address: "spare", backup: true }], balancing);
      expect(order(client)[2]).toBe("spare");
      targets[0]!.state.health = "down";
      expect(order(client)).toEqual(["b", "spare", "a"]);
      targets[1]!.state.health = "down";
      expect(order(client)[0]).toBe("spare");
    });

    test("a server with all its connections is passed over for the next, also as a last resort, and the choice says so", () => {
      const { balancer, order, targets } = make([{ address: "a", maxConnections: 2 }, { address: "b" }], balancing);
      targets[0]!.state.open = 1;
      targets[0]!.state.elsewhere = 1;
      for (let round = 0; round < 4; round++) expect(order(client)).toEqual(["b"]);
      targets[0]!.state.health = "down";
      targets[1]!.state.health = "down";
      expect(order(client)).toEqual(["b"]);
      targets[1]!.state.isDrained = true;
      const choice = balancer.choose({ clientAddress: "", sni: "", clientId: "", username: "", certificate: "" });
      expect([choice.next(), choice.lastResort(), choice.wasFull]).toEqual([null, null, true]);
      targets[0]!.state.elsewhere = 0;
      expect(order(client)).toEqual(["a"]);
    });

    test("weight 0 is never used, and weights are shares", () => {
      const servers = [
        { address: "a", weight: 3 },
        { address: "b", weight: 1 },
        { address: "never", weight: 0 },
      ];
      const { balancer, first, targets } = make(servers, balancing);
      const counts = counted(
        ids(4000).map((each) => {
          const address = first(each);
          // Everybody stays: so the fewest connections for its weight are a server's share of all.
          targets.find(({ server }) => server.address === address)!.state.open++;
          return address;
        }),
      );
      expect(Object.keys(counts).sort()).toEqual(["a", "b"]);
      expect(counts.a! / counts.b!).toBeGreaterThan(2.7);
      expect(counts.a! / counts.b!).toBeLessThan(3.3);
      expect(balancer.isUsable).toBe(true);
    });

    test("without servers there is nothing to choose", () => {
      expect(make([], balancing).order(client)).toEqual([]);
      expect(make([], balancing).balancer.isUsable).toBe(false);
      expect(make([{ weight: 0 }], balancing).order(client)).toEqual([]);
    });
  });

describe("wrr", () => {
  test("in any run of sum(weights) choices each server comes exactly as often as its weight says", () => {
    const { first } = make([
      { address: "a", weight: 5 },
      { address: "b", weight: 1 },
      { address: "c", weight: 1 },
    ]);
    const order = Array.from({ length: 21 }, () => first());
    for (let from = 0; from + 7 <= order.length; from++)
      expect(counted(order.slice(from, from + 7))).toEqual({ a: 5, b: 1, c: 1 });
    expect(order.slice(0, 7).join("")).toBe("aabacaa");
  });

  test("the turns of a server that is down go to all others, and it comes back without a crowd", () => {
    for (const weight of [1, 2]) {
      const { first, targets } = make([{ address: "a", weight }, ...named("b", "c", "d")]);
      targets[1]!.state.health = "down";
      const without = counted(Array.from({ length: (weight + 2) * 10 }, () => first()));
      expect(without).toEqual({ a: weight * 10, c: 10, d: 10 });
      targets[1]!.state.health = "up";
      const back = counted(Array.from({ length: (weight + 3) * 10 }, () => first()));
      expect(back.b).toBeLessThanOrEqual(11);
      expect(back.b).toBeGreaterThanOrEqual(9);
    }
  });

  test("workers begin at different servers, also where there are weights", () => {
    const firsts = (weight: number) =>
      Array.from({ length: 4 }, (_, start) =>
        make([{ address: "a", weight }, ...named("b", "c")], {}, { start }).first(),
      );
    expect(firsts(1)).toEqual(["a", "b", "c", "a"]);
    expect(new Set(firsts(2)).size).toBeGreaterThan(1);
  });
});

describe("leastconn", () => {
  test("a connection goes to the server with the fewest, of all workers", () => {
    const { first, targets } = make(named("a", "b", "c"), { strategy: "leastconn" });
    targets[0]!.state.open = 2;
    targets[1]!.state.elsewhere = 3;
    targets[2]!.state.open = 1;
    targets[2]!.state.elsewhere = 3;
    expect(first()).toBe("a");
  });

  test("of equal servers the next in turn is chosen, and another worker begins at another one", () => {
    const { first } = make(named("a", "b", "c"), { strategy: "leastconn" });
    expect([first(), first(), first(), first()]).toEqual(["a", "b", "c", "a"]);
    expect(make(named("a", "b", "c"), { strategy: "leastconn" }, { start: 1 }).first()).toBe("b");
  });
});

describe("p2c", () => {
  test("who stays is spread nearly evenly, and none of twenty servers is left out", () => {
    const { first, targets } = make(many(20), { strategy: "p2c" });
    for (let count = 0; count < 2000; count++) {
      const address = first();
      targets.find(({ server }) => server.address === address)!.state.open++;
    }
    for (const { state } of targets) {
      expect(state.open).toBeGreaterThan(90);
      expect(state.open).toBeLessThan(110);
    }
  });

  test("among a thousand servers it finds the two that can be chosen, and takes the one with fewer connections", () => {
    const { first, targets } = make(many(1000), { strategy: "p2c" });
    for (const [index, { state }] of targets.entries()) if (index % 500 !== 3) state.health = "down";
    targets[3]!.state.open = 5;
    for (let round = 0; round < 20; round++) expect(first()).toBe(targets[503]!.server.address);
  });
});

describe("hrw", () => {
  const hrw: Balancing = { strategy: "hrw" };
  const placesOf = (servers: readonly { address: string; weight?: number }[], count = 10_000) => {
    const { first } = make(servers, hrw);
    return ids(count).map((each) => first(each)!);
  };

  test("10 000 clients over 10 servers come within 10 % of even", () => {
    for (const count of Object.values(counted(placesOf(many(10))))) {
      expect(count).toBeGreaterThan(900);
      expect(count).toBeLessThan(1100);
    }
  });

  test("a client comes to the same server each time, in every worker, and whatever the order of the servers in the file", () => {
    const servers = many(10);
    const one = make(servers, hrw);
    const other = make(servers.toReversed(), hrw, { start: 3 });
    for (const client of ids(200)) expect(other.order(client)).toEqual(one.order(client));
  });

  test("of a server that is down only its own clients go elsewhere, to all others, and they come back", () => {
    const { first, targets } = make(many(10), hrw);
    const clients = ids(10_000);
    const before = clients.map((each) => first(each)!);
    targets[4]!.state.health = "down";
    const during = clients.map((each) => first(each)!);
    const moved = clients.flatMap((_, index) => (before[index] === during[index] ? [] : [index]));
    expect(moved).toEqual(before.flatMap((address, index) => (address === "broker-4:1883" ? [index] : [])));
    const taken = counted(moved.map((index) => during[index]!));
    expect(Object.keys(taken)).toHaveLength(9);
    for (const count of Object.values(taken)) expect(count).toBeLessThan((moved.length / 9) * 1.5);
    targets[4]!.state.health = "up";
    expect(clients.map((each) => first(each)!)).toEqual(before);
  });

  test("one server more takes 1/N of the clients, and no client moves to another one", () => {
    const before = placesOf(many(10));
    const after = placesOf(many(11));
    const moved = before.flatMap((address, index) => (address === after[index] ? [] : [after[index]!]));
    expect(new Set(moved)).toEqual(new Set(["broker-10:1883"]));
    expect(moved.length).toBeGreaterThan((10_000 / 11) * 0.9);
    expect(moved.length).toBeLessThan((10_000 / 11) * 1.1);
  });

  test("a weight is a share of the clients, and a changed one moves no more than it must", () => {
    const weighted = (weight: number) =>
      many(5).map((server, index) => ({ ...server, weight: index === 0 ? weight : 1 }));
    const single = placesOf(weighted(1));
    const double = placesOf(weighted(2));
    const share = counted(double)["broker-0:1883"]! / 10_000;
    expect(Math.abs(share - 2 / 6)).toBeLessThan(0.02);
    for (const [index, address] of single.entries())
      if (double[index] !== address) expect(double[index]).toBe("broker-0:1883");
    // The same weight of all is as none.
    expect(placesOf(many(5).map((server) => ({ ...server, weight: 7 })))).toEqual(single);
  });

  test("a client is known by what the service says, and an empty one goes in turn", () => {
    for (const [hashKey, client] of [
      ["clientId", { clientId: "x" }],
      ["username", { username: "x" }],
      ["clientIP", { clientAddress: "x" }],
      ["sni", { sni: "x" }],
      ["certificate", { certificate: "x" }],
    ] as const) {
      const { first } = make(many(10), { strategy: "hrw", hashKey });
      expect(first(client)).toBe(make(many(10), hrw).first({ clientId: "x" }));
      const others = { clientAddress: "1", sni: "2", clientId: "3", username: "4", certificate: "5" };
      for (const key of Object.keys(client)) Object.assign(others, { [key]: "" });
      expect(Array.from({ length: 3 }, () => first(others))).toEqual(many(3).map(({ address }) => address));
    }
  });
});

describe("slowStart", () => {
  test("a server that has come up grows to its weight, from a hundredth on", () => {
    let now = 1_000_000;
    const { first, targets } = make(many(2), { slowStartMs: 10_000 }, { now: () => now });
    const share = () => {
      const counts = counted(Array.from({ length: 1000 }, () => first()));
      return counts["broker-1:1883"]! / 1000;
    };
    expect(share()).toBeCloseTo(0.5, 2);
    targets[1]!.state.upSince = now;
    expect(share()).toBeCloseTo(0.01, 2);
    now += 5000;
    expect(share()).toBeCloseTo(0.5 / 1.5, 2);
    now += 5000;
    expect(share()).toBeCloseTo(0.5, 2);
  });

  test("it moves no client of hrw", () => {
    const now = 1_000_000;
    const slow = make(many(5), { strategy: "hrw", slowStartMs: 10_000 }, { now: () => now });
    const plain = make(many(5), { strategy: "hrw" });
    slow.targets[1]!.state.upSince = now;
    for (const client of ids(200)) expect(slow.first(client)).toBe(plain.first(client));
  });
});

describe("sticky", () => {
  const client = { ...NOBODY, username: "ann" };

  test("a client comes to the server that it has reached, also where that was not the last one tried", () => {
    const sticky = new StickyTable(10);
    const { balancer, targets } = make(
      named("a", "b", "c"),
      { sticky: { key: "username", maxEntries: 10 } },
      { sticky },
    );
    const choice = balancer.choose(client);
    const given = [choice.next(), choice.next()];
    choice.reached(given[0]!);
    for (let round = 0; round < 3; round++) expect(balancer.choose(client).next()).toBe(given[0]!);
    // All are tried in vain for a while: it does not lose its place.
    const vain = balancer.choose(client);
    for (const _ of targets) vain.next();
    expect(balancer.choose(client).next()).toBe(given[0]!);
  });

  test("a server of another service is none of its own", () => {
    const sticky = new StickyTable(10);
    const { balancer } = make(named("a", "b"), { sticky: { key: "username", maxEntries: 10 } }, { sticky });
    const other = make(named("a")).targets[0]!;
    balancer.choose(client).reached(other);
    expect(sticky.size).toBe(0);
  });
});
