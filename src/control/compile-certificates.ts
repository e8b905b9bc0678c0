// The certificates of a configuration as rows, each with the names that it shall serve.

import type { CertificateFiles, Pair } from "../certs/files.ts";
import { type KeyType, loadPair } from "../certs/pem.ts";
import type { Diagnostics, Place } from "../config/diagnostics.ts";
import type { CertificateConfig } from "../config/dynamic.ts";
import type { Item, Merged } from "./merge.ts";
import { type Row, rowKey } from "./messages.ts";

/** Warned about before it happens. */
const EXPIRY_WARNING_MS = 30 * 86_400_000;

export interface CertificateInUse {
  readonly commonName: string;
  readonly serial: string;
  readonly names: readonly string[];
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
}

/** What routers ask of certificates. */
export interface WantedNames {
  /** The names of terminating routers, each with the router that is named in messages. */
  readonly terminated: ReadonlyMap<string, string>;
  /** A router terminates whatever name comes. */
  readonly catchAll: boolean;
}

export interface CompiledCertificates {
  readonly rows: readonly Row[];
  readonly inUse: readonly CertificateInUse[];
}

/** `selfSigned` serves where nothing else does. What cannot be used is a diagnostic; `files` says whether the load is lost by it. */
export function compileCertificates(
  merged: Merged,
  files: CertificateFiles,
  selfSigned: { readonly cert: string; readonly key: string } | null,
  wanted: WantedNames,
  now: number,
  diagnostics: Diagnostics,
): CompiledCertificates {
  return new CertificateCompiler(merged, files, selfSigned, wanted, now, diagnostics).run();
}

class CertificateCompiler implements CompiledCertificates {
  readonly inUse: CertificateInUse[] = [];
  readonly #rows = new Map<string, Row>();
  readonly #merged: Merged;
  readonly #files: CertificateFiles;
  readonly #selfSigned: { readonly cert: string; readonly key: string } | null;
  readonly #wanted: WantedNames;
  readonly #now: number;
  readonly #diagnostics: Diagnostics;
  /** Names that certificates serve, by kind of key: a name may have one of each kind. */
  readonly #claimed = new Set<string>();
  readonly #served = new Set<string>();
  /** A certificate could not be loaded: which names it was for is not known. */
  #broken = false;

  constructor(
    merged: Merged,
    files: CertificateFiles,
    selfSigned: { readonly cert: string; readonly key: string } | null,
    wanted: WantedNames,
    now: number,
    diagnostics: Diagnostics,
  ) {
    this.#merged = merged;
    this.#files = files;
    this.#selfSigned = selfSigned;
    this.#wanted = wanted;
    this.#now = now;
    this.#diagnostics = diagnostics;
  }

  get rows(): readonly Row[] {
    return [...this.#rows.values()];
  }

  run(): CompiledCertificates {
    for (const item of this.#merged.certificates) {
      const hash = this.#load(item, "the certificate");
      const row = hash === null ? undefined : this.#rows.get(`certificate/${hash}`);
      if (row?.kind === "certificate") this.#checkUse(placeOf(item), row.value.names);
    }
    for (const item of this.#merged.certificateDirectories) {
      const { pairs, problems } = this.#files.directory(item.value);
      for (const problem of problems) this.#diagnostics.warn(item.at("directory"), problem);
      for (const pair of pairs) this.#take(item.at("directory"), `the certificate in ${pair.certFile}`, pair);
      if (pairs.length === 0 && problems.length === 0)
        this.#diagnostics.warn(
          item.at("directory"),
          `${item.value.directory} holds no pair of certificate and key yet`,
        );
    }
    // The default one comes last, so that a configured certificate keeps its names.
    const { defaultCertificate } = this.#merged;
    const fallback = defaultCertificate === null ? null : this.#load(defaultCertificate, "the default certificate");
    if (fallback !== null) this.#put({ kind: "default", name: "default", value: { certificate: fallback } });
    else this.#putSelfSigned();
    return this;
  }

