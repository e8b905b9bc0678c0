// How parts of the configuration name each other: `x` and `x@file`, as in Traefik.

import { suggestion } from "../text/spelling.ts";

/** The name under which what a reference means is kept; null when another provider is meant. */
export type Qualify = (reference: string) => string | null;

export function qualifier(provider: string): Qualify {
  return (reference) => {
    const at = reference.indexOf("@");
    if (at < 0) return reference;
    return reference.slice(at + 1).toLowerCase() === provider ? reference.slice(0, at) : null;
  };
}

/** A "did you mean" for a reference that may carry a provider. */
export function suggestReference(reference: string, names: Iterable<string>): string {
  return suggestion(reference.replace(/@.*$/, ""), names);
}
