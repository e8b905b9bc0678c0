// The reference page of the metrics: what the registries of master and workers hold.

import { LABELS } from "../../src/observe/labels.ts";
import { MasterMetrics } from "../../src/observe/master-metrics.ts";
import type { MetricDescription } from "../../src/observe/metric-json.ts";
import { WorkerMetrics } from "../../src/observe/worker-metrics.ts";
import { code, link, table } from "./markdown.ts";

/** Every metric, in alphabetical order. */
export function metrics(): MetricDescription[] {
  const unused = () => {
    throw new Error("nothing is measured here");
  };
  const all = [
    ...new MasterMetrics("").describe(),
    ...new WorkerMetrics(
      unused,
      { counts: { descriptors: 0, "local-ports": 0, "source-addresses": 0 } },
      unused,
    ).describe(),
  ];
  return all.sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function metricsPage(): string {
  const all = metrics();
  const used = new Set(all.flatMap(({ labels }) => labels));
  for (const label of used) if (LABELS[label] === undefined) throw new Error(`the label ${label} is in no description`);
  const histograms = all.filter(({ bounds }) => bounds !== undefined);
  return `# Metrics

What \`/metrics\` serves. How figures are put together, and what is worth an alert, is in [Operations](../operations.md#metrics).

${table(
  ["metric", "type", "unit", "labels", "meaning"],
  all.map(({ name, type, labels, help }) => [code(name), type, unitOf(name), labels.map(code).join(", "), help]),
)}

## Labels

Labels come from the configuration and from fixed sets, never from clients.

${table(
  ["label", "meaning"],
  [...used].sort().map((label) => [code(label), link(LABELS[label]!)]),
)}

## Buckets

Upper bounds of the histograms' buckets, in seconds:

${table(
  ["metric", "bounds"],
  histograms.map(({ name, bounds }) => [code(name), bounds!.join(", ")]),
)}
`;
}

/** Prometheus' names end in the unit. */
function unitOf(name: string): string {
  const base = name.replace(/_total$/, "");
  if (base.endsWith("_timestamp_seconds")) return "Unix time, seconds";
  return ["seconds", "bytes"].find((unit) => base.endsWith(`_${unit}`)) ?? "";
}
