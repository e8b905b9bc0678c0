// The whole screen, from the state: as many lines as it has, each as wide as it is.

import { durationIn } from "../../text/quantities.ts";
import type { Column, Fact, Item } from "./item.ts";
import { cell, fitted, type Line, line, type Size, sides, span } from "./line.ts";
import { itemsOf, LISTS, placeOf } from "./lists.ts";
import { MARK_STYLES, overview } from "./overview.ts";
import { type ListName, type Mode, type State, TABS, type Tab } from "./state.ts";

/** Lines around a list: tabs, state, title, heading, foot. */
const AROUND = 5;
/** Without less a list has no line. */
const LEAST: Size = { width: 40, height: 8 };

const TITLES: Readonly<Record<Tab, string>> = {
  overview: "Overview",
  clients: "Clients",
  routes: "Routes",
  brokers: "Brokers",
  refusals: "Refusals",
  events: "Events",
};

const HELP: readonly (readonly [string, string])[] = [
  ["1-6, Tab, left, right", "overview, clients, routes, brokers, refusals, events"],
  ["up, down, j, k", "the next line, the one before (among clients k closes)"],
  ["PgUp, PgDn, g, G", "a page; the first line, the last one"],
  ["Enter", "all that is known of the chosen line"],
  ["/", "find: lists follow as you type; Enter keeps it, Esc takes it back"],
  ["s, S", "sort by the next column; turn the order round"],
  ["space", "freeze what is shown, and go on"],
  ["k or x, among clients", "close the chosen one, after a question"],
  ["d, u, among brokers", "drain the chosen server, after a question; put it back"],
  ["?, q, Ctrl-C", "this; the end"],
  ["", ""],
  ["+ ! x ~", "well; look at it; broken; on its way in or out"],
  ["for scripts", "sluice clients, routes, servers, refusals, events --json"],
  ["and also", "sluice close, drain, ban, reload, renew, explain"],
];

/** How many lines of a list are seen. */
export function pageOf({ height }: Size): number {
  return Math.max(1, height - AROUND);
}

export function screen(state: State, size: Size, now: number, isUnicode: boolean): Line[] {
  const { width, height } = size;
  if (width < LEAST.width || height < LEAST.height)
    return [fitted(line(`at least ${LEAST.width} x ${LEAST.height} is needed`), width)];
  const head = [tabs(state.tab, width), status(state, width, now)];
  const feet = foot(state).map((each) => fitted(each, width));
  const room = height - head.length - feet.length;
  const body = bodyOf(state, { width, height: room }, now, isUnicode).slice(0, room);
  while (body.length < room) body.push(fitted([], width));
  return [...head, ...body, ...feet];
}

function tabs(chosen: Tab, width: number): Line {
  const names = TABS.map((tab, at) =>
    tab === chosen ? span(`[${at + 1} ${TITLES[tab]}]`, "chosen") : span(` ${at + 1} ${TITLES[tab]} `),
  );
  return fitted([span("sluice", "bold"), span(" "), ...names], width);
}

function status({ data, where, failure, isFrozen, seenAt, tab }: State, width: number, now: number): Line {
  const up = data.startedAt === "" ? "" : `, up ${durationIn(now - Date.parse(data.startedAt))}`;
  const at = seenAt[tab];
  const age = at === undefined ? null : durationIn(now - at);
  const left = line(`${data.version === "" ? "" : `Sluice ${data.version}${up}, `}${where}`, "dim");
  if (failure !== null)
    return sides(line(`! ${failure}`, "bad"), line(age === null ? "CUT OFF" : `CUT OFF, ${age} old`, "bad"), width);
  if (isFrozen) return sides(left, line(age === null ? "FROZEN" : `FROZEN, ${age} old`, "warn"), width);
  return sides(left, line(age === null ? "asking" : `${age} old`), width);
}

function bodyOf(state: State, size: Size, now: number, isUnicode: boolean): Line[] {
  const { mode, tab } = state;
  const shown = mode.kind === "question" ? mode.back : mode;
  if (shown.kind === "help") return help(size.width);
  if (tab === "overview") return overview(state.data, size, isUnicode);
  return shown.kind === "detail" ? detail(state, tab, shown, size, now) : list(state, tab, size, now);
}

function help(width: number): Line[] {
  return [
    line("Keys", "bold"),
    line(""),
    ...HELP.map(([keys, what]) => [span(cell(keys, 24), "bold"), span(what)]),
  ].map((each) => fitted(each, width));
}

