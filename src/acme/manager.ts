// Keeps certificates for the names that routers want: obtains what is missing, renews what comes due, one order at a time for each
// resolver. What is due when is the plan's to say (plan.ts); certificates live in the storage.

import { fileBehind } from "../system/replace-file.ts";
import { Accounts } from "./accounts.ts";
import { DEFAULT_KEY_TYPE, keyTypeOf } from "./keys.ts";
import { FileLock } from "./lock.ts";
import { obtain } from "./obtain.ts";
import { type CertificateState, covers, Plan, type Task, type Wanted } from "./plan.ts";
import { AcmeError } from "./problem.ts";
import { renewalId } from "./renewal.ts";
import type { Resolver } from "./resolver.ts";
import { AcmeStorage, type StoredCertificate } from "./storage.ts";
import { sortOut } from "./whole.ts";

export interface ManagerEvents {
  /** A certificate has come that was not there before. */
  onObtained(): void;
  onResult(resolver: string, result: "obtained" | "renewed" | "taken" | "failed"): void;
  log(level: "info" | "warn" | "error", message: string, fields: Readonly<Record<string, unknown>>): void;
}

export class AcmeManager {
  readonly #resolvers: ReadonlyMap<string, Resolver>;
  readonly #events: ManagerEvents;
  readonly #now: () => number;
  readonly #plan: Plan;
  readonly #storages = new Map<string, AcmeStorage>();
  readonly #accounts = new Accounts();
  readonly #lastRead = new Map<string, readonly StoredCertificate[]>();
  readonly #locks = new Set<FileLock>();
  /** Resolvers that are ordering or asking now. */
  readonly #busy = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #closed = false;

  constructor(resolvers: readonly Resolver[], events: ManagerEvents, now: () => number = Date.now) {
    this.#resolvers = new Map(resolvers.map((resolver) => [resolver.name, resolver]));
    this.#events = events;
    this.#now = now;
    this.#plan = new Plan(now);
    for (const { storage } of resolvers)
      if (!this.#storages.has(storage)) this.#storages.set(storage, new AcmeStorage(storage));
  }

  /**
   * Every certificate in the storages, of all resolvers, with the one that obtained it. What a storage last held stands in while it
   * cannot be read.
   */
  stored(): { certificates: { resolver: string; certificate: StoredCertificate }[]; problems: string[] } {
    const problems = new Set<string>();
    const certificates = [...this.#resolvers.values()].flatMap((resolver) => {
      const read = this.#read(resolver);
      for (const problem of [read.problem, ...read.broken]) if (problem !== null) problems.add(problem);
      return read.certificates.map((certificate) => ({ resolver: resolver.name, certificate }));
    });
    return { certificates, problems: [...problems] };
  }

  /** What the configuration wants from now on. What is under way goes on. */
  want(list: readonly Wanted[]): void {
    this.#plan.want(list.filter(({ resolver }) => this.#resolvers.has(resolver)));
    const served = new Map(
      [...this.#lastRead].map(([name, list]) => [name, new Set(list.map((each) => each.certificate))]),
    );
    this.#lookAll();
    // Another Sluice may have saved one since the load that brought this list.
    const late = this.#plan.tasks.some(
      ({ resolver, certificate }) => certificate !== null && !served.get(resolver)?.has(certificate.certificate),
    );
    if (late) this.#events.onObtained();
    this.#schedule();
  }

  /** Orders the certificate for this name anew, now. False: none is kept for it. */
  renew(name: string): boolean {
    const tasks = this.#plan.tasks.filter(({ names }) => names.includes(name));
    for (const task of tasks) this.#plan.hurry(task);
    if (tasks.length > 0) this.#schedule();
    return tasks.length > 0;
  }

  states(): CertificateState[] {
    return this.#plan.states();
  }

  /** Another process orders from now on. An order that is under way comes to its end, and the other waits for that. */
  retire(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const lock of this.#locks) lock.giveUp();
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const lock of this.#locks) lock.close();
  }

