// Who makes room for others: the oldest of an address that has many newcomers, and where none has many, the oldest of all.

import { expect, test } from "bun:test";
import { FEW, Newcomer, Newcomers } from "../../../src/admission/newcomers.ts";
import { random } from "../../support/random.ts";

function crowd() {
  const newcomers = new Newcomers<string>();
  const add = (who: string, key: string | null) => {
    const newcomer = new Newcomer(who);
    newcomers.enter(newcomer, key);
    return newcomer;
  };
  /** Makes room so often. */
  const gone = (times: number) =>
    Array.from({ length: times }, () => {
      const first = newcomers.first()!;
      newcomers.leave(first);
      return first.who;
    });
  return { newcomers, add, gone };
}

test("an address with many newcomers gives way before any other, however old those are", () => {
  const { add, gone } = crowd();
  add("slow", "192.0.2.1");
  for (let i = 0; i < 50; i++) add(`flood-${i}`, "198.51.100.1");
  for (let i = 0; i < FEW; i++) add("household", "192.0.2.2");
  expect(gone(50 - FEW)).toEqual(Array.from({ length: 50 - FEW }, (_, i) => `flood-${i}`));
  expect(gone(1)).toEqual(["slow"]);
});

test("a thousand addresses with a few newcomers each go by age: a slow client has its time until all before it are gone", () => {
  const { add, gone } = crowd();
  const names = Array.from({ length: 3000 }, (_, i) => `${i}`);
  for (const name of names) add(name, `address ${Number(name) % 1000}`);
  expect(gone(3000)).toEqual(names);
});

test("who has come further has its time anew: those without a hello go before those without CONNECT", () => {
  const { newcomers, add, gone } = crowd();
  const far = add("far", "a");
  add("silent", "b");
  newcomers.enter(far, "a");
  expect(newcomers.size).toBe(2);
  expect(gone(2)).toEqual(["silent", "far"]);
  expect([newcomers.size, newcomers.addresses, newcomers.most, newcomers.first()]).toEqual([0, 0, 0, null]);
});

test("whose address is not known yet stands alone, and counts for its address from then on", () => {
  const { newcomers, add } = crowd();
  add("a", "192.0.2.1");
  const unknown = [add("b", null), add("c", null)];
  expect([newcomers.most, newcomers.addresses, newcomers.size]).toEqual([1, 1, 3]);
  for (const each of unknown) newcomers.enter(each, "192.0.2.1");
  expect([newcomers.most, newcomers.of("192.0.2.1"), newcomers.size]).toEqual([3, 3, 3]);
  expect(newcomers.firstOf("192.0.2.1")!.who).toBe("a");
});

test("whatever comes and goes, the first is whom a plain list would give", () => {
  const { below, chance } = random(15);
  const newcomers = new Newcomers<number>();
  let all: { newcomer: Newcomer<number>; key: number }[] = [];
  for (let step = 0; step < 3000; step++) {
    const at = all[below(Math.max(1, all.length))];
    if (at === undefined || chance(0.55)) {
      const entry = { newcomer: new Newcomer(step), key: below(1 + below(40)) };
      all.push(entry);
      newcomers.enter(entry.newcomer, entry.key);
    } else {
      all = all.filter((each) => each !== at);
      if (chance(0.3)) {
        all.push(at);
        newcomers.enter(at.newcomer, at.key);
      } else newcomers.leave(at.newcomer);
    }
    const counts = new Map<number, number>();
    for (const { key } of all) counts.set(key, (counts.get(key) ?? 0) + 1);
    const most = Math.max(0, ...counts.values());
    if (newcomers.size !== all.length || newcomers.most !== most || newcomers.addresses !== counts.size)
      throw new Error(`step ${step}`);
    const possible = all.filter(({ key }) => most <= FEW || counts.get(key) === most);
    const oldestOf = new Map(possible.toReversed().map(({ key, newcomer }) => [key, newcomer]));
    const expected = most <= FEW ? possible.slice(0, 1).map(({ newcomer }) => newcomer) : [...oldestOf.values()];
    const first = newcomers.first();
    if (first === null ? all.length > 0 : !expected.includes(first)) throw new Error(`step ${step}: the wrong one`);
  }
});
