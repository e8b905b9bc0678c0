// All that the screen is made of.

import type {
  Ban,
  Certificate,
  Connection,
  ConnectionPage,
  Diagnostic,
  Event,
  Provider,
  Refusal,
  Router,
  Sample,
  Server,
} from "./answers.ts";
import type { Look } from "./figures.ts";

export const TABS = ["overview", "clients", "routes", "brokers", "refusals", "events"] as const;
export type Tab = (typeof TABS)[number];
export type ListName = Exclude<Tab, "overview">;

/** What the API has said. Null: it was not asked yet. */
export interface Data {
  readonly version: string;
  /** ISO 8601; "" while it is not known. */
  readonly startedAt: string;
  readonly samples: readonly Sample[];
  readonly former: Look | null;
  readonly look: Look | null;
  readonly servers: readonly Server[] | null;
  readonly diagnostics: readonly Diagnostic[];
  readonly providers: readonly Provider[];
  readonly certificates: readonly Certificate[];
  readonly bans: readonly Ban[];
  readonly connections: ConnectionPage | null;
  /** The one whose detail is shown; `gone`: it is closed. */
  readonly connection: Connection | "gone" | null;
  readonly routers: readonly Router[] | null;
  /** Of the whole configuration. */
  readonly routersInAll: number;
  readonly refusals: readonly Refusal[] | null;
  readonly events: readonly Event[] | null;
}

export interface Listing {
  /** Which of its sorts. */
  readonly sort: number;
  readonly isDescending: boolean;
  readonly filter: string;
  /** The line that is chosen. */
  readonly at: number;
  /** What is on it, which is followed when it moves; null: the line itself is. */
  readonly key: string | null;
}

export type Action =
  | { readonly kind: "close"; readonly id: string }
  | { readonly kind: "drain"; readonly service: string; readonly server: string; readonly policy: object }
  | { readonly kind: "undrain"; readonly service: string; readonly server: string };

/** A key and what it does. */
export interface Choice {
  readonly key: string;
  readonly label: string;
  readonly leads: Action | Question;
}

export interface Question {
  readonly kind: "question";
  readonly text: string;
  readonly choices: readonly Choice[];
}

export type Mode =
  | { readonly kind: "list" }
  /** The filter is being typed. */
  | { readonly kind: "filter"; readonly former: string }
  /** `top` is the first of its lines that is seen. */
  | { readonly kind: "detail"; readonly key: string; readonly top: number }
  | { readonly kind: "help" }
  | { readonly kind: "question"; readonly question: Question; readonly back: Mode };

export interface State {
  readonly tab: Tab;
  readonly mode: Mode;
  readonly lists: Readonly<Record<ListName, Listing>>;
  readonly isFrozen: boolean;
  /** What came of what was done last. */
  readonly notice: { readonly text: string; readonly isBad: boolean } | null;
  /** Why nothing new comes. */
  readonly failure: string | null;
  /** When what a tab shows was had, in milliseconds since the epoch. */
  readonly seenAt: Readonly<Partial<Record<Tab, number>>>;
  /** Where the API is. */
  readonly where: string;
  readonly data: Data;
}

const NOTHING: Data = {
  version: "",
  startedAt: "",
  samples: [],
  former: null,
  look: null,
  servers: null,
  diagnostics: [],
  providers: [],
  certificates: [],
  bans: [],
  connections: null,
  connection: null,
  routers: null,
  routersInAll: 0,
  refusals: null,
  events: null,
};

/** `isDescending` of each list's first sort. */
export function initialState(where: string, tab: Tab, filter: string): State {
  const listing = (name: ListName, isDescending: boolean): Listing => ({
    sort: 0,
    isDescending,
    filter: name === tab ? filter : "",
    at: 0,
    key: null,
  });
  return {
    tab,
    mode: { kind: "list" },
    lists: {
      clients: listing("clients", true),
      routes: listing("routes", false),
      brokers: listing("brokers", false),
      refusals: listing("refusals", true),
      events: listing("events", true),
    },
    isFrozen: false,
    notice: null,
    failure: null,
    seenAt: {},
    where,
    data: NOTHING,
  };
}
