// Counters and gauges, and the text that Prometheus reads. Our own, because the usual library takes 4 MB in each process that loads it;
// tests hold the text to what that one writes.

import type { MetricDescription, MetricJson } from "./metric-json.ts";

type Labels = Readonly<Record<string, string>>;

const NONE: Labels = {};

interface MetricOptions<L extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly L[];
  readonly registers: readonly Registry[];
}

/** A metric and its series. One without labels has its series from the start. */
abstract class Metric<L extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly L[];
  abstract readonly type: "counter" | "gauge";
  readonly #series = new Map<string, { readonly labels: Labels; value: number }>();

  constructor({ name, help, labelNames = [], registers }: MetricOptions<L>) {
    this.name = name;
    this.help = help;
    this.labelNames = labelNames;
    this.reset();
    for (const registry of registers) registry.add(this);
  }

  inc(by?: number): void;
  inc(labels: Readonly<Record<L, string>>, by?: number): void;
  inc(first: Labels | number = 1, by = 1): void {
    if (typeof first === "number") this.seriesOf(NONE).value += first;
    else this.seriesOf(first).value += by;
  }

  /** Forgets a series. */
  remove(labels: Readonly<Record<L, string>>): void {
    this.#series.delete(this.#keyOf(labels));
  }

  /** Forgets all series. */
  reset(): void {
    this.#series.clear();
    if (this.labelNames.length === 0) this.seriesOf(NONE);
  }

  describe(): MetricDescription {
    return { name: this.name, type: this.type, help: this.help, labels: this.labelNames };
  }

  toJson(): MetricJson {
    const values = Array.from(this.#series.values(), ({ labels, value }) => ({ labels, value }));
    return { name: this.name, help: this.help, type: this.type, values };
  }

  protected seriesOf(labels: Labels): { value: number } {
    const key = this.#keyOf(labels);
    let series = this.#series.get(key);
    if (series === undefined) this.#series.set(key, (series = { labels, value: 0 }));
    return series;
  }

  #keyOf(labels: Labels): string {
    let key = "";
    for (const name of this.labelNames) key += `${labels[name]}\0`;
    return key;
  }
}

export class Counter<L extends string = never> extends Metric<L> {
  override readonly type = "counter";
}

export class Gauge<L extends string = never> extends Metric<L> {
  override readonly type = "gauge";

  set(value: number): void;
  set(labels: Readonly<Record<L, string>>, value: number): void;
  set(first: Labels | number, value = 0): void {
    if (typeof first === "number") this.seriesOf(NONE).value = first;
    else this.seriesOf(first).value = value;
  }
}

type Told = Pick<Metric<string>, "describe" | "toJson">;

/** Metrics that are told together, in the order in which they were made. */
export class Registry {
  readonly #metrics: Told[] = [];

  add(metric: Told): void {
    this.#metrics.push(metric);
  }

  describe(): MetricDescription[] {
    return this.#metrics.map((metric) => metric.describe());
  }

  toJson(): MetricJson[] {
    return this.#metrics.map((metric) => metric.toJson());
  }
}

/** Prometheus' text format (version 0.0.4). */
export function metricsText(metrics: readonly MetricJson[]): string {
  return `${metrics.map(textOf).join("\n\n")}\n`;
}

function textOf({ name, help, type, values }: MetricJson): string {
  const lines = [`# HELP ${name} ${escaped(help)}`, `# TYPE ${name} ${type}`];
  for (const { labels, value, metricName = name } of values) lines.push(`${metricName}${labelsText(labels)} ${value}`);
  return lines.join("\n");
}

function labelsText(labels: MetricJson["values"][number]["labels"]): string {
  const parts = Object.entries(labels).map(
    ([name, value]) => `${name}="${escaped(String(value)).replace(/"/g, '\\"')}"`,
  );
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}

function escaped(text: string): string {
  return text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n");
}
