// What is to be obtained, and when: the certificates that are wanted against those that are stored. It reads and writes nothing, and
// time and randomness are parameters; manager.ts carries it out.

import { type Lifetime, lifetimeOf, momentOf, pauseAfter, renewalTime } from "./renewal.ts";
import type { StoredCertificate } from "./storage.ts";

/** One certificate that a router needs. */
export interface Wanted {
  readonly resolver: string;
  /** The first one is the common name. */
  readonly names: readonly string[];
  /** For messages. */
  readonly router: string;
  /** It is shown where no other certificate fits, too. */
  readonly asDefault: boolean;
}

export interface CertificateState {
  readonly resolver: string;
  readonly names: readonly string[];
  readonly notAfter: number | null;
  /** When it is next tried or renewed, in milliseconds since the epoch. */
  readonly next: number;
  readonly failures: number;
  readonly lastError: string | null;
}

/** A certificate that is wanted, and what is known of it. Only the plan changes it. Times in milliseconds since the epoch. */
export interface Task {
  readonly resolver: string;
  readonly names: readonly string[];
  readonly router: string;
  readonly lifetime: Lifetime | null;
  /** When to obtain or renew. */
  readonly next: number;
  readonly failures: number;
  readonly lastError: string | null;
  readonly certificate: StoredCertificate | null;
  /** When the authority is next asked for its suggestion. */
  readonly askAt: number;
  /** When we obtained it; 0 for one that was there. */
  readonly obtainedAt: number;
}

type Changing = { -readonly [field in keyof Task]: Task[field] };

/** The longest sleep: the storage is looked at this often for what another Sluice has obtained. Milliseconds. */
const LOOK_MS = 60_000;
/** Renewal information is asked for this often where the authority does not say (RFC 9773 4.3.2). */
const RENEWAL_INFO_MS = 6 * 3_600_000;
const MAX_RENEWAL_INFO_MS = 24 * 3_600_000;

const LEAST_LIFE_MS = 3_600_000;
const DEFECT_PAUSE_MS = 3_600_000;

export class Plan {
  readonly #tasks = new Map<string, Changing>();
  readonly #now: () => number;
  readonly #random: () => number;

  constructor(now: () => number, random: () => number = Math.random) {
    this.#now = now;
    this.#random = random;
  }

