// The lists: columns, orders and items of clients, routes, brokers, refusals and events.

import { bytesIn, durationIn } from "../../text/quantities.ts";
import type { Connection, Event, Refusal, Router, Server } from "./answers.ts";
import type { Look } from "./figures.ts";
import { grouped } from "./glyphs.ts";
import { type Column, type Fact, type Item, type Mark, type Sort, sortedItems } from "./item.ts";
import type { Data, ListName, State } from "./state.ts";

export interface List {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly sorts: readonly Sort[];
  /** The API sorts it. */
  readonly isSortedThere: boolean;
  /** null: it is not known yet. */
  items(data: Data, now: number): Item[] | null;
  /** "shown / total", where `shown` is how many are in the list. */
  counted(data: Data, shown: number, filter: string): string;
}

/** Of one answer. Beyond it a filter finds what is not shown. */
export const MOST = 1000;

const fixed = (name: string, title: string, width: number, more: Partial<Column> = {}): Column => ({
  name,
  title,
  width: { fixed: width },
  ...more,
});
const share = (name: string, title: string, of: number, more: Partial<Column> = {}): Column => ({
  name,
  title,
  width: { share: of },
  ...more,
});
const RIGHT = { side: "right" } as const;
const WIDE = { from: 100 } as const;
const down = (name: string): Sort => ({ name, isDescending: true });
const up = (name: string): Sort => ({ name, isDescending: false });

const ago = (at: string, now: number): string => durationIn(now - Date.parse(at));
const known = (value: string | number | boolean | null): string =>
  value === null || value === "" ? "-" : value === true ? "yes" : value === false ? "no" : String(value);

function clientOf(each: Connection, now: number): Item {
  const rate = each.rateIn === null ? null : each.rateIn + (each.rateOut ?? 0);
  return {
    key: each.id,
    mark: each.step === "relay" ? " " : "~",
    cells: {
      clientId: known(each.clientId),
      username: known(each.username),
      address: each.address,
      sni: known(each.sni),
      router: known(each.router),
      server: known(each.server),
      since: ago(each.since, now),
      idle: each.idle === null ? "-" : durationIn(each.idle),
      bytesIn: bytesIn(each.bytesIn),
      bytesOut: bytesIn(each.bytesOut),
      rate: rate === null ? "-" : `${bytesIn(rate)}/s`,
    },
    facts: [
      ["client id", known(each.clientId)],
      ["user name", known(each.username)],
      ["certificate", known(each.certificate)],
      [
        "address",
        `${each.address} port ${each.port}${each.balancer === "" ? "" : ` by the balancer ${each.balancer}`}`,
      ],
      ["since", `${each.since} (${ago(each.since, now)})`],
      ["step", each.step],
      ["entry point", each.entryPoint],
      ["SNI", known(each.sni)],
      ["router", known(each.router)],
      ["service", known(each.service)],
      ["server", known(each.server)],
      ["MQTT", `${known(each.mqttVersion)}, keep alive ${each.keepAlive === null ? "-" : `${each.keepAlive} s`}`],
      ["TLS", `${known(each.tlsVersion)} ${each.tlsCipher}${each.resumed ? ", resumed" : ""}`],
      ["ALPN", known(each.alpn)],
      ["in", `${bytesIn(each.bytesIn)}${each.rateIn === null ? "" : `, ${bytesIn(each.rateIn)}/s`}`],
      ["out", `${bytesIn(each.bytesOut)}${each.rateOut === null ? "" : `, ${bytesIn(each.rateOut)}/s`}`],
      ["idle", each.idle === null ? "-" : durationIn(each.idle)],
      ["id", each.id],
    ],
  };
}

const ROUTER_MARKS: Readonly<Record<string, Mark>> = { enabled: "+", warning: "!", disabled: "x" };
const URGENCY: Readonly<Record<Mark, number>> = { x: 0, "!": 1, "~": 2, "+": 3, " ": 4 };

