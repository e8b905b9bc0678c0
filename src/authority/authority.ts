// An authority of one's own, in a folder: it issues certificates, revokes them, and remembers both in its index.

import { createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { isPrivateKey, readPem } from "../certs/pem-blocks.ts";
import { openKey } from "../certs/private-key.ts";
import { readFileBytes, readTextFile } from "../system/files.ts";
import { replaceFile } from "../system/replace-file.ts";
import { inTurn } from "../system/turns.ts";
import { leaf, newSerial, type Revocation, type RevocationReason, revocationList, type Signer } from "./certificate.ts";
import type { Entry, Ledger, Purpose } from "./events.ts";
import { type AuthorityFiles, filesOf } from "./folder.ts";
import { IndexFile } from "./index-file.ts";
import { type KeyChoice, newKey } from "./keys.ts";
import { nameText, type Subject } from "./names.ts";

export const DAY = 86_400_000;
/** How long before it was made a certificate is good already, for clocks that are slow. Milliseconds. */
const BACKDATED = 3_600_000;
/** As few as make sense: one that ends within it is as good as ended. Milliseconds. */
const LEAST = 3_600_000;

/** What is known of an authority without its key. */
export interface AuthorityFacts {
  readonly directory: string;
  readonly files: AuthorityFiles;
  /** Whom clients and servers are to trust. */
  readonly root: X509Certificate;
  /** Who issues: the intermediate authority, or the root itself. */
  readonly issuer: X509Certificate;
  readonly hasIntermediate: boolean;
  readonly index: IndexFile;
}

export type FactsRead = { readonly kind: "ok"; readonly facts: AuthorityFacts } | AuthorityError;
export type AuthorityError = { readonly kind: "error"; readonly message: string };

/** Reads an authority's certificates and its index: enough to list what it has issued. */
export function readAuthority(directory: string): FactsRead {
  const files = filesOf(directory);
  const index = readFileBytes(files.index, Number.POSITIVE_INFINITY);
  if (index.kind === "error")
    return wrong(`${directory} is no authority: ${index.message}. sluice certs init --dir=${directory} makes one`);
  const root = certificateOf(files.root.cert);
  if (root.kind === "error") return root;
  const below = readFileBytes(files.intermediate.cert).kind === "ok" ? certificateOf(files.intermediate.cert) : null;
  if (below?.kind === "error") return below;
  const issuer = below?.certificate ?? root.certificate;
  const facts = { directory, files, root: root.certificate, issuer, hasIntermediate: below !== null };
  return { kind: "ok", facts: { ...facts, index: new IndexFile(files.index) } };
}

function certificateOf(file: string): { readonly kind: "ok"; readonly certificate: X509Certificate } | AuthorityError {
  const read = readTextFile(file);
  if (read.kind === "error") return read;
  try {
    return { kind: "ok", certificate: new X509Certificate(read.text) };
  } catch {
    return wrong(`${file} holds no certificate in PEM form, or a damaged one`);
  }
}

export type AuthorityOpened =
  | { readonly kind: "ok"; readonly authority: Authority }
  /** Its key is encrypted, and the passphrase is not given or not the right one. */
  | { readonly kind: "locked"; readonly message: string; readonly keyFile: string }
  | AuthorityError;

/** Opens an authority to issue and revoke. `passphrase`: null where none is known. */
export function openAuthority(directory: string, passphrase: string | null): AuthorityOpened {
  const read = readAuthority(directory);
  if (read.kind === "error") return read;
  const { files, issuer, hasIntermediate } = read.facts;
  const keyFile = (hasIntermediate ? files.intermediate : files.root).key;
  const text = readTextFile(keyFile);
  if (text.kind === "error") return text;
  const block = readPem(text.text).blocks.find(isPrivateKey);
  if (block === undefined) return wrong(`${keyFile} holds no private key in PEM form`);
  const opened = openKey(block, passphrase);
  if (opened.kind === "error") {
    if (opened.part !== "password") return wrong(`${keyFile}: ${opened.message}`);
    const message =
      passphrase === null ? "the authority's key is encrypted" : "the passphrase of the authority's key is wrong";
    return { kind: "locked", message: `${keyFile}: ${message}`, keyFile };
  }
  if (!issuer.checkPrivateKey(opened.key))
    return wrong(`${keyFile}: this is not the key of the authority's certificate`);
  return { kind: "ok", authority: new Authority(read.facts, opened.key) };
}

export interface IssueRequest {
  readonly purpose: Purpose;
  readonly subject: Subject;
  /** How long it is to be good, from now on; never longer than the authority itself. */
  readonly days: number;
  /** Of which kind its key is to be, or the public key of one that somebody else has. */
  readonly key: KeyChoice | KeyObject;
}

export interface IssuedCertificate {
  readonly serial: string;
  /** PEM: its own, and those between it and the root, which servers and clients send with it. */
  readonly certificate: string;
  readonly chain: string;
  /** null where somebody else has it. */
  readonly key: KeyObject | null;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** It ends with the authority, and earlier than was asked for. */
  readonly isCut: boolean;
}

export type Issued = { readonly kind: "ok"; readonly issued: IssuedCertificate } | AuthorityError;

export class Authority {
  readonly facts: AuthorityFacts;
  readonly #signer: Signer;

  constructor(facts: AuthorityFacts, key: KeyObject) {
    this.facts = facts;
    this.#signer = { certificate: facts.issuer, key };
  }

  /** The root in PEM: what clients and servers trust. */
  get root(): string {
    return pemOf(this.facts.root);
  }

  /** The certificates between what is issued and the root, in PEM; "" where there are none. */
  get chain(): string {
    return this.facts.hasIntermediate ? pemOf(this.facts.issuer) : "";
  }

  /** Milliseconds since the epoch. */
  get notAfter(): number {
    return Math.min(Date.parse(this.facts.root.validTo), Date.parse(this.facts.issuer.validTo));
  }

  /**
   * Issues a certificate. It is in the index, on the disk, before anybody has it: whatever exists can be revoked.
   * @throws the system's error, IndexDamaged, TurnTimeout
   */
  async issue({ purpose, subject, days, key }: IssueRequest): Promise<Issued> {
    const now = Date.now();
    const begin = Date.parse(this.facts.issuer.validFrom);
    if (now < begin)
      return wrong(`the authority is good from ${day(begin)} on, and here it is ${day(now)}: is the clock right?`);
    const notAfter = Math.min(now + days * DAY, this.notAfter);
    if (notAfter < now + LEAST)
      return wrong(
        `the authority ${notAfter < now ? "ended" : "ends"} on ${day(this.notAfter)}: nothing can be issued by it any more`,
      );
    const ownKey = typeof key === "string" ? await newKey(key) : null;
    const publicKey = ownKey === null ? (key as KeyObject) : createPublicKey(ownKey);
    const notBefore = Math.max(now - BACKDATED, begin);
    const serial = newSerial();
    // Both ends count (RFC 5280 4.1.2.5): without that second 398 days would be too many for who takes no more.
    const validity = { notBefore, notAfter: notAfter - BACKDATED - 1000 };
    const certificate = await leaf({ serial, purpose, subject, publicKey, validity }, this.#signer);
    await this.#inTurn(async (ledger) => {
      const names = subject.alternativeNames.map(nameText);
      const { commonName } = subject;
      const { notAfter } = validity;
      this.facts.index.append([{ kind: "issued", at: now, serial, purpose, notAfter, commonName, names }]);
      mkdirSync(this.facts.files.issuedDirectory, { recursive: true });
      replaceFile(this.facts.files.issued(serial), certificate, 0o644);
      if (this.#isBehind(ledger)) await this.#writeList(ledger, this.notAfter);
    });
    const isCut = notAfter < now + days * DAY;
    return { kind: "ok", issued: { serial, certificate, chain: this.chain, key: ownKey, ...validity, isCut } };
  }

  /**
   * Revokes certificates by their serial numbers, and writes the list that says so. Those that are revoked already stay as they are.
   * @returns the ones that were not.
   * @throws as `issue`
   */
  async revoke(serials: readonly string[], reason: RevocationReason): Promise<Entry[]> {
    return this.#inTurn(async (ledger) => {
      const open = serials.filter((serial) => ledger.entries.get(serial)?.revoked === null);
      const at = Date.now();
      this.facts.index.append(open.map((serial) => ({ kind: "revoked", at, serial, reason })));
      // Also where nothing is new: whoever revokes once more does not trust the file, which somebody may have damaged.
      await this.#writeList(ledger, this.notAfter);
      return open.map((serial) => ledger.entries.get(serial)!);
    });
  }

  /** Writes the list of revocations anew, good until `nextUpdate`, in milliseconds since the epoch. @throws as `issue` */
  async writeList(nextUpdate = this.notAfter): Promise<{ readonly number: number; readonly nextUpdate: number }> {
    return this.#inTurn((ledger) => this.#writeList(ledger, Math.min(nextUpdate, this.notAfter)));
  }

  /** Whether the file of the list lacks a revocation, or is not there: a run was interrupted before it, or somebody has removed it. */
  #isBehind(ledger: Ledger): boolean {
    return ledger.listIsBehind || ledger.list === null || !existsSync(this.facts.files.list);
  }

  async #writeList(ledger: Ledger, nextUpdate: number) {
    const now = Date.now();
    const revoked: Revocation[] = [];
    for (const { serial, notAfter, revoked: why } of ledger.entries.values()) {
      // One that has expired may leave once a list had it since then (RFC 5280 3.3). A list of a time when the clock was wrong, and ahead,
      // does not make one expire.
      const before = Math.min(ledger.list?.at ?? 0, now);
      const isDone = why !== null && notAfter < before && why.at < before;
      if (why !== null && !isDone) revoked.push({ serial, ...why });
    }
    const number = (ledger.list?.number ?? 0) + 1;
    const own = await revocationList(revoked, number, { notBefore: now, notAfter: nextUpdate }, this.#signer);
    const above = this.facts.hasIntermediate ? readTextFile(this.facts.files.root.list) : null;
    if (above?.kind === "error") throw new Error(above.message);
    replaceFile(this.facts.files.list, own + (above?.text ?? ""), 0o644);
    this.facts.index.append([{ kind: "list", at: now, number, nextUpdate }]);
    return { number, nextUpdate };
  }

  #inTurn<T>(work: (ledger: Ledger) => Promise<T>): Promise<T> {
    return inTurn(this.facts.files.lock, () => work(this.facts.index.read()));
  }
}

