// A failover: its first service while one of that one's servers is up, and for long enough.

import { expect, test } from "bun:test";
import { Failover } from "../../../src/upstream/failover.ts";
import { type ServerState, ServerStates } from "../../../src/upstream/server-state.ts";
import type { Balancer, Choice, Target } from "../../../src/upstream/service.ts";

const CLIENT = { clientAddress: "", sni: "", clientId: "", username: "", certificate: "" };
const states = new ServerStates();

/** Servers in their order. */
function inOrder(...names: string[]): { balancer: Balancer; states: ServerState[] } {
  const targets = names.map((name) => ({ key: name, state: states.of(name) }) as unknown as Target);
  const choose = (): Choice => {
    const up = targets.filter(({ state }) => state.isUsable)[Symbol.iterator]();
    const down = targets.filter(({ state }) => state.health === "down")[Symbol.iterator]();
    return {
      next: () => up.next().value ?? null,
      lastResort: () => down.next().value ?? null,
      wasFull: false,
      reached: () => {},
    };
  };
  const balancer = {
    choose,
    get isUsable() {
      return targets.some(({ state }) => state.isUsable);
    },
  };
  return { balancer, states: targets.map(({ state }) => state) };
}

function order(balancer: Balancer): string {
  const choice = balancer.choose(CLIENT);
  const names: string[] = [];
  for (let next = choice.next(); next !== null; next = choice.next()) names.push(next.key);
  names.push("|");
  for (let next = choice.lastResort(); next !== null; next = choice.lastResort()) names.push(next.key);
  return names.join(" ");
}

const set = (name: string, health: "up" | "down", upSince = 0) =>
  states.of(name).told({ health, isDraining: false, upSince });

test("the fallback comes behind the first service, before it while that is down, and all that are down come last", () => {
  const [main, spare] = [inOrder("a", "b"), inOrder("c")];
  const failover = new Failover(main.balancer, spare.balancer, main.states, 0);
  expect(order(failover)).toBe("a b c |");
  set("a", "down");
  expect(order(failover)).toBe("b c | a");
  set("b", "down");
  expect(order(failover)).toBe("c | a b");
  set("c", "down");
  expect([order(failover), failover.isUsable]).toEqual(["| a b c", false]);
  set("b", "up", 5);
  expect(order(failover)).toBe("b | a c");
});

test("with returnAfter clients come back when a server has been up again for so long; one that never was down counts at once", () => {
  let now = 100_000;
  const [main, spare] = [inOrder("d", "e"), inOrder("f")];
  const failover = new Failover(main.balancer, spare.balancer, main.states, 1000, () => now);
  expect(order(failover)).toBe("d e f |");
  set("d", "down");
  set("e", "down");
  set("d", "up", now);
  expect(order(failover)).toBe("f d | e");
  now += 999;
  expect(order(failover)).toBe("f d | e");
  now += 1;
  expect(order(failover)).toBe("d f | e");
  set("e", "up", now);
  expect(order(failover)).toBe("d e f |");
  // While the fallback is down, nobody waits.
  set("d", "down");
  set("f", "down");
  expect(order(failover)).toBe("e | d f");
});

test("a failover may be the service of another one, and each chooses only when it is asked", () => {
  const [first, second, third] = [inOrder("g"), inOrder("h"), inOrder("i")];
  let asked = 0;
  const counted: Balancer = {
    isUsable: true,
    choose: (client) => {
      asked++;
      return third.balancer.choose(client);
    },
  };
  const inner = new Failover(first.balancer, second.balancer, first.states, 0);
  const outer = new Failover(inner, counted, [...first.states, ...second.states], 0);
  expect(outer.choose(CLIENT).next()?.key).toBe("g");
  expect(asked).toBe(0);
  set("g", "down");
  expect(order(outer)).toBe("h i | g");
});
