// Draws a results file as SVG: for each row the primary figure of every peer as a ratio to HAProxy.
// `bun bench/draw.ts [RESULTS.json] [OUT.svg] [--peers sluice,nginx,...]`
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Results } from "./report.ts";
import { REFERENCE } from "./runner.ts";

/** Pixels. */
const LABEL = 300;
const PLOT = 420;
const BAR = 13;
const GAP = 12;
const TOP = 46;

/** Bars end here, with their value written behind them: most of what matters lies below 1. */
const LONGEST_RATIO = 2;

/** One bar. */
interface Bar {
  peer: string;
  ratio: number;
}

/** The rows of a results file that have ratios, with the bars of the wanted peers. */
function groups(results: Results, wanted: readonly string[] | null): { title: string; bars: Bar[] }[] {
  return Object.values(results.rows).flatMap((row) => {
    const primary = Object.keys(row.metrics).find((metric) => row.metrics[metric]!.primary);
    const bars = Object.entries(row.columns).flatMap(([peer, column]): Bar[] => {
      const ratio = primary ? column.ratios[primary]?.median : undefined;
      const name = peer.split(" ")[0]!;
      if (ratio === undefined || name === REFERENCE || (wanted && !wanted.includes(name))) return [];
      return [{ peer, ratio }];
    });
    return bars.length > 0 ? [{ title: `${row.title}, ${row.metrics[primary!]!.unit}`, bars }] : [];
  });
}

/** The picture. Colours follow the reader's light or dark scheme. */
function draw(results: Results, wanted: readonly string[] | null): string {
  const parts: string[] = [];
  let y = TOP;
  const x = (ratio: number): number => LABEL + (Math.min(ratio, LONGEST_RATIO) / LONGEST_RATIO) * PLOT;
  for (const group of groups(results, wanted)) {
    parts.push(`<text x="0" y="${y + BAR - 2}" class="title">${escaped(group.title)}</text>`);
    y += BAR + 5;
    for (const { peer, ratio } of group.bars) {
      const kind = peer.startsWith("sluice") ? "ours" : "theirs";
      const middle = y + BAR - 3;
      parts.push(
        `<text x="${LABEL - 8}" y="${middle}" text-anchor="end">${escaped(peer)}</text>`,
        `<rect x="${LABEL}" y="${y}" width="${(x(ratio) - LABEL).toFixed(1)}" height="${BAR - 2}" class="${kind}"/>`,
        `<text x="${(x(ratio) + 6).toFixed(1)}" y="${middle}">${ratio.toFixed(2)}</text>`,
      );
      y += BAR + 2;
    }
    y += GAP;
  }
  const one = x(1).toFixed(1);
  const width = LABEL + PLOT + 60;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" role="img">
<style>
text { font: 12px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600 }
.ours { fill: #0a7d5a } .theirs { fill: #9aa4af } line { stroke: #57606a; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) { text { fill: #d0d7de } .ours { fill: #2fb98a } .theirs { fill: #5d6772 } }
</style>
<text x="0" y="16">HAProxy = 1, less is better. ${escaped(results.machine.cpu)}, ${results.when.slice(0, 10)}</text>
<line x1="${one}" x2="${one}" y1="${TOP - 16}" y2="${y}"/>
${parts.join("\n")}
</svg>
`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({ options: { peers: { type: "string" } }, allowPositionals: true });
  const [from = join(import.meta.dir, "results/latest.json"), to = from.replace(/\.json$/, ".svg")] = positionals;
  const results = (await Bun.file(from).json()) as Results;
  writeFileSync(to, draw(results, values.peers?.split(",") ?? null));
  console.log(to);
}
