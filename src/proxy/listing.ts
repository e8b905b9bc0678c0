// A worker's connections as they are looked at: found, sorted and cut to a page, some in each turn of the event loop, so that nobody waits.

import { networkHolds, parseAddress, parseNetwork } from "../ip/address.ts";
import {
  type CloseAnswer,
  type ConnectionFilter,
  type ConnectionLook,
  compareKeys,
  type ListAnswer,
  type ListRequest,
  type SortKey,
} from "../protocol/looking.ts";
import type { LiveConnection } from "./edge.ts";

/** How long one turn of the event loop may take, and how many connections are looked at between two looks at the clock. */
const TURN_MS = 2;
const SLICE = 250;
/** Rows that wait to be sorted beside a page. */
const SPARE = 500;
/** A rate is that of at least so long. Milliseconds. */
const LEAST_RATE_MS = 500;

interface Seen {
  bytesIn: number;
  bytesOut: number;
  at: number;
  changedAt: number;
  rateIn: number | null;
  rateOut: number | null;
}

interface Candidate {
  readonly key: SortKey;
  readonly connection: LiveConnection;
}

export class Listing {
  readonly #worker: number;
  readonly #connections: Iterable<LiveConnection> & { readonly size: number };
  /** What was seen of those that were looked at: nothing is kept of the others. */
  readonly #seen = new WeakMap<LiveConnection, Seen>();

  constructor(worker: number, connections: Iterable<LiveConnection> & { readonly size: number }) {
    this.#worker = worker;
    this.#connections = connections;
  }

  async page({ filter, sort, descending, limit, after }: ListRequest): Promise<ListAnswer> {
    const isWanted = matcherOf(filter, (connection) => this.#idOf(connection));
    const sign = descending ? -1 : 1;
    const order = (a: SortKey, b: SortKey) => sign * compareKeys(a, b);
    let found: Candidate[] = [];
    let matched = 0;
    /** Whoever stands behind it is on a later page. */
    let last: SortKey | null = null;
    const cut = () => {
      found.sort((a, b) => order(a.key, b.key));
      found = found.slice(0, limit);
      if (found.length === limit) last = found.at(-1)!.key;
    };
    await this.#each((connection) => {
      if (!isWanted(connection)) return;
      matched++;
      const key: SortKey = [this.#valueOf(connection, sort), sinceOf(connection)];
      if (after !== null && order(key, after) <= 0) return;
      if (last !== null && order(key, last) > 0) return;
      found.push({ key, connection });
      if (found.length > limit + SPARE) cut();
    });
    cut();
    const rows = found.map(({ key, connection }) => ({ key, row: this.#look(connection) }));
    return { rows, matched, open: this.#connections.size };
  }

  /** Closes all that match. */
  async close(filter: ConnectionFilter): Promise<CloseAnswer> {
    const isWanted = matcherOf(filter, (connection) => this.#idOf(connection));
    let closed = 0;
    await this.#each((connection) => {
      if (!isWanted(connection)) return;
      connection.closeByHand();
      closed++;
    });
    return { closed };
  }

  async #each(look: (connection: LiveConnection) => void): Promise<void> {
    let startedAt = performance.now();
    let left = SLICE;
    for (const connection of this.#connections) {
      if (!connection.isOver) look(connection);
      if (--left > 0) continue;
      left = SLICE;
      if (performance.now() - startedAt < TURN_MS) continue;
      await new Promise((next) => setImmediate(next));
      startedAt = performance.now();
    }
  }

  #idOf(connection: LiveConnection): string {
    return `${this.#worker}-${Math.round(sinceOf(connection) * 1000).toString(36)}`;
  }

  #valueOf(connection: LiveConnection, sort: ListRequest["sort"]): string | number {
    const { record } = connection;
    switch (sort) {
      case "since":
        return sinceOf(connection);
      case "clientId":
        return record.mqtt?.clientId ?? "";
      case "username":
        return record.mqtt?.username ?? "";
      case "address":
        return record.clientAddress;
      case "certificate":
        return record.clientSubject;
      case "router":
      case "service":
        return record.meters?.[sort] ?? "";
      case "bytesIn":
      case "bytesOut":
        return connection.traffic()[sort];
      case "rate": {
        const { rateIn, rateOut } = this.#sample(connection);
        return (rateIn ?? 0) + (rateOut ?? 0);
      }
      case "idle": {
        const { at, changedAt } = this.#sample(connection);
        return at - changedAt;
      }
      default:
        return record[sort];
    }
  }

