// Follows the names of servers in DNS: asks anew when an answer has had its time, and makes servers of the answers. What DNS does not
// answer changes nothing: the last good answer stays.

import { MAX_TARGETS } from "../compile/service-graph.ts";
import { parseAddress } from "../ip/address.ts";
import { type Located, type NameAsks, type Reply, SYSTEM_ASKS } from "../net/name-answers.ts";
import type { Logger } from "../observe/logger.ts";
import type { NameState } from "../observe/master-metrics.ts";
import { type Row, rowKey } from "../protocol/messages.ts";
import { discovered, type NameAnswers, type NameQuestion, questionsOf } from "./discovered.ts";

type ServiceRow = Extract<Row, { kind: "service" }>;

/** Milliseconds. An answer is good for its time to live within bounds: some give 0, and Docker's gives 10 min to names that change any time. */
const NAME_TIMES = {
  least: 2000,
  most: 30_000,
  /** Without a time to live. */
  usual: 10_000,
  /** After a question that has failed. */
  retry: 5000,
  /** New names are waited for as long. */
  first: 3000,
  /** Names that change together are one change. */
  settle: 20,
} as const;

/** Servers that one name may stand for. */
export const MAX_SERVERS_PER_NAME = 256;

interface Followed extends NameQuestion {
  /** Sorted; undefined: never answered. */
  values: readonly string[] | readonly Located[] | undefined;
  isAsked: boolean;
  isFailing: boolean;
  good: number;
  failed: number;
  timer: ReturnType<typeof setTimeout> | null;
}

export class ServerNames implements NameAnswers {
  readonly #logger: Logger;
  readonly #onChange: () => void;
  readonly #asks: NameAsks;
  readonly #times: Readonly<Record<keyof typeof NAME_TIMES, number>>;
  readonly #names = new Map<string, Followed>();
  /** The services that have names among their servers, and what they come to by the answers; null: to be made anew. */
  #services: readonly ServiceRow[] = [];
  #made: ReadonlyMap<string, ServiceRow> | null = null;
  #waiting: (() => void)[] = [];
  #settling: ReturnType<typeof setTimeout> | null = null;
  #isClosed = false;

  /** `onChange`: what `apply` gives has changed. */
  constructor(
    logger: Logger,
    onChange: () => void,
    asks: NameAsks = SYSTEM_ASKS,
    times: Readonly<Record<keyof typeof NAME_TIMES, number>> = NAME_TIMES,
  ) {
    this.#logger = logger;
    this.#onChange = onChange;
    this.#asks = asks;
    this.#times = times;
  }

  /** Follows the names in these rows from now on, and no others. */
  want(rows: Iterable<Row>): void {
    const services: ServiceRow[] = [];
    for (const row of rows) if (row.kind === "service" && hasNames(row)) services.push(row);
    this.#services = services;
    this.#made = null;
    this.#follow();
  }