  /** A resolver's certificates: as its storage has them, or had them when it could last be read. */
  #read(resolver: Resolver): {
    certificates: readonly StoredCertificate[];
    /** Why the storage cannot be read. */
    problem: string | null;
    /** What is wrong with single certificates in it. */
    broken: readonly string[];
  } {
    const read = this.#storageOf(resolver).read(resolver.name);
    const former = this.#lastRead.get(resolver.name) ?? [];
    if (read.kind === "error") return { certificates: former, problem: read.message, broken: [] };
    const { whole, problems } = sortOut(resolver.storage, read.value.certificates, former);
    this.#lastRead.set(resolver.name, whole);
    return { certificates: whole, problem: null, broken: problems };
  }

  #storageOf(resolver: Resolver): AcmeStorage {
    return this.#storages.get(resolver.storage)!;
  }

  /** Takes what the storages have for all tasks that are not under way. true when any of it is new to us. */
  #lookAll(): boolean {
    let found = false;
    for (const resolver of this.#resolvers.values()) {
      if (this.#plan.tasksOf(resolver.name).length === 0 || this.#busy.has(resolver.name)) continue;
      const { certificates, problem } = this.#read(resolver);
      found = this.#plan.adoptAll(resolver.name, certificates, problem) || found;
    }
    return found;
  }

  /** The same for one task. */
  #look(resolver: Resolver, task: Task): boolean {
    const { certificates, problem } = this.#read(resolver);
    const found = certificates.find((each) => covers(each, task.names));
    return this.#plan.adopt(task, found, problem);
  }

  #schedule(): void {
    if (this.#closed || this.#plan.tasks.length === 0) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#turn(), this.#plan.pause(this.#busy));
    this.#timer.unref();
  }

  #turn(): void {
    // Another Sluice with the same storage may have obtained what we wait for.
    if (this.#lookAll()) this.#events.onObtained();
    const now = this.#now();
    for (const resolver of this.#resolvers.values()) {
      if (this.#busy.has(resolver.name)) continue;
      const tasks = this.#plan.tasksOf(resolver.name);
      const due = this.#plan.due(resolver.name, now);
      if (due === null) continue;
      this.#busy.add(resolver.name);
      const work = due.kind === "obtain" ? this.#obtain(resolver, due.task) : this.#ask(resolver, due.task);
      // A defect here must not end the master, which everything else hangs on.
      const defect = (error: Error) => {
        this.#plan.postpone(tasks, now);
        this.#events.log("error", "a defect in Sluice ended an order", {
          resolver: resolver.name,
          reason: error.message,
        });
      };
      void work.catch(defect).finally(() => {
        this.#busy.delete(resolver.name);
        this.#schedule();
      });
    }
    this.#schedule();
  }

  /** Asks the authority when the certificate should be renewed. */
  async #ask(resolver: Resolver, task: Task): Promise<void> {
    this.#plan.asked(task);
    const id = renewalId(task.certificate!.certificate);
    if (id === null) return;
    try {
      // Reading needs no account (RFC 9773 4.1), and making one is for whoever holds the lock.
      this.#plan.suggested(task, await this.#accounts.reader(resolver).renewalInfo(id));
    } catch (error) {
      // It is only a suggestion: without it the lifetime decides.
      this.#events.log("info", "no renewal information from the authority", {
        resolver: resolver.name,
        names: task.names,
        reason: (error as Error).message,
      });
    }
  }

  async #obtain(resolver: Resolver, task: Task): Promise<void> {
    const renewing = task.certificate !== null;
    const fields = { resolver: resolver.name, names: task.names, router: task.router };
    // Others may come to the file by other links.
    const lock = new FileLock(fileBehind(resolver.storage));
    this.#locks.add(lock);
    try {
      const taken = await lock.during(async () => {
        // While we waited for our turn another one may have had the same order.
        if (this.#look(resolver, task) && task.next > this.#now()) return true;
        await this.#order(resolver, task, renewing, fields);
        return false;
      });
      this.#plan.obtained(task);
      this.#events.onResult(resolver.name, taken ? "taken" : renewing ? "renewed" : "obtained");
      const message = taken ? "another Sluice has obtained the certificate" : "the certificate has come";
      this.#events.log("info", message, { ...fields, notAfter: iso(task.lifetime?.notAfter), renewal: iso(task.next) });
      this.#events.onObtained();
    } catch (error) {
      if (this.#closed) return;
      const reason = error instanceof AcmeError ? error : new AcmeError("defect", (error as Error).message);
      this.#plan.failed(task, reason);
      this.#events.onResult(resolver.name, "failed");
      const left = task.lifetime === null ? {} : { notAfter: iso(task.lifetime.notAfter) };
      this.#events.log("error", "no certificate from the authority", {
        ...{ ...fields, reason: reason.message, failures: task.failures, nextTry: iso(task.next), ...left },
      });
    } finally {
      this.#locks.delete(lock);
    }
  }

  /** One order, from the account to the storage, for whoever holds the lock. */
  async #order(resolver: Resolver, task: Task, renewing: boolean, fields: Readonly<Record<string, unknown>>) {
    const { profile, preferredChain } = resolver;
    // Devices that verify RSA alone must not be cut off by a renewal.
    const stored = task.certificate === null ? null : keyTypeOf(task.certificate.certificate);
    const keyType = resolver.keyType ?? stored ?? DEFAULT_KEY_TYPE;
    const storage = this.#storageOf(resolver);
    // An order costs: what comes of it must have a place.
    const provable = storage.prove();
    if (provable.kind === "error") throw new AcmeError("storage", provable.message);
    this.#events.log("info", renewing ? "renewing a certificate" : "ordering a certificate", fields);
    const client = await this.#accounts.client(resolver, storage);
    const replaces =
      renewing && (await client.directory()).renewalInfo ? renewalId(task.certificate!.certificate) : null;
    const obtained = await obtain(client, task.names, resolver.responders, {
      ...{ keyType, profile, preferredChain, replaces },
      note: (message, more) => this.#events.log("info", message, { resolver: resolver.name, ...more }),
    });
    const saved = storage.saveCertificate(resolver.name, {
      ...{ main: task.names[0]!, sans: task.names.slice(1), certificate: obtained.certificate, key: obtained.key },
    });
    if (saved.kind === "error") throw new AcmeError("storage", saved.message);
    if (!this.#look(resolver, task))
      throw new AcmeError(
        "storage",
        `${resolver.storage} does not hold what was saved: does another program write it?`,
      );
  }
}

function iso(time: number | undefined): string | undefined {
  // Beyond 8.64e15 there is no Date.
  return time === undefined || !(Math.abs(time) <= 8.64e15) ? undefined : new Date(time).toISOString();
}
