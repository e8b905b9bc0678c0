// tls.certificateDirectories: finds the pairs of certificate and key in a directory tree, whatever the files are called. certbot's
// live/, lego, acme.sh, Caddy, mkcert, a Kubernetes secret: each has names of its own, but a key fits its certificate everywhere.

import { createHash, createPublicKey, X509Certificate } from "node:crypto";
import { readdirSync, type Stats } from "node:fs";
import { join } from "node:path";
import { describeError } from "../system/errors.ts";
import { isThere, readFileBytes, statOf } from "../system/files.ts";
import { isCertificate, isPrivateKey, readPem } from "./pem-blocks.ts";
import { openKey } from "./private-key.ts";

/** Files of other kinds are not opened. */
const EXTENSIONS = /\.(pem|crt|cer|cert|key)$/i;
/** certificates/acme-v02.api.letsencrypt.org-directory/example.com/ is the deepest that any tool makes. */
const MAX_DEPTH = 4;
/** Files of one tree. 10 000 pairs with their chains are less. */
const MAX_FILES = 50_000;
/** Entries of one tree, of any kind: a link in it may lead to the whole machine. */
const MAX_ENTRIES = 200_000;

export interface FoundPair {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/** A key that has no certificate beside it: perhaps one that is just being written. */
export interface Unpaired {
  readonly file: string;
  readonly message: string;
}

export interface DirectoryScan {
  readonly pairs: readonly FoundPair[];
  readonly unpaired: readonly Unpaired[];
  /** All that were read, which must be watched for what comes. */
  readonly directories: readonly string[];
  /** Those that could not be read: what is in them is not known. */
  readonly unread: readonly string[];
  /** There is nothing at all in it, as in a mount point without its volume. */
  readonly isBare: boolean;
  /** Links, called as files are that are read, to what is not there. */
  readonly dangling: readonly string[];
  /** When certificates become valid that are not yet: then another choice may be right. Milliseconds since the epoch. */
  readonly waiting: readonly number[];
  /** Why the tree could not be read, or not the whole of it. */
  readonly problem: string | null;
}

/**
 * Scans `root`, sub-directories included, in name order. `password` opens encrypted keys; `now`, in milliseconds since the epoch,
 * decides between certificates of one key. Never throws.
 */
export function scanDirectory(root: string, password: string | null, now = Date.now()): DirectoryScan {
  const scan = new Scan(password, now);
  scan.root(root);
  return scan;
}

interface PemFile {
  readonly path: string;
  readonly text: string;
  /** Its certificates, by the fingerprints of their public keys. */
  readonly certificates: ReadonlyMap<string, Validity>;
  /** Those of its private keys. */
  readonly keys: readonly string[];
  readonly problem: string | null;
}

/** Milliseconds since the epoch. */
interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

class Scan implements DirectoryScan {
  readonly pairs: FoundPair[] = [];
  readonly unpaired: Unpaired[] = [];
  readonly directories: string[] = [];
  readonly unread: string[] = [];
  readonly dangling: string[] = [];
  readonly waiting: number[] = [];
  isBare = false;
  problem: string | null = null;
  readonly #password: string | null;
  readonly #now: number;
  readonly #seen = new Set<string>();
  #files = 0;
  #entries = 0;

  constructor(password: string | null, now: number) {
    this.#password = password;
    this.#now = now;
  }

  root(root: string): void {
    const info = statOf(root);
    if (info !== null) this.#isNew(info);
    this.#directory(root, 0);
    this.isBare = this.problem === null && this.#entries === 0;
  }

