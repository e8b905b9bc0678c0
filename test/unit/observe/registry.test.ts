// The text that Prometheus reads is what prom-client writes, and figures of several workers add up as it adds them.

import { expect, test } from "bun:test";
import * as prom from "prom-client";
import { addUp, type MetricJson, onlyTotals } from "../../../src/observe/metric-json.ts";
import * as own from "../../../src/observe/registry.ts";

/** The same calls to both. */
function used({ Counter, Gauge, Registry }: typeof own | typeof prom) {
  const registry = new (Registry as typeof own.Registry)();
  const of = { registers: [registry] };
  const help = 'One "help" with a \\ and\na line feed.';
  const plain = new (Counter as typeof own.Counter)({ name: "plain_total", help, ...of });
  const labelled = new (Counter as typeof own.Counter)({ name: "results_total", help, labelNames: ["b", "a"], ...of });
  new (Gauge as typeof own.Gauge)({ name: "untouched", help, ...of });
  new (Gauge as typeof own.Gauge)({ name: "untouched_labelled", help, labelNames: ["a"], ...of });
  const gauge = new (Gauge as typeof own.Gauge)({ name: "open", help, ...of });
  const gauges = new (Gauge as typeof own.Gauge)({ name: "states", help, labelNames: ["name"], ...of });
  plain.inc();
  plain.inc(2.5);
  labelled.inc({ a: "1", b: "2" });
  labelled.inc({ b: "2", a: "1" }, 3);
  labelled.inc({ a: "", b: 'q"\\\nü' }, 0);
  labelled.inc({ a: "gone", b: "" });
  labelled.remove({ a: "gone", b: "" });
  gauge.set(1e21);
  gauge.inc(-4);
  for (const name of ["x", "y", "x"]) gauges.set({ name }, name.length * 0.1);
  gauges.inc({ name: "x" }, 5);
  return { registry, gauges, gauge };
}

test("counters and gauges", async () => {
  const [ours, theirs] = [used(own), used(prom)];
  const theirText = () => (theirs.registry as unknown as prom.Registry).metrics();
  expect(own.metricsText(ours.registry.toJson())).toBe(await theirText());
  for (const { gauge, gauges } of [ours, theirs]) {
    gauge.reset();
    gauges.reset();
  }
  expect(own.metricsText(ours.registry.toJson())).toBe(await theirText());
});

const histogram = (counts: readonly number[]): MetricJson => ({
  ...{ name: "seconds", help: "h", type: "histogram" },
  values: [
    ...counts.map((value, index) => ({ labels: { le: index + 1, of: "x" }, value, metricName: "seconds_bucket" })),
    { labels: { of: "x" }, value: 1.25, metricName: "seconds_sum" },
    { labels: { of: "x" }, value: 7, metricName: "seconds_count" },
  ],
});

const counter = (name: string, series: Readonly<Record<string, number>>): MetricJson => ({
  ...{ name, help: "h", type: "counter" },
  values: Object.entries(series).map(([of, value]) => ({ labels: { of }, value })),
});

test("the sum of what workers report, each with series of its own", async () => {
  const reports = [
    [counter("a_total", { x: 1, y: 2 }), histogram([1, 2])],
    [counter("a_total", { z: 4, y: 8 }), histogram([3, 4]), counter("b_total", { x: 1 })],
    [],
  ];
  const before = structuredClone(reports);
  const aggregated = reports.map((each) => each.map((metric) => ({ ...metric, aggregator: "sum" })));
  const theirs = prom.AggregatorRegistry.aggregate(aggregated as unknown as prom.MetricObject[][]);
  expect(own.metricsText(addUp(reports))).toBe(await theirs.metrics());
  expect(reports).toEqual(before);
});

test("what a worker had open does not outlive it", () => {
  const gauge: MetricJson = { ...counter("open", { x: 1 }), type: "gauge" };
  const names = onlyTotals([counter("a_total", { x: 1 }), gauge, histogram([1])]).map(({ name }) => name);
  expect(names).toEqual(["a_total", "seconds"]);
});
