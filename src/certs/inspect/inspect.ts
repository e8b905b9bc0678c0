// What is in a file of certificates or keys, whatever its type: what belongs together in it is an entry, of which entry.ts reports.
// For `sluice certs show`.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readStore, storeType } from "../../keystores/read.ts";
import type { Store, StoreEntry, StoreType } from "../../keystores/store.ts";
import { contentOf } from "../content.ts";
import { describeRevocationList } from "../crl.ts";
import { orderChain } from "../issuers.ts";
import { isCertificate, isPrivateKey, looksLikePem, readPem } from "../pem-blocks.ts";
import { openKey } from "../private-key.ts";
import { describeWrongContent } from "../wrong-content.ts";
import { type Entry, fits, type Key, reportOf } from "./entry.ts";
import type { EntryReport, FileReport, ListReport, Problem } from "./report.ts";

export interface Passwords {
  /** Of the store, or of a key in PEM. */
  readonly store: string | null;
  /** Of a key with one of its own. */
  readonly key: string | null;
}

export interface Inspection {
  readonly report: FileReport;
  /** A password that was not given, and would open more. */
  readonly wants: keyof Passwords | null;
}

/** Looks into `bytes`. Total; messages never quote a secret, but names in the report are as whoever made the file wrote them. */
export function inspect(file: string, bytes: Buffer, passwords: Passwords, now: number): Inspection {
  const inspector = new Inspector(passwords, now);
  const type = inspector.read(bytes);
  const { entries, lists, others, problems, wants } = inspector;
  return { report: { file, type, entries, lists, others, problems }, wants };
}

class Inspector {
  readonly entries: EntryReport[] = [];
  readonly lists: ListReport[] = [];
  readonly others: string[] = [];
  readonly problems: Problem[] = [];
  wants: keyof Passwords | null = null;
  readonly #passwords: Passwords;
  readonly #now: number;

  constructor(passwords: Passwords, now: number) {
    this.#passwords = passwords;
    this.#now = now;
  }

  read(bytes: Buffer): FileReport["type"] {
    if (looksLikePem(bytes)) {
      this.#pem(bytes.toString("latin1"));
      return "PEM";
    }
    const type = storeType(bytes);
    if (type !== null) {
      this.#store(bytes, type);
      return type;
    }
    const certificate = parsed(bytes);
    if (certificate === null && this.#list(bytes) === null) return "DER";
    if (certificate === null) {
      this.#problem(
        "unreadable",
        isNameless(bytes) ? NEITHER : (describeWrongContent(bytes, "certificate") ?? NEITHER),
      );
      return null;
    }
    this.#add({ ...NOTHING, chain: [certificate] });
    return "DER";
  }