function routeOf(each: Router, look: Look | null, former: Look | null): Item {
  const mark = ROUTER_MARKS[each.status] ?? "!";
  const has = look?.routers.get(each.name);
  const had = former?.routers.get(each.name);
  const seconds = look === null || former === null ? 0 : (look.sample.at - former.sample.at) / 1000;
  const rate = has === undefined || seconds <= 0 ? 0 : Math.max(0, (has.bytes - (had?.bytes ?? 0)) / seconds);
  return {
    key: each.name,
    mark,
    cells: {
      name: each.name,
      status: each.status,
      rule: each.rule ?? "",
      service: each.service ?? "-",
      open: grouped(has?.open ?? 0),
      rate: `${bytesIn(rate)}/s`,
    },
    order: { status: URGENCY[mark], open: has?.open ?? 0, rate },
    facts: [
      ["router", each.name],
      ["status", each.status],
      ...(each.error ?? []).map((text): Fact => ["what is wrong", text]),
      ["entry points", each.using.join(", ")],
      ["rule", each.rule ?? "-"],
      ["priority", String(each.priority ?? "-")],
      ["middlewares", (each.middlewares ?? []).join(", ") || "-"],
      ["service", each.service ?? "-"],
      ["open", grouped(has?.open ?? 0)],
      ["bytes", `${bytesIn(has?.bytes ?? 0)}, ${bytesIn(rate)}/s`],
    ],
  };
}

/** A server's state in a glyph and a word. */
export function stateOf(server: Server): readonly [Mark, string] {
  if (server.health === "down") return ["x", "down"];
  if (server.drain !== null) return ["~", `drain ${grouped(server.drain.left)} left`];
  return server.health === "up" ? ["+", "up"] : [" ", "unknown"];
}

/** Two lines of one server of one service would be the same. */
export function serverKey({ service, address }: Server): string {
  return JSON.stringify([service, address]);
}

function brokerOf(each: Server): Item {
  const [mark, state] = stateOf(each);
  const latency = each.latencyMs === null ? "-" : `${each.latencyMs} ms`;
  return {
    key: serverKey(each),
    mark,
    cells: {
      state,
      service: each.service,
      address: each.address,
      open: grouped(each.open),
      latency,
      errors: grouped(each.errors),
      reason: each.reason,
    },
    order: { state: URGENCY[mark], open: each.open, latency: each.latencyMs ?? -1, errors: each.errors },
    facts: [
      ["service", each.service],
      ["server", each.address],
      ["state", state],
      ["found out by", known(each.by)],
      ["reason", known(each.reason)],
      ["health check", known(each.checked)],
      ["latency", latency],
      ["weight", `${each.weight}${each.backup ? ", backup" : ""}`],
      ["open", `${grouped(each.open)}${each.maxConnections === null ? "" : ` of ${grouped(each.maxConnections)}`}`],
      ["connections so far", grouped(each.connections)],
      ["failed dials", grouped(each.errors)],
      ["drain", each.drain === null ? "-" : `${JSON.stringify(each.drain.policy)}, ${grouped(each.drain.left)} left`],
    ],
  };
}

function refusalOf(each: Refusal, now: number): Item {
  return {
    key: `${each.at} ${each.address} ${each.reason} ${each.clientId}`,
    mark: "!",
    cells: {
      at: ago(each.at, now),
      reason: each.reason,
      address: each.address,
      sni: known(each.sni),
      clientId: known(each.clientId),
      router: known(each.router),
      cause: known(each.cause),
    },
    order: { at: Date.parse(each.at) },
    facts: [
      ["at", `${each.at} (${ago(each.at, now)} ago)`],
      ["reason", each.reason],
      ["cause", known(each.cause)],
      ["entry point", each.entryPoint],
      ["address", each.address],
      ["SNI", known(each.sni)],
      ["certificate", known(each.certificate)],
      ["client id", known(each.clientId)],
      ["user name", known(each.username)],
      ["router", known(each.router)],
      ["what to do", "docs/operations.md, How a connection ends"],
    ],
  };
}

const LEVEL_MARKS: Readonly<Record<string, Mark>> = { warn: "!", error: "x", fatal: "x" };

function eventOf(each: Event): Item {
  const facts = Object.entries(each.fields).map(
    ([name, value]): Fact => [name, typeof value === "string" ? value : JSON.stringify(value)],
  );
  return {
    key: String(each.id),
    mark: LEVEL_MARKS[each.level] ?? " ",
    cells: {
      at: each.at.slice(11, 19),
      level: each.level,
      message: [each.message, ...facts.map(([name, value]) => `${name}=${value}`)].join(" "),
    },
    order: { at: each.id },
    facts: [["at", each.at], ["level", each.level], ["message", each.message], ...facts],
  };
}

