// Which static configuration a command works with, and reading it: a file, the environment, flags.

import { existsSync } from "node:fs";
import { Diagnostics, formatDiagnostic } from "../config/diagnostics.ts";
import type { Flag } from "../config/flags.ts";
import { parseStatic, type StaticConfig } from "../config/static.ts";
import { configFileIn, configures } from "../config/variables.ts";
import { readTextFile } from "../system/files.ts";
import type { Terminal } from "./terminal.ts";

/** Looked for in this order when no file is named. */
const DEFAULT_FILES = ["./config/sluice.yml", "/etc/sluice/sluice.yml"];

/** What the command line says about the static configuration. */
export interface Given {
  readonly configFile?: string | undefined;
  readonly flags: readonly Flag[];
}

export interface StaticRead {
  readonly config: StaticConfig | null;
  readonly diagnostics: Diagnostics;
  /** Nothing is configured at all: no file, no variable, no flag. */
  readonly nothing: boolean;
}

export function readStatic({ configFile, flags }: Given): StaticRead {
  const diagnostics = new Diagnostics();
  const environment = process.env;
  const named = configFile ?? configFileIn(environment);
  const file = named ?? DEFAULT_FILES.find((path) => existsSync(path));
  const result = (config: StaticConfig | null, nothing = false) => ({ config, diagnostics, nothing });
  if (file === undefined) {
    // An unknown variable or flag must be heard of, so they are read without a file too.
    if (flags.length > 0 || configures(environment))
      return result(parseStatic("static configuration", "", diagnostics, { environment, flags }));
    diagnostics.error(
      "configuration-missing",
      { file: "sluice", line: 0, column: 0 },
      `no configuration: neither ${DEFAULT_FILES.join(" nor ")} exists; give one with --configFile=FILE, or the broker's address with --sidecar=HOST:PORT`,
    );
    return result(null, true);
  }
  const text = readTextFile(file);
  if (text.kind === "error") {
    diagnostics.error("file-unreadable", { file, line: 0, column: 0 }, text.message);
    return result(null);
  }
  return result(parseStatic(file, text.text, diagnostics, { environment, flags }));
}

/** The problems on standard error, one a line. */
export function printDiagnostics(diagnostics: Diagnostics, terminal: Terminal): void {
  for (const each of diagnostics.list) terminal.error(formatDiagnostic(each));
}
