// A metric as prom-client's getMetricsAsJSON gives it and its AggregatorRegistry takes it: how workers tell their figures.

import type { Registry } from "prom-client";

export interface MetricJson {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly values: {
    readonly labels: Readonly<Record<string, string | number>>;
    value: number;
    readonly metricName?: string;
  }[];
  readonly aggregator: string;
}

/** A metric without its figures, for the reference. */
export interface MetricDescription {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram's buckets. */
  readonly bounds?: readonly number[];
}

export function describe(registry: Registry): MetricDescription[] {
  const all = registry.getMetricsAsArray() as unknown as (MetricDescription & { readonly labelNames: string[] })[];
  return all.map(({ name, type, help, labelNames }) => ({ name, type, help, labels: labelNames }));
}

/** What outlives a worker: what it counted. What it had open is gone with it. */
export function onlyTotals(metrics: readonly MetricJson[]): MetricJson[] {
  return metrics.filter((metric) => metric.type === "counter" || metric.type === "histogram");
}

/** The sum of two workers' totals, which may have different series. */
export function addTotals(a: readonly MetricJson[], b: readonly MetricJson[]): MetricJson[] {
  const keyOf = (value: MetricJson["values"][number]) =>
    JSON.stringify([value.metricName, Object.entries(value.labels).sort()]);
  return a.map((metric) => {
    const other = b.find((each) => each.name === metric.name);
    const sums = new Map(metric.values.map((value) => [keyOf(value), { ...value }]));
    for (const value of other?.values ?? []) {
      const sum = sums.get(keyOf(value));
      if (sum === undefined) sums.set(keyOf(value), { ...value });
      else sum.value += value.value;
    }
    return { ...metric, values: [...sums.values()] };
  });
}
