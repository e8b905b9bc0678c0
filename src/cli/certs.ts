// sluice certs show: what is in a file of certificates and keys, and what is wrong with it.

import {
  type CertificateReport,
  type EntryReport,
  type FileReport,
  type Inspection,
  inspect,
  type KeyDescription,
  type Passwords,
  problemsOf,
} from "../certs/inspect.ts";
import { readSecret } from "../certs/secrets.ts";
import { readFileBytes } from "../config/files.ts";
import { printable } from "../config/printable.ts";
import { askSecret, canAsk } from "./prompt.ts";

export interface ShowOptions {
  readonly json?: boolean;
  readonly passwordFile?: string;
  readonly passwordEnv?: string;
  readonly keyPasswordFile?: string;
  readonly keyPasswordEnv?: string;
}

/** @returns the exit code: 1 when the file cannot be read, or something is wrong with what is in it. */
export async function showCertificates(file: string, options: ShowOptions): Promise<number> {
  const store = given("password", options.passwordFile, options.passwordEnv);
  const key = given("keyPassword", options.keyPasswordFile, options.keyPasswordEnv);
  for (const secret of [store, key])
    if (secret.kind === "error") {
      console.error(printable(secret.message));
      return 1;
    }
  const report = await look(file, { store: secretOf(store), key: secretOf(key) });
  if (options.json) console.log(printableJson(report));
  else if (report.type === null) console.error(printable(`${file}: ${report.problems[0]?.message}`));
  else console.log(textOf(report).map(printable).join("\n"));
  return problemsOf(report).length > 0 ? 1 : 0;
}

type Given = ReturnType<typeof readSecret>;

function given(option: string, file: string | undefined, variable: string | undefined): Given {
  if (file !== undefined && variable !== undefined)
    return { kind: "error", message: `--${option}File and --${option}Env are two sources: give one of them` };
  if (variable === undefined) return readSecret(undefined, file);
  const value = process.env[variable];
  return value === undefined
    ? { kind: "error", message: `--${option}Env: the variable ${variable} is not set` }
    : { kind: "ok", value };
}

function secretOf(secret: Given): string | null {
  return secret.kind === "ok" ? secret.value : null;
}

const PROMPTS = { store: "Password", key: "Password of the private key" } as const;
const HINTS = {
  store: "--passwordFile FILE or --passwordEnv NAME",
  key: "--keyPasswordFile FILE or --keyPasswordEnv NAME",
} as const;

async function look(file: string, passwords: Passwords): Promise<FileReport> {
  const read = readFileBytes(file);
  if (read.kind === "error") {
    const problems = [{ code: "unreadable", message: read.message }] as const;
    return { file, type: null, entries: [], others: [], problems };
  }
  const known = { ...passwords };
  let inspection: Inspection;
  // Each round asks for another password, so there are three at most.
  for (;;) {
    inspection = inspect(file, read.bytes, known, Date.now());
    const { wants } = inspection;
    if (wants === null || !canAsk()) break;
    const answer = await askSecret(`${PROMPTS[wants]} (${printable(file)}): `);
    if (answer === null) break;
    known[wants] = answer;
  }
  const { report, wants } = inspection;
  return wants === null ? report : withHint(report, HINTS[wants]);
}

/** What to give, where there was nobody to ask. */
function withHint(report: FileReport, hint: string): FileReport {
  const add = (problems: FileReport["problems"]) =>
    problems.map((problem) =>
      problem.code === "password" || problem.code === "key-locked"
        ? { ...problem, message: `${problem.message}: give ${hint}` }
        : problem,
    );
  const entries = report.entries.map((entry) => ({ ...entry, problems: add(entry.problems) }));
  return { ...report, entries, problems: add(report.problems) };
}

function textOf(report: FileReport): string[] {
  const lines = [`${report.file}: ${report.type}, ${contents(report)}`];
  for (const problem of report.problems) lines.push(`  wrong: ${problem.message}`);
  for (const entry of report.entries) {
    lines.push("", `  ${titleOf(entry)}`);
    for (const [name, value] of rowsOf(entry)) lines.push(`    ${name.padEnd(8)} ${value}`);
    for (const problem of entry.problems) lines.push(`    ${"wrong".padEnd(8)} ${problem.message}`);
  }
  return lines;
}

function contents(report: FileReport): string {
  const prints = new Set(report.entries.flatMap((entry) => entry.certificates.map((each) => each.fingerprint)));
  const keys = report.entries.filter((entry) => entry.privateKey !== null).length;
  const parts = [count(prints.size, "certificate"), count(keys, "private key")];
  if (report.others.length > 0) parts.push(`and ${[...new Set(report.others)].join(", ")}`);
  return parts.join(", ");
}

function titleOf({ alias, certificates: [leaf] }: EntryReport): string {
  if (alias !== null) return alias;
  return leaf === undefined ? "private key" : nameOf(leaf);
}

function nameOf(certificate: CertificateReport): string {
  return certificate.commonName || certificate.names[0]?.value || certificate.subject || "(no name)";
}

function rowsOf(entry: EntryReport): [string, string][] {
  const rows: [string, string][] = [];
  const [leaf] = entry.certificates;
  if (leaf !== undefined) {
    if (leaf.names.length > 0) rows.push(["names", leaf.names.map(({ kind, value }) => `${kind}:${value}`).join(" ")]);
    rows.push(
      ["subject", leaf.subject || "(empty)"],
      ["issuer", leaf.issuer || "(empty)"],
      ["serial", leaf.serial],
      ["valid", `${leaf.notBefore.slice(0, 10)} to ${leaf.notAfter.slice(0, 10)}`],
      ["key", keyOf(leaf.key)],
    );
  }
  if (entry.privateKey !== null) rows.push(["private", privateKeyOf(entry)]);
  else if (leaf !== undefined) rows.push(["private", "not in the file"]);
  if (entry.chain !== null) rows.push(["chain", chainOf(entry)]);
  return rows;
}

function keyOf({ type, bits, curve }: KeyDescription): string {
  switch (type) {
    case "rsa":
      return `RSA, ${bits} bits`;
    case "ec":
      return `EC, ${curve}`;
    case "ed25519":
      return "Ed25519";
    case "unknown":
      return "of a kind that Sluice cannot use";
    default:
      return type;
  }
}

function privateKeyOf({ privateKey, certificates }: EntryReport): string {
  const { state, belongs, ...key } = privateKey!;
  if (state !== "open") return state === "locked" ? "encrypted, not opened" : "cannot be read";
  if (belongs) return "belongs to the certificate";
  return certificates.length === 0 ? keyOf(key) : `${keyOf(key)}, of another certificate`;
}

function chainOf({ chain, certificates }: EntryReport): string {
  const { end, issuer, inOrder } = chain!;
  if (end === "self-signed") return "self-signed";
  const steps = certificates.slice(1).map(nameOf);
  const order = inOrder === false ? "out of order" : steps.length > 1 && inOrder ? "in order" : "";
  const last =
    end === "root"
      ? "complete, root in the file"
      : end === "public-root"
        ? `complete, public root ${issuer}`
        : "issuer of the last not in the file";
  return [steps.join(" <- "), order, last].filter(Boolean).join("; ");
}

function count(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? "" : "s"}`;
}

/** JSON whose strings are escaped as far as `printable` does; its own line feeds stay. */
function printableJson(value: unknown): string {
  return JSON.stringify(value, null, 2).split("\n").map(printable).join("\n");
}
