// This master when another one has taken over: it keeps its workers until their connections are gone, and says what they count.

import type { Logger } from "../observe/logger.ts";
import { addUp, type MetricJson, onlyTotals } from "../observe/metric-json.ts";
import type { FromOld, LentBroker, MasterAddress, ToOld } from "../protocol/generations.ts";
import type { DrainPace } from "../protocol/messages.ts";
import { Orphans } from "../system/orphans.ts";
import { Newest } from "./newest.ts";

/** How often it tells its figures unasked, so that little is lost when it is killed. Milliseconds. */
const REPORT_MS = 5000;

const OPEN_CONNECTIONS = "sluice_entrypoint_open_connections";

export interface OldGenerationHost {
  /** What its processes count, and those of them that are gone. */
  collect(): Promise<readonly MetricJson[][]>;
  /** Its processes. */
  pids(): readonly number[];
  /** Accepts no more, and ends connections by then; resolves when all workers are gone. May be called again, to make it sooner. */
  drain(graceMs: number, pace: DrainPace): Promise<void>;
  heard(message: Extract<ToOld, { type: "servers" | "shares" | "reload" | "reopen-logs" }>): void;
  /** The newest one shares limits from now on. */
  joined(): void;
  /** Its connections are gone, and it waits for the end of the others alone. */
  rest(): void;
  /** All that it has is to be closed. */
  kill(): void;
  /** The process ends. */
  end(code: number): void;
}

export interface OldGenerationFacts {
  readonly generation: number;
  readonly broker: LentBroker | null;
  /** Who started it waits for its end, and takes that for the end of Sluice: so it stays until the newest one ends. */
  readonly isKeeper: boolean;
}

export class OldGeneration {
  readonly #host: OldGenerationHost;
  readonly #facts: OldGenerationFacts;
  readonly #logger: Logger;
  readonly #newest: Newest;
  #isBrokerWanted = true;
  #isDrained = false;
  /** Its connections are gone: what was counted in all. */
  #drained: MetricJson[] | null = null;
  #isTaken = false;
  #isOver = false;

  constructor(host: OldGenerationHost, facts: OldGenerationFacts, logger: Logger) {
    this.#host = host;
    this.#facts = facts;
    this.#logger = logger;
    this.#newest = new Newest({
      introduction: () => ({
        type: "old",
        generation: facts.generation,
        broker: facts.broker,
        isIdle: this.#isTaken,
      }),
      joined: () => this.#joined(),
      heard: (message) => this.#heard(message),
      lost: () => this.#lost(),
    });
    setInterval(() => void this.#report(0), REPORT_MS);
    const orphans = process.pid === 1 ? new Orphans() : null;
    if (orphans !== null) setInterval(() => orphans.reap(), REPORT_MS);
  }

  /** The newest one is there. Resolves when it is told of this one, or cannot be reached. */
  follow(address: MasterAddress): Promise<void> {
    return this.#newest.dial(address);
  }

  /** Its connections may go on so long, and end at this pace. */
  async drain(graceMs: number, pace: DrainPace): Promise<void> {
    await this.#host.drain(graceMs, pace);
    if (this.#isDrained || this.#isOver) return;
    this.#isDrained = true;
    this.#drained = onlyTotals(addUp(await this.#host.collect()));
    this.#logger.info({ generation: this.#facts.generation }, "the connections of this old generation are gone");
    this.#newest.send({ type: "drained", totals: this.#drained });
    // Where the newest one is lost, nobody waits for what was counted.
    if (this.#isOrphan) this.#end(0);
  }

  send(message: FromOld): void {
    this.#newest.send(message);
  }

  /** Signals are for Sluice as a whole, whichever of its masters gets them. */
  forward(signal: Extract<FromOld, { type: "signal" }>["signal"]): void {
    if (!this.#isOrphan) this.#newest.send({ type: "signal", signal }, true);
    else if (signal === "SIGTERM" || signal === "SIGINT") this.#killAndEnd(0);
  }

  #isOrphan = false;

  #joined(): void {
    if (this.#drained !== null && !this.#isTaken) this.#newest.send({ type: "drained", totals: this.#drained });
    void this.#report(0);
    this.#host.joined();
  }

  #heard(message: Exclude<ToOld, { type: "moved" }>): void {
    switch (message.type) {
      case "ask":
        void this.#report(message.id);
        return;
      case "taken":
        this.#isTaken = true;
        this.#look();
        return;
      case "broker":
        this.#isBrokerWanted = message.isWanted;
        this.#look();
        return;
      case "stop":
        void this.drain(message.graceMs, message.pace);
        return;
      case "kill":
        this.#killAndEnd(1);
        return;
      case "ending":
        this.#killAndEnd(message.code);
        return;
      default:
        this.#host.heard(message);
    }
  }

  /** Who waits for this process must hear that Sluice is gone; otherwise what is open may go on to its end. */
  #lost(): void {
    if (this.#isOver) return;
    this.#isOrphan = true;
    const { generation, isKeeper } = this.#facts;
    this.#logger.error({ generation }, "the newest generation is gone: nobody accepts connections any more");
    if (isKeeper) this.#killAndEnd(1);
    else if (this.#drained !== null) this.#end(0);
  }

  async #report(id: number): Promise<void> {
    if (this.#drained !== null) return;
    const metrics = await this.#host.collect();
    if (this.#drained !== null) return;
    const connections = metrics
      .flat()
      .filter(({ name }) => name === OPEN_CONNECTIONS)
      .flatMap(({ values }) => values)
      .reduce((sum, { value }) => sum + value, 0);
    this.#newest.send({ type: "report", id, connections, pids: [process.pid, ...this.#host.pids()], metrics });
  }

  /** Whether it is of no use any more. */
  #look(): void {
    const isNeeded = this.#facts.isKeeper || (this.#facts.broker !== null && this.#isBrokerWanted);
    if (!this.#isTaken) return;
    if (isNeeded) this.#host.rest();
    else this.#end(0);
  }

  #killAndEnd(code: number): void {
    this.#host.kill();
    this.#end(code);
  }

  #end(code: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#newest.end();
    this.#host.end(code);
  }
}
