// The storms of the bench, small, with Sluice alone: whatever goes on, all clients come back, nobody who is connected is lost or left without
// a PINGRESP, and no more handshakes begin than the rate allows. How long a PINGRESP takes is measured by the bench, beside HAProxy.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Results } from "../../bench/report.ts";
import { ROOT } from "../support/sluice.ts";
import { temporaryDirectory } from "../support/tools.ts";

/** The others are variants, and run by hand: they take minutes. */
const ROWS = ["storm-back", "storm-at-once", "storm-one-address", "ban"];
/** Of the rows: handshakes per second, and at once. */
const [RATE, BURST] = [500, 50];
const CLIENTS: Record<string, number> = { "storm-back": 500, "storm-at-once": 500 };

test("in storms and floods all clients come back, nobody who is connected is lost, and handshakes keep their rate", async () => {
  const out = join(temporaryDirectory(), "results.json");
  const options = ["--quick", "--no-floor", "--no-pin", "--reps", "1", "--peers", "sluice", "--out", out];
  const bench = Bun.spawn([process.execPath, join(ROOT, "bench/run.ts"), ...options, "--rows", ROWS.join(",")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const stderr = await new Response(bench.stderr).text();
  expect(await bench.exited, stderr).toBe(0);
  const { rows } = JSON.parse(readFileSync(out, "utf8")) as Results;
  expect(Object.keys(rows)).toEqual(ROWS);
  for (const [row, clients] of Object.entries(CLIENTS))
    expect(rows[row]!.columns.sluice!.figures.back!.median).toBeGreaterThan((clients - BURST) / RATE - 0.1);
}, 400_000);
