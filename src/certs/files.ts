// Certificates and keys of one load of the configuration, from wherever its fields say; what was good last time stands in for what is
// broken now.

import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import type { CertificateConfig, CertificateDirectoryConfig } from "../config/certificate.ts";
import type { Code } from "../config/codes.ts";
import type { Remark } from "../config/diagnostics.ts";
import { readTextFile } from "../system/files.ts";
import { loadRevocationLists, MAX_CRL_BYTES, type RevocationList } from "./crl.ts";
import { scanDirectory } from "./directories.ts";
import { FilesRead, INLINE, sourceOf } from "./file-or-content.ts";
import { CertificateMemory } from "./memory.ts";
import { type Pair, type Problem, readPair, UNREADABLE } from "./pair.ts";
import { type Authorities, type Loaded, loadAuthorities, loadPair } from "./pem.ts";
import { readSecret, type Secret } from "./secrets.ts";
import { loadTrustStore } from "./trust-store.ts";
import { describeWrongContent } from "./wrong-content.ts";

/** A source whose last reading failed. */
export interface Failure {
  /** The absolute path, or "inline PEM". */
  readonly source: string;
  readonly message: string;
}

/** It cannot be used; `former` is what it gave before, and stands in. */
type Failed<T> = { readonly kind: "error"; readonly field: string; readonly former: T | null } & Remark;

export type Outcome<T> = { readonly kind: "ok"; readonly value: T } | Failed<T>;

/** What a text gives that is read for its own sake. */
export type Parsed<T> = { readonly kind: "ok"; readonly value: T } | ({ readonly kind: "error" } & Remark);

interface Remembered<T> {
  /** SHA-256 of the text. */
  readonly digest: string;
  readonly value: T;
}

export interface DirectoryPair extends Pair {
  readonly certFile: string;
}

export class CertificateFiles {
  /** Directories in which anything that comes or goes matters. */
  readonly directories = new Set<string>();
  readonly failures: Failure[] = [];
  /** When certificates become valid that a directory holds and that do not serve yet. Milliseconds since the epoch. */
  readonly waiting: number[] = [];
  /** Whose configuration names what is read now; set by who reads. */
  owner = "";
  /** Owners of what could not be used and nothing stands in for. Then nothing of theirs is: what they had before goes on serving. */
  readonly brokenFor = new Set<string>();
  /** A pair in a directory is half written: it is worth looking again soon, also where no event comes. */
  incomplete = false;
  readonly #read: FilesRead;
  readonly #memory: CertificateMemory;
  readonly #used = new Set<string>();

  /** What is to be said about a pair that a reload has no time to look at. */
  readonly closer: (pair: Pair) => readonly Remark[];

  /** `texts` are files that will be there when Sluice runs, by absolute path. */
  constructor(
    memory = new CertificateMemory(),
    texts: ReadonlyMap<string, string> = new Map(),
    closer: (pair: Pair) => readonly Remark[] = () => [],
  ) {
    this.#memory = memory;
    this.closer = closer;
    this.#read = new FilesRead(texts);
  }

  /** Files on which this load depends, absolute; also those that are not there. */
  get paths(): Set<string> {
    return this.#read.paths;
  }