export const LISTS: Readonly<Record<ListName, List>> = {
  clients: {
    title: "Clients",
    columns: [
      share("clientId", "CLIENT ID", 3),
      share("username", "USER", 2, WIDE),
      fixed("address", "ADDRESS", 15),
      share("sni", "SNI", 2, WIDE),
      share("server", "SERVER", 3),
      fixed("since", "SINCE", 7, RIGHT),
      fixed("idle", "IDLE", 7, { ...RIGHT, ...WIDE }),
      fixed("bytesIn", "IN", 7, RIGHT),
      fixed("bytesOut", "OUT", 7, RIGHT),
      fixed("rate", "RATE", 9, RIGHT),
    ],
    sorts: [
      ...[down("since"), down("rate"), down("bytesIn"), down("bytesOut"), down("idle")],
      ...[up("clientId"), up("username"), up("address"), up("sni"), up("router"), up("server")],
    ],
    isSortedThere: true,
    items: ({ connections }, now) => connections?.connections.map((each) => clientOf(each, now)) ?? null,
    counted: ({ connections }, shown) =>
      `${grouped(shown)} / ${grouped(connections?.matched ?? 0)} found of ${grouped(connections?.open ?? 0)} open`,
  },
  routes: {
    title: "Routes",
    columns: [
      fixed("status", "STATUS", 8),
      share("name", "ROUTER", 3),
      share("rule", "RULE", 4),
      share("service", "SERVICE", 2),
      fixed("open", "OPEN", 7, RIGHT),
      fixed("rate", "RATE", 9, RIGHT),
    ],
    sorts: [up("status"), down("open"), down("rate"), up("name"), up("service")],
    isSortedThere: false,
    items: ({ routers, look, former }) => routers?.map((each) => routeOf(each, look, former)) ?? null,
    counted: ({ routersInAll }, shown, filter) =>
      shown >= MOST && routersInAll > MOST
        ? `the first ${grouped(shown)}${filter === "" ? "" : " found"} of ${grouped(routersInAll)}: / finds others`
        : `${grouped(shown)} / ${grouped(routersInAll)}`,
  },
  brokers: {
    title: "Brokers",
    columns: [
      fixed("state", "STATE", 16),
      share("service", "SERVICE", 2),
      share("address", "SERVER", 3),
      fixed("open", "OPEN", 7, RIGHT),
      fixed("latency", "LATENCY", 9, RIGHT),
      fixed("errors", "ERRORS", 7, RIGHT),
      share("reason", "WHY", 3),
    ],
    sorts: [up("state"), down("open"), down("latency"), down("errors"), up("service"), up("address")],
    isSortedThere: false,
    items: ({ servers }) => servers?.map(brokerOf) ?? null,
    counted: ({ servers }, shown) => `${grouped(shown)} / ${grouped(servers?.length ?? 0)}`,
  },
  refusals: {
    title: "Refusals",
    columns: [
      fixed("at", "AGO", 7, RIGHT),
      share("reason", "REASON", 3),
      fixed("address", "ADDRESS", 15),
      share("sni", "SNI", 2),
      share("clientId", "CLIENT ID", 2),
      share("router", "ROUTER", 2, WIDE),
      share("cause", "CAUSE", 3, WIDE),
    ],
    sorts: [down("at"), up("reason"), up("address"), up("sni"), up("clientId")],
    isSortedThere: false,
    items: ({ refusals }, now) => refusals?.map((each) => refusalOf(each, now)) ?? null,
    counted: (_, shown) => `the last ${grouped(shown)}${shown === 0 ? "" : " that are kept"}`,
  },
  events: {
    title: "Events",
    columns: [fixed("at", "AT (UTC)", 8), fixed("level", "LEVEL", 5), share("message", "WHAT", 1)],
    sorts: [down("at"), down("level")],
    isSortedThere: false,
    items: ({ events }) => events?.map(eventOf) ?? null,
    counted: (_, shown) => `the last ${grouped(shown)}${shown === 0 ? "" : " that are kept"}`,
  },
};

/** What is in a list now, in its order; null: that is not known yet. */
export function itemsOf({ data, lists }: State, name: ListName, now: number): Item[] | null {
  const [list, listing] = [LISTS[name], lists[name]];
  const all = list.items(data, now);
  if (all === null) return null;
  // The API knows no search of servers.
  const words = name === "brokers" ? listing.filter.toLowerCase() : "";
  const found =
    words === "" ? all : all.filter(({ cells }) => Object.values(cells).join(" ").toLowerCase().includes(words));
  return list.isSortedThere ? found : sortedItems(found, list.sorts[listing.sort]!, listing.isDescending);
}

/** Where the chosen line is among the items. */
export function placeOf({ at, key }: State["lists"][ListName], items: readonly Item[]): number {
  const moved = key === null ? -1 : items.findIndex((item) => item.key === key);
  return Math.max(0, moved !== -1 ? moved : Math.min(at, items.length - 1));
}
