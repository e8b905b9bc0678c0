// Keeps certificates for the names that routers want: obtains what is missing, renews what comes due, one order at a time for each
// resolver. Certificates live in the storage; this only knows when to look again.

import { generateKeyPairSync } from "node:crypto";
import { fileBehind } from "../replace-file.ts";
import { AcmeClient, type AcmeEndpoint, AcmeError } from "./client.ts";
import type { AcmeKeyType } from "./keys.ts";
import { newAccountKey, readAccountKey, writeAccountKey } from "./keys.ts";
import { FileLock } from "./lock.ts";
import { obtain, type Responder } from "./obtain.ts";
import { type Lifetime, lifetimeOf, momentOf, pauseAfter, renewalId, renewalTime } from "./renewal.ts";
import { AcmeStorage, type StoredCertificate } from "./storage.ts";

export interface Resolver {
  readonly name: string;
  readonly endpoint: AcmeEndpoint;
  readonly email: string;
  readonly storage: string;
  readonly keyType: AcmeKeyType;
  readonly profile: string | null;
  readonly preferredChain: string | null;
  readonly externalAccount: { readonly kid: string; readonly hmac: Buffer } | null;
  readonly responders: readonly Responder[];
}

/** One certificate that a router needs. */
export interface Wanted {
  readonly resolver: string;
  /** The first one is the common name. */
  readonly names: readonly string[];
  /** For messages. */
  readonly router: string;
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

export interface ManagerEvents {
  /** A certificate has come that was not there before. */
  onObtained(): void;
  onResult(resolver: string, result: "obtained" | "renewed" | "taken" | "failed"): void;
  log(level: "info" | "warn" | "error", message: string, fields: Readonly<Record<string, unknown>>): void;
}

/** The longest sleep: the storage is looked at this often for what another Sluice has obtained. Milliseconds. */
const LOOK_MS = 60_000;
/** Renewal information is asked for this often where the authority does not say (RFC 9773 4.3.2). */
const RENEWAL_INFO_MS = 6 * 3_600_000;
const MAX_RENEWAL_INFO_MS = 24 * 3_600_000;

const LEAST_LIFE_MS = 3_600_000;
const DEFECT_PAUSE_MS = 3_600_000;

interface Task {
  readonly resolver: Resolver;
  readonly names: readonly string[];
  router: string;
  lifetime: Lifetime | null;
  /** When to obtain or renew. */
  next: number;
  failures: number;
  lastError: string | null;
  certificate: StoredCertificate | null;
  /** When the authority is next asked for its suggestion. */
  askAt: number;
  /** When we obtained it; 0 for one that was there. */
  obtainedAt: number;
}

function newTask(resolver: Resolver, names: readonly string[], router: string): Task {
  return {
    ...{ resolver, names, router, lifetime: null, next: 0, failures: 0 },
    ...{ lastError: null, certificate: null, askAt: 0, obtainedAt: 0 },
  };
}

/** A certificate just obtained is kept at least this long: a clock that is wrong, or a window in the past, must not order without end. */
function leastLife({ notBefore, notAfter }: Lifetime): number {
  return Math.min(LEAST_LIFE_MS, (notAfter - notBefore) / 10);
}

/** No suggestion moves the renewal beyond half of the last third. */
function latestRenewal({ notBefore, notAfter }: Lifetime): number {
  return notAfter - (notAfter - notBefore) / 6;
}

export class AcmeManager {
  readonly #resolvers: ReadonlyMap<string, Resolver>;
  readonly #events: ManagerEvents;
  readonly #now: () => number;
  readonly #tasks = new Map<string, Task>();
  readonly #storages = new Map<string, AcmeStorage>();
  readonly #clients = new Map<string, AcmeClient>();
  readonly #readers = new Map<string, AcmeClient>();
  readonly #lastRead = new Map<string, readonly StoredCertificate[]>();
  readonly #locks = new Set<FileLock>();
  /** Resolvers that are ordering now. */
  readonly #busy = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #closed = false;

