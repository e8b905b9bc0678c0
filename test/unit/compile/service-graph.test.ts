// What services that are made of others come to, however many are inside one another.

import { expect, test } from "bun:test";
import {
  findCycle,
  findTooDeep,
  findTooLarge,
  MAX_NESTED,
  type ServiceDraft,
} from "../../../src/compile/service-graph.ts";

/** More than a recursion takes. */
const COUNT = 100_000;

/** Each service is made of the one before it, and the first of `first`. Begins with the last one, where a search goes down at once. */
function inOneAnother(first: readonly string[]): Map<string, ServiceDraft> {
  const drafts = new Map<string, ServiceDraft>();
  for (let n = COUNT; n >= 0; n--) {
    const children = n === 0 ? first : [`s${n - 1}`];
    drafts.set(`s${n}`, { row: { kind: "weighted", services: children.map((name) => ({ name, weight: 1 })) } });
  }
  return drafts;
}

test("of a hundred thousand inside one another those with more than the limit in them are too deep", () => {
  const services = inOneAnother([]);
  expect(findCycle(services).size).toBe(0);
  expect(findTooLarge(services).size).toBe(0);
  const deep = findTooDeep(services);
  expect(deep.size).toBe(COUNT - MAX_NESTED);
  expect([deep.has(`s${MAX_NESTED}`), deep.has(`s${MAX_NESTED + 1}`)]).toEqual([false, true]);
});

test("a hundred thousand in a circle are a cycle", () => {
  expect(findCycle(inOneAnother([`s${COUNT}`])).size).toBe(COUNT + 1);
});