  #sample(connection: LiveConnection): Seen {
    const { bytesIn, bytesOut } = connection.traffic();
    const at = performance.now();
    const seen = this.#seen.get(connection);
    if (seen === undefined) {
      const first: Seen = { bytesIn, bytesOut, at, changedAt: at, rateIn: null, rateOut: null };
      this.#seen.set(connection, first);
      return first;
    }
    const ms = at - seen.at;
    if (ms < LEAST_RATE_MS) return seen;
    if (bytesIn !== seen.bytesIn || bytesOut !== seen.bytesOut) seen.changedAt = at;
    seen.rateIn = ((bytesIn - seen.bytesIn) * 1000) / ms;
    seen.rateOut = ((bytesOut - seen.bytesOut) * 1000) / ms;
    seen.bytesIn = bytesIn;
    seen.bytesOut = bytesOut;
    seen.at = at;
    return seen;
  }

  #look(connection: LiveConnection): ConnectionLook {
    const { record } = connection;
    const { mqtt, meters } = record;
    const { bytesIn, bytesOut } = connection.traffic();
    const seen = this.#sample(connection);
    return {
      id: this.#idOf(connection),
      since: Math.round(sinceOf(connection)),
      entryPoint: record.entryPoint,
      step: connection.stepName,
      address: record.clientAddress,
      port: record.clientPort,
      balancer: record.balancer,
      sni: record.sni,
      router: meters?.router ?? "",
      service: meters?.service ?? "",
      server: record.server,
      certificate: record.clientSubject,
      clientId: mqtt?.clientId ?? null,
      username: mqtt?.username ?? null,
      mqttVersion: mqtt?.version ?? null,
      keepAlive: mqtt?.keepAlive ?? null,
      tlsVersion: record.tlsVersion,
      tlsCipher: record.tlsCipher,
      alpn: record.alpn,
      resumed: connection.isResumed,
      bytesIn,
      bytesOut,
      rateIn: seen.rateIn === null ? null : Math.round(seen.rateIn),
      rateOut: seen.rateOut === null ? null : Math.round(seen.rateOut),
      idle: seen.rateIn === null ? null : Math.round(seen.at - seen.changedAt),
    };
  }
}

function sinceOf({ record }: LiveConnection): number {
  return performance.timeOrigin + record.startedAt;
}

type Matcher = (connection: LiveConnection) => boolean;

function matcherOf(filter: ConnectionFilter, idOf: (connection: LiveConnection) => string): Matcher {
  const tests: Matcher[] = [];
  const same = (wanted: string | undefined, of: (connection: LiveConnection) => string | null | undefined) => {
    if (wanted !== undefined) tests.push((connection) => of(connection) === wanted);
  };
  same(filter.entryPoint, ({ record }) => record.entryPoint);
  same(filter.clientId, ({ record }) => record.mqtt?.clientId);
  same(filter.username, ({ record }) => record.mqtt?.username);
  same(filter.sni, ({ record }) => record.sni);
  same(filter.certificate, ({ record }) => record.clientSubject);
  same(filter.router, ({ record }) => record.meters?.router);
  same(filter.service, ({ record }) => record.meters?.service);
  same(filter.server, ({ record }) => record.server);
  same(filter.id, idOf);
  if (filter.address !== undefined) tests.push(addressTest(filter.address));
  if (filter.search !== undefined) tests.push(searchTest(filter.search));
  return (connection) => tests.every((test) => test(connection));
}

function addressTest(text: string): Matcher {
  const network = parseNetwork(text);
  if (network === null) return ({ record }) => record.clientAddress === text;
  return ({ record }) => {
    const address = parseAddress(record.clientAddress);
    return address !== null && networkHolds(network, address, 0, address.length);
  };
}

function searchTest(text: string): Matcher {
  // The client's words are never a pattern.
  const pattern = new RegExp(text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"), "i");
  return ({ record }) => {
    const { mqtt, meters } = record;
    return (
      pattern.test(record.clientAddress) ||
      pattern.test(record.sni) ||
      (mqtt !== null && (pattern.test(mqtt.clientId) || (mqtt.username !== null && pattern.test(mqtt.username)))) ||
      pattern.test(record.clientSubject) ||
      (meters !== null && (pattern.test(meters.router) || pattern.test(meters.service))) ||
      pattern.test(record.server)
    );
  };
}