  #put(row: Row): void {
    this.#rows.set(rowKey(row), row);
  }

  #load(item: Item<CertificateConfig>, what: string): string | null {
    const outcome = this.#files.pair(item.value);
    if (outcome.kind === "ok") return this.#take(placeOf(item), what, outcome.value);
    this.#diagnostics.error(item.at(outcome.field), `${what}: ${outcome.message}`);
    if (outcome.former !== null) return this.#take(placeOf(item), what, outcome.former);
    this.#broken = true;
    return null;
  }

  /** Keeps a pair once, however many entries name it. */
  #take(place: Place, what: string, loaded: Pair): string {
    const { pair, facts } = loaded;
    if (this.#rows.has(`certificate/${pair.hash}`)) return pair.hash;
    for (const warning of [...facts.warnings, ...this.#files.closer(loaded)])
      this.#diagnostics.warn(place, `${what}: ${warning}`);
    this.#checkDates(place, what, facts);
    // A worker gets each certificate with the names that it shall serve: of two with one kind of key for a name, the first keeps it.
    const names = pair.names.filter((name) => !this.#claimed.has(claim(name, pair.keyType)));
    for (const name of names) {
      this.#claimed.add(claim(name, pair.keyType));
      this.#served.add(name);
    }
    this.#put({ kind: "certificate", name: pair.hash, value: { ...pair, names } });
    const { commonName, serial, notAfter } = facts;
    this.inUse.push({ commonName, serial, names: pair.names, notAfter });
    return pair.hash;
  }

  #putSelfSigned(): void {
    if (!this.#broken) this.#checkCoverage();
    if (this.#selfSigned === null) return;
    const loaded = loadPair(this.#selfSigned.cert, this.#selfSigned.key);
    if (loaded.kind === "error") throw new Error(`the self-signed certificate: ${loaded.message}`);
    this.#put({ kind: "certificate", name: loaded.pair.hash, value: { ...loaded.pair, names: [] } });
    this.#put({ kind: "default", name: "default", value: { certificate: loaded.pair.hash } });
  }

  #checkDates(place: Place, what: string, facts: { notBefore: number; notAfter: number }): void {
    const day = (time: number) => new Date(time).toISOString().slice(0, 10);
    if (facts.notAfter < this.#now) this.#diagnostics.warn(place, `${what} expired on ${day(facts.notAfter)}`);
    else if (facts.notAfter - this.#now < EXPIRY_WARNING_MS)
      this.#diagnostics.warn(place, `${what} expires on ${day(facts.notAfter)}`);
    if (facts.notBefore > this.#now)
      this.#diagnostics.warn(place, `${what} is not valid before ${day(facts.notBefore)}`);
  }

  #checkUse(place: Place, names: readonly string[]): void {
    const { terminated, catchAll } = this.#wanted;
    if (catchAll || names.length === 0) return;
    const used = names.some((name) => {
      if (terminated.has(name)) return true;
      if (name.startsWith("*."))
        return [...terminated.keys()].some((each) => each.slice(each.indexOf(".")) === name.slice(1));
      return terminated.has(`*${name.slice(name.indexOf("."))}`);
    });
    if (!used)
      this.#diagnostics.warn(
        place,
        `the certificate for ${names.slice(0, 3).join(", ")} matches no router that terminates TLS`,
      );
  }

  /** Names that only the self-signed certificate would serve: clients would refuse it. One warning for each router. */
  #checkCoverage(): void {
    const warned = new Set<string>();
    for (const [name, router] of this.#wanted.terminated) {
      if (this.#served.has(name) || this.#served.has(`*${name.slice(name.indexOf("."))}`) || warned.has(router))
        continue;
      warned.add(router);
      this.#diagnostics.warn(
        this.#merged.routers.get(router)!.at("rule"),
        `the router "${router}" has no certificate for ${name}: clients get a self-signed one (add one under tls.certificates)`,
      );
    }
  }
}

/** RSA beside ECDSA is a pair for old and new clients; two of one kind are a mistake, or a renewal. */
function claim(name: string, type: KeyType): string {
  return `${type === "rsa" ? "rsa" : type === "ed25519" ? "ed25519" : "ecdsa"} ${name}`;
}

function placeOf(item: Item<CertificateConfig>): Place {
  return item.at(item.value.keyStore === undefined ? "certFile" : "keyStore");
}