  /** What is wanted from now on. What is known of a certificate that is still wanted stays. */
  want(list: readonly Wanted[]): void {
    const keys = new Set<string>();
    for (const wanted of list) {
      const key = keyOf(wanted.resolver, wanted.names);
      keys.add(key);
      const known = this.#tasks.get(key);
      if (known !== undefined) known.router = wanted.router;
      else this.#tasks.set(key, newTask(wanted));
    }
    for (const key of this.#tasks.keys()) if (!keys.has(key)) this.#tasks.delete(key);
  }

  get tasks(): readonly Task[] {
    return [...this.#tasks.values()];
  }

  tasksOf(resolver: string): readonly Task[] {
    return this.tasks.filter((task) => task.resolver === resolver);
  }

  states(): CertificateState[] {
    return this.tasks.map(({ resolver, names, lifetime, next, failures, lastError }) => ({
      resolver,
      names,
      notAfter: lifetime?.notAfter ?? null,
      next,
      failures,
      lastError,
    }));
  }

  /** Milliseconds until something is due, or the storages are to be looked at again; resolvers that are `busy` are not waited for. */
  pause(busy: { has(resolver: string): boolean }): number {
    const now = this.#now();
    const due = Math.min(
      ...this.tasks
        .filter((task) => !busy.has(task.resolver))
        .map((task) => Math.min(task.next, task.certificate === null ? task.next : task.askAt)),
      now + LOOK_MS,
    );
    return Math.max(0, due - now);
  }

  /** What a resolver is to do at `now`; null when that is nothing. */
  due(resolver: string, now: number): { readonly kind: "obtain" | "ask"; readonly task: Task } | null {
    const tasks = this.tasksOf(resolver);
    // What is due goes first: a suggestion that cannot be had must not keep an order waiting.
    const due = tasks.filter((task) => task.next <= now).sort((a, b) => a.next - b.next)[0];
    if (due !== undefined) return { kind: "obtain", task: due };
    const asking = tasks.find((task) => task.certificate !== null && task.askAt <= now);
    return asking === undefined ? null : { kind: "ask", task: asking };
  }

  /** Takes what a resolver's storage has for all its tasks, as `adopt` does for one. true when any of it is new to us. */
  adoptAll(resolver: string, stored: readonly StoredCertificate[], problem: string | null): boolean {
    const byNames = new Map(stored.map((each) => [keyOf(resolver, [each.main, ...each.sans]), each]));
    let found = false;
    for (const task of this.tasksOf(resolver))
      found = this.adopt(task, byNames.get(keyOf(resolver, task.names)), problem) || found;
    return found;
  }

  /**
   * Plans the renewal of a stored certificate; one that has been taken away is ordered anew, unless the storage has a `problem`. true
   * when it is new to us.
   */
  adopt(task: Task, found: StoredCertificate | undefined, problem: string | null): boolean {
    if (found?.certificate === task.certificate?.certificate) return false;
    const lifetime = found === undefined ? null : lifetimeOf(found.certificate);
    if (found === undefined || lifetime === null) {
      if (problem === null && task.certificate !== null)
        change(task, { certificate: null, lifetime: null, next: this.#now() });
      return false;
    }
    change(task, {
      ...{ certificate: found, lifetime, next: renewalTime(lifetime, this.#random()) },
      ...{ failures: 0, lastError: null, askAt: 0 },
    });
    return true;
  }

  /** The authority is being asked when to renew. */
  asked(task: Task): void {
    change(task, { askAt: this.#now() + RENEWAL_INFO_MS });
  }

  /** The authority has answered; null when it makes no suggestions. Times in milliseconds, `start` and `end` since the epoch. */
  suggested(task: Task, suggestion: { start: number; end: number; retryAfterMs: number | null } | null): void {
    if (suggestion === null) return change(task, { askAt: Number.POSITIVE_INFINITY });
    const { start, end, retryAfterMs } = suggestion;
    const again = Math.min(MAX_RENEWAL_INFO_MS, Math.max(LOOK_MS, retryAfterMs ?? RENEWAL_INFO_MS));
    change(task, { askAt: this.#now() + again });
    // The moment once chosen stays, unless the window has moved away from it; a pause after a failure stays in any case, and so do
    // the last hours of a certificate, whatever is suggested.
    if (task.failures > 0 || (task.next >= start && task.next <= end)) return;
    const wanted = Math.min(latestRenewal(task.lifetime!), momentOf(suggestion, this.#random()));
    change(task, { next: Math.max(task.obtainedAt + leastLife(task.lifetime!), wanted) });
  }

  /** Its certificate has come. Whatever the dates in it say, it is not ordered again at once. */
  obtained(task: Task): void {
    const now = this.#now();
    change(task, { obtainedAt: now, next: Math.max(task.next, now + leastLife(task.lifetime!)) });
  }

  failed(task: Task, error: { kind: string; message: string; retryAfterMs: number | null }): void {
    const failures = task.failures + 1;
    const next = this.#now() + pauseAfter(failures, error, this.#random());
    change(task, { failures, lastError: error.message, next });
  }

  /** Whoever asks for it wants it now. */
  hurry(task: Task): void {
    change(task, { next: this.#now() });
  }

  /** Sluice itself failed at `now`: trying again soon would only fail again. */
  postpone(tasks: readonly Task[], now: number): void {
    for (const task of tasks) change(task, { next: Math.max(task.next, now + DEFECT_PAUSE_MS) });
  }
}

function newTask({ resolver, names, router }: Wanted): Task {
  return {
    ...{ resolver, names, router, lifetime: null, next: 0, failures: 0 },
    ...{ lastError: null, certificate: null, askAt: 0, obtainedAt: 0 },
  };
}

function change(task: Task, to: Partial<Task>): void {
  Object.assign(task, to);
}

/** A certificate just obtained is kept at least this long: a clock that is wrong, or a window in the past, must not order without end. */
function leastLife({ notBefore, notAfter }: Lifetime): number {
  return Math.min(LEAST_LIFE_MS, (notAfter - notBefore) / 10);
}

/** No suggestion moves the renewal beyond half of the last third. */
function latestRenewal({ notBefore, notAfter }: Lifetime): number {
  return notAfter - (notAfter - notBefore) / 6;
}

function keyOf(resolver: string, names: readonly string[]): string {
  return JSON.stringify([resolver, [...names].sort()]);
}

/** Exactly these names: a certificate with more of them may be another router's. */
export function covers(certificate: StoredCertificate, names: readonly string[]): boolean {
  const has = new Set([certificate.main, ...certificate.sans]);
  return has.size === new Set(names).size && names.every((name) => has.has(name));
}
