// Figures of /api/sluice/figures, added up, and what two looks at them make: rates.

import { isRefusal } from "../../observe/refusals.ts";
import type { Figure, Sample } from "./answers.ts";

/** The figures that are asked for. */
export const NAMES = [
  "sluice_entrypoint_open_connections",
  "sluice_connections_total",
  "sluice_tls_handshake_duration_seconds",
  "sluice_router_bytes_total",
  "sluice_router_open_connections",
].join(",");

/** How long a quarter of an hour is, and what is kept of it. Milliseconds. */
const KEPT_MS = 15 * 60_000;
const SAMPLE_MS = 5000;

/** Everything at one moment. */
export interface Look {
  readonly sample: Sample;
  /** Refused connections by reason, since Sluice has started. */
  readonly refused: ReadonlyMap<string, number>;
  /** Of routers: open connections, and bytes both ways. */
  readonly routers: ReadonlyMap<string, { readonly open: number; readonly bytes: number }>;
}

export function lookAt(at: string, figures: readonly Figure[]): Look {
  const sum = { at: Date.parse(at), open: 0, ended: 0, refused: 0, handshakes: 0, bytesIn: 0, bytesOut: 0 };
  const refused = new Map<string, number>();
  const routers = new Map<string, { open: number; bytes: number }>();
  const routerOf = ({ labels }: Figure) => {
    const name = String(labels.router);
    const known = routers.get(name) ?? { open: 0, bytes: 0 };
    routers.set(name, known);
    return known;
  };
  for (const figure of figures) {
    const { name, labels, value } = figure;
    if (name === "sluice_entrypoint_open_connections") sum.open += value;
    else if (name === "sluice_tls_handshake_duration_seconds_count") sum.handshakes += value;
    else if (name === "sluice_router_open_connections") routerOf(figure).open += value;
    else if (name === "sluice_router_bytes_total") {
      routerOf(figure).bytes += value;
      if (labels.direction === "in") sum.bytesIn += value;
      else sum.bytesOut += value;
    } else if (name === "sluice_connections_total") {
      sum.ended += value;
      const reason = String(labels.result);
      if (value === 0 || !isRefusal(reason as Parameters<typeof isRefusal>[0])) continue;
      sum.refused += value;
      refused.set(reason, (refused.get(reason) ?? 0) + value);
    }
  }
  return { sample: sum, refused, routers };
}

/** The samples with another one, where the last is old enough; those that are too old go, and all do when Sluice has started anew. */
export function withSample(samples: readonly Sample[], next: Sample): readonly Sample[] {
  const last = samples.at(-1);
  if (last !== undefined && (next.ended < last.ended || next.bytesIn < last.bytesIn)) return [next];
  if (last !== undefined && next.at - last.at < SAMPLE_MS) return samples;
  return [...samples.filter(({ at }) => at > next.at - KEPT_MS), next];
}

/** What is told by how much it grows. */
export type Growing = "accepted" | "handshakes" | "refused" | "bytesIn" | "bytesOut";

function totalOf(sample: Sample, what: Growing): number {
  return what === "accepted" ? sample.open + sample.ended : sample[what];
}

/** Per second; null: there is no time between them. */
export function rateOf(before: Sample | undefined, now: Sample | undefined, what: Growing): number | null {
  if (before === undefined || now === undefined || now.at <= before.at) return null;
  return Math.max(0, ((totalOf(now, what) - totalOf(before, what)) / (now.at - before.at)) * 1000);
}

export function ratesOf(samples: readonly Sample[], what: Growing): number[] {
  return samples.slice(1).map((sample, at) => rateOf(samples[at], sample, what) ?? 0);
}
