// Medians, spreads and percentiles. Nothing here knows what is being measured.

/** A figure over its repetitions. */
export interface Figure {
  median: number;
  min: number;
  max: number;
  values: number[];
}

/** The median of repetitions with its whole spread; five values are too few to drop any as outliers. */
export function figure(values: readonly number[]): Figure {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)!, values: [...values] };
}

/** Percentiles of a set of samples by nearest rank; NaN when there are none. */
function percentiles<K extends string>(samples: Float64Array, wanted: Record<K, number>): Record<K, number> {
  const sorted = samples.toSorted();
  const out = {} as Record<K, number>;
  for (const key in wanted) {
    const rank = Math.max(0, Math.ceil((wanted[key] / 100) * sorted.length) - 1);
    out[key] = sorted[rank] ?? Number.NaN;
  }
  return out;
}

/** The p50, p99 and p99.9 that most rows report, in the unit of the samples. */
export function usual(samples: Float64Array): { p50: number; p99: number; p999: number } {
  return percentiles(samples, { p50: 50, p99: 99, p999: 99.9 });
}
