// What is wrong with a configuration and where: collected while loading, printed by `check` and by the log.

import { printable } from "../text/printable.ts";

/** `line` and `column` are 1-based; 0 when the problem has no single place in the file. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export type Severity = "error" | "warning";

export interface Diagnostic extends Place {
  readonly severity: Severity;
  readonly message: string;
}

/** A message that quotes a value in the wrong place could quote a private key. */
const PEM_BODY = /(-----BEGIN [A-Z0-9 ]+-----)[\s\\A-Za-z0-9+/=:,-]{8,}/g;

/** Collects diagnostics in the order they were found. A list that someone else made can grow it without bound, so it is capped. */
export class Diagnostics {
  static readonly LIMIT = 1000;
  readonly list: Diagnostic[] = [];
  errors = 0;
  warnings = 0;

  error(place: Place, message: string): void {
    this.errors++;
    this.#add({ ...place, severity: "error", message });
  }

  warn(place: Place, message: string): void {
    this.warnings++;
    this.#add({ ...place, severity: "warning", message });
  }

  #add(diagnostic: Diagnostic): void {
    const { file, line, column, severity, message } = diagnostic;
    if (this.list.length < Diagnostics.LIMIT)
      this.list.push({ file, line, column, severity, message: message.replace(PEM_BODY, "$1...") });
  }
}

export function formatPlace({ file, line, column }: Place): string {
  return line > 0 ? `${file}:${line}:${column}` : file;
}

/** `file:line:column: message`, the form that editors and terminals turn into a link. */
export function formatDiagnostic(d: Diagnostic): string {
  const place = formatPlace(d);
  // Names in certificates, and words of the file, are part of messages.
  return printable(`${place}: ${d.severity === "warning" ? "warning: " : ""}${d.message}`);
}
