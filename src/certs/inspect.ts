// What is in a file of certificates or keys, and what is wrong with it: `sluice certs show`.

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { type ChainEnd, describeMissing, endOf, isOutOfOrder, OUT_OF_ORDER } from "./chain.ts";
import { detailsOf } from "./details.ts";
import { openKey, orderChain, SHORT_RSA_BITS } from "./pem.ts";
import { readPem } from "./pem-blocks.ts";
import { readStore, storeType } from "./stores/read.ts";
import type { Store, StoreEntry, StoreType } from "./stores/store.ts";

const SOON_MS = 30 * 86_400_000;

/** What `certs show --json` prints. Fields and codes are added, never renamed or removed. */
export interface FileReport {
  readonly file: string;
  /** By its bytes, whatever the file is called; null when it is none of these or cannot be read. */
  readonly type: "PEM" | "DER" | StoreType | null;
  readonly entries: readonly EntryReport[];
  /** Labels of PEM blocks that are neither certificates nor private keys. */
  readonly others: readonly string[];
  /** What is wrong with the file as a whole; what is wrong with an entry is there. */
  readonly problems: readonly Problem[];
}

/** A certificate with its chain, a private key, or both. */
export interface EntryReport {
  /** null where the format has none, or it is empty. */
  readonly alias: string | null;
  /** The entry's own certificate first, then each one's issuer. */
  readonly certificates: readonly CertificateReport[];
  /** null without a certificate. */
  readonly chain: ChainReport | null;
  /** null when the entry has no private key. */
  readonly privateKey: PrivateKeyReport | null;
  readonly problems: readonly Problem[];
}

export interface CertificateReport {
  /** RFC 4514. */
  readonly subject: string;
  readonly issuer: string;
  /** "" when there is none. */
  readonly commonName: string;
  /** Subject alternative names. */
  readonly names: readonly { readonly kind: "DNS" | "IP" | "URI" | "email"; readonly value: string }[];
  /** Upper-case hexadecimal. */
  readonly serial: string;
  /** ISO 8601, UTC. */
  readonly notBefore: string;
  readonly notAfter: string;
  readonly key: KeyDescription;
  /** SHA-256 of the certificate, hexadecimal pairs with colons. */
  readonly fingerprint: string;
  readonly isAuthority: boolean;
}

export interface KeyDescription {
  /** "rsa", "ec", "ed25519" or another name of the runtime; "unknown" when it cannot be read. */
  readonly type: string;
  /** Of RSA; null for others. */
  readonly bits: number | null;
  /** Of EC; null for others. */
  readonly curve: string | null;
}

export interface ChainReport {
  /** The file has the certificates in the order that TLS wants; null where the format keeps none. Sluice serves them in order anyway. */
  readonly inOrder: boolean | null;
  /** It reaches a certificate that vouches for itself, in the file or among the public roots. */
  readonly complete: boolean;
  /** "self-signed": there is nothing but one certificate. "open": the last one's issuer is not known. */
  readonly end: ChainEnd["kind"];
  /** The public root, or the issuer that is not known; null otherwise. */
  readonly issuer: string | null;
}

export interface PrivateKeyReport extends KeyDescription {
  /** "locked": no password opened it. "unreadable": damaged, or of a kind that Sluice cannot use. */
  readonly state: "open" | "locked" | "unreadable";
  /** It belongs to the entry's own certificate; null when that cannot be told. */
  readonly belongs: boolean | null;
}

export interface Problem {
  readonly code:
    | "unreadable"
    | "cut-off"
    | "password"
    | "expired"
    | "expires-soon"
    | "not-yet-valid"
    | "chain-order"
    | "chain-incomplete"
    | "short-rsa"
    /** Its key is of a kind that Sluice cannot serve with. */
    | "key-unsupported"
    | "key-mismatch"
    | "key-locked"
    | "key-unreadable"
    | "certificate-unreadable";
  readonly message: string;
}

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
  const { entries, others, problems, wants } = inspector;
  return { report: { file, type, entries, others, problems }, wants };
}

