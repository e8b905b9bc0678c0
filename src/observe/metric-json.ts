// A metric with its figures, as workers tell them to the master, and how figures of several processes are added up.

export interface MetricJson {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly values: {
    readonly labels: Readonly<Record<string, string | number>>;
    readonly value: number;
    /** Where it is not the metric's own: of a histogram's parts. */
    readonly metricName?: string;
  }[];
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

/** What outlives a worker: what it counted. What it had open is gone with it. */
export function onlyTotals(metrics: readonly MetricJson[]): MetricJson[] {
  return metrics.filter((metric) => metric.type === "counter" || metric.type === "histogram");
}

/** The sum of all series of a metric; 0 where there is none. */
export function sumOf(metrics: readonly MetricJson[], name: string): number {
  const values = metrics.find((metric) => metric.name === name)?.values ?? [];
  return values.reduce((sum, { value }) => sum + value, 0);
}

/** What all report together; each may have metrics and series that others have not. */
export function addUp(reports: readonly (readonly MetricJson[])[]): MetricJson[] {
  const sums = new Map<
    string,
    { metric: MetricJson; values: Map<string, { -readonly [K in keyof Value]: Value[K] }> }
  >();
  for (const metric of reports.flat()) {
    let sum = sums.get(metric.name);
    if (sum === undefined) sums.set(metric.name, (sum = { metric, values: new Map() }));
    for (const value of metric.values) {
      const key = keyOf(value);
      const known = sum.values.get(key);
      if (known === undefined) sum.values.set(key, { ...value });
      else known.value += value.value;
    }
  }
  return Array.from(sums.values(), ({ metric, values }) => ({ ...metric, values: [...values.values()] }));
}

type Value = MetricJson["values"][number];

/** The labels of a metric come always in the same order. */
function keyOf({ metricName = "", labels }: Value): string {
  let key = metricName;
  for (const name in labels) key += `\0${labels[name]}`;
  return key;
}
