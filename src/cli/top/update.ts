// What a key does: from one state to the next, and what is to be done outside.

import type { Connection, Server } from "./answers.ts";
import { grouped } from "./glyphs.ts";
import type { Item } from "./item.ts";
import type { Key } from "./keys.ts";
import { itemsOf, LISTS, placeOf, serverKey } from "./lists.ts";
import {
  type Action,
  type Listing,
  type ListName,
  type Mode,
  type Question,
  type State,
  TABS,
  type Tab,
} from "./state.ts";

/** `look`: ask the API anew, at once. */
export type Effect = { readonly kind: "quit" | "look" | "redraw" } | Action | null;
export type Step = readonly [State, Effect];

/** Characters of a filter. */
const MAX_FILTER = 200;

export interface Where {
  readonly now: number;
  /** Lines of a list that are seen. */
  readonly page: number;
}

export function pressed(state: State, key: Key, where: Where): Step {
  if (key === "Ctrl-C") return [state, { kind: "quit" }];
  if (key === "Ctrl-L") return [state, { kind: "redraw" }];
  switch (state.mode.kind) {
    case "filter":
      return typed(state, key, state.mode.former);
    case "question":
      return answered(state, key, state.mode.question, state.mode.back);
    case "help":
      return [{ ...state, mode: LIST }, null];
    case "detail":
      return inDetail({ ...state, notice: null }, key, state.mode, where);
    case "list":
      return inList({ ...state, notice: null }, key, where);
  }
}

const LIST: Mode = { kind: "list" };

function withListing(state: State, change: Partial<Listing>): State {
  if (state.tab === "overview") return state;
  return { ...state, lists: { ...state.lists, [state.tab]: { ...state.lists[state.tab], ...change } } };
}

function inList(state: State, key: Key, where: Where): Step {
  const tab = tabOf(state.tab, key);
  if (tab !== null) return [{ ...state, tab, mode: LIST }, { kind: "look" }];
  if (key === "q") return [state, { kind: "quit" }];
  if (key === "?") return [{ ...state, mode: { kind: "help" } }, null];
  if (key === " ") return frozen(state);
  if (state.tab === "overview") return [state, null];
  const items = itemsOf(state, state.tab, where.now) ?? [];
  const listing = state.lists[state.tab];
  const place = placeOf(listing, items);
  const item = items[place];
  switch (key) {
    case "/":
      return [{ ...state, mode: { kind: "filter", former: listing.filter } }, null];
    case "Escape":
      return listing.filter === "" ? [state, null] : filtered(state, "");
    case "s":
      return sortedBy(state, state.tab, (listing.sort + 1) % LISTS[state.tab].sorts.length, null);
    case "S":
      return sortedBy(state, state.tab, listing.sort, !listing.isDescending);
    case "Enter":
      if (item === undefined) return [state, null];
      return [
        {
          ...withListing(state, { at: place, key: item.key }),
          mode: { kind: "detail", key: item.key, top: 0 },
          data: { ...state.data, connection: null },
        },
        { kind: "look" },
      ];
  }
  const asked = item === undefined ? null : act(state, key, item);
  if (asked !== null) return asked;
  const to = moved(key, place, where.page, items.length);
  if (to === null) return [state, null];
  const at = Math.max(0, Math.min(items.length - 1, to));
  // At the top the newest are followed, not the one that was there.
  return [
    withListing(state, { at, key: at === 0 ? null : (items[at]?.key ?? null) }),
    state.tab === "clients" ? { kind: "look" } : null,
  ];
}

function tabOf(tab: Tab, key: Key): Tab | null {
  if (/^[1-6]$/.test(key)) return TABS[Number(key) - 1]!;
  const step = key === "Tab" || key === "Right" ? 1 : key === "BackTab" || key === "Left" ? TABS.length - 1 : 0;
  return step === 0 ? null : TABS[(TABS.indexOf(tab) + step) % TABS.length]!;
}

/** null: the key moves nothing. */
function moved(key: Key, place: number, page: number, length: number): number | null {
  switch (key) {
    case "Up":
    case "k":
      return place - 1;
    case "Down":
    case "j":
      return place + 1;
    case "PgUp":
      return place - page;
    case "PgDn":
      return place + page;
    case "Home":
    case "g":
      return 0;
    case "End":
    case "G":
      return length - 1;
    default:
      return null;
  }
}

function frozen(state: State): Step {
  return [{ ...state, isFrozen: !state.isFrozen }, state.isFrozen ? { kind: "look" } : null];
}

function sortedBy(state: State, tab: ListName, sort: number, isDescending: boolean | null): Step {
  const listing = { sort, isDescending: isDescending ?? LISTS[tab].sorts[sort]!.isDescending, at: 0, key: null };
  return [withListing(state, listing), LISTS[tab].isSortedThere ? { kind: "look" } : null];
}

