// The index of an authority: what its whole lines add up to, at whatever byte it ends.

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Event, eventOf, HEADER, lineOf } from "../../../src/authority/events.ts";
import { IndexDamaged, IndexFile } from "../../../src/authority/index-file.ts";
import { temporaryDirectory } from "../../support/tools.ts";

const AT = Date.parse("2026-11-26T03:24:36Z");
const EVENTS: readonly Event[] = [
  { kind: "list", at: AT, number: 1, nextUpdate: AT + 1000 },
  {
    ...{ kind: "issued", at: AT, serial: "A1", purpose: "server", notAfter: AT + 86_400_000 },
    ...{ commonName: "", names: ["DNS:a.example", "IP:::1"] },
  },
  {
    ...{ kind: "issued", at: AT, serial: "B2", purpose: "client", notAfter: AT },
    ...{ commonName: "Gerät 7 🚀", names: ["URI:urn:sluice:client:Ger%C3%A4t"] },
  },
  { kind: "revoked", at: AT, serial: "B2", reason: "keyCompromise" },
  { kind: "list", at: AT, number: 2, nextUpdate: AT },
];
const directory = temporaryDirectory();
const path = join(directory, "index.txt");

test("an event is the same after it was written and read", () => {
  for (const event of EVENTS) expect(eventOf(lineOf(event).slice(0, -1))).toEqual(event);
});

test("no part of a line is an event, but for one that is whole", () => {
  for (const event of EVENTS) {
    const line = lineOf(event).slice(0, -1);
    expect(eventOf(`${line}\tmore`)).toBeNull();
    expect(eventOf(` ${line}`)).toBeNull();
  }
});

test("at whatever byte it ends, its whole lines count, and the next event goes behind them", () => {
  const whole = Buffer.from(HEADER + EVENTS.map(lineOf).join(""));
  const next: Event = { ...(EVENTS[1] as Extract<Event, { kind: "issued" }>), serial: "C3" };
  for (let length = 0; length <= whole.length; length++) {
    const cut = whole.subarray(0, length);
    writeFileSync(path, cut);
    const lines = cut.toString("latin1").split("\n").slice(0, -1);
    const count = lines.filter((line) => line.includes("\tissued\t")).length;
    expect(new IndexFile(path).read().entries.size).toBe(count);
    new IndexFile(path).append([next]);
    const written = readFileSync(path);
    const kept = cut.lastIndexOf("\n") + 1;
    expect(written.subarray(0, kept)).toEqual(Buffer.from(cut.subarray(0, kept)));
    expect(written.subarray(kept).toString()).toBe(lineOf(next));
  }
});

test("what others append is read at the next look, and an older copy that is put back is read anew", () => {
  writeFileSync(path, HEADER + EVENTS.slice(0, 2).map(lineOf).join(""));
  const index = new IndexFile(path);
  expect(index.read().entries.size).toBe(1);
  new IndexFile(path).append([EVENTS[2]!]);
  expect(index.read().entries.size).toBe(2);
  new IndexFile(path).append([EVENTS[3]!]);
  expect(index.read().listIsBehind).toBe(true);
  new IndexFile(path).append([EVENTS[4]!]);
  expect(index.read()).toMatchObject({ listIsBehind: false, list: { number: 2 } });
  writeFileSync(path, HEADER + lineOf(EVENTS[1]!));
  expect([...index.read().entries.keys()]).toEqual(["A1"]);
});

test.each([
  ["a line that is no event", "2026-11-26T03:24:36Z\tdeleted\tA1\n"],
  ["a serial number that was issued before", lineOf(EVENTS[1]!)],
  ["a revocation of what was not issued", lineOf({ ...EVENTS[3], serial: "D4" } as Event)],
  ["bytes that are zero", "\0\0\0\0\n"],
  ["a date that no calendar has", lineOf(EVENTS[1]!).replace("2026-11-26", "2026-13-26").replace("A1", "A2")],
])("%s is an error with its line", (_, line) => {
  writeFileSync(path, HEADER + EVENTS.map(lineOf).join("") + line);
  for (let again = 0; again < 2; again++) {
    const index = new IndexFile(path);
    expect(() => index.read()).toThrow(IndexDamaged);
    expect(() => index.read()).toThrow(`${path}:8: this is no event of an index`);
    expect(() => index.append([EVENTS[4]!])).toThrow(IndexDamaged);
  }
});
