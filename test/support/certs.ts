// Certificates for tests, issued by the real openssl.

import { randomBytes, X509Certificate } from "node:crypto";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exec, temporaryDirectory } from "./tools.ts";

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface IssueOptions {
  readonly names?: readonly string[];
  /** openssl -subj; default /CN=first name. */
  readonly subject?: string;
  readonly usage?: "serverAuth" | "clientAuth";
  /** Further subject alternative names as openssl writes them: "URI:spiffe://a/b", "email:a@b". */
  readonly sans?: readonly string[];
  /** Hexadecimal. */
  readonly serial?: string;
  readonly keyType?: "ec" | "rsa";
  /** The file of a key that is there already, as at a renewal; the pair's key is a copy of it. */
  readonly key?: string;
  /** Further lines of openssl's extension file. */
  readonly extensions?: string;
  /** openssl times, YYYYMMDDHHMMSSZ. */
  readonly notBefore?: string;
  readonly notAfter?: string;
}

export type AuthorityKey = "p256" | "rsa" | "ed25519";

const NEW_KEY: Record<AuthorityKey, readonly string[]> = {
  p256: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
  rsa: ["-newkey", "rsa:2048"],
  ed25519: ["-newkey", "ed25519"],
};

export interface CrlOptions {
  readonly form?: "PEM" | "DER";
  /** Seconds from now until the next update; 30 days when nothing is said. */
  readonly seconds?: number;
  /** openssl times, YYYYMMDDHHMMSSZ. */
  readonly lastUpdate?: string;
  readonly nextUpdate?: string;
  /** Lines of openssl's configuration for the list's extensions, with what they refer to. */
  readonly extensions?: string;
  /** Further options of `openssl ca`, such as ["-sigopt", "rsa_padding_mode:pss"]. */
  readonly args?: readonly string[];
}

