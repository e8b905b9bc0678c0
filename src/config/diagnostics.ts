// What is wrong with a configuration and where: collected while loading, printed by `check` and by the log.

import { withoutPemBodies } from "../certs/pem-blocks.ts";
import { printable } from "../text/printable.ts";
import type { Code } from "./codes.ts";

/** `line` and `column` are 1-based; 0 when the problem has no single place in the file. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export type Severity = "error" | "warning";

/** What a diagnostic is about: a part of the configuration, by its name, with the provider where it has one. */
export interface Subject {
  readonly kind:
    | "entryPoint"
    | "resolver"
    | "router"
    | "service"
    | "middleware"
    | "serversTransport"
    /** That of the static file, which has no name but this one. */
    | "tcpServersTransport"
    | "tlsOptions"
    /** Named by its file. */
    | "certificate"
    | "certificateDirectory"
    | "authorities"
    | "store";
  readonly name: string;
}

/** Something to be said whose place someone else knows. */
export interface Remark {
  readonly code: Code;
  readonly message: string;
}

export interface Diagnostic extends Place, Remark {
  readonly severity: Severity;
  /** null: the file as a whole, or no part that has a name. */
  readonly about: Subject | null;
  /** The part that is to blame: what is wrong with it is said by diagnostics about that. */
  readonly because: Subject | null;
}

/** Collects diagnostics in the order they were found. A list that someone else made can grow it without bound, so it is capped. */
export class Diagnostics {
  static readonly LIMIT = 1000;
  readonly list: Diagnostic[] = [];
  /** How many there are of each code, those beyond the limit included. */
  readonly counts: Readonly<Record<Severity, Map<Code, number>>> = { error: new Map(), warning: new Map() };
  errors = 0;
  warnings = 0;

  /** `place` may be found when it is wanted: of the 100 000 routers that may have the same mistake most are only counted. */
  error(
    code: Code,
    place: Place | (() => Place),
    message: string | (() => string),
    about?: Subject | null,
    because?: Subject | null,
  ): void {
    this.errors++;
    this.#add("error", code, place, message, about ?? null, because ?? null);
  }

  warn(code: Code, place: Place | (() => Place), message: string, about?: Subject | null): void {
    this.warnings++;
    this.#add("warning", code, place, message, about ?? null, null);
  }

  /** Adds what others have found, or what is news of it. */
  take(other: Diagnostics, isNews: (each: Diagnostic) => boolean = () => true): void {
    for (const each of other.list) {
      if (!isNews(each)) continue;
      if (each.severity === "error") this.errors++;
      else this.warnings++;
      this.#add(each.severity, each.code, each, each.message, each.about, each.because);
    }
    // Of those beyond the limit only the number is known.
    for (const severity of ["error", "warning"] as const)
      for (const [code, count] of other.counts[severity]) {
        const more = count - other.list.filter((each) => each.severity === severity && each.code === code).length;
        if (more === 0) continue;
        if (severity === "error") this.errors += more;
        else this.warnings += more;
        this.counts[severity].set(code, (this.counts[severity].get(code) ?? 0) + more);
      }
  }

  #add(
    severity: Severity,
    code: Code,
    place: Place | (() => Place),
    text: string | (() => string),
    about: Subject | null,
    because: Subject | null,
  ): void {
    const counts = this.counts[severity];
    counts.set(code, (counts.get(code) ?? 0) + 1);
    if (this.list.length >= Diagnostics.LIMIT) return;
    const { file, line, column } = typeof place === "function" ? place() : place;
    // A message that quotes a value in the wrong place could quote a private key.
    const message = shortened(withoutPemBodies(typeof text === "function" ? text() : text));
    this.list.push({ file, line, column, severity, code, message, about, because });
  }
}

/** Whatever a message quotes, it stays one that can be read. Characters. */
const MAX_MESSAGE = 2000;

function shortened(message: string): string {
  return message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}...` : message;
}

export function formatPlace({ file, line, column }: Place): string {
  return line > 0 ? `${file}:${line}:${column}` : file;
}

/** `file:line:column: message`, the form that editors and terminals turn into a link: for logs, which have the code as a field. */
export function describeDiagnostic(d: Diagnostic): string {
  const place = formatPlace(d);
  // Names in certificates, and words of the file, are part of messages.
  return printable(`${place}: ${d.severity === "warning" ? "warning: " : ""}${d.message}`);
}

/** The same with the code behind it in brackets: for people, who look it up in docs/diagnostics.md. */
export function formatDiagnostic(d: Diagnostic): string {
  return `${describeDiagnostic(d)} [${d.code}]`;
}
