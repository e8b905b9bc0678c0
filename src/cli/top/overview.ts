// The overview: figures with the last quarter of an hour, refusals by reason, and what needs a look.

import { bytesIn } from "../../text/quantities.ts";
import { type Growing, rateOf, ratesOf } from "./figures.ts";
import { grouped, perSecond, sparkline } from "./glyphs.ts";
import type { Mark } from "./item.ts";
import { cell, fitted, type Line, line, type Size, type Style, span } from "./line.ts";
import { stateOf } from "./lists.ts";
import type { Data } from "./state.ts";

const RATES: readonly (readonly [what: Growing, name: string, isBytes: boolean])[] = [
  ["accepted", "accepted", false],
  ["handshakes", "handshakes", false],
  ["refused", "refused", false],
  ["bytesIn", "in", true],
  ["bytesOut", "out", true],
];

/** Columns of a figure's name, of the figure, and of what is most. */
const NAME = 11;
const FIGURE = 12;
const MOST = 18;
/** Columns of the refusals. */
const LEFT = 38;

export const MARK_STYLES: Readonly<Record<Mark, Style>> = {
  "+": "good",
  "!": "warn",
  x: "bad",
  "~": "warn",
  " ": "plain",
};

interface Matter {
  readonly mark: Mark;
  readonly text: string;
}

export function overview(data: Data, { width, height }: Size, isUnicode: boolean): Line[] {
  const top = [...figures(data, width, isUnicode), line("")];
  const room = height - top.length - 1;
  const matters = mattersOf(data);
  const refused = refusalsOf(data);
  const heading: Line = [
    span(cell("REFUSED BY REASON", LEFT - 18), "bold"),
    span(`${cell("TOTAL", 9, "right")}${cell("/s", 7, "right")}  `, "bold"),
    span(
      matters.length === 0
        ? "NEEDS A LOOK: nothing"
        : `NEEDS A LOOK: ${Math.min(matters.length, room)} / ${matters.length}`,
      "bold",
    ),
  ];
  const rows = Array.from({ length: Math.max(0, room) }, (_, at): Line => {
    const matter = matters[at];
    return [
      ...(refused[at] ?? line(" ".repeat(LEFT))),
      ...(matter === undefined ? [] : [span(`${matter.mark} `, MARK_STYLES[matter.mark]), span(matter.text)]),
    ];
  });
  return [...top, heading, ...rows].map((each) => fitted(each, width));
}

function figures({ samples, former, look }: Data, width: number, isUnicode: boolean): Line[] {
  const room = width - NAME - FIGURE - MOST - 4;
  const row = (name: string, figure: string, values: readonly number[], most: string): Line => [
    span(cell(name, NAME), "bold"),
    span(`${cell(figure, FIGURE, "right")}  `),
    // It stands at the right, where now is.
    span(cell(sparkline(values, room, isUnicode), room, "right"), "dim"),
    span(`  ${cell(most, MOST, "right")}`),
  ];
  const open = samples.map((sample) => sample.open);
  const greatest = (values: readonly number[]) => values.reduce((most, value) => Math.max(most, value), 0);
  return [
    row("open", look === null ? "-" : grouped(look.sample.open), open, `most ${grouped(greatest(open))}`),
    ...RATES.map(([what, name, isBytes]) => {
      const values = ratesOf(samples, what);
      const shown = (value: number) => (isBytes ? `${bytesIn(value)}/s` : `${perSecond(value)}/s`);
      const now = rateOf(former?.sample ?? samples.at(-1), look?.sample, what) ?? values.at(-1);
      return row(name, now === undefined ? "-" : shown(now), values, `most ${shown(greatest(values))}`);
    }),
  ];
}

function refusalsOf({ look, former }: Data): Line[] {
  if (look === null) return [];
  const seconds = former === null ? 0 : (look.sample.at - former.sample.at) / 1000;
  return [...look.refused]
    .map(([reason, total]) => ({
      reason,
      total,
      rate: seconds > 0 ? Math.max(0, (total - (former!.refused.get(reason) ?? 0)) / seconds) : 0,
    }))
    .sort((a, b) => b.rate - a.rate || b.total - a.total)
    .map(({ reason, total, rate }) => [
      span(cell(reason, LEFT - 18)),
      span(`${cell(grouped(total), 9, "right")}${cell(rate === 0 ? "-" : perSecond(rate), 7, "right")}  `),
    ]);
}

/** The worst first. */
export function mattersOf({ servers, diagnostics, providers, certificates, bans }: Data): Matter[] {
  const matters: Matter[] = [];
  for (const server of servers ?? []) {
    const [mark, state] = stateOf(server);
    const why = server.health === "down" && server.reason !== "" ? `: ${server.reason}` : "";
    if (mark === "x" || mark === "~")
      matters.push({ mark, text: `${server.address} ${state}${why} (${server.service})` });
  }
  for (const { name, state } of providers)
    if (state !== "up") matters.push({ mark: "x", text: `provider ${name} is ${state}` });
  for (const { names, daysLeft, status, lastError } of certificates) {
    const mark: Mark = status === "expired" ? "x" : "!";
    if (status === "enabled" && lastError === null) continue;
    const left = status === "expired" ? "expired or missing" : `${daysLeft} days left`;
    matters.push({ mark, text: `certificate ${names[0] ?? ""}: ${left}${lastError === null ? "" : `, ${lastError}`}` });
  }
  for (const { severity, code, message, place } of diagnostics) {
    const file = place.file.split("/").at(-1);
    matters.push({ mark: severity === "error" ? "x" : "!", text: `${file}:${place.line}: ${message} [${code}]` });
  }
  if (bans.length > 0) matters.push({ mark: "!", text: `${grouped(bans.length)} banned` });
  const urgency: Readonly<Record<Mark, number>> = { x: 0, "!": 1, "~": 2, "+": 3, " ": 4 };
  return matters.sort((a, b) => urgency[a.mark] - urgency[b.mark]);
}