async function openssl(...args: string[]): Promise<void> {
  const { code, stderr } = await exec(["openssl", ...args]);
  if (code !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`);
}

/** An authority in a directory of its own; files stay until the test file is over. */
export class Authority {
  readonly directory: string;
  readonly cert: string;
  readonly key: string;
  readonly name: string;
  readonly #keyType: AuthorityKey;
  readonly #revoked: string[] = [];
  #issued = 0;
  #lists = 0;

  private constructor(directory: string, name: string, keyType: AuthorityKey) {
    this.directory = directory;
    this.name = name;
    this.#keyType = keyType;
    this.cert = join(directory, "ca.crt");
    this.key = join(directory, "ca.key");
  }

  /** `subject` as openssl -subj, where the name alone is not enough. */
  static async create(
    name = "Test CA",
    keyType: AuthorityKey = "p256",
    subject: readonly string[] = ["-subj", `/CN=${name}`],
  ): Promise<Authority> {
    const authority = new Authority(temporaryDirectory(), name, keyType);
    await openssl(
      "req",
      "-x509",
      ...NEW_KEY[keyType],
      "-nodes",
      "-keyout",
      authority.key,
      "-out",
      authority.cert,
      "-days",
      "30",
      ...subject,
    );
    return authority;
  }

  /** An authority below this one. */
  async intermediate(name: string, days = 20): Promise<Authority> {
    const below = new Authority(temporaryDirectory(), name, "p256");
    const file = (end: string) => join(below.directory, end);
    await openssl(
      ...["req", ...NEW_KEY.p256, "-nodes", "-keyout", below.key, "-out", file("ca.csr"), "-subj", `/CN=${name}`],
    );
    writeFileSync(file("ca.ext"), "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n");
    await openssl(
      ...["x509", "-req", "-in", file("ca.csr"), "-CA", this.cert, "-CAkey", this.key, "-days", String(days)],
      ...["-set_serial", `0x${randomBytes(8).toString("hex")}`, "-extfile", file("ca.ext"), "-out", below.cert],
    );
    return below;
  }

  /** From here on its lists have this certificate, a file, or this serial number in hexadecimal. */
  revoke(certificate: string | Pair): void {
    const serial =
      typeof certificate === "string"
        ? certificate
        : new X509Certificate(readFileSync(certificate.cert)).serialNumber.toUpperCase();
    this.#revoked.push(serial.length % 2 === 0 ? serial : `0${serial}`);
  }

  /** A new revocation list, by `openssl ca -gencrl`. */
  async crl(options: CrlOptions = {}): Promise<Buffer> {
    const base = join(this.directory, `crl-${++this.#lists}`);
    const rows = this.#revoked.map((serial) => `R\t491231235959Z\t250101000000Z\t${serial}\tunknown\t/CN=x\n`);
    writeFileSync(`${base}.db`, rows.join(""));
    writeFileSync(`${base}.number`, `${(0x1000 + this.#lists).toString(16)}\n`);
    const digest = this.#keyType === "ed25519" ? "null" : "sha256";
    writeFileSync(
      `${base}.cnf`,
      `[ca]\ndefault_ca=d\n[d]\ndatabase=${base}.db\ncrlnumber=${base}.number\ndefault_md=${digest}\nunique_subject=no\ncrl_extensions=x\n[x]\n${options.extensions ?? "authorityKeyIdentifier=keyid"}\n`,
    );
    const until = options.nextUpdate === undefined ? ["-crlsec", String(options.seconds ?? 30 * 86_400)] : [];
    await openssl(
      ...["ca", "-gencrl", "-config", `${base}.cnf`, "-cert", this.cert, "-keyfile", this.key, "-out", `${base}.pem`],
      ...until,
      ...(options.lastUpdate === undefined ? [] : ["-crl_lastupdate", options.lastUpdate]),
      ...(options.nextUpdate === undefined ? [] : ["-crl_nextupdate", options.nextUpdate]),
      ...(options.args ?? []),
    );
    if (options.form !== "DER") return readFileSync(`${base}.pem`);
    await openssl("crl", "-in", `${base}.pem`, "-outform", "DER", "-out", `${base}.der`);
    return readFileSync(`${base}.der`);
  }

  /** Issues a certificate and returns its files. */
  async issue(options: IssueOptions = {}): Promise<Pair> {
    const base = join(this.directory, `leaf-${++this.#issued}`);
    const names = options.names ?? ["localhost"];
    const san = [
      ...names.map((name) => (/^[\d.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`)),
      ...(options.sans ?? []),
    ].join(",");
    writeFileSync(
      `${base}.ext`,
      `${san === "" ? "" : `subjectAltName=${san}\n`}extendedKeyUsage=${options.usage ?? "serverAuth"}\nbasicConstraints=CA:FALSE\n${options.extensions ?? ""}\n`,
    );
    const newKey =
      options.keyType === "rsa" ? ["-newkey", "rsa:2048"] : ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    if (options.key !== undefined) copyFileSync(options.key, `${base}.key`);
    await openssl(
      "req",
      ...(options.key === undefined ? [...newKey, "-nodes", "-keyout"] : ["-new", "-key"]),
      `${base}.key`,
      "-out",
      `${base}.csr`,
      "-subj",
      options.subject ?? `/CN=${names[0]}`,
    );
    if (options.notAfter === undefined) {
      await openssl(
        "x509",
        "-req",
        "-in",
        `${base}.csr`,
        "-CA",
        this.cert,
        "-CAkey",
        this.key,
        "-set_serial",
        `0x${options.serial ?? randomBytes(8).toString("hex")}`,
        "-out",
        `${base}.crt`,
        "-days",
        "20",
        "-extfile",
        `${base}.ext`,
      );
    } else {
      // Only `openssl ca` takes dates in the past.
      const config = `[ca]\ndefault_ca=d\n[d]\ndatabase=${base}.db\nserial=${base}.srl\nnew_certs_dir=${this.directory}\ndefault_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n`;
      writeFileSync(`${base}.cnf`, config);
      writeFileSync(`${base}.db`, "");
      writeFileSync(`${base}.srl`, "4A01");
      await openssl(
        "ca",
        "-batch",
        "-config",
        `${base}.cnf`,
        "-cert",
        this.cert,
        "-keyfile",
        this.key,
        "-in",
        `${base}.csr`,
        "-out",
        `${base}.crt`,
        "-startdate",
        options.notBefore ?? "20200101000000Z",
        "-enddate",
        options.notAfter,
        "-extfile",
        `${base}.ext`,
        "-notext",
      );
    }
    return { cert: `${base}.crt`, key: `${base}.key` };
  }
}
