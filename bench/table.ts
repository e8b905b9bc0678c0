// Writes a results file as the tables of docs/performance.md: what stands between its two markers is replaced.
// `bun bench/table.ts RESULTS.json [DOCUMENT.md]`
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Results } from "./report.ts";
import { REFERENCE, type RowResult } from "./runner.ts";
import type { Figure } from "./stats.ts";

const BEGIN = "<!-- figures: bun bench/table.ts -->";
const END = "<!-- end of figures -->";

/** The tables: every row's primary figure for all peers, then what grows with the configuration. */
export function tables(results: Results): string {
  const { machine, peers, rows, floor } = results;
  const names = Object.keys(peers);
  const grown = Object.entries(rows).filter(([, row]) => Object.values(row.columns).some(isGrowth));
  const flat = Object.entries(rows).filter(([id]) => !grown.some(([other]) => other === id));
  const memory = Math.round(machine.memoryMB / 1000);
  return [
    `${machine.cpu}, ${machine.cores} cores, ${memory} GB, Linux ${machine.kernel}, ${results.when.slice(0, 10)}.`,
    "",
    ...names.map((name) => `- ${name}: ${peers[name]!.version.replace(/ - https.*$/, "")}; ${peers[name]!.note}`),
    ...Object.entries(floor).map(([name, text]) => `- crypto alone, ${name}: ${text.replaceAll("|", "/")}`),
    "",
    "Each cell is the median with the lowest and the highest repetition, and behind it the median ratio to HAProxy.",
    "",
    line(["what", ...names]),
    line(["---", ...names.map(() => "---")]),
    ...flat.map(([, row]) => {
      const metric = primary(row);
      return line([`${row.title}, ${row.metrics[metric]!.unit}`, ...names.map((name) => cellOf(row, name, metric))]);
    }),
    "",
    ...grown.flatMap(([, row]) => growthTable(row)),
  ].join("\n");
}

function growthTable(row: RowResult): string[] {
  const metrics = Object.keys(row.metrics);
  return [
    line([row.title, ...metrics.map((metric) => row.metrics[metric]!.unit)]),
    line(["---", ...metrics.map(() => "---")]),
    ...Object.keys(row.columns).map((column) =>
      line([column, ...metrics.map((metric) => figureText(row.columns[column]!.figures[metric]))]),
    ),
    "",
  ];
}

function isGrowth(column: RowResult["columns"][string]): boolean {
  return Object.keys(column.growth).length > 0;
}

function primary(row: RowResult): string {
  return Object.keys(row.metrics).find((metric) => row.metrics[metric]!.primary) ?? Object.keys(row.metrics)[0]!;
}

function cellOf(row: RowResult, peer: string, metric: string): string {
  const column = row.columns[peer];
  if (column === undefined) return "";
  if (column.failure !== null) return "failed";
  const ratio = column.ratios[metric];
  const behind = ratio === undefined || peer === REFERENCE ? "" : `, **${ratio.median.toFixed(2)}**`;
  return `${figureText(column.figures[metric])}${behind}`;
}

function figureText(figure: Figure | undefined): string {
  if (figure === undefined) return "";
  const short = (value: number): string =>
    Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
  return `${short(figure.median)} [${short(figure.min)}..${short(figure.max)}]`;
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

if (import.meta.main) {
  const [from, document = join(import.meta.dir, "../docs/performance.md")] = process.argv.slice(2);
  if (from === undefined) {
    console.error("bun bench/table.ts RESULTS.json [DOCUMENT.md]");
    process.exit(2);
  }
  const text = readFileSync(document, "utf8");
  const [start, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (start < 0 || end < start) throw new Error(`${document} lacks the markers ${BEGIN} and ${END}`);
  const figures = tables(JSON.parse(readFileSync(from, "utf8")) as Results);
  writeFileSync(document, `${text.slice(0, start)}${BEGIN}\n${figures}\n${text.slice(end)}`);
}
