// The generations of this Sluice, as this master sees them: those before it, the one that is to follow it, and in the end the one that has.

import type { LifeCycleConfig } from "../config/life-cycle.ts";
import type { StaticConfig } from "../config/static.ts";
import { type Channel, type ChannelServer, serveChannels } from "../net/local-channel.ts";
import type { Logger } from "../observe/logger.ts";
import type {
  FromOld,
  FromSuccessor,
  Inheritance,
  LentBroker,
  MasterAddress,
  ToSuccessor,
} from "../protocol/generations.ts";
import type { Program } from "../system/spawn.ts";
import { OldGeneration, type OldGenerationHost } from "./old-generation.ts";
import { OldGenerations, type OldGenerationsHost } from "./old-generations.ts";
import { stopPlan } from "./stop-plan.ts";
import { Successor, type SuccessorOutcome } from "./successor.ts";

export interface LineageHost {
  /** What a successor is told before it starts. */
  welcome(): Omit<Extract<ToSuccessor, { type: "welcome" }>, "type" | "generation">;
  /** The listening sockets, and what of the environment tells of them. */
  sockets(): { readonly descriptors: readonly number[]; readonly environment: Readonly<Record<string, string>> };
  /** Another one serves: this one does no more than its connections need. What it leaves. */
  handOver(pid: number): Inheritance;
  readonly old: OldGenerationHost;
  readonly olds: OldGenerationsHost;
  /** What came of an upgrade. */
  replaced(isGood: boolean): void;
}

type Signal = Extract<FromOld, { type: "signal" }>["signal"];

export class Lineage {
  /** From 1 on. */
  readonly generation: number;
  readonly olds: OldGenerations;
  readonly #host: LineageHost;
  readonly #config: StaticConfig;
  readonly #isKeeper: boolean;
  readonly #logger: Logger;
  readonly #broker: () => LentBroker | null;
  #server: Promise<ChannelServer> | null = null;
  #successor: Successor | null = null;
  /** Once another one has followed. */
  #old: OldGeneration | null = null;
  /** What came while a successor was starting, and is for whoever serves then. */
  #later: Signal[] = [];
  #isStopping = false;

  /**
   * @param isKeeper who started this process waits for its end, and would take that for the end of Sluice.
   * @param broker the embedded broker that this generation has started.
   */
  constructor(
    host: LineageHost,
    config: StaticConfig,
    facts: { readonly generation: number; readonly isKeeper: boolean; broker(): LentBroker | null },
    logger: Logger,
  ) {
    this.#host = host;
    this.#config = config;
    this.generation = facts.generation;
    this.#isKeeper = facts.isKeeper;
    this.#broker = facts.broker;
    this.#logger = logger;
    this.olds = new OldGenerations(host.olds, logger);
  }

  get isOld(): boolean {
    return this.#old !== null;
  }

  get #lifeCycle(): LifeCycleConfig {
    return this.#config.lifeCycle;
  }

  /** Where others find this one. @throws the system's error */
  async serve(): Promise<MasterAddress> {
    this.#server ??= serveChannels((channel) => this.#joined(channel));
    return (await this.#server).address;
  }

  /**
   * Starts a successor. When it serves, this master is an old one; when it fails, nothing has changed. The log says what came of it.
   * @returns whether another one serves now.
   */
  async follow(program: Program, args: readonly string[]): Promise<boolean> {
    if (this.#successor !== null || this.#isStopping) return false;
    let address: MasterAddress;
    try {
      address = await this.serve();
    } catch (error) {
      return this.#failed(`this system has no abstract Unix sockets: ${(error as Error).message}`);
    }
    const { command, name } = program;
    const { descriptors, environment: sockets } = this.#host.sockets();
    const environment = { ...program.environment, ...sockets };
    const successor = new Successor(
      {
        ...{ command: [...command, ...args], name, descriptors, environment },
        timeoutMs: this.#lifeCycle.startTimeout,
        welcome: { type: "welcome", generation: this.generation + 1, ...this.#host.welcome() },
      },
      address,
    );
    this.#successor = successor;
    const outcome = await successor.outcome;
    this.#successor = null;
    if (outcome.kind === "failed") {
      this.#failed(outcome.why);
      for (const signal of this.#later.splice(0)) process.emit(signal);
      return false;
    }
    await this.#handOver(outcome);
    return true;
  }

  /** Where a signal belongs. False: it is for this process, now. */
  forward(signal: Signal): boolean {
    if (this.#old !== null) this.#old.forward(signal);
    else if (this.#successor !== null && signal !== "SIGTERM" && signal !== "SIGINT") {
      if (!this.#later.includes(signal)) this.#later.push(signal);
      this.#logger.info({ signal }, "new processes are being started: it is for those that serve then");
    } else return false;
    return true;
  }

  /** To the newest, where this one is old. */
  tellNewest(message: FromOld): void {
    this.#old?.send(message);
  }

  /** Nobody shall follow any more. */
  stopping(): void {
    this.#isStopping = true;
    this.#successor?.abort();
  }

  /** Ends those that are too many, now that there is one more. */
  limit(): Promise<void> {
    const { graceMs } = stopPlan(this.#config);
    const entryPoints = [...this.#config.entryPoints.keys()];
    return this.olds.limit(this.#lifeCycle.oldGenerations, graceMs, { kind: "evenly", entryPoints });
  }

  async #handOver({ pid, address, channel }: Extract<SuccessorOutcome, { kind: "ready" }>): Promise<void> {
    this.#host.replaced(true);
    const inheritance = this.#host.handOver(pid);
    this.olds.moved(address);
    const old = new OldGeneration(
      this.#host.old,
      { generation: this.generation, broker: this.#broker(), isKeeper: this.#isKeeper },
      this.#logger,
    );
    this.#old = old;
    this.#logger.info(
      { pid, generation: this.generation + 1 },
      "new processes serve; these go on with their connections",
    );
    const { drainTimeout, spread } = this.#lifeCycle;
    void old.drain(drainTimeout, spread === undefined ? { kind: "together" } : { kind: "rate", perSecond: spread });
    const yours: ToSuccessor = { type: "yours", inheritance };
    channel.send(yours);
    await old.follow(address);
    for (const signal of this.#later.splice(0)) old.forward(signal);
    (await this.#server)?.close();
  }

  #failed(why: string): false {
    if (this.#isStopping) return false;
    this.#logger.error({ why }, "new processes could not be started: those that serve go on, and nothing has changed");
    this.#host.replaced(false);
    return false;
  }

  #joined(channel: Channel): void {
    channel.listen(
      (message) => {
        const told = message as FromSuccessor | FromOld;
        if (told.type === "old") this.olds.add(channel, told);
        else if (told.type === "hello") {
          if (this.#successor?.joined(channel, told) !== true) channel.end();
        } else if (told.type === "ready" || told.type === "failed") this.#successor?.told(channel, told);
      },
      () => {},
    );
  }
}
