// Which of two connections with the same client id ends.

import { expect, test } from "bun:test";
import type { LetIn } from "../../../src/protocol/shares.ts";
import { Takeovers } from "../../../src/proxy/takeovers.ts";

function make(workers: number) {
  let now = 0;
  const told: LetIn[] = [];
  const ended: string[] = [];
  const all = Array.from(
    { length: workers },
    (_, index) =>
      new Takeovers(
        index,
        (each) => void told.push(each),
        () => now,
      ),
  );
  const letIn = (worker: number, name: string, address: string, client = "x", service = "s") => {
    now++;
    return all[worker]!.letIn({ service, client, address }, { letGo: () => void ended.push(name) });
  };
  /** All workers hear of everything, in the order that is given. */
  const tell = (order = told) => {
    for (const each of all) each.put(order);
  };
  return { all, letIn, tell, told, ended, stand: () => now-- };
}

test("the older connection ends when the newer one is on another server, and stays when it is on the same", () => {
  const { letIn, ended } = make(1);
  letIn(0, "first", "a");
  letIn(0, "again", "a");
  expect(ended).toEqual([]);
  letIn(0, "elsewhere", "b");
  expect(ended).toEqual(["again"]);
});

test("another client id, and the same one of another service, is nobody's", () => {
  const { letIn, ended, tell } = make(2);
  letIn(0, "x", "a");
  letIn(0, "y", "b", "y");
  letIn(1, "z", "b", "z");
  letIn(1, "other service", "b", "x", "t");
  tell();
  expect(ended).toEqual([]);
});

test("in another worker the older one ends too, whatever order the messages come in", () => {
  for (const isReversed of [false, true]) {
    const { letIn, ended, tell, told } = make(3);
    letIn(0, "first", "a");
    letIn(2, "second", "b");
    letIn(1, "third", "c");
    tell(isReversed ? told.toReversed() : told);
    tell();
    expect(new Set(ended)).toEqual(new Set(["first", "second"]));
  }
});

test("of two in the same millisecond exactly one ends", () => {
  const { letIn, ended, tell, stand } = make(2);
  letIn(0, "one", "a");
  stand();
  letIn(1, "other", "b");
  tell();
  expect(ended).toEqual(["one"]);
});

test("who has gone is not ended, and nothing is kept of him", () => {
  const { all, letIn, ended, tell } = make(2);
  const first = letIn(0, "first", "a");
  const second = letIn(0, "second", "a");
  first.release();
  expect(all[0]!.size).toBe(1);
  second.release();
  expect(all[0]!.size).toBe(0);
  letIn(1, "third", "b");
  tell();
  expect(ended).toEqual([]);
});