/** Every problem of a report. */
export function problemsOf(report: FileReport): Problem[] {
  return [...report.problems, ...report.entries.flatMap((entry) => entry.problems)];
}

type Key =
  | { readonly state: "open"; readonly key: KeyObject }
  | { readonly state: "locked" | "unreadable"; readonly message: string };

class Inspector {
  readonly entries: EntryReport[] = [];
  others: string[] = [];
  readonly problems: Problem[] = [];
  wants: keyof Passwords | null = null;
  readonly #passwords: Passwords;
  readonly #now: number;

  constructor(passwords: Passwords, now: number) {
    this.#passwords = passwords;
    this.#now = now;
  }

  read(bytes: Buffer): FileReport["type"] {
    if (bytes.includes("-----BEGIN ")) {
      this.#pem(bytes.toString("latin1"));
      return "PEM";
    }
    const type = storeType(bytes);
    if (type !== null) {
      this.#store(bytes, type);
      return type;
    }
    const certificate = parsed(bytes);
    if (certificate === null) {
      this.#problem(
        "unreadable",
        "it is neither PEM, a certificate in DER, PKCS#12, JKS, JCEKS nor BKS, or it is damaged",
      );
      return null;
    }
    this.#add(null, [certificate], null, null);
    return "DER";
  }

  #problem(code: Problem["code"], message: string): void {
    this.problems.push({ code, message });
  }

  #want(password: keyof Passwords): void {
    if (this.#passwords[password] === null) this.wants ??= password;
  }

  #pem(text: string): void {
    const certificates: X509Certificate[] = [];
    const keys: Key[] = [];
    const { blocks, isCut } = readPem(text);
    if (isCut) this.#problem("cut-off", "a block in it has no end or no beginning: it is cut off, or damaged");
    for (const block of blocks) {
      if (block.label.endsWith("CERTIFICATE")) {
        const certificate = parsed(block.pem);
        if (certificate !== null) certificates.push(certificate);
        else this.#problem("certificate-unreadable", "a certificate in it cannot be read: it is damaged");
      } else if (block.label.endsWith("PRIVATE KEY")) {
        const opened = openKey(block, this.#passwords.key ?? this.#passwords.store);
        if (opened.kind === "ok") keys.push({ state: "open", key: opened.key });
        else if (opened.part !== "password") keys.push({ state: "unreadable", message: opened.message });
        else {
          if (this.#passwords.key === null) this.#want("store");
          const given = this.#passwords.key ?? this.#passwords.store;
          keys.push({ state: "locked", message: given === null ? LOCKED : opened.message });
        }
      } else this.others.push(block.label);
    }
    if (certificates.length === 0 && keys.length === 0 && this.problems.length === 0)
      this.#problem("unreadable", "it holds neither a certificate nor a private key in whole");
    const unclaimed = new Set(certificates);
    for (const key of keys) {
      const leaf = key.state === "open" ? certificates.find((each) => fits(each, key.key)) : undefined;
      const chain = leaf === undefined ? [] : orderChain(leaf, certificates).chain;
      for (const each of chain) unclaimed.delete(each);
      this.#add(null, chain, certificates, key, certificates.length);
    }
    this.#addUnclaimed([...unclaimed], certificates);
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
      this.#add(entry.alias === "" ? null : entry.alias, chain, given, key, all.length);
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
      this.#add(null, chain, given, null);
    }
    // Issuers of each other in a ring, which nobody makes by accident.
    for (const each of left) this.#add(null, [each], null, null);
  }

  /** `given` is the order of the file, where it has one; `others` how many certificates a key could have belonged to. */
  #add(
    alias: string | null,
    chain: readonly X509Certificate[],
    given: readonly X509Certificate[] | null,
    key: Key | null,
    others = 0,
  ): void {
    const problems: Problem[] = [];
    const [leaf] = chain;
    const belongs = key?.state !== "open" ? null : leaf !== undefined && fits(leaf, key.key);
    if (key?.state === "locked")
      problems.push({ code: "key-locked", message: `the private key is not opened: ${key.message}` });
    if (key?.state === "unreadable")
      problems.push({ code: "key-unreadable", message: `the private key: ${key.message}` });
    if (belongs === false && others > 0)
      problems.push({ code: "key-mismatch", message: "the private key belongs to none of the certificates" });
    for (const each of chain) problems.push(...this.#problemsOf(each, each !== leaf));
    let report: ChainReport | null = null;
    if (leaf !== undefined) {
      const end = endOf(chain);
      const inOrder = given === null ? null : !isOutOfOrder(chain, given);
      if (inOrder === false) problems.push({ code: "chain-order", message: OUT_OF_ORDER });
      const missing = describeMissing(chain, end);
      if (missing !== null) problems.push({ code: "chain-incomplete", message: missing });
      const issuer = end.kind === "public-root" ? end.root : end.kind === "open" ? end.issuer : null;
      report = { inOrder, complete: end.kind !== "open", end: end.kind, issuer };
    }
    const privateKey =
      key === null ? null : { ...describeKey(key.state === "open" ? key.key : null), state: key.state, belongs };
    this.entries.push({ alias, certificates: chain.map(reportOf), chain: report, privateKey, problems });
  }

  #problemsOf(certificate: X509Certificate, inChain: boolean): Problem[] {
    const problems: Problem[] = [];
    const { subject, notBefore, notAfter, key } = reportOf(certificate);
    const what = inChain ? `the certificate of ${subject} in its chain` : "the certificate";
    const [from, to] = [Date.parse(notBefore), Date.parse(notAfter)];
    if (to < this.#now) problems.push({ code: "expired", message: `${what} expired on ${day(notAfter)}` });
    else if (to - this.#now < SOON_MS)
      problems.push({ code: "expires-soon", message: `${what} expires on ${day(notAfter)}` });
    if (from > this.#now)
      problems.push({ code: "not-yet-valid", message: `${what} is not valid before ${day(notBefore)}` });
    if (key.bits !== null && key.bits < SHORT_RSA_BITS)
      problems.push({
        code: "short-rsa",
        message: `${what} has an RSA key of ${key.bits} bits, which is too short to be safe`,
      });
    if (key.type === "unknown" && !inChain)
      problems.push({ code: "key-unsupported", message: "its key is of a kind that Sluice cannot use" });
    return problems;
  }
}

const LOCKED = "it is encrypted and needs a password";
const OWN_PASSWORD = "it has a password of its own";

function parsed(certificate: string | Buffer): X509Certificate | null {
  try {
    return new X509Certificate(certificate);
  } catch {
    return null;
  }
}

function fits(certificate: X509Certificate, key: KeyObject): boolean {
  try {
    return certificate.checkPrivateKey(key);
  } catch {
    return false;
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

function reportOf(certificate: X509Certificate): CertificateReport {
  const details = detailsOf(certificate.raw);
  let key: KeyObject | null = null;
  try {
    key = certificate.publicKey;
  } catch {
    // Of a kind that the runtime does not know.
  }
  return {
    subject: details?.subject ?? certificate.subject,
    issuer: details?.issuer ?? certificate.issuer,
    commonName: details?.commonNames[0] ?? "",
    names: details?.names ?? [],
    serial: certificate.serialNumber.toUpperCase(),
    notBefore: isoTime(certificate.validFrom),
    notAfter: isoTime(certificate.validTo),
    key: describeKey(key),
    fingerprint: certificate.fingerprint256,
    isAuthority: details?.isAuthority ?? certificate.ca,
  };
}

/** "" for a date that no calendar has. */
function isoTime(date: string): string {
  const time = Date.parse(date);
  return Number.isNaN(time) ? "" : new Date(time).toISOString();
}

function day(iso: string): string {
  return iso.slice(0, 10);
}

const CURVES: Record<string, string> = { prime256v1: "P-256", secp384r1: "P-384", secp521r1: "P-521" };

function describeKey(key: KeyObject | null): KeyDescription {
  const curve = key?.asymmetricKeyDetails?.namedCurve;
  return {
    type: key?.asymmetricKeyType ?? "unknown",
    bits: key?.asymmetricKeyDetails?.modulusLength ?? null,
    curve: curve === undefined ? null : (CURVES[curve] ?? curve),
  };
}