  #problem(code: Problem["code"], message: string): void {
    this.problems.push({ code, message });
  }

  #add(entry: Entry): void {
    this.entries.push(reportOf(entry, this.#now));
  }

  #want(password: keyof Passwords): void {
    if (this.#passwords[password] === null) this.wants ??= password;
  }

  #pem(text: string): void {
    const certificates: X509Certificate[] = [];
    const keys: Key[] = [];
    const { blocks, flaw } = readPem(text);
    if (flaw !== null) this.#problem("cut-off", `line ${flaw.line}: ${flaw.message}`);
    for (const block of blocks) {
      if (isCertificate(block)) {
        const certificate = parsed(block.pem);
        if (certificate !== null) certificates.push(certificate);
        else
          this.#problem("certificate-unreadable", `line ${block.line}: the certificate that begins there is damaged`);
      } else if (isPrivateKey(block)) {
        const opened = openKey(block, this.#passwords.key ?? this.#passwords.store);
        if (opened.kind === "ok") keys.push({ state: "open", key: opened.key });
        else if (opened.part !== "password") keys.push({ state: "unreadable", message: opened.message });
        else {
          if (this.#passwords.key === null) this.#want("store");
          const given = this.#passwords.key ?? this.#passwords.store;
          keys.push({ state: "locked", message: given === null ? LOCKED : opened.message });
        }
      } else if (block.label === "X509 CRL") {
        const message = this.#list(Buffer.from(block.body, "base64"));
        if (message !== null)
          this.#problem(
            "list-unreadable",
            `line ${block.line}: the revocation list that begins there cannot be read: ${message}`,
          );
      } else this.others.push(block.label);
    }
    if (certificates.length === 0 && keys.length === 0 && this.lists.length === 0 && this.problems.length === 0)
      this.#problem("unreadable", "it holds neither a certificate nor a private key in whole");
    const unclaimed = new Set(certificates);
    for (const key of keys) {
      const leaf = key.state === "open" ? certificates.find((each) => fits(each, key.key)) : undefined;
      const chain = leaf === undefined ? [] : orderChain(leaf, certificates).chain;
      for (const each of chain) unclaimed.delete(each);
      this.#add({ alias: null, chain, given: certificates, key, others: certificates.length });
    }
    this.#addUnclaimed([...unclaimed], certificates);
  }

  /** null when it is a list of revoked certificates; otherwise why it is none. */
  #list(der: Buffer): string | null {
    const described = describeRevocationList(der);
    if ("kind" in described) return described.message;
    const { issuer, list } = described;
    const iso = (time: number) => (Number.isNaN(time) ? "" : new Date(time).toISOString());
    const nextUpdate = list.nextUpdate === null ? null : iso(list.nextUpdate);
    this.lists.push({ issuer, thisUpdate: iso(list.thisUpdate), nextUpdate, revoked: list.serials });
    if (list.nextUpdate !== null && list.nextUpdate < this.#now)
      this.#problem("list-due", `the revocation list of ${issuer} was good until ${nextUpdate}`);
    return null;
  }

  #store(bytes: Buffer, type: StoreType): void {
    const given = this.#passwords.store;
    // Without a password PKCS#12 may still have the empty one, and the other types are only not checked.
    const store = readStore(bytes, given ?? (type === "PKCS12" ? "" : null));
    if (store.kind === "error") {
      if (store.reason !== "password") return this.#problem("unreadable", store.message);
      this.#want("store");
      return this.#problem("password", given === null ? "it is encrypted and needs a password" : store.message);
    }
    const loose = this.#certificates(store.loose);
    const unclaimed = new Set(loose);
    for (const entry of store.entries) {
      const own = this.#certificates(entry.certificates);
      const key = entry.key === null ? null : this.#openEntry(store, entry);
      const all = [...own, ...loose];
      const leaf = (key?.state === "open" ? all.find((each) => fits(each, key.key)) : undefined) ?? own[0];
      const chain = leaf === undefined ? [] : orderChain(leaf, all).chain;
      for (const each of chain) unclaimed.delete(each);
      const given = type === "PKCS12" ? null : own;
      const alias = entry.alias === "" ? null : entry.alias;
      this.#add({ alias, chain, given, key, others: all.length });
    }
    this.#addUnclaimed([...unclaimed], null);
  }

  #openEntry(store: Store, entry: StoreEntry): Key {
    const { key: own, store: common } = this.#passwords;
    let opened = entry.key!(own ?? common ?? "");
    // As the proxy does: PKCS#12 has one password for all, whatever is given for the key.
    if (opened.kind === "error" && opened.reason === "password" && own !== null && common !== null)
      opened = entry.key!(common);
    if (opened.kind === "error" && opened.reason !== "password")
      return { state: "unreadable", message: opened.message };
    if (opened.kind === "error") {
      const missing = common === null && store.type !== "PKCS12" ? "store" : "key";
      if (own === null) this.#want(missing);
      if (own !== null || (missing === "key" && common === null)) return { state: "locked", message: opened.message };
      return { state: "locked", message: missing === "store" ? LOCKED : OWN_PASSWORD };
    }
    try {
      return { state: "open", key: createPrivateKey({ key: opened.pkcs8, format: "der", type: "pkcs8" }) };
    } catch {
      return { state: "unreadable", message: "it is damaged, or of a kind that Sluice cannot use" };
    }
  }

  #certificates(ders: readonly Buffer[]): X509Certificate[] {
    const certificates: X509Certificate[] = [];
    for (const der of ders) {
      const certificate = parsed(der);
      if (certificate !== null) certificates.push(certificate);
      else this.#problem("certificate-unreadable", "a certificate in it cannot be read: it is damaged");
    }
    return certificates;
  }

  /** Certificates that belong to no key: each that has issued none of the others, with its chain. */
  #addUnclaimed(certificates: readonly X509Certificate[], given: readonly X509Certificate[] | null): void {
    const bySubject = new Map<string, X509Certificate[]>();
    for (const each of given ?? certificates)
      bySubject.set(each.subject, [...(bySubject.get(each.subject) ?? []), each]);
    const issuers = new Set(certificates.filter((each) => each.subject !== each.issuer).map((each) => each.issuer));
    const left = new Set(certificates);
    for (const leaf of certificates) {
      if (issuers.has(leaf.subject)) continue;
      const { chain } = orderChain(leaf, ancestors(leaf, bySubject));
      for (const each of chain) left.delete(each);
      this.#add({ ...NOTHING, chain, given });
    }
    // Issuers of each other in a ring, which nobody makes by accident.
    for (const each of left) this.#add({ ...NOTHING, chain: [each] });
  }
}

const NOTHING = { alias: null, given: null, key: null, others: 0 } as const;

const NEITHER = "it is neither PEM, a certificate in DER, PKCS#12, JKS, JCEKS nor BKS, or it is damaged";
const LOCKED = "it is encrypted and needs a password";
const OWN_PASSWORD = "it has a password of its own";

/** Whether nothing more can be said of what is in a file. */
function isNameless(bytes: Buffer): boolean {
  return ["text", "binary"].includes(contentOf(bytes).form);
}

function parsed(certificate: string | Buffer): X509Certificate | null {
  try {
    return new X509Certificate(certificate);
  } catch {
    return null;
  }
}

/** All that could stand between a certificate and its root, by name. */
function ancestors(leaf: X509Certificate, bySubject: ReadonlyMap<string, X509Certificate[]>): X509Certificate[] {
  const found = new Set<X509Certificate>();
  for (let wanted = [leaf.issuer]; wanted.length > 0; ) {
    const more = wanted.flatMap((subject) => bySubject.get(subject) ?? []).filter((each) => !found.has(each));
    for (const each of more) found.add(each);
    wanted = more.map((each) => each.issuer);
  }
  return [...found];
}
