// A crowd of clients whose server fails is a few messages to the master, and each of them is counted.

import { expect, test } from "bun:test";
import type { ServerOutcome } from "../../../src/protocol/messages.ts";
import { Outcomes } from "../../../src/proxy/outcomes.ts";

test("the first outcome is told at once, and those after it together", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const told: (readonly ServerOutcome[])[] = [];
  const outcomes = new Outcomes((list) => {
    told.push(list);
    if (told.length === 2) resolve();
  });
  outcomes.add("s a:1", "refused");
  expect(told).toEqual([[{ key: "s a:1", outcome: "refused", count: 1 }]]);
  for (let i = 0; i < 1000; i++) outcomes.add("s a:1", "refused");
  outcomes.add("s a:1", "timeout");
  outcomes.add("s b:1", "refused");
  await promise;
  expect(told[1]).toEqual([
    { key: "s a:1", outcome: "refused", count: 1000 },
    { key: "s a:1", outcome: "timeout", count: 1 },
    { key: "s b:1", outcome: "refused", count: 1 },
  ]);
});
