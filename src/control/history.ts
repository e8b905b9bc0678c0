// The last quarter of an hour in a few sums, so that who opens the dashboard in the middle of a storm sees how it began. It adds up what
// workers tell anyway; nobody is asked.

import type { Sample } from "../api/sources.ts";
import type { MetricJson } from "../observe/metric-json.ts";
import { isRefusal } from "../observe/refusals.ts";

export const SAMPLE_MS = 5000;
const SAMPLES = 180;

export class History {
  readonly #told: () => readonly (readonly MetricJson[])[];
  readonly #samples: Sample[] = [];
  readonly #timer: ReturnType<typeof setInterval>;

  /** `told` gives what each worker told last, and those that are gone. */
  constructor(told: () => readonly (readonly MetricJson[])[]) {
    this.#told = told;
    this.#timer = setInterval(() => this.#take(), SAMPLE_MS);
    this.#timer.unref();
  }

  /** The oldest first. */
  get samples(): readonly Sample[] {
    return this.#samples;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #take(): void {
    this.#samples.push(sampleOf(this.#told(), Date.now()));
    if (this.#samples.length > SAMPLES) this.#samples.shift();
  }
}

/** Sums over everything; all but `open` only grow. */
export function sampleOf(told: readonly (readonly MetricJson[])[], at: number): Sample {
  const sum = { at, open: 0, ended: 0, refused: 0, handshakes: 0, handshakeFailures: 0, bytesIn: 0, bytesOut: 0 };
  for (const { name, values } of told.flat()) {
    for (const { labels, value, metricName } of values) {
      switch (name) {
        case "sluice_entrypoint_open_connections":
          sum.open += value;
          break;
        case "sluice_connections_total":
          sum.ended += value;
          if (isRefusal(String(labels.result))) sum.refused += value;
          break;
        case "sluice_tls_handshake_duration_seconds":
          if (metricName?.endsWith("_count")) sum.handshakes += value;
          break;
        case "sluice_tls_handshake_failures_total":
          sum.handshakeFailures += value;
          break;
        case "sluice_router_bytes_total":
          if (labels.direction === "in") sum.bytesIn += value;
          else sum.bytesOut += value;
      }
    }
  }
  return sum;
}
