// sluice certs show: what is in a file of certificates and keys, and what is wrong with it.

import { type Inspection, inspect, type Passwords } from "../certs/inspect/inspect.ts";
import { type FileReport, problemsOf } from "../certs/inspect/report.ts";
import type { Secret } from "../certs/secrets.ts";
import { readFileBytes } from "../system/files.ts";
import { printable } from "../text/printable.ts";
import { printableJson, textOf } from "./certs-text.ts";
import { secretOption } from "./secret-options.ts";
import type { Terminal } from "./terminal.ts";

export interface ShowOptions {
  readonly json?: boolean;
  readonly passwordFile?: string;
  readonly passwordEnv?: string;
  readonly keyPasswordFile?: string;
  readonly keyPasswordEnv?: string;
}

/** @returns the exit code: 1 when the file cannot be read, or something is wrong with what is in it. */
export async function showCertificates(file: string, options: ShowOptions, terminal: Terminal): Promise<number> {
  const store = secretOption("password", options.passwordFile, options.passwordEnv);
  const key = secretOption("keyPassword", options.keyPasswordFile, options.keyPasswordEnv);
  for (const secret of [store, key])
    if (secret.kind === "error") {
      terminal.error(printable(secret.message));
      return 1;
    }
  const report = await look(file, { store: secretOf(store), key: secretOf(key) }, terminal);
  if (options.json) terminal.log(printableJson(report));
  else if (report.type === null) terminal.error(printable(`${file}: ${report.problems[0]?.message}`));
  else terminal.log(textOf(report).map(printable).join("\n"));
  return problemsOf(report).length > 0 ? 1 : 0;
}

function secretOf(secret: Secret): string | null {
  return secret.kind === "ok" ? secret.value : null;
}

const PROMPTS = { store: "Password", key: "Password of the private key" } as const;
const HINTS = {
  store: "--passwordFile FILE or --passwordEnv NAME",
  key: "--keyPasswordFile FILE or --keyPasswordEnv NAME",
} as const;

async function look(file: string, passwords: Passwords, { ask }: Terminal): Promise<FileReport> {
  const read = readFileBytes(file);
  if (read.kind === "error") {
    const problems = [{ code: "unreadable", message: read.message }] as const;
    return { file, type: null, entries: [], lists: [], others: [], problems };
  }
  const known = { ...passwords };
  let inspection: Inspection;
  // Each round asks for another password, so there are three at most.
  for (;;) {
    inspection = inspect(file, read.bytes, known, Date.now());
    const { wants } = inspection;
    if (wants === null || ask === null) break;
    const answer = await ask(`${PROMPTS[wants]} (${printable(file)}): `);
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
