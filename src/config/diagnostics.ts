// What is wrong with a configuration and where: collected while loading, printed by `check` and by the log.

import { printable } from "./printable.ts";

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
    if (this.list.length < Diagnostics.LIMIT) this.list.push({ file, line, column, severity, message });
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

/** The word of `candidates` that was most likely meant, or null: at most two edits away, and fewer for short words. */
export function didYouMean(word: string, candidates: Iterable<string>): string | null {
  const wanted = word.toLowerCase();
  let best: string | null = null;
  let bestDistance = Math.min(2, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` (did you mean "x"?)`, or nothing. */
export function suggestion(word: string, candidates: Iterable<string>): string {
  const meant = didYouMean(word, candidates);
  return meant === null ? "" : ` (did you mean "${meant}"?)`;
}

/** Insertions, deletions, replacements and swaps of neighbours that turn one word into the other; `limit` or more are just far. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, last[j]! + 1, row[j - 1]! + 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j]!, beforeLast[j - 2]! + 1);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
