// Which static configuration a command works with, and reading it.

import { existsSync } from "node:fs";
import { Diagnostics, formatDiagnostic } from "../config/diagnostics.ts";
import { readTextFile } from "../config/files.ts";
import { parseStatic, type StaticConfig } from "../config/static.ts";

/** Looked for in this order when --configFile is not given. */
export const DEFAULT_FILES = ["./config/sluice.yml", "/etc/sluice/sluice.yml"];

export interface StaticRead {
  readonly config: StaticConfig | null;
  readonly diagnostics: Diagnostics;
}

export function readStatic(configFile: string | undefined): StaticRead {
  const diagnostics = new Diagnostics();
  const file = configFile ?? DEFAULT_FILES.find((path) => existsSync(path));
  if (file === undefined) {
    diagnostics.error(
      { file: "sluice", line: 0, column: 0 },
      `no configuration: neither ${DEFAULT_FILES.join(" nor ")} exists; give one with --configFile=FILE`,
    );
    return { config: null, diagnostics };
  }
  const text = readTextFile(file);
  if (text.kind === "error") {
    diagnostics.error({ file, line: 0, column: 0 }, text.message);
    return { config: null, diagnostics };
  }
  return { config: parseStatic(file, text.text, diagnostics), diagnostics };
}

/** The problems on standard error, one a line. */
export function printDiagnostics(diagnostics: Diagnostics): void {
  for (const each of diagnostics.list) console.error(formatDiagnostic(each));
}
