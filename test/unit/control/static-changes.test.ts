// What differs between two static configurations is named, at most two words deep.

import { expect, test } from "bun:test";
import { Diagnostics } from "../../../src/config/diagnostics.ts";
import { parseStatic } from "../../../src/config/static.ts";
import { changedFields } from "../../../src/control/static-changes.ts";

const value = (text: string) => parseStatic("sluice.yml", text, new Diagnostics())!.value;
const BASE = `entryPoints: { mqtts: { address: ":8883" } }\nlog: { level: info }\n`;

test("the same, written otherwise, has not changed", () => {
  expect(
    changedFields(value(BASE), value(`log: {level: INFO}\n# moved\nentryPoints: {mqtts: {address: ":8883"}}\n`)),
  ).toEqual([]);
});

test("what has come, gone and changed is named", () => {
  const after = `entryPoints: { other: { address: ":8883", transport: { keepAlive: 5m } } }\nlog: { level: debug }\nping: {}\n`;
  expect(changedFields(value(BASE), value(after)).sort()).toEqual([
    "entryPoints.mqtts",
    "entryPoints.other",
    "entryPoints.traefik",
    "log.level",
    "ping",
  ]);
  expect(changedFields(value(BASE), value(`${BASE}workers: 3\n`))).toEqual(["workers"]);
});
