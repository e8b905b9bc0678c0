// How one server is, by its checks and by what the connections of clients tell. Pure: time is a parameter, in milliseconds of any clock.

import type { ServerOutcome } from "../protocol/messages.ts";
import type { Passive } from "../upstream/health.ts";
import type { Health } from "../upstream/server-state.ts";
import { isOwnShortage } from "./verdict.ts";

/** What a state follows from: also a log field. */
export type Cause = "check" | "dials" | "clients";

export interface HealthRules {
  /** null: nobody checks it; when it was taken out, a dial brings it back. */
  readonly check: { readonly rise: number; readonly fall: number } | null;
  readonly passive: Passive;
}

/** The longest time for which a server is left alone, unless `coolDown` is longer. */
const MAX_COOL_DOWN = 300_000;

export class ServerHealth {
  health: Health = "unknown";
  /** Why it is as it is; null while nobody knows how it is. */
  cause: Cause | null = null;
  /** In words; "" when all is well. */
  reason = "";
  #rules: HealthRules;
  /** Results in a row of one kind. */
  #good = 0;
  #bad = 0;
  /** When dials failed, and how many. */
  #failures: { readonly at: number; readonly count: number }[] = [];
  #unanswered = 0;
  /** It was taken out by clients or dials, and has not answered since. */
  #isUnproven = false;
  #cameBackAt = Number.NEGATIVE_INFINITY;
  /** How often it was taken out again without having answered. */
  #again = 0;
  /** Good checks before this time do not bring it back. */
  #heldUntil = Number.NEGATIVE_INFINITY;

  constructor(rules: HealthRules) {
    this.#rules = rules;
  }

  /** Other rules, after a reload: what is known of it stays. */
  set rules(rules: HealthRules) {
    this.#rules = rules;
  }

  /** How long it is left alone now. */
  get coolDownMs(): number {
    const { coolDownMs } = this.#rules.passive;
    return Math.min(coolDownMs * 2 ** this.#again, Math.max(coolDownMs, MAX_COOL_DOWN));
  }

  /** The result of a check, or of the dial that is to bring it back. @returns whether its health has changed. */
  checked(fault: string | null, now: number): boolean {
    const { check } = this.#rules;
    if (fault !== null) {
      this.#good = 0;
      this.#bad++;
      if (this.health === "down" || (this.health === "up" && this.#bad < (check?.fall ?? 1))) return false;
      return this.#become("down", "check", fault);
    }
    this.#bad = 0;
    if (now < this.#heldUntil) return false;
    this.#good++;
    if (this.health === "up" || (this.health === "down" && this.#good < (check?.rise ?? 1))) return false;
    this.#cameBackAt = now;
    return this.#become("up", "check", "");
  }

  /** How connections of clients went, `count` of them since it was last told. @returns whether its health has changed. */
  connected(outcome: ServerOutcome["outcome"], count: number, now: number): boolean {
    if (isOwnShortage(outcome)) return false;
    if (outcome === "answered") return this.#answered(now);
    const { failures, unanswered, windowMs } = this.#rules.passive;
    if (outcome === "closed" || outcome === "silent") {
      this.#unanswered += count;
      return unanswered > 0 && this.#unanswered >= unanswered && this.#takeOut("clients", UNANSWERED[outcome], now);
    }
    if (failures === 0) return false;
    this.#failures = [...this.#failures.filter(({ at }) => now - at < windowMs), { at: now, count }].slice(-failures);
    const sum = this.#failures.reduce((total, each) => total + each.count, 0);
    return sum >= failures && this.#takeOut("dials", outcome, now);
  }

  /** A client has had an answer: where nobody checks the server, that is as good as a check. */
  #answered(now: number): boolean {
    this.#unanswered = 0;
    this.#isUnproven = false;
    this.#again = 0;
    this.#heldUntil = Number.NEGATIVE_INFINITY;
    if (this.health !== "down" || this.#rules.check !== null) return false;
    this.#cameBackAt = now;
    return this.#become("up", "clients", "");
  }

  #takeOut(cause: Cause, reason: string, now: number): boolean {
    if (this.health === "down") return false;
    // Up for so long, it has been in use, though nobody may have told.
    const isAgain = this.#isUnproven && now - this.#cameBackAt < MAX_COOL_DOWN;
    this.#again = isAgain ? this.#again + 1 : 0;
    this.#isUnproven = true;
    // A check does not see what clients see, so it is believed only after a while; a refused dial it sees as well.
    if (cause === "clients" || isAgain) this.#heldUntil = now + this.coolDownMs;
    return this.#become("down", cause, reason);
  }

  #become(health: Health, cause: Cause, reason: string): boolean {
    this.health = health;
    this.cause = cause;
    this.reason = reason;
    this.#good = 0;
    this.#bad = 0;
    this.#unanswered = 0;
    this.#failures = [];
    return true;
  }
}

const UNANSWERED = {
  closed: "it closes connections without an answer to CONNECT",
  silent: "it does not answer CONNECT",
} as const;
