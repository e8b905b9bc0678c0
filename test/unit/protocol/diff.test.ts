// A reload sends a worker exactly what changed, in parts of bounded size, and applying the parts gives the new snapshot.

import { expect, test } from "bun:test";
import { diff, NO_ROWS, type Part, type RowMap } from "../../../src/protocol/diff.ts";
import { type Row, rowKey } from "../../../src/protocol/messages.ts";

const router = (name: string, priority = 1): Row => ({
  kind: "router",
  name,
  value: {
    entryPoints: ["mqtts"],
    rule: { kind: "any" },
    priority,
    action: { kind: "plain" },
    middlewares: [],
    service: "s",
  },
});
const certificate = (name: string, size: number): Row => ({
  kind: "certificate",
  name,
  value: { hash: name, cert: "c".repeat(size), key: "k", keyType: "p256", names: [name] },
});
const rows = (...list: Row[]): RowMap => new Map(list.map((row) => [rowKey(row), row]));

function apply(before: RowMap, parts: readonly Part[]): RowMap {
  const after = new Map(before);
  for (const { put, drop } of parts) {
    for (const row of put) after.set(rowKey(row), row);
    for (const key of drop) after.delete(key);
  }
  return after;
}

test("equal snapshots need nothing, also when they are other objects", () => {
  expect(diff(rows(router("a"), certificate("c", 10)), rows(router("a"), certificate("c", 10)))).toEqual([]);
  expect(diff(NO_ROWS, NO_ROWS)).toEqual([]);
});

test("only what is new or changed is put, only what is gone is dropped", () => {
  const before = rows(router("same"), router("changed"), router("gone"), certificate("c", 10));
  const after = rows(router("same"), router("changed", 2), router("new"), certificate("c", 10));
  expect(diff(before, after)).toEqual([{ put: [router("changed", 2), router("new")], drop: ["router/gone"] }]);
});

test("rows of two kinds with one name are two rows", () => {
  const service: Row = { kind: "service", name: "a", value: { kind: "weighted", services: [] } };
  expect(diff(rows(router("a"), service), rows(router("a")))).toEqual([{ put: [], drop: ["service/a"] }]);
});

test("everything at once goes in parts of bounded size and arrives whole", () => {
  const before = rows(...Array.from({ length: 300 }, (_, i) => router(`old${i}`)));
  const after = rows(...Array.from({ length: 500 }, (_, i) => certificate(`c${i}`, 3000)));
  const parts = diff(before, after);
  expect(apply(before, parts)).toEqual(after);
  const sizes = parts.map(({ put }) =>
    put.reduce((sum, row) => sum + (row.kind === "certificate" ? row.value.cert.length : 0), 0),
  );
  expect(Math.max(...sizes)).toBeLessThan(140 * 1024);
  expect(parts.length).toBeGreaterThan(10);
});

test("what is dropped is dropped even when the last part is full", () => {
  // One row that fills a part by itself: nothing is left to put beside the drops.
  const before = rows(router("gone"));
  const after = rows(certificate("c", 200 * 1024));
  expect(apply(before, diff(before, after))).toEqual(after);
});
