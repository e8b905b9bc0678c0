// Prints the table and stores the results.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { RowResult } from "./runner.ts";
import type { Figure } from "./stats.ts";

/** What bench/results/*.json holds. */
export interface Results {
  when: string;
  machine: { cpu: string; cores: number; kernel: string; memoryMB: number };
  options: Record<string, unknown>;
  /** By peer: its version line and how it was configured. */
  peers: Record<string, { version: string; note: string }>;
  rows: Record<string, RowResult>;
  /** What nothing can go below on this machine: `openssl speed`, by algorithm. */
  floor: Record<string, string>;
}

/** A row as text: a line per peer, median with [min..max], and the ratio to HAProxy behind it. */
export function rowText(id: string, row: RowResult): string {
  const names = Object.keys(row.metrics);
  const header = ["", ...names.map((name) => `${name} (${row.metrics[name]!.unit})`)];
  const lines = Object.entries(row.columns).map(([peer, column]) => {
    if (column.failure !== null) return [peer, `FAILED: ${column.failure}`];
    const flags = Object.entries(column.flags).map(([flag, times]) => `${flag} x${times}`);
    const cells = names.map((name) => cell(column.figures[name], column.ratios[name], column.growth[name]));
    return [peer, ...cells, flags.join(" ")];
  });
  const facts = Object.values(row.columns)
    .flatMap((column) => Object.values(column.facts))
    .filter((fact, i, all) => fact !== "" && all.indexOf(fact) === i);
  const extra = facts.length > 0 ? `   (${facts.join("; ")})` : "";
  return `\n${id}: ${row.title}${extra}  ${row.seconds.toFixed(0)} s\n${table([header, ...lines])}`;
}

/** The floor as text. */
export function floorText(floor: Results["floor"]): string {
  return `\nfloor: crypto alone\n${table(Object.entries(floor))}`;
}

/** Writes the results as JSON. */
export function store(file: string, results: Results): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(results, null, 1)}\n`);
}

function cell(value: Figure | undefined, ratio: Figure | undefined, growth: Figure | undefined): string {
  if (!value) return "-";
  const spread = `${short(value.median)} [${short(value.min)}..${short(value.max)}]`;
  const versus = ratio ? ` ${ratio.median.toFixed(2)}x` : "";
  return `${spread}${versus}${growth ? ` (grew ${growth.median.toFixed(2)}x)` : ""}`;
}

/** Three digits where they say something, whole numbers above. */
function short(value: number): string {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

function table(lines: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  // A failure's text is a line of its own and widens nothing.
  for (const line of lines) {
    if (line.length > 2) for (const [i, text] of line.entries()) widths[i] = Math.max(widths[i] ?? 0, text.length);
    else widths[0] = Math.max(widths[0] ?? 0, line[0]!.length);
  }
  return lines.map((line) => `  ${line.map((text, i) => text.padEnd(widths[i] ?? 0)).join("  ")}`.trimEnd()).join("\n");
}
