// The certificates of a configuration as rows, each with the names that it shall serve.

import type { Wanted } from "../acme/plan.ts";
import type { StoredCertificate } from "../acme/storage.ts";
import { shownSource } from "../certs/file-or-content.ts";
import type { CertificateFiles } from "../certs/files.ts";
import type { Pair } from "../certs/pair.ts";
import { loadPair } from "../certs/pem.ts";
import type { KeyType } from "../certs/private-key.ts";
import type { CertificateConfig } from "../config/certificate.ts";
import type { Code } from "../config/codes.ts";
import type { Diagnostics, Place, Subject } from "../config/diagnostics.ts";
import { bareName } from "../config/names.ts";
import { type Row, rowKey } from "../protocol/messages.ts";
import { wildcardOf } from "../tls/certificates.ts";
import { CLOCK_FLOOR } from "../version.ts";
import type { Item, Merged } from "./merge.ts";
import { DEFAULT_STORE } from "./orders.ts";

/** Warned about before it happens. */
export const EXPIRY_WARNING_MS = 30 * 86_400_000;

export interface CertificateInUse {
  /** Names its row. */
  readonly hash: string;
  /** The file that it is from; null when a resolver has obtained it. */
  readonly source: string | null;
  readonly commonName: string;
  readonly serial: string;
  readonly names: readonly string[];
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** What routers ask of certificates. */
export interface WantedNames {
  /** The names of terminating routers, each with the full name of the first router that has it and is not off; null: all are off. */
  readonly terminated: ReadonlyMap<string, string | null>;
  /** A router terminates whatever name comes. */
  readonly catchAll: boolean;
  /** Those that do so, the first for each entry point. */
  readonly open: readonly OpenRouter[];
  /** The same of those that take clients without SNI, and show them the default certificate. */
  readonly nameless: readonly OpenRouter[];
  /** What resolvers are asked for. */
  readonly orders: readonly Wanted[];
}

export interface OpenRouter {
  readonly router: string;
  /** Where it is the first. */
  readonly addresses: readonly string[];
}

export interface CompiledCertificates {
  readonly rows: readonly Row[];
  readonly inUse: readonly CertificateInUse[];
  /** The orders that the configuration's own certificates leave. */
  readonly orders: readonly Wanted[];
}

export interface CertificatesInput {
  readonly merged: Merged;
  readonly files: CertificateFiles;
  /** Serves where nothing else does. */
  readonly selfSigned: { readonly cert: string; readonly key: string } | null;
  readonly wanted: WantedNames;
  /** What resolvers have got. */
  readonly obtained: readonly StoredCertificate[];
  readonly now: number;
}

/** What cannot be used is a diagnostic; `files` says whether the load is lost by it. */
export function compileCertificates(input: CertificatesInput, diagnostics: Diagnostics): CompiledCertificates {
  return new CertificateCompiler(input, diagnostics).run();
}

class CertificateCompiler implements CompiledCertificates {
  readonly inUse: CertificateInUse[] = [];
  orders: readonly Wanted[] = [];
  readonly #rows = new Map<string, Row>();
  readonly #input: CertificatesInput;
  readonly #diagnostics: Diagnostics;
  /** Names that certificates serve, by kind of key: a name may have one of each kind. */
  readonly #claimed = new Set<string>();
  readonly #served = new Set<string>();
  /** A certificate has begun to be valid; and where the first configured one stands that has not, and when the first of them will. */
  #hasBegun = false;
  #notBegun: { readonly place: Place; first: number } | null = null;
  /** A certificate could not be loaded: which names it was for is not known. */
  #broken = false;
  #below: ReadonlySet<string> | null = null;

  constructor(input: CertificatesInput, diagnostics: Diagnostics) {
    this.#input = input;
    this.#diagnostics = diagnostics;
  }

  get rows(): readonly Row[] {
    return [...this.#rows.values()];
  }

  run(): CompiledCertificates {
    for (const item of this.#input.merged.certificates) {
      const hash = this.#load(item, "the certificate");
      const row = hash === null ? undefined : this.#rows.get(`certificate/${hash}`);
      if (row?.kind === "certificate") this.#checkUse(item, row.value.names);
    }
    let first: string | null = null;
    for (const item of this.#input.merged.certificateDirectories) {
      this.#input.files.owner = item.provider;
      const { pairs, problems } = this.#input.files.directory(item.value);
      const about: Subject = { kind: "certificateDirectory", name: item.value.directory };
      for (const { code, message } of problems) this.#diagnostics.warn(code, item.at("directory"), message, about);
      for (const pair of pairs) {
        const hash = this.#take(item.at("directory"), "the certificate", pair, pair.certFile);
        if (item.value.default) first ??= hash;
      }
      if (pairs.length === 0 && problems.length === 0)
        this.#diagnostics.warn(
          "certificate-directory-empty",
          item.at("directory"),
          `${item.value.directory} holds no pair of certificate and key yet`,
          about,
        );
    }
    // What the configuration serves by itself need not be obtained.
    this.orders = this.#input.wanted.orders.filter(({ names }) => !names.every((name) => this.#isServed(name)));
    this.#takeObtained();
    const fallback = this.#fallback(first);
    if (fallback !== null) this.#put({ kind: "default", name: "default", value: { certificate: fallback } });
    else this.#putSelfSigned();
    this.#checkClock();
    return this;
  }

