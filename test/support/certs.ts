// Certificates for tests, issued by the real openssl.

import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
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
  readonly keyType?: "ec" | "rsa";
  /** Further lines of openssl's extension file. */
  readonly extensions?: string;
  /** openssl times, YYYYMMDDHHMMSSZ. */
  readonly notBefore?: string;
  readonly notAfter?: string;
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
  #issued = 0;

  private constructor(directory: string) {
    this.directory = directory;
    this.cert = join(directory, "ca.crt");
    this.key = join(directory, "ca.key");
  }

  static async create(name = "Test CA"): Promise<Authority> {
    const authority = new Authority(temporaryDirectory());
    const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    await openssl(
      "req",
      "-x509",
      ...ec,
      "-nodes",
      "-keyout",
      authority.key,
      "-out",
      authority.cert,
      "-days",
      "30",
      "-subj",
      `/CN=${name}`,
    );
    return authority;
  }

  /** An authority below this one, good for a hundred years. */
  async subordinate(name: string): Promise<Authority> {
    const below = new Authority(temporaryDirectory());
    const request = join(below.directory, "ca.csr");
    const extensions = join(below.directory, "ca.ext");
    writeFileSync(extensions, "basicConstraints=critical,CA:TRUE\n");
    const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    await openssl("req", ...ec, "-nodes", "-keyout", below.key, "-out", request, "-subj", `/CN=${name}`);
    const signer = ["-CA", this.cert, "-CAkey", this.key, "-set_serial", `0x${randomBytes(8).toString("hex")}`];
    await openssl(
      "x509",
      "-req",
      "-in",
      request,
      ...signer,
      "-days",
      "36500",
      "-extfile",
      extensions,
      "-out",
      below.cert,
    );
    return below;
  }

  /** Issues a certificate and returns its files. */
  async issue(options: IssueOptions = {}): Promise<Pair> {
    const base = join(this.directory, `leaf-${++this.#issued}`);
    const names = options.names ?? ["localhost"];
    const san = names.map((name) => (/^[\d.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`)).join(",");
    writeFileSync(
      `${base}.ext`,
      `subjectAltName=${san}\nextendedKeyUsage=${options.usage ?? "serverAuth"}\nbasicConstraints=CA:FALSE\n${options.extensions ?? ""}\n`,
    );
    const newKey =
      options.keyType === "rsa" ? ["-newkey", "rsa:2048"] : ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    await openssl(
      "req",
      ...newKey,
      "-nodes",
      "-keyout",
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
        `0x${randomBytes(8).toString("hex")}`,
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