  constructor(resolvers: readonly Resolver[], events: ManagerEvents, now: () => number = Date.now) {
    this.#resolvers = new Map(resolvers.map((resolver) => [resolver.name, resolver]));
    this.#events = events;
    this.#now = now;
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
      if (read.problem !== null) problems.add(read.problem);
      return read.certificates.map((certificate) => ({ resolver: resolver.name, certificate }));
    });
    return { certificates, problems: [...problems] };
  }

  /** A resolver's certificates: as its storage has them, or had them when it could last be read. */
  #read(resolver: Resolver): { certificates: readonly StoredCertificate[]; problem: string | null } {
    const read = this.#storages.get(resolver.storage)!.read(resolver.name);
    if (read.kind === "error") return { certificates: this.#lastRead.get(resolver.name) ?? [], problem: read.message };
    this.#lastRead.set(resolver.name, read.value.certificates);
    return { certificates: read.value.certificates, problem: null };
  }

  /** What the configuration wants from now on. What is under way goes on. */
  want(list: readonly Wanted[]): void {
    const keys = new Set<string>();
    for (const { resolver: name, names, router } of list) {
      const resolver = this.#resolvers.get(name);
      if (resolver === undefined) continue;
      const key = keyOf(name, names);
      keys.add(key);
      const known = this.#tasks.get(key);
      if (known !== undefined) known.router = router;
      else this.#tasks.set(key, newTask(resolver, names, router));
    }
    for (const key of this.#tasks.keys()) if (!keys.has(key)) this.#tasks.delete(key);
    const served = new Map(
      [...this.#lastRead].map(([name, list]) => [name, new Set(list.map((each) => each.certificate))]),
    );
    this.#lookAll();
    // Another Sluice may have saved one since the load that brought this list.
    const late = [...this.#tasks.values()].some(
      ({ resolver, certificate }) => certificate !== null && !served.get(resolver.name)?.has(certificate.certificate),
    );
    if (late) this.#events.onObtained();
    this.#schedule();
  }

  states(): CertificateState[] {
    return [...this.#tasks.values()].map(({ resolver, names, lifetime, next, failures, lastError }) => ({
      resolver: resolver.name,
      names,
      notAfter: lifetime?.notAfter ?? null,
      next,
      failures,
      lastError,
    }));
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const lock of this.#locks) lock.close();
  }

  /** Takes what the storages have for all tasks that are not under way. true when any of it is new to us. */
  #lookAll(): boolean {
    let found = false;
    for (const resolver of this.#resolvers.values()) {
      const tasks = [...this.#tasks.values()].filter((task) => task.resolver === resolver);
      if (tasks.length === 0 || this.#busy.has(resolver.name)) continue;
      const read = this.#read(resolver);
      const byNames = new Map(read.certificates.map((each) => [keyOf(resolver.name, [each.main, ...each.sans]), each]));
      for (const task of tasks)
        found = this.#adopt(task, byNames.get(keyOf(resolver.name, task.names)), read.problem) || found;
    }
    return found;
  }

  /** The same for one task. */
  #look(task: Task): boolean {
    const read = this.#read(task.resolver);
    return this.#adopt(
      task,
      read.certificates.find((each) => covers(each, task.names)),
      read.problem,
    );
  }

  /** Plans the renewal of a stored certificate; one that has been taken away is ordered anew. true when it is new to us. */
  #adopt(task: Task, found: StoredCertificate | undefined, problem: string | null): boolean {
    if (found?.certificate === task.certificate?.certificate) return false;
    const lifetime = found === undefined ? null : lifetimeOf(found.certificate);
    if (found === undefined || lifetime === null) {
      if (problem === null && task.certificate !== null)
        Object.assign(task, { certificate: null, lifetime: null, next: this.#now() });
      return false;
    }
    task.certificate = found;
    task.lifetime = lifetime;
    task.next = renewalTime(lifetime, Math.random());
    task.failures = 0;
    task.lastError = null;
    task.askAt = 0;
    return true;
  }

  #schedule(): void {
    if (this.#closed || this.#tasks.size === 0) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const now = this.#now();
    const due = Math.min(
      ...[...this.#tasks.values()]
        .filter((task) => !this.#busy.has(task.resolver.name))
        .map((task) => Math.min(task.next, task.certificate === null ? task.next : task.askAt)),
      now + LOOK_MS,
    );
    this.#timer = setTimeout(() => this.#turn(), Math.max(0, due - now));
    this.#timer.unref();
  }

  #turn(): void {
    // Another Sluice with the same storage may have obtained what we wait for.
    if (this.#lookAll()) this.#events.onObtained();
    const now = this.#now();
    for (const resolver of this.#resolvers.values()) {
      if (this.#busy.has(resolver.name)) continue;
      const tasks = [...this.#tasks.values()].filter((task) => task.resolver === resolver);
      const due = tasks.filter((task) => task.next <= now).sort((a, b) => a.next - b.next)[0];
      const asking = tasks.find((task) => task.certificate !== null && task.askAt <= now);
      if (asking === undefined && due === undefined) continue;
      this.#busy.add(resolver.name);
      // What is due goes first: a suggestion that cannot be had must not keep an order waiting.
      const work = due === undefined ? this.#ask(asking!) : this.#obtain(due);
      // A defect here must not end the master, which everything else hangs on.
      const defect = (error: Error) => {
        for (const task of tasks) task.next = Math.max(task.next, now + DEFECT_PAUSE_MS);
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
  async #ask(task: Task): Promise<void> {
    task.askAt = this.#now() + RENEWAL_INFO_MS;
    const id = renewalId(task.certificate!.certificate);
    if (id === null) return;
    try {
      // Reading needs no account (RFC 9773 4.1), and making one is for whoever holds the lock.
      const suggestion = await this.#reader(task.resolver).renewalInfo(id);
      if (suggestion === null) {
        task.askAt = Number.POSITIVE_INFINITY;
        return;
      }
      task.askAt =
        this.#now() + Math.min(MAX_RENEWAL_INFO_MS, Math.max(LOOK_MS, suggestion.retryAfterMs ?? RENEWAL_INFO_MS));
      const { start, end } = suggestion;
      // The moment once chosen stays, unless the window has moved away from it; a pause after a failure stays in any case, and so do
      // the last hours of a certificate, whatever is suggested.
      if (task.failures > 0 || (task.next >= start && task.next <= end)) return;
      const latest = latestRenewal(task.lifetime!);
      task.next = Math.max(
        task.obtainedAt + leastLife(task.lifetime!),
        Math.min(latest, momentOf(suggestion, Math.random())),
      );
    } catch (error) {
      // It is only a suggestion: without it the lifetime decides.
      this.#events.log("info", "no renewal information from the authority", {
        resolver: task.resolver.name,
        names: task.names,
        reason: (error as Error).message,
      });
    }
  }

  /** A client that only reads. */
  #reader(resolver: Resolver): AcmeClient {
    let reader = this.#readers.get(resolver.name);
    if (reader === undefined) {
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      this.#readers.set(resolver.name, (reader = new AcmeClient(resolver.endpoint, privateKey, null)));
    }
    return reader;
  }

  async #obtain(task: Task): Promise<void> {
    const { resolver, names } = task;
    const renewing = task.certificate !== null;
    const fields = { resolver: resolver.name, names, router: task.router };
    // Others may come to the file by other links.
    const lock = new FileLock(fileBehind(resolver.storage));
    this.#locks.add(lock);
    try {
      const taken = await lock.during(async () => {
        // While we waited for our turn another one may have had the same order.
        if (this.#look(task) && task.next > this.#now()) return true;
        // An order costs: what comes of it must have a place.
        const provable = this.#storages.get(resolver.storage)!.prove();
        if (provable.kind === "error") throw new AcmeError("storage", provable.message);
        this.#events.log("info", renewing ? "renewing a certificate" : "ordering a certificate", fields);
        const client = await this.#client(resolver);
        const replaces =
          renewing && (await client.directory()).renewalInfo ? renewalId(task.certificate!.certificate) : null;
        const obtained = await obtain(client, names, resolver.responders, {
          ...{
            keyType: resolver.keyType,
            profile: resolver.profile,
            preferredChain: resolver.preferredChain,
            replaces,
          },
          note: (message, more) => this.#events.log("info", message, { resolver: resolver.name, ...more }),
        });
        const saved = this.#storages.get(resolver.storage)!.saveCertificate(resolver.name, {
          ...{ main: names[0]!, sans: names.slice(1), certificate: obtained.certificate, key: obtained.key },
        });
        if (saved.kind === "error") throw new AcmeError("storage", saved.message);
        if (!this.#look(task))
          throw new AcmeError(
            "storage",
            `${resolver.storage} does not hold what was saved: does another program write it?`,
          );
        return false;
      });
      // Whatever the dates in it say, it is not ordered again at once.
      task.obtainedAt = this.#now();
      task.next = Math.max(task.next, task.obtainedAt + leastLife(task.lifetime!));
      this.#events.onResult(resolver.name, taken ? "taken" : renewing ? "renewed" : "obtained");
      const message = taken ? "another Sluice has obtained the certificate" : "the certificate has come";
      this.#events.log("info", message, { ...fields, notAfter: iso(task.lifetime?.notAfter), renewal: iso(task.next) });
      this.#events.onObtained();
    } catch (error) {
      if (this.#closed) return;
      const reason = error instanceof AcmeError ? error : new AcmeError("defect", (error as Error).message);
      task.failures++;
      task.lastError = reason.message;
      task.next = this.#now() + pauseAfter(task.failures, reason, Math.random());
      this.#events.onResult(resolver.name, "failed");
      const left = task.lifetime === null ? {} : { notAfter: iso(task.lifetime.notAfter) };
      this.#events.log("error", "no certificate from the authority", {
        ...{ ...fields, reason: reason.message, failures: task.failures, nextTry: iso(task.next), ...left },
      });
    } finally {
      this.#locks.delete(lock);
    }
  }

  /** A client with the resolver's account, which is made when there is none yet, or only one at another authority. */
  async #client(resolver: Resolver): Promise<AcmeClient> {
    const known = this.#clients.get(resolver.name);
    if (known !== undefined) return known;
    const storage = this.#storages.get(resolver.storage)!;
    const read = storage.read(resolver.name);
    if (read.kind === "error") throw new AcmeError("storage", read.message);
    const { account } = read.value;
    const ours = account !== null && hostOf(account.uri) === hostOf(resolver.endpoint.directory);
    const key = ours ? readAccountKey(account.privateKey) : newAccountKey();
    const client = new AcmeClient(resolver.endpoint, key, ours ? account.uri : null);
    if (!ours) {
      const { uri, body } = await client.register(resolver.email, resolver.externalAccount);
      const saved = storage.saveAccount(resolver.name, {
        email: resolver.email,
        uri,
        body,
        privateKey: writeAccountKey(key),
      });
      if (saved.kind === "error") throw new AcmeError("storage", saved.message);
    }
    this.#clients.set(resolver.name, client);
    return client;
  }
}

function keyOf(resolver: string, names: readonly string[]): string {
  return JSON.stringify([resolver, [...names].sort()]);
}

/** Exactly these names: a certificate with more of them may be another router's. */
export function covers(certificate: StoredCertificate, names: readonly string[]): boolean {
  const has = new Set([certificate.main, ...certificate.sans]);
  return has.size === new Set(names).size && names.every((name) => has.has(name));
}

function hostOf(url: string): string | null {
  try {
    return new URL(url).host;
  } catch {
    return null;
  }
}

function iso(time: number | undefined): string | undefined {
  // Beyond 8.64e15 there is no Date.
  return time === undefined || !(Math.abs(time) <= 8.64e15) ? undefined : new Date(time).toISOString();
}
