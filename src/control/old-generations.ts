// The newest master's book of the generations before it, which have connections still: what they count, what they are told, and their end.

import type { Channel } from "../net/local-channel.ts";
import type { Logger } from "../observe/logger.ts";
import { addUp, type MetricJson, onlyTotals } from "../observe/metric-json.ts";
import type { FromOld, LentBroker, MasterAddress, ToOld } from "../protocol/generations.ts";
import type { DrainPace } from "../protocol/messages.ts";

/** Who does not answer within this is left out, and what it said last stands in. Milliseconds. */
const PATIENCE_MS = 1000;

export interface OldGenerationsHost {
  /** One has come, which shares limits from now on. */
  joined(generation: number): void;
  /** Whether its embedded broker is this one's too. */
  isWanted(broker: LentBroker): boolean;
  /** It has no connections any more; what it has counted. */
  drained(generation: number, totals: readonly MetricJson[]): void;
  /** A broker is gone that was wanted. */
  brokerGone(): void;
  heard(generation: number, message: Extract<FromOld, { type: "shares" | "outcomes" | "failures" | "signal" }>): void;
}

interface Old {
  readonly generation: number;
  readonly channel: Channel;
  readonly broker: LentBroker | null;
  /** `idle`: its connections are gone, and it stays for another reason. */
  state: "draining" | "ending" | "idle";
  connections: number;
  pids: readonly number[];
  metrics: readonly (readonly MetricJson[])[];
  answered: number;
  /** It has said how many connections it has. */
  isKnown: boolean;
}

export class OldGenerations {
  readonly #host: OldGenerationsHost;
  readonly #logger: Logger;
  readonly #all = new Set<Old>();
  #lastAsk = 0;
  readonly #waiting = new Set<() => void>();

  constructor(host: OldGenerationsHost, logger: Logger) {
    this.#host = host;
    this.#logger = logger;
  }

  /** How many have connections. */
  get count(): number {
    return [...this.#all].filter(({ state }) => state !== "idle").length;
  }

  get connections(): number {
    let sum = 0;
    for (const { connections } of this.#all) sum += connections;
    return sum;
  }

  /** Of all their processes. */
  get pids(): number[] {
    return [...this.#all].flatMap(({ pids }) => pids);
  }

  add(channel: Channel, { generation, broker, isIdle }: Extract<FromOld, { type: "old" }>): void {
    const state = isIdle ? "idle" : "draining";
    const old: Old = {
      generation,
      channel,
      broker,
      state,
      connections: 0,
      pids: [],
      metrics: [],
      answered: 0,
      isKnown: false,
    };
    this.#all.add(old);
    channel.listen(
      (message) => this.#take(old, message as FromOld),
      () => this.#gone(old),
    );
    if (broker !== null) this.#send(old, { type: "broker", isWanted: this.#host.isWanted(broker) });
    this.#host.joined(generation);
  }

  /** What their living processes count. */
  async collect(): Promise<MetricJson[][]> {
    const id = ++this.#lastAsk;
    const asked = [...this.#all].filter(({ state }) => state !== "idle");
    if (asked.length > 0) {
      this.tell({ type: "ask", id });
      await this.#until(() => asked.every((old) => old.answered >= id || !this.#all.has(old)), PATIENCE_MS);
    }
    return [...this.#all].flatMap(({ metrics }) => metrics.map((each) => [...each]));
  }

  /** To one of them, or to all. */
  tell(message: ToOld, generation?: number): void {
    for (const old of this.#all)
      if (generation === undefined || old.generation === generation) this.#send(old, message);
  }

  /** Ends those that are too many: who has fewest connections goes first. */
  async limit(most: number, graceMs: number, pace: DrainPace): Promise<void> {
    await this.#until(() => [...this.#all].every(({ isKnown, state }) => isKnown || state === "idle"), PATIENCE_MS);
    await this.collect();
    const draining = [...this.#all].filter(({ state }) => state === "draining");
    draining.sort((a, b) => a.connections - b.connections || a.generation - b.generation);
    for (const old of draining.slice(0, Math.max(0, draining.length - most))) {
      const { generation, connections } = old;
      this.#logger.warn(
        { generation, connections },
        "more old generations than lifeCycle.oldGenerations: the connections of the one that has fewest are closed",
      );
      old.state = "ending";
      this.#send(old, { type: "stop", graceMs, pace });
    }
  }

  /** All of them end within that time. Resolves when none has connections; `patienceMs` later in any case. */
  async stop(graceMs: number, pace: DrainPace, patienceMs: number): Promise<void> {
    for (const old of this.#all) if (old.state === "draining") old.state = "ending";
    this.tell({ type: "stop", graceMs, pace });
    await this.#until(() => this.count === 0, graceMs + patienceMs);
  }

  /** They are another one's from now on. */
  moved(to: MasterAddress): void {
    const all = [...this.#all];
    this.#all.clear();
    for (const old of all) {
      this.#send(old, { type: "moved", to });
      old.channel.end();
    }
  }

  #take(old: Old, message: FromOld): void {
    switch (message.type) {
      case "report":
        old.isKnown = true;
        old.connections = message.connections;
        old.pids = message.pids;
        old.metrics = message.metrics;
        old.answered = Math.max(old.answered, message.id);
        break;
      case "drained":
        this.#drained(old, message.totals);
        break;
      case "old":
        return;
      default:
        this.#host.heard(old.generation, message);
    }
    this.#look();
  }

  #drained(old: Old, totals: readonly MetricJson[]): void {
    if (old.state === "idle") return;
    old.state = "idle";
    old.connections = 0;
    old.metrics = [];
    this.#logger.info({ generation: old.generation }, "an old generation has no connections any more");
    this.#host.drained(old.generation, totals);
    this.#send(old, { type: "taken" });
  }

  #gone(old: Old): void {
    if (!this.#all.delete(old)) return;
    const { generation, state, connections, broker } = old;
    if (state !== "idle") {
      this.#logger.error({ generation, connections }, "an old generation died, and its connections with it");
      this.#host.drained(generation, onlyTotals(addUp(old.metrics)));
    }
    if (broker !== null && this.#host.isWanted(broker)) this.#host.brokerGone();
    this.#look();
  }

  #send(old: Old, message: ToOld): void {
    old.channel.send(message);
  }

  #look(): void {
    for (const check of this.#waiting) check();
  }

  #until(isDone: () => boolean, patienceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve();
      };
      const check = () => {
        if (isDone()) done();
      };
      const timer = setTimeout(done, patienceMs);
      this.#waiting.add(check);
      check();
    });
  }
}
