// Starts the Sluice that is to follow this one, and waits until it serves or has failed. Whatever becomes of it, this one goes on until then.

import type { Subprocess } from "bun";
import type { Channel } from "../net/local-channel.ts";
import {
  type FromSuccessor,
  GENERATIONS_PROTOCOL,
  type MasterAddress,
  PREDECESSOR_VARIABLE,
  type ToSuccessor,
} from "../protocol/generations.ts";
import { describeError } from "../system/errors.ts";

export interface SuccessorPlan {
  /** The program, and what stands behind it. */
  readonly command: readonly string[];
  /** As what it shall know itself: where the next one is looked for. */
  readonly name: string;
  /** Beside what this process has. */
  readonly environment: Readonly<Record<string, string>>;
  /** What it inherits, from descriptor 3 on. */
  readonly descriptors: readonly number[];
  readonly timeoutMs: number;
  readonly welcome: ToSuccessor;
}

export type SuccessorOutcome =
  | { readonly kind: "ready"; readonly pid: number; readonly address: MasterAddress; readonly channel: Channel }
  /** `why` is fit for an operator. */
  | { readonly kind: "failed"; readonly why: string };

export class Successor {
  readonly #plan: SuccessorPlan;
  readonly #done: (outcome: SuccessorOutcome) => void;
  readonly outcome: Promise<SuccessorOutcome>;
  #child: Subprocess | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** What it has said itself. */
  #said: string | null = null;

  /** Starts it. It finds this one at `at`. */
  constructor(plan: SuccessorPlan, at: MasterAddress) {
    this.#plan = plan;
    let done!: (outcome: SuccessorOutcome) => void;
    this.outcome = new Promise((resolve) => {
      done = resolve;
    });
    this.#done = done;
    const environment: Record<string, string | undefined> = { ...process.env, ...plan.environment };
    environment[PREDECESSOR_VARIABLE] = JSON.stringify(at);
    try {
      this.#child = Bun.spawn([...plan.command], {
        argv0: plan.name,
        env: environment,
        stdio: ["ignore", "inherit", "inherit", ...plan.descriptors],
        onExit: (_, code, signal) => this.#fail(this.#said ?? `it ended with ${signal ?? `exit code ${code}`}`),
      });
    } catch (error) {
      this.#fail(`${plan.command[0]} cannot be started: ${describeError(error)}`);
      return;
    }
    const seconds = plan.timeoutMs / 1000;
    this.#timer = setTimeout(
      () => this.#fail(`it did not serve within ${seconds} s (lifeCycle.startTimeout), and was ended`),
      plan.timeoutMs,
    );
  }

  /** Somebody who says hello. False: it is not the one that was started. */
  joined(channel: Channel, { pid, protocol }: Extract<FromSuccessor, { type: "hello" }>): boolean {
    if (pid !== this.#child?.pid) return false;
    if (protocol !== GENERATIONS_PROTOCOL) {
      this.#fail(
        `it speaks version ${protocol} of what two Sluices say to each other, and this one ${GENERATIONS_PROTOCOL}: restart instead`,
      );
      return false;
    }
    channel.send(this.#plan.welcome);
    return true;
  }

  told(channel: Channel, message: FromSuccessor): void {
    if (message.type === "failed") this.#said = message.message;
    else if (message.type === "ready")
      this.#end({ kind: "ready", pid: this.#child!.pid, address: message.address, channel });
  }

  /** It is not wanted any more. */
  abort(): void {
    this.#fail("Sluice is being stopped");
  }

  #fail(why: string): void {
    if (this.#end({ kind: "failed", why })) this.#child?.kill("SIGKILL");
  }

  #end(outcome: SuccessorOutcome): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#done(outcome);
    return true;
  }

  #ended = false;
}
