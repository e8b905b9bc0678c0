// A metric as prom-client's getMetricsAsJSON gives it and its AggregatorRegistry takes it: how workers tell their figures.

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