function filtered(state: State, filter: string): Step {
  return [withListing(state, { filter, at: 0, key: null }), { kind: "look" }];
}

function typed(state: State, key: Key, former: string): Step {
  if (state.tab === "overview") return [{ ...state, mode: LIST }, null];
  const { filter } = state.lists[state.tab];
  if (key === "Enter" || key === "Down" || key === "Up") return [{ ...state, mode: LIST }, null];
  if (key === "Escape") return filtered({ ...state, mode: LIST }, former);
  if (key === "Backspace") return filtered(state, [...filter].slice(0, -1).join(""));
  if (key === "Ctrl-U") return filtered(state, "");
  return [...key].length === 1 && filter.length < MAX_FILTER ? filtered(state, filter + key) : [state, null];
}

function inDetail(state: State, key: Key, mode: Extract<Mode, { kind: "detail" }>, where: Where): Step {
  if (key === "Escape" || key === "Enter" || key === "q" || key === "Backspace")
    return [{ ...state, mode: LIST }, null];
  if (key === "?") return [{ ...state, mode: { kind: "help" } }, null];
  if (key === " ") return frozen(state);
  const tab = tabOf(state.tab, key);
  if (tab !== null) return [{ ...state, tab, mode: LIST }, { kind: "look" }];
  const item =
    state.tab === "overview" ? undefined : itemsOf(state, state.tab, where.now)?.find((each) => each.key === mode.key);
  const asked = act(state, key, item ?? { key: mode.key });
  if (asked !== null) return asked;
  const top = moved(key, mode.top, where.page, 0);
  return [top === null ? state : { ...state, mode: { ...mode, top: Math.max(0, top) } }, null];
}

/** What is done to the chosen one; null: the key does nothing there. */
function act(state: State, key: Key, { key: name }: Pick<Item, "key">): Step | null {
  if (state.tab === "clients" && (key === "k" || key === "x" || key === "Delete")) {
    const { connection, connections } = state.data;
    const found =
      connections?.connections.find(({ id }) => id === name) ??
      (connection !== null && connection !== "gone" && connection.id === name ? connection : null);
    return found === null ? [told(state, "it is closed already"), null] : [asking(state, closing(found)), null];
  }
  if (state.tab !== "brokers" || (key !== "d" && key !== "u")) return null;
  const server = state.data.servers?.find((each) => serverKey(each) === name);
  if (server === undefined) return [told(state, "the server is configured no more"), null];
  if (key === "d") return [asking(state, draining(server)), null];
  if (server.drain === null) return [told(state, `${server.address} is not drained`), null];
  return [state, { kind: "undrain", service: server.service, server: server.address }];
}

function told(state: State, text: string): State {
  return { ...state, notice: { text, isBad: true } };
}

function asking(state: State, question: Question): State {
  return { ...state, mode: { kind: "question", question, back: state.mode } };
}

function closing({ id, clientId, address, port }: Connection): Question {
  const who = clientId === null ? "a client without a known id" : `client ${JSON.stringify(clientId)}`;
  return {
    kind: "question",
    text: `Close ${who} from ${address} port ${port}?`,
    choices: [{ key: "y", label: "close it", leads: { kind: "close", id } }],
  };
}

/** Connections that a drain closes in a second, where they are spread. */
const SPREAD = 50;

function draining({ service, address, open }: Server): Question {
  const drain = (policy: object): Action => ({ kind: "drain", service, server: address, policy });
  const sure = (policy: object, how: string): Question => ({
    kind: "question",
    text: `Close the ${grouped(open)} open connections of ${address}${how}?`,
    choices: [{ key: "y", label: "drain and close", leads: drain(policy) }],
  });
  return {
    kind: "question",
    text: `Drain ${address} of ${service}; its ${grouped(open)} open:`,
    choices: [
      { key: "k", label: "keep them", leads: drain({ connections: "keep" }) },
      { key: "s", label: `close ${SPREAD}/s`, leads: sure({ spread: SPREAD }, `, ${SPREAD} a second`) },
      { key: "c", label: "close now", leads: sure({ connections: "close" }, " now") },
    ],
  };
}

/** Whatever is no choice leaves everything as it is. */
function answered(state: State, key: Key, { choices }: Question, back: Mode): Step {
  const choice = choices.find((each) => each.key === key);
  if (choice === undefined) return [{ ...state, mode: back, notice: { text: "nothing was done", isBad: false } }, null];
  if (choice.leads.kind === "question")
    return [{ ...state, mode: { kind: "question", question: choice.leads, back } }, null];
  return [{ ...state, mode: back }, choice.leads];
}
