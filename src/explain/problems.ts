// Why a router is off: the diagnostics that say so.

import { type Diagnostic, type Diagnostics, formatDiagnostic, type Subject } from "../config/diagnostics.ts";
import { MAX_SHOWN } from "./explanation.ts";

export class Problems {
  readonly #diagnostics: Diagnostics;
  /** By what they are about; made when the first router is asked about. */
  #errors: Map<string, Diagnostic[]> | null = null;

  constructor(diagnostics: Diagnostics) {
    this.#diagnostics = diagnostics;
  }

  /** The diagnostics that turned a router off, those of the service or the options that they blame, and what these blame in turn. */
  of(router: string): string[] {
    const lines = new Set<string>();
    const seen = new Set<string>();
    const add = (subject: Subject): void => {
      const key = keyOf(subject);
      if (seen.has(key) || lines.size >= MAX_SHOWN) return;
      seen.add(key);
      const own = this.#errorsAbout(key);
      for (const each of own) lines.add(formatDiagnostic(each));
      for (const { because } of own) if (because !== null) add(because);
    };
    add({ kind: "router", name: router });
    // Only so many diagnostics are kept.
    return lines.size === 0 ? ["see sluice check"] : [...lines].slice(0, MAX_SHOWN);
  }

  #errorsAbout(key: string): readonly Diagnostic[] {
    this.#errors ??= Map.groupBy(
      this.#diagnostics.list.filter(({ severity }) => severity === "error"),
      ({ about }) => (about === null ? "" : keyOf(about)),
    );
    return this.#errors.get(key) ?? [];
  }
}

function keyOf({ kind, name }: Subject): string {
  return `${kind} ${name}`;
}
