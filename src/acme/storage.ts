// acme.json as Traefik has it: accounts and certificates of one or several resolvers in one file. An existing one is taken over as it is,
// and Traefik can take ours back: what we do not know is kept.
//
// A crash at any moment leaves the former file or the new one (see replace-file.ts). Programs that share the file take turns by a lock
// file (see lock.ts), and each change is made to what the file holds then, not to what it once held.

import { readFileSync, statSync } from "node:fs";
import { describeError } from "../system/errors.ts";
import { replaceFile } from "../system/replace-file.ts";

/** The account at an authority. */
export interface StoredAccount {
  readonly email: string;
  /** The account's URL (RFC 8555 7.3). */
  readonly uri: string;
  /** As the authority answered. */
  readonly body: unknown;
  /** PKCS#1 DER, as Traefik has it, or PKCS#8. */
  readonly privateKey: Buffer;
}

export interface StoredCertificate {
  readonly main: string;
  readonly sans: readonly string[];
  /** PEM, leaf first. */
  readonly certificate: string;
  /** PEM. */
  readonly key: string;
}

export interface StoredResolver {
  readonly account: StoredAccount | null;
  readonly certificates: readonly StoredCertificate[];
}

export type StorageResult<T> =
  | { readonly kind: "ok"; readonly value: T }
  | { readonly kind: "error"; readonly message: string };

type Json = Record<string, unknown>;

/** Larger ones are not acme.json: 10 000 certificates with chains take 60 MB. Bytes. */
const MAX_BYTES = 128 * 1024 * 1024;
const MODE = 0o600;

export class AcmeStorage {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** What is stored of a resolver; nothing, where the file or the resolver is not there yet. */
  read(resolver: string): StorageResult<StoredResolver> {
    const file = this.#load();
    if (file.kind === "error") return file;
    const entry = asObject(file.value[resolver]);
    const certificates = asArray(entry.Certificates)
      .map((each) => certificateOf(asObject(each)))
      .filter((each) => each !== null);
    return { kind: "ok", value: { account: accountOf(asObject(entry.Account)), certificates } };
  }

  /** Proves that what is obtained can be kept, by writing what is there. */
  prove(): StorageResult<null> {
    const file = this.#load();
    return file.kind === "error" ? file : this.#store(file.value);
  }

  saveAccount(resolver: string, account: StoredAccount): StorageResult<null> {
    return this.#change(resolver, (entry) => {
      entry.Account = {
        ...asObject(entry.Account),
        Email: account.email,
        Registration: { body: account.body, uri: account.uri },
        PrivateKey: account.privateKey.toString("base64"),
      };
    });
  }

  /** Puts a certificate in the place of the one for the same names, or behind the others. */
  saveCertificate(resolver: string, certificate: StoredCertificate): StorageResult<null> {
    return this.#change(resolver, (entry) => {
      const list = asArray(entry.Certificates);
      const at = list.findIndex((each) => {
        const known = certificateOf(asObject(each));
        return known !== null && sameNames(known, certificate);
      });
      const domain: Json = { main: certificate.main };
      if (certificate.sans.length > 0) domain.sans = certificate.sans;
      const stored = {
        ...asObject(list[at]),
        domain,
        certificate: Buffer.from(certificate.certificate).toString("base64"),
        key: Buffer.from(certificate.key).toString("base64"),
        Store: "default",
      };
      entry.Certificates = at < 0 ? [...list, stored] : list.with(at, stored);
    });
  }

  #change(resolver: string, edit: (entry: Json) => void): StorageResult<null> {
    const file = this.#load();
    if (file.kind === "error") return file;
    const entry = asObject(file.value[resolver]);
    edit(entry);
    return this.#store({ ...file.value, [resolver]: entry });
  }

  /** An empty file and one that is not there are alike; anything else must be what it says. */
  #load(): StorageResult<Json> {
    let text: string;
    try {
      const info = statSync(this.path);
      const rights = info.mode & 0o777;
      if ((rights & 0o077) !== 0)
        return fail(
          `${this.path} has rights ${rights.toString(8)}, and it holds private keys: others could read them. Run: chmod 600 ${this.path}`,
        );
      if (!info.isFile()) return fail(`${this.path} is not a regular file`);
      if (info.size > MAX_BYTES) return fail(`${this.path} has ${info.size} bytes; at most ${MAX_BYTES} are read`);
      text = readFileSync(this.path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return { kind: "ok", value: {} };
      return fail(`${this.path}: ${describeError(error)}`);
    }
    if (text.trim() === "") return { kind: "ok", value: {} };
    try {
      const parsed: unknown = JSON.parse(text);
      if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed))
        return { kind: "ok", value: parsed as Json };
    } catch {
      // Said below: the parser's own words quote what is in the file.
    }
    return fail(`${this.path} is not acme.json: mend it, or move it away to begin anew`);
  }

  #store(value: Json): StorageResult<null> {
    try {
      replaceFile(this.path, `${JSON.stringify(value, null, 2)}\n`, MODE);
      return { kind: "ok", value: null };
    } catch (error) {
      // A single file that is mounted into a container cannot be replaced, and must be, to be whole at every moment.
      const hint = (error as NodeJS.ErrnoException).code === "EBUSY" ? " (mount its directory, not the file)" : "";
      return fail(`${this.path} cannot be written: ${describeError(error)}${hint}`);
    }
  }
}

function accountOf(account: Json): StoredAccount | null {
  const registration = asObject(account.Registration);
  const { uri, body } = registration;
  if (typeof account.PrivateKey !== "string" || typeof uri !== "string" || uri === "") return null;
  return {
    email: typeof account.Email === "string" ? account.Email : "",
    uri,
    body,
    privateKey: Buffer.from(account.PrivateKey, "base64"),
  };
}

function certificateOf(entry: Json): StoredCertificate | null {
  const { main, sans } = asObject(entry.domain);
  const { certificate, key } = entry;
  if (typeof main !== "string" || typeof certificate !== "string" || typeof key !== "string") return null;
  if (certificate === "" || key === "") return null;
  return {
    main,
    sans: asArray(sans).filter((name) => typeof name === "string"),
    certificate: Buffer.from(certificate, "base64").toString("utf8"),
    key: Buffer.from(key, "base64").toString("utf8"),
  };
}

function sameNames(a: StoredCertificate, b: StoredCertificate): boolean {
  const names = ({ main, sans }: StoredCertificate): string => [...new Set([main, ...sans])].sort().join(" ");
  return names(a) === names(b);
}

function asObject(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function fail(message: string): { kind: "error"; message: string } {
  return { kind: "error", message };
}
