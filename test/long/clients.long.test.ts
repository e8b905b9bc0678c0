// The clients that people use, in every version that they speak, through a Sluice with every middleware and every option on: all that MQTT
// gives them they have there too.

import { afterAll, expect, test } from "bun:test";
import { KINDS, type Kind, type Version } from "../support/callers.ts";
import {
  leavesWills,
  listens,
  nothingStays,
  observe,
  publishes,
  resumes,
  tellsRefusals,
} from "../support/client-suite.ts";
import { guardedEdge } from "../support/guarded-edge.ts";

/** A CONNECT with it has a little less than the 65536 bytes that mqttConnect takes. */
const LARGE_WILL = 60_000;

const edge = await guardedEdge();
const observer = await observe(edge);

afterAll(() => edge.sluice.kill());

const each = KINDS.flatMap((kind, at) =>
  kind.versions.map((version) => [kind.name, version, kind, `k${at}-${version}`] as [string, Version, Kind, string]),
);

test.each(each)("%s, MQTT %s", async (_, version, kind, name) => {
  await Promise.all([
    publishes(edge, observer, kind, version, name),
    listens(edge, observer, kind, version, name),
    leavesWills(edge, observer, kind, version, name, LARGE_WILL),
    kind.keepsSessions ? resumes(edge, observer, kind, version, name) : null,
    tellsRefusals(edge, kind, version, name),
  ]);
});

test("nothing of all this stays, and nothing goes wrong", async () => {
  expect(await nothingStays(edge)).toEqual(["certificate-expires-soon", "cannot reach the server"]);
});
