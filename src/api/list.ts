// Lists as Traefik gives them: searched, sorted, cut into pages, with the number of the next page in a header.

import { Reply } from "./endpoint.ts";
import { ApiError } from "./failure.ts";
import { json } from "./http.ts";

const PER_PAGE = 100;

export const PAGE_QUERY = {
  page: "Which page, from 1.",
  per_page: "How many of a page; 100 without it.",
} as const;

export const SORT_QUERY = {
  search: "Those that have this text, in whatever case.",
  status: "enabled, warning or disabled.",
  sortBy: "A column; the name without it.",
  direction: "asc, or anything else for the other way.",
} as const;

/** One page. The header X-Next-Page is 1 behind the last one, as in Traefik. */
export function page<T>(all: readonly T[], query: URLSearchParams): Reply {
  const number = positive(query, "page", 1);
  const size = positive(query, "per_page", PER_PAGE);
  const start = (number - 1) * size;
  if (start !== 0 && start >= all.length)
    throw new ApiError(400, `invalid request: page: ${number}, per_page: ${size}`);
  const end = Math.min(start + size, all.length);
  return new Reply(json(all.slice(start, end), { "x-next-page": String(end < all.length ? number + 1 : 1) }));
}

function positive(query: URLSearchParams, name: string, otherwise: number): number {
  const text = query.get(name);
  if (text === null || text === "") return otherwise;
  const number = /^[+-]?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number > 0)) throw new ApiError(400, `invalid request: ${name}: ${text.slice(0, 50)}`);
  return number;
}

export interface Sortable {
  readonly name: string;
  readonly status: string;
}

/** By a column, and where two are equal there, by name. */
export function sorted<T extends Sortable>(
  all: readonly T[],
  query: URLSearchParams,
  columns: Readonly<Record<string, (each: T) => string | number>>,
): T[] {
  const by = columns[query.get("sortBy") ?? ""] ?? (({ name }: T) => name);
  const direction = query.get("direction");
  const sign = direction === null || direction === "" || direction === "asc" ? 1 : -1;
  return [...all].sort((a, b) => sign * (compare(by(a), by(b)) || compare(a.name, b.name)));
}

function compare<T extends string | number>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Those of the status that have the text in one of `texts`. */
export function filtered<T extends Sortable>(
  all: readonly T[],
  query: URLSearchParams,
  texts: (each: T) => readonly string[],
): T[] {
  const search = (query.get("search") ?? "").toLowerCase();
  const status = (query.get("status") ?? "").toLowerCase();
  return all.filter(
    (each) =>
      (status === "" || each.status === status) &&
      (search === "" || texts(each).some((text) => text.toLowerCase().includes(search))),
  );
}
