// Histograms that cost an increment. Observed for every connection; made into series only when they are collected.

import type { MetricDescription, MetricJson } from "./metric-json.ts";

interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** One for each bound, and one for what is above all of them. */
  readonly counts: Float64Array;
  sum: number;
}

export class Buckets {
  readonly #name: string;
  readonly #help: string;
  readonly #labels: readonly string[];
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, Series>();

  /** `bounds` are upper bounds in seconds, ascending. */
  constructor(name: string, help: string, labels: readonly string[], bounds: readonly number[]) {
    this.#name = name;
    this.#help = help;
    this.#labels = labels;
    this.#bounds = bounds;
  }

  /** Adds to the series `key`; `labelsOf` is asked for its labels when the series is new. It is no closure: this is done for every client. */
  observe<T>(key: string, seconds: number, labelsOf: (of: T) => Record<string, string>, of: T): void {
    const series = this.#series.get(key) ?? this.#begin(key, labelsOf(of));
    const bounds = this.#bounds;
    let index = 0;
    while (index < bounds.length && seconds > bounds[index]!) index++;
    series.counts[index]!++;
    series.sum += seconds;
  }

  #begin(key: string, labels: Record<string, string>): Series {
    const series = { labels, counts: new Float64Array(this.#bounds.length + 1), sum: 0 };
    this.#series.set(key, series);
    return series;
  }

  /** Forgets the other series. */
  keep(isKnown: (key: string) => boolean): void {
    for (const key of this.#series.keys()) if (!isKnown(key)) this.#series.delete(key);
  }

  describe(): MetricDescription {
    return { name: this.#name, type: "histogram", help: this.#help, labels: this.#labels, bounds: this.#bounds };
  }

  toJson(): MetricJson {
    const values: MetricJson["values"] = [];
    for (const { labels, counts, sum } of this.#series.values()) {
      let total = 0;
      for (const [index, count] of counts.entries()) {
        total += count;
        const le = this.#bounds[index] ?? "+Inf";
        values.push({ labels: { le, ...labels }, value: total, metricName: `${this.#name}_bucket` });
      }
      values.push({ labels, value: sum, metricName: `${this.#name}_sum` });
      values.push({ labels, value: total, metricName: `${this.#name}_count` });
    }
    return { name: this.#name, help: this.#help, type: "histogram", values };
  }
}