  /** The default certificate: the one that is named, else what `defaultGeneratedCert` has brought, a directory, or a catch-all router. */
  #fallback(ofDirectory: string | null): string | null {
    const { merged, wanted } = this.#input;
    // It is loaded last, so that a configured certificate keeps its names.
    if (merged.defaultCertificate !== null) return this.#load(merged.defaultCertificate, "the default certificate");
    const orders = wanted.orders.filter(({ asDefault }) => asDefault);
    const isNamed = ({ router }: Wanted) => router === DEFAULT_STORE;
    const [named, others] = [orders.filter(isNamed), orders.filter((each) => !isNamed(each))];
    const brought = (list: readonly Wanted[]): string | null =>
      list.map(({ names }) => this.#servingAll(names)).find((hash) => hash !== null) ?? null;
    return brought(named) ?? ofDirectory ?? brought(others);
  }

  /** The certificate in force that has all of these names. */
  #servingAll(names: readonly string[]): string | null {
    const has = (of: readonly string[], name: string): boolean => of.includes(name) || of.includes(wildcardOf(name));
    return this.inUse.find((each) => names.every((name) => has(each.names, name)))?.hash ?? null;
  }

  /** With a wrong clock no certificate is good, neither ours nor a client's, and nothing says so but dates that look odd. */
  #checkClock(): void {
    const { now } = this.#input;
    const isBehindAll = this.#notBegun !== null && !this.#hasBegun && !this.#broken;
    if (now >= CLOCK_FLOOR && !isBehindAll) return;
    const time = (at: number) => `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;
    const before =
      now < CLOCK_FLOOR
        ? "before Sluice was written"
        : `before every certificate begins to be valid (${time(this.#notBegun!.first)})`;
    this.#diagnostics.warn(
      "clock-wrong",
      this.#notBegun?.place ?? CLOCK,
      `the clock of this machine says ${time(now)}, ${before}: is it set? (a device whose clock has no battery starts in 1970, until it has asked for the time with NTP)`,
    );
  }

  /** Certificates of resolvers give way to configured ones. One that has expired serves nobody. */
  #takeObtained(): void {
    const usable = this.#input.obtained.flatMap((stored) => {
      const loaded = loadPair(stored.certificate, stored.key);
      return loaded.kind === "error" || loaded.facts.notAfter < this.#input.now ? [] : [loaded];
    });
    // Of two for a name the one that lasts longer: the other is left from before the router's names changed.
    usable.sort((a, b) => b.facts.notAfter - a.facts.notAfter);
    for (const loaded of usable) {
      // The resolver renews it, so its dates are no news.
      this.#take(NOWHERE, "the certificate", loaded, null);
    }
  }

  #isServed(name: string): boolean {
    return this.#served.has(name) || this.#served.has(wildcardOf(name));
  }

  #put(row: Row): void {
    this.#rows.set(rowKey(row), row);
  }

  #load(item: Item<CertificateConfig>, what: string): string | null {
    this.#input.files.owner = item.provider;
    const outcome = this.#input.files.pair(item.value);
    if (outcome.kind === "ok") return this.#take(placeOf(item), what, outcome.value, sourceOf(item.value));
    const about = aboutCertificate(sourceOf(item.value));
    this.#diagnostics.error(outcome.code, item.at(outcome.field), `${what}: ${outcome.message}`, about);
    if (outcome.former !== null) return this.#take(placeOf(item), what, outcome.former, sourceOf(item.value));
    this.#broken = true;
    return null;
  }

  /** Keeps a pair once, however many entries name it. */
  #take(place: Place, kind: string, loaded: Pair, source: string | null): string {
    const { pair, facts } = loaded;
    if (this.#rows.has(`certificate/${pair.hash}`)) return pair.hash;
    const what = `${kind} ${facts.subject}${source === null ? "" : ` in ${source}`}`;
    for (const { code, message } of source !== null ? [...facts.warnings, ...this.#input.files.closer(loaded)] : [])
      this.#diagnostics.warn(code, place, `${what}: ${message}`, aboutCertificate(source!));
    if (facts.notBefore <= this.#input.now) this.#hasBegun = true;
    if (source !== null) this.#checkDates(place, what, facts, aboutCertificate(source));
    // A worker gets each certificate with the names that it shall serve: of two with one kind of key for a name, the first keeps it.
    const names = pair.names.filter((name) => !this.#claimed.has(claim(name, pair.keyType)));
    for (const name of names) {
      this.#claimed.add(claim(name, pair.keyType));
      this.#served.add(name);
    }
    this.#put({ kind: "certificate", name: pair.hash, value: { ...pair, names } });
    const { commonName, serial, notBefore, notAfter } = facts;
    this.inUse.push({ hash: pair.hash, source, commonName, serial, names: pair.names, notBefore, notAfter });
    return pair.hash;
  }

  #putSelfSigned(): void {
    if (!this.#broken) this.#checkCoverage();
    if (this.#input.selfSigned === null) return;
    const loaded = loadPair(this.#input.selfSigned.cert, this.#input.selfSigned.key);
    if (loaded.kind === "error") throw new Error(`the self-signed certificate: ${loaded.message}`);
    this.#put({ kind: "certificate", name: loaded.pair.hash, value: { ...loaded.pair, names: [] } });
    this.#put({ kind: "default", name: "default", value: { certificate: loaded.pair.hash } });
  }

  #checkDates(place: Place, what: string, facts: { notBefore: number; notAfter: number }, about: Subject): void {
    const day = (time: number) => new Date(time).toISOString().slice(0, 10);
    const warn = (code: Code, how: string) => this.#diagnostics.warn(code, place, `${what} ${how}`, about);
    if (facts.notAfter < this.#input.now) warn("certificate-expired", `expired on ${day(facts.notAfter)}`);
    else if (facts.notAfter - this.#input.now < EXPIRY_WARNING_MS)
      warn("certificate-expires-soon", `expires on ${day(facts.notAfter)}`);
    if (facts.notBefore > this.#input.now) {
      warn("certificate-not-yet-valid", `is not valid before ${day(facts.notBefore)}`);
      this.#notBegun ??= { place, first: facts.notBefore };
      this.#notBegun.first = Math.min(this.#notBegun.first, facts.notBefore);
    }
  }

  /** The wildcards that would serve a name which a router terminates. */
  #terminatedBelow(): ReadonlySet<string> {
    this.#below ??= new Set(this.#input.wanted.terminated.keys().map(wildcardOf));
    return this.#below;
  }

  #checkUse(item: Item<CertificateConfig>, names: readonly string[]): void {
    const { terminated, catchAll } = this.#input.wanted;
    if (catchAll || names.length === 0) return;
    const used = names.some((name) => {
      if (terminated.has(name)) return true;
      if (name.startsWith("*.")) return this.#terminatedBelow().has(name);
      return terminated.has(wildcardOf(name));
    });
    if (!used)
      this.#diagnostics.warn(
        "certificate-unused",
        placeOf(item),
        `the certificate for ${names.slice(0, 3).join(", ")} matches no router that terminates TLS`,
        aboutCertificate(sourceOf(item.value)),
      );
  }

  /** Names that only the self-signed certificate would serve: clients would refuse it. One warning for each router. */
  #checkCoverage(): void {
    const { orders } = this.#input.wanted;
    if (!orders.some(({ asDefault }) => asDefault)) this.#checkDefault();
    const ordered = orders.map(({ router }) => router);
    const warned = new Set<string>(ordered); // theirs will come
    for (const [name, router] of this.#input.wanted.terminated) {
      if (router === null || this.#isServed(name) || warned.has(router)) continue;
      warned.add(router);
      this.#diagnostics.warn(
        "certificate-missing",
        () => this.#input.merged.routers.get(router)!.at("rule"),
        `the router "${bareName(router)}" has no certificate for ${name}: clients get a self-signed one (add one under tls.certificates)`,
        { kind: "router", name: router },
      );
    }
  }

  /** What routers show that take any name, or none, without a default certificate. */
  #checkDefault(): void {
    const { open, nameless, orders } = this.#input.wanted;
    if (this.inUse.length > 0 || orders.length > 0)
      for (const { router, addresses } of nameless)
        this.#diagnostics.warn(
          "default-certificate-missing",
          this.#input.merged.routers.get(router)!.at("rule"),
          `the router "${bareName(router)}" takes clients without SNI, and there is no default certificate: on ${addresses.join(", ")} they get a self-signed one that no client trusts (give one as tls.stores.default.defaultCertificate)`,
          { kind: "router", name: router },
        );
    else
      for (const { router, addresses } of open)
        this.#diagnostics.warn(
          "certificate-missing",
          this.#input.merged.routers.get(router)!.at("rule"),
          `the router "${bareName(router)}" has no certificate: clients on ${addresses.join(", ")} get a self-signed one that no client trusts (add one under tls.certificates)`,
          { kind: "router", name: router },
        );
  }
}

/** RSA beside ECDSA is a pair for old and new clients; two of one kind are a mistake, or a renewal. */
function claim(name: string, type: KeyType): string {
  return `${type === "rsa" ? "rsa" : type === "ed25519" ? "ed25519" : "ecdsa"} ${name}`;
}

function sourceOf({ certFile, keyStore }: CertificateConfig): string {
  return shownSource(keyStore ?? certFile!);
}

function aboutCertificate(source: string): Subject {
  return { kind: "certificate", name: source };
}

function placeOf(item: Item<CertificateConfig>): Place {
  return item.at(item.value.keyStore === undefined ? "certFile" : "keyStore");
}

const CLOCK: Place = { file: "clock", line: 0, column: 0 };

/** Where what a resolver has obtained stands: in no file of the configuration. */
const NOWHERE: Place = { file: "certificatesResolvers", line: 0, column: 0 };
