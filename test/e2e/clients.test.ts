// A sample of clients.long.test.ts: one version of each client that people use, through a Sluice with every middleware and every option on.

import { afterAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Kind, MOSQUITTO, MQTT_JS, PAHO_C, PAHO_PYTHON, type Version } from "../support/callers.ts";
import {
  leavesWills,
  listens,
  nothingStays,
  observe,
  publishes,
  TELLS,
  tellsRefusals,
} from "../support/client-suite.ts";
import { guardedEdge } from "../support/guarded-edge.ts";
import { ROOT } from "../support/sluice.ts";

/** A CONNECT with it has a little less than the 65536 bytes that mqttConnect takes. */
const LARGE_WILL = 60_000;

const edge = await guardedEdge();
const observer = await observe(edge);

afterAll(() => edge.sluice.kill());

const SAMPLE: [Kind, Version][] = [
  [MOSQUITTO, "3.1"],
  [MQTT_JS, "3.1.1"],
  [PAHO_PYTHON, "5"],
  [PAHO_C, "5"],
];

for (const [kind, version] of SAMPLE) {
  const name = kind.name.replace(/\W+/g, "");
  test(`${kind.name}, MQTT ${version}: messages of each QoS come and go as they are, and refusals are told`, async () => {
    await Promise.all([
      publishes(edge, observer, kind, version, name),
      listens(edge, observer, kind, version, name),
      tellsRefusals(edge, kind, version, name),
    ]);
  });
}

test("a will of 60 kB comes when the connection breaks, and not after DISCONNECT", async () => {
  await Promise.all([
    leavesWills(edge, observer, MQTT_JS, "5", "js", LARGE_WILL),
    leavesWills(edge, observer, PAHO_PYTHON, "3.1.1", "python", LARGE_WILL),
  ]);
});

test("what the documentation says of each client is what it tells", () => {
  const page = readFileSync(join(ROOT, "docs/mqtt.md"), "utf8");
  const rows = new Map(
    [
      ["mosquitto_pub, mosquitto_sub", MOSQUITTO],
      ["MQTT.js", MQTT_JS],
      ["Paho for Python", PAHO_PYTHON],
      ["paho_c_pub, paho_c_sub", PAHO_C],
    ].map(([name, kind]) => [
      kind as Kind,
      page
        .split("\n")
        .find((line) => line.startsWith(`| ${name} |`))!
        .split("|"),
    ]),
  );
  for (const [kind, cells] of rows)
    for (const version of ["3.1.1", "5"] as const)
      for (const [column, refusal] of [
        [2, "password"],
        [3, "broker"],
      ] as const) {
        const told = String(TELLS[kind.name]!(version, refusal));
        // In words as they are, or at least the code.
        const said = /Connection error: (.*)/.exec(told)?.[1] ?? /\d+/.exec(told)![0];
        expect(cells[column]).toMatch(new RegExp(`\\b${said.replaceAll(".", "\\.")}`));
      }
});

test("nothing of all this stays", async () => {
  expect(await nothingStays(edge)).toEqual([
    "a server is down",
    "all servers of a service are down: clients are sent to them all the same, one after another",
  ]);
});