function list(state: State, name: ListName, { width, height }: Size, now: number): Line[] {
  const { columns, sorts, title, counted } = LISTS[name];
  const listing = state.lists[name];
  const items = itemsOf(state, name, now);
  const sort = sorts[listing.sort]!;
  const columnsHere = laidOut(columns, width - 2);
  const filter = listing.filter === "" && state.mode.kind !== "filter" ? "" : `  find: ${listing.filter}`;
  const titleLine = sides(
    [
      span(title, "bold"),
      span(items === null ? "" : `  ${counted(state.data, items.length, listing.filter)}`),
      span(filter, "warn"),
    ],
    line(`sorted by ${sort.name} ${listing.isDescending ? "descending" : "ascending"}`, "dim"),
    width,
  );
  const heading = fitted(
    [span("  "), span(columnsHere.map(([column, wide]) => cell(column.title, wide, column.side)).join(" "), "bold")],
    width,
  );
  if (items === null) return [titleLine, heading];
  if (items.length === 0) return [titleLine, heading, fitted(line("  nothing", "dim"), width)];
  const room = height - 2;
  const chosen = placeOf(listing, items);
  const first = Math.max(0, Math.min(chosen - Math.floor(room / 2), items.length - room));
  const rows = items.slice(first, first + room).map((item, at) => row(item, first + at === chosen, columnsHere, width));
  return [titleLine, heading, ...rows];
}

function row(item: Item, isChosen: boolean, columns: readonly (readonly [Column, number])[], width: number): Line {
  const text = columns.map(([column, wide]) => cell(item.cells[column.name] ?? "", wide, column.side)).join(" ");
  if (isChosen) return fitted([span(`${item.mark}>${text}`, "chosen")], width);
  return fitted([span(`${item.mark} `, MARK_STYLES[item.mark]), span(text)], width);
}

/** The columns that a screen of this width has, with their widths. */
export function laidOut(columns: readonly Column[], width: number): (readonly [Column, number])[] {
  const here = columns.filter(({ from = 0 }) => width + 2 >= from);
  const taken = here.reduce((sum, { width: each }) => sum + ("fixed" in each ? each.fixed : 0), 0) + here.length - 1;
  let [left, shares] = [
    Math.max(0, width - taken),
    here.reduce((sum, { width: each }) => sum + ("share" in each ? each.share : 0), 0),
  ];
  return here.map((column) => {
    if ("fixed" in column.width) return [column, column.width.fixed];
    const wide = Math.floor((left * column.width.share) / shares);
    left -= wide;
    shares -= column.width.share;
    return [column, wide];
  });
}

const FACT = 20;

function detail(
  state: State,
  name: ListName,
  { key, top }: Extract<Mode, { kind: "detail" }>,
  { width, height }: Size,
  now: number,
): Line[] {
  const { facts, isGone } = factsOf(state, name, key, now);
  const title = fitted(
    [
      span(`${LISTS[name].title}: one in detail`, "bold"),
      span(isGone ? "  ! gone, or no longer in the list" : "", "bad"),
    ],
    width,
  );
  const lines = facts.flatMap(([about, value]) =>
    wrapped(value, width - FACT).map((text, at) => (at === 0 ? [about, text] : ["", text])),
  );
  const first = Math.max(0, Math.min(top, lines.length - (height - 1)));
  return [
    title,
    ...lines
      .slice(first, first + height - 1)
      .map(([about, text]) => fitted([span(cell(about!, FACT), "bold"), span(text!)], width)),
  ];
}

function factsOf(state: State, name: ListName, key: string, now: number): { facts: readonly Fact[]; isGone: boolean } {
  const { connection } = state.data;
  if (name === "clients" && connection !== null && connection !== "gone" && connection.id === key) {
    const only = { ...state.data, connections: { connections: [connection], matched: 1, open: 1 } };
    return { facts: LISTS.clients.items(only, now)![0]!.facts, isGone: false };
  }
  const found = itemsOf(state, name, now)?.find((item) => item.key === key);
  return { facts: found?.facts ?? [], isGone: found === undefined || (name === "clients" && connection === "gone") };
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let now = "";
  for (const character of span(text).text) {
    if (Bun.stringWidth(now + character) > width) {
      lines.push(now);
      now = "";
    }
    now += character;
  }
  return [...lines, now];
}

function foot({ mode, tab, notice, lists }: State): Line[] {
  if (mode.kind === "question") {
    const { text, choices } = mode.question;
    const keys = choices.map(({ key, label }) => `[${key}] ${label}  `).join("");
    return [[span(`? ${text}`, "chosen")], [span(`  ${keys}[Esc] nothing`, "chosen")]];
  }
  if (mode.kind === "filter" && tab !== "overview")
    return [[span(`/${lists[tab].filter}_`, "chosen"), span("  Enter keeps it, Esc takes it back", "plain")]];
  if (notice !== null) return [line(`${notice.isBad ? "! " : ""}${notice.text}`, notice.isBad ? "bad" : "good")];
  if (mode.kind === "help") return [line("any key goes back", "dim")];
  const own = tab === "clients" ? "k close  " : tab === "brokers" ? "d drain  u undrain  " : "";
  if (mode.kind === "detail") return [line(`Esc back  ${own}space freeze  ? keys`, "dim")];
  if (tab === "overview") return [line("1-6 Tab: lists  space freeze  ? keys  q end", "dim")];
  return [line(`/ find  s S sort  Enter detail  ${own}space freeze  ? keys  q end`, "dim")];
}