  #directory(directory: string, depth: number): void {
    this.directories.push(directory);
    let names: string[];
    try {
      names = this.#entries > MAX_ENTRIES ? [] : readdirSync(directory).sort();
    } catch (error) {
      this.problem ??= `${directory}: cannot be read: ${describeError(error)}`;
      this.unread.push(directory);
      return;
    }
    this.#entries += names.length;
    if (this.#entries > MAX_ENTRIES) {
      this.problem ??= `${directory}: the tree has more than ${MAX_ENTRIES} entries: does a link in it lead to somewhere else?`;
      this.unread.push(directory);
      return;
    }
    const files: PemFile[] = [];
    const below: string[] = [];
    for (const name of names) {
      // Kubernetes keeps the files in ..data and links to them; hidden ones are somebody's temporary files.
      if (name.startsWith(".")) continue;
      const path = join(directory, name);
      const info = statOf(path);
      if (info?.isDirectory()) {
        if (this.#isNew(info)) below.push(path);
      } else if (info !== null && EXTENSIONS.test(name)) {
        if (++this.#files > MAX_FILES) {
          this.problem ??= `${directory}: holds more than ${MAX_FILES} files`;
          this.unread.push(directory);
          return;
        }
        const read = readFileBytes(path);
        if (read.kind === "error") this.unpaired.push({ file: path, message: read.message });
        else files.push(inspect(path, read.bytes.toString("utf8"), this.#password));
      } else if (info === null && isThere(path)) {
        // What it held was not taken away by anybody: perhaps it is not mounted.
        if (EXTENSIONS.test(name)) this.dangling.push(path);
        else {
          this.unread.push(path);
          this.directories.push(path);
        }
      }
    }
    this.#pair(files);
    for (const path of below)
      if (depth < MAX_DEPTH) this.#directory(path, depth + 1);
      else {
        this.problem ??= `${path}: nested deeper than ${MAX_DEPTH} directories`;
        this.unread.push(path);
      }
  }

  /** Links may lead to a directory again, and in a loop. */
  #isNew({ dev, ino }: Stats): boolean {
    const id = `${dev} ${ino}`;
    if (this.#seen.has(id)) return false;
    this.#seen.add(id);
    return true;
  }

  #pair(files: readonly PemFile[]): void {
    const byKey = new Map<string, PemFile>();
    for (const file of files) {
      for (const [fingerprint, validity] of file.certificates) {
        const other = byKey.get(fingerprint);
        if (other === undefined || this.#isBetter(file, validity, other, other.certificates.get(fingerprint)!))
          byKey.set(fingerprint, file);
      }
    }
    const paired = new Set<string>();
    for (const file of files) {
      if (file.problem !== null) this.unpaired.push({ file: file.path, message: file.problem });
      for (const fingerprint of file.keys) {
        const best = byKey.get(fingerprint);
        const own = file.certificates.get(fingerprint);
        // Beside others that are no better, the one in the key's own file.
        const cert =
          best !== undefined &&
          own !== undefined &&
          !this.#isBetter(best, best.certificates.get(fingerprint)!, file, own)
            ? file
            : best;
        if (cert === undefined)
          this.unpaired.push({ file: file.path, message: "no certificate beside it belongs to the private key in it" });
        else if (!paired.has(fingerprint)) {
          paired.add(fingerprint);
          this.pairs.push({ certFile: cert.path, keyFile: file.path, cert: cert.text, key: file.text });
        }
      }
    }
    for (const file of files)
      for (const [fingerprint, { notBefore }] of file.certificates)
        if (paired.has(fingerprint) && notBefore > this.#now) this.waiting.push(notBefore);
  }

  /** Of two certificates for one key the one that is valid now, then the newer one, and of cert.pem and fullchain.pem the one with the chain. */
  #isBetter(file: PemFile, validity: Validity, other: PemFile, otherValidity: Validity): boolean {
    const isValid = ({ notBefore, notAfter }: Validity): number =>
      Number(notBefore <= this.#now && this.#now <= notAfter);
    return (
      (isValid(validity) - isValid(otherValidity) ||
        validity.notBefore - otherValidity.notBefore ||
        file.certificates.size - other.certificates.size) > 0
    );
  }
}

/** What was found in a text, so that a reload of 10 000 unchanged files parses none of them. */
const inspected = new Map<string, Omit<PemFile, "path" | "text">>();
const MAX_INSPECTED = 100_000;

function inspect(path: string, text: string, password: string | null): PemFile {
  const hash = createHash("sha256").update(JSON.stringify(password)).update("\0").update(text).digest("hex");
  let found = inspected.get(hash);
  if (found === undefined) {
    found = fingerprints(text, password);
    if (inspected.size >= MAX_INSPECTED) inspected.clear();
    inspected.set(hash, found);
  }
  return { path, text, ...found };
}

function fingerprints(text: string, password: string | null): Omit<PemFile, "path" | "text"> {
  const certificates = new Map<string, Validity>();
  const keys: string[] = [];
  const failed = (problem: string) => ({ certificates, keys, problem });
  const nothing = (problem: string) => ({ certificates: new Map<string, Validity>(), keys: [], problem });
  const { blocks, flaw } = readPem(text);
  // Whoever writes a file in place empties it first: that is not a key that was taken away.
  if (text.trim() === "") return failed("it is empty");
  // A chain that is cut off must not be served as a shorter one.
  if (flaw !== null) return nothing(`line ${flaw.line}: ${flaw.message}`);
  for (const block of blocks) {
    if (isCertificate(block)) {
      let certificate: X509Certificate;
      try {
        certificate = new X509Certificate(block.pem);
      } catch {
        return nothing(`line ${block.line}: the certificate that begins there is damaged`);
      }
      const key = publicKeyOf(certificate);
      // Of two for one key in a file the first one serves.
      if (certificates.has(key)) continue;
      certificates.set(key, {
        notBefore: Date.parse(certificate.validFrom),
        notAfter: Date.parse(certificate.validTo),
      });
    } else if (isPrivateKey(block)) {
      const opened = openKey(block, password);
      if (opened.kind === "error") return failed(opened.message);
      keys.push(fingerprint(createPublicKey(opened.key)));
    }
  }
  return { certificates, keys, problem: null };
}

/** "" for a kind that the runtime does not know, as an authority beside the pairs may have: no private key of ours fits it. */
function publicKeyOf(certificate: X509Certificate): string {
  try {
    return fingerprint(certificate.publicKey);
  } catch {
    return "";
  }
}

function fingerprint(key: ReturnType<typeof createPublicKey>): string {
  return createHash("sha256")
    .update(key.export({ type: "spki", format: "der" }))
    .digest("base64");
}
