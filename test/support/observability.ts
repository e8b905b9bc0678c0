// What deploy/ asks Prometheus, and what the documentation says that there is to ask for.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { ROOT } from "./sluice.ts";

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

export interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string; readonly runbook: string };
}

export const rules: readonly Rule[] = parse(read("deploy/prometheus/alerts.yml")).groups.flatMap(
  (group: { rules: Rule[] }) => group.rules,
);

export interface Target {
  readonly expr: string;
  readonly legendFormat: string;
  readonly datasource: unknown;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: unknown;
  readonly targets?: readonly Target[];
  readonly options?: unknown;
}

export const dashboard = JSON.parse(read("deploy/grafana/dashboards/sluice.json"));
export const panels: readonly Panel[] = dashboard.panels;

export interface Question {
  readonly where: string;
  readonly expr: string;
}

/** Every expression of the rules and of the dashboard, variables replaced as Grafana does. */
export const questions: readonly Question[] = [
  ...rules.map(({ alert, expr }) => ({ where: `alert ${alert}`, expr })),
  ...panels.flatMap(({ title, targets }) => (targets ?? []).map(({ expr }) => ({ where: `panel ${title}`, expr }))),
  ...dashboard.annotations.list.flatMap(({ name, expr }: { name: string; expr?: string }) =>
    expr === undefined ? [] : [{ where: `annotation ${name}`, expr }],
  ),
].map(({ where, expr }) => ({ where, expr: expr.replaceAll("$instance", ".*").replaceAll("$__rate_interval", "1m") }));

export interface MetricRow {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
}

const operations = read("docs/operations.md");

/** The table of metrics. */
export const metricRows: readonly MetricRow[] = [
  ...read("docs/reference/metrics.md").matchAll(/^\| `(sluice_\w+)` \| (\w+) \|[^|]*\|([^|]*)\|/gm),
].map(([, name, type, labels]) => ({
  name: name!,
  type: type!,
  labels: [...labels!.matchAll(/`(\w+)`/g)].map((match) => match[1]!),
}));

/** The reasons, which are the values of the label `result`. */
export const results: readonly string[] = [
  ...operations
    .split("\n## How a connection ends\n")[1]!
    .split("\n## ")[0]!
    .matchAll(/^\| `([\w-]+)` \|/gm),
].map((match) => match[1]!);

/** The anchors of docs/operations.md. */
export const anchors: readonly string[] = [...operations.matchAll(/^#+ (.+)$/gm)].map((match) =>
  match[1]!.toLowerCase().replace(/ /g, "-"),
);

/** Which metrics an expression asks for, under the names of the table. */
export function metricsIn(expr: string): string[] {
  const names = [...expr.matchAll(/\bsluice_\w+/g)].map((match) => match[0]);
  const histograms = metricRows.filter(({ type }) => type === "histogram").map(({ name }) => name);
  return names.map((name) => {
    const base = name.replace(/_(bucket|sum|count)$/, "");
    return histograms.includes(base) ? base : name;
  });
}