/**
 * The certificates that a word means: one by its serial number, or all that are called so. In other capital letters it means them where
 * nothing is called just so and there is one such name: clients may differ in capital letters alone, and a revocation cannot be taken back.
 */
export function entriesCalled(word: string, ledger: Ledger): Entry[] {
  const serial = /^(?:[0-9A-Fa-f]{2}:?)+$/.test(word) ? word.replaceAll(":", "").toUpperCase() : "";
  const bySerial = ledger.entries.get(serial);
  if (bySerial !== undefined) return [bySerial];
  const all = [...ledger.entries.values()];
  const name = word.normalize("NFC");
  const exact = all.filter((entry) => callings(entry).includes(name));
  if (exact.length > 0) return exact;
  const folded = name.toLowerCase();
  const alike = (entry: Entry) => callings(entry).find((each) => each.toLowerCase() === folded);
  const found = all.filter((entry) => alike(entry) !== undefined);
  return new Set(found.map(alike)).size > 1 ? [] : found;
}

/** What a certificate is called: its common name, and its alternative names without their kinds. */
export function callings({ commonName, names }: Entry): string[] {
  return [commonName, ...names.map((each) => each.slice(each.indexOf(":") + 1))];
}

function pemOf(certificate: X509Certificate): string {
  const pem = certificate.toString();
  return pem.endsWith("\n") ? pem : `${pem}\n`;
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

function wrong(message: string): AuthorityError {
  return { kind: "error", message };
}