  /** Whether each name has been asked at least once, whatever came of it. */
  get isReady(): boolean {
    return [...this.#names.values()].every(({ isAsked }) => isAsked);
  }

  /** Waits until that is so, and not longer than `times.first`. */
  ready(): Promise<void> {
    if (this.isReady) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#times.first);
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** These rows with servers in place of names. */
  apply(rows: ReadonlyMap<string, Row>): ReadonlyMap<string, Row> {
    if (this.#services.length === 0) return rows;
    this.#made ??= new Map(this.#services.map((row) => [rowKey(row), this.#make(row)]));
    const made = this.#made;
    return new Map([...rows].map(([key, row]) => [key, made.get(key) ?? row]));
  }

  /** Asks all of them now, whenever it was to be. */
  refresh(): void {
    for (const name of this.#names.values()) {
      if (name.timer === null) continue; // it is being asked
      clearTimeout(name.timer);
      void this.#ask(name);
    }
  }

  addresses(host: string): readonly string[] | undefined {
    return this.#names.get(`addresses ${host}`)?.values as readonly string[] | undefined;
  }

  located(name: string): readonly Located[] | undefined {
    return this.#names.get(`located ${name}`)?.values as readonly Located[] | undefined;
  }

  states(): NameState[] {
    return [...this.#names.values()].map(({ name, values, isFailing, good, failed }) => {
      return { name, servers: values?.length ?? 0, isFailing, good, failed };
    });
  }

  close(): void {
    this.#isClosed = true;
    if (this.#settling !== null) clearTimeout(this.#settling);
    for (const { timer } of this.#names.values()) if (timer !== null) clearTimeout(timer);
  }

  #make(row: ServiceRow): ServiceRow {
    if (row.value.kind !== "loadBalancer") return row;
    const servers = discovered(row.value.servers, this);
    if (servers.length > MAX_TARGETS)
      this.#logger.warn(
        { service: row.name, servers: servers.length },
        `a service has at most ${MAX_TARGETS} servers: the others are left out`,
      );
    return { ...row, value: { ...row.value, servers: servers.slice(0, MAX_TARGETS) } };
  }

  /** Names that come are asked at once, and those that are gone are forgotten. */
  #follow(): void {
    const wanted = new Map<string, NameQuestion>();
    for (const { value } of this.#services)
      if (value.kind === "loadBalancer")
        for (const question of questionsOf(value.servers, this))
          wanted.set(`${question.kind} ${question.name}`, question);
    for (const [key, { timer }] of this.#names)
      if (!wanted.has(key)) {
        if (timer !== null) clearTimeout(timer);
        this.#names.delete(key);
      }
    for (const [key, question] of wanted) {
      if (this.#names.has(key)) continue;
      const name: Followed = {
        ...question,
        ...{ values: undefined, isAsked: false, isFailing: false, good: 0, failed: 0, timer: null },
      };
      this.#names.set(key, name);
      void this.#ask(name);
    }
    if (!this.isReady) return;
    for (const each of this.#waiting.splice(0)) each();
  }

  async #ask(name: Followed): Promise<void> {
    name.timer = null;
    let waitMs: number = this.#times.retry;
    try {
      const reply: Reply<string | Located> = await this.#asks[name.kind](name.name);
      if (!this.#isFollowed(name)) return;
      waitMs = this.#answered(name, reply);
    } catch (error) {
      if (!this.#isFollowed(name)) return;
      this.#failed(name, error);
    }
    name.isAsked = true;
    name.timer = setTimeout(() => void this.#ask(name), waitMs);
    // An answer may bring further names.
    this.#follow();
  }

  #isFollowed(name: Followed): boolean {
    return !this.#isClosed && this.#names.get(`${name.kind} ${name.name}`) === name;
  }

  /** How long it is good for. */
  #answered(name: Followed, { values, ttlMs }: Reply<string | Located>): number {
    const { least, most, usual } = this.#times;
    name.good++;
    if (name.isFailing) this.#logger.info({ name: name.name }, "the name of a server resolves again");
    name.isFailing = false;
    const sorted = sort(name.kind, values);
    if (sorted.length > MAX_SERVERS_PER_NAME && (name.values?.length ?? 0) < MAX_SERVERS_PER_NAME)
      this.#logger.warn(
        { name: name.name, found: sorted.length },
        `the name of a server stands for more than ${MAX_SERVERS_PER_NAME}: the first ones are used`,
      );
    const taken = sorted.slice(0, MAX_SERVERS_PER_NAME);
    if (!Bun.deepEquals(name.values, taken)) {
      const [before, now] = [words(name.values ?? []), words(taken)];
      const added = now.filter((each) => !before.includes(each));
      const removed = before.filter((each) => !now.includes(each));
      this.#logger.info({ name: name.name, added, removed, servers: now.length }, "the servers of a name have changed");
      name.values = taken as Followed["values"];
      this.#changed();
    }
    return Math.min(most, Math.max(least, ttlMs ?? usual));
  }

  #failed(name: Followed, error: unknown): void {
    name.failed++;
    if (name.isFailing) return;
    name.isFailing = true;
    const { code } = error as NodeJS.ErrnoException;
    const rest = name.values === undefined ? "it has had none yet" : "the last good ones stay in use";
    this.#logger.warn({ name: name.name, error: code ?? "unknown" }, `the name of a server does not resolve: ${rest}`);
  }

  #changed(): void {
    this.#made = null;
    this.#settling ??= setTimeout(() => {
      this.#settling = null;
      this.#onChange();
    }, this.#times.settle);
  }
}

function hasNames({ value }: ServiceRow): boolean {
  return value.kind === "loadBalancer" && value.servers.some(({ discover }) => discover !== undefined);
}

const words = (values: readonly (string | Located)[]): string[] =>
  values.map((each) => (typeof each === "string" ? each : `${each.host}:${each.port}`));

/** DNS servers give answers in an order that changes from one to the next. */
function sort(kind: NameQuestion["kind"], values: readonly (string | Located)[]): readonly (string | Located)[] {
  if (kind === "located")
    return (values as readonly Located[]).toSorted(
      (a, b) => a.priority - b.priority || compare(a.host, b.host) || a.port - b.port || b.weight - a.weight,
    );
  const bytes = new Map((values as readonly string[]).map((each) => [each, parseAddress(each)]));
  return [...bytes]
    .filter((pair): pair is [string, Uint8Array] => pair[1] !== null)
    .sort(([, a], [, b]) => a.length - b.length || Buffer.compare(a, b))
    .map(([address]) => address);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