  /** The pair of one entry of tls.certificates. Messages name the file; `field` is the one that the mistake is in. */
  pair(config: CertificateConfig): Outcome<Pair> {
    const { certFile, keyFile, keyStore, keyAlias } = config;
    const key = JSON.stringify(["pair", certFile, keyFile, keyStore, keyAlias]);
    const loaded = readPair(config, this.#read);
    if ("field" in loaded) return this.#bad(key, loaded);
    // An expired certificate does not take the place of one that is valid.
    const former = this.#memory.recall<Pair>(key);
    if (former === undefined || !hasExpired(loaded) || hasExpired(former)) return this.#good(key, loaded);
    const source = sourceOf(keyStore ?? certFile!);
    return this.#bad(key, {
      field: keyStore === undefined ? "certFile" : "keyStore",
      source,
      code: "certificate-expired",
      message: `${source}: the new certificate has expired`,
    });
  }

  /** Every pair of a directory tree. A pair that does not fit together is not new yet: the former one goes on, and it is read again. */
  directory(config: CertificateDirectoryConfig): { pairs: DirectoryPair[]; problems: Remark[] } {
    const password = readSecret(config.keyPassword, config.keyPasswordFile, (path) => this.paths.add(path));
    const pairs: DirectoryPair[] = [];
    const problems: Remark[] = [];
    // Without its password an encrypted key is one more that cannot be used now.
    if (password.kind === "error") problems.push(this.#failed("key-password", config.directory, password.message));
    const scan = scanDirectory(config.directory, password.kind === "ok" ? password.value : null);
    for (const directory of scan.directories) this.directories.add(resolve(directory));
    for (const time of scan.waiting) this.waiting.push(time);
    const unfit = new Set(scan.unpaired.map(({ file }) => file));
    const standing = new Set<string>();
    const keyOf = (keyFile: string): string => JSON.stringify(["directory", keyFile]);
    const add = (keyFile: string, certFile: string, loaded: Loaded): void => {
      this.paths.add(resolve(keyFile));
      this.paths.add(resolve(certFile));
      this.#used.add(keyOf(keyFile));
      if (loaded.kind === "error") return wait(keyFile, loaded.message);
      const former = this.#memory.recall<DirectoryPair>(keyOf(keyFile));
      // A file beside a chain that is cut off may have the same certificate without it.
      if (former !== undefined && former.certFile !== certFile && unfit.has(former.certFile)) {
        standing.add(former.certFile);
        pairs.push(former);
        return;
      }
      const stands = former !== undefined && hasExpired(loaded) && !hasExpired(former);
      const pair = stands ? former : { ...loaded, certFile };
      if (stands)
        problems.push(
          this.#failed(
            "certificate-expired",
            certFile,
            "the new certificate has expired; the former one goes on serving",
          ),
        );
      this.#memory.keep(keyOf(keyFile), pair);
      pairs.push(pair);
    };
    const wait = (keyFile: string, message: string): void => {
      this.incomplete = true;
      this.paths.add(resolve(keyFile));
      this.#used.add(keyOf(keyFile));
      const former = this.#memory.recall<DirectoryPair>(keyOf(keyFile));
      if (former !== undefined) pairs.push(former);
      const meanwhile =
        former === undefined && !standing.has(keyFile)
          ? "it is left out until it can be used"
          : "the former pair goes on serving";
      problems.push(this.#failed("certificate-directory", keyFile, `${message} (yet?); ${meanwhile}`));
    };
    for (const { certFile, keyFile, cert, key } of scan.pairs)
      add(keyFile, certFile, loadPair(cert, key, password.kind === "ok" ? password.value : null));
    for (const { file, message } of scan.unpaired) wait(file, message);
    for (const file of scan.dangling)
      if (this.#memory.recall<DirectoryPair>(keyOf(file)) !== undefined) wait(file, "leads to nothing");
    if (scan.problem !== null) {
      this.failures.push({ source: resolve(config.directory), message: scan.problem });
      problems.push({ code: "certificate-directory", message: scan.problem });
    }
    // What is in a directory that cannot be read, or has gone with its whole volume, was not taken away by anybody.
    const listKey = JSON.stringify(["directory's keys", config.directory]);
    const hidden = (this.#memory.recall<string[]>(listKey) ?? []).filter(
      (keyFile) => scan.isBare || scan.unread.some((directory) => keyFile.startsWith(join(directory, "/"))),
    );
    for (const keyFile of hidden) {
      const former = this.#memory.recall<DirectoryPair>(keyOf(keyFile));
      if (former !== undefined) pairs.push(former);
      this.#used.add(keyOf(keyFile));
    }
    if (hidden.length > 0 && scan.problem === null)
      problems.push(
        this.#failed(
          "certificate-directory",
          config.directory,
          scan.isBare
            ? "there is nothing in it any more; the former pairs go on serving: mount its volume and reload, or remove the directory from the configuration"
            : "a directory in it leads to nothing now; the former pairs go on serving",
        ),
      );
    const seen = [...scan.pairs.map(({ keyFile }) => keyFile), ...scan.unpaired.map(({ file }) => file)];
    this.#used.add(listKey);
    this.#memory.keep(listKey, [...seen, ...hidden]);
    // Where a tool keeps the former certificates beside the new one, as certbot's archive/ does, the new one has the name.
    // One whose time has not come, or is over, gives way to one that is good now.
    const now = Date.now();
    const isGood = ({ facts }: Pair): number => Number(facts.notBefore <= now && facts.notAfter >= now);
    pairs.sort((a, b) => isGood(b) - isGood(a) || b.facts.notBefore - a.facts.notBefore);
    return { pairs, problems };
  }

  /** Client CAs, or root CAs for brokers: PEM, DER, or the certificates of a key store (a Java trust store), which `password` opens. */
  authorities(value: string, password: Secret = NO_SECRET): Outcome<Extract<Authorities, { kind: "ok" }>> {
    const key = JSON.stringify(["authorities", value]);
    const bad = (code: Code, source: string, message: string) =>
      this.#bad<Extract<Authorities, { kind: "ok" }>>(key, { code, field: "", source, message });
    const binary = this.#read.binary(value);
    let loaded: Authorities;
    let source = INLINE;
    if (binary === null) {
      const file = this.#read.text(value);
      if (file.kind === "error")
        return bad(UNREADABLE, sourceOf(value), this.#read.describeWrong(value, "authorities") ?? file.message);
      loaded = loadAuthorities(file.text);
      source = file.path ?? INLINE;
    } else {
      if (password.kind === "error") return bad("key-password", resolve(value), password.message);
      loaded = loadTrustStore(binary, password.value);
      source = resolve(value);
    }
    if (loaded.kind === "ok") return this.#good(key, loaded);
    const message = this.#read.describeWrong(value, "authorities") ?? loaded.message;
    return bad(loaded.code, source, `${source}: ${message}`);
  }

  /** The password of key stores among client CAs. */
  secret(value: string | undefined, file: string | undefined): Secret {
    return readSecret(value, file, (path) => this.paths.add(path));
  }

  /** Revocation lists, PEM or DER, signed by one of the authorities. */
  revocationLists(
    path: string,
    authorities: Extract<Authorities, { kind: "ok" }>["certificates"],
  ): Outcome<readonly RevocationList[]> {
    // What other authorities signed does not stand in for it.
    const key = JSON.stringify(["lists", path, ...authorities.map((each) => each.fingerprint256)]);
    const file = this.#read.bytes(path, MAX_CRL_BYTES);
    if (file.kind === "error")
      return this.#bad(key, { code: UNREADABLE, field: "", source: resolve(path), message: file.message });
    const loaded = loadRevocationLists(file.bytes, authorities);
    return loaded.kind === "ok"
      ? this.#good(key, loaded.lists)
      : this.#bad(key, {
          ...{ code: "crl-invalid", field: "", source: file.path },
          message: `${file.path}: ${describeWrongContent(file.bytes, "revocation list") ?? loaded.message}`,
        });
  }

  /**
   * Any other text file; `parse` gives what is needed of it, or says why it cannot be used. An unchanged text is not parsed again. One
   * that cannot be used, with nothing to stand in, holds up no other part of the load: what names it is off. `as` tells two readers of one
   * file apart. `combine` makes what counts of a changed text out of what it says and what counted before.
   */
  text<T>(
    path: string,
    parse: (text: string) => Parsed<T>,
    { as = "", combine }: { as?: string; combine?: ((value: T, former: T) => T) | undefined } = {},
  ): Outcome<T> {
    const key = JSON.stringify(["text", as, path]);
    const source = resolve(path);
    this.paths.add(source);
    const file = readTextFile(path);
    const bad = (code: Code, message: string): Outcome<T> => {
      const outcome = this.#bad<Remembered<T>>(key, { code, field: "", source, message }, false);
      return { ...outcome, former: outcome.former?.value ?? null };
    };
    if (file.kind === "error") return bad(UNREADABLE, file.message);
    const digest = createHash("sha256").update(file.text).digest("base64");
    const former = this.#memory.recall<Remembered<T>>(key);
    let value = former?.value;
    if (value === undefined || former?.digest !== digest) {
      const parsed = parse(file.text);
      if (parsed.kind === "error") return bad(parsed.code, `${source}: ${parsed.message}`);
      value = former === undefined || combine === undefined ? parsed.value : combine(parsed.value, former.value);
    }
    this.#good(key, { digest, value });
    return { kind: "ok", value };
  }

  /** Ends the load: what the configuration does not name any more is forgotten. */
  finish(): void {
    this.#memory.retain(this.#used);
  }

  #good<T>(key: string, value: T): Outcome<T> {
    this.#used.add(key);
    this.#memory.keep(key, value);
    return { kind: "ok", value };
  }

  /** `holdsUp`: where nothing stands in for it, nothing else of its owner is used either. */
  #bad<T>(key: string, { code, field, source, message }: Problem, holdsUp = true): Failed<T> {
    this.#used.add(key);
    this.failures.push({ source, message });
    const former = this.#memory.recall<T>(key) ?? null;
    if (former === null && holdsUp) this.brokenFor.add(this.owner);
    return {
      kind: "error",
      code,
      field,
      message: former === null ? message : `${message}; the former one goes on serving`,
      former,
    };
  }

  #failed(code: Code, source: string, message: string): Remark {
    this.failures.push({ source: resolve(source), message });
    return { code, message: `${source}: ${message}` };
  }
}

const NO_SECRET: Secret = { kind: "ok", value: null };

function hasExpired(pair: Pair): boolean {
  return pair.facts.notAfter < Date.now();
}
