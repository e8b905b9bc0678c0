// Which of the certificates in a storage can be used: one that is cut off, or whose key is another one's, must not be served in part.

import { loadPair } from "../certs/pem.ts";
import type { StoredCertificate } from "./storage.ts";

export interface SortedOut {
  readonly whole: readonly StoredCertificate[];
  /** What is wrong with the others, each fit for an operator. */
  readonly problems: readonly string[];
}

/** `path` is the storage's. What `former` has for the names of one that cannot be used stands in for it. */
export function sortOut(
  path: string,
  certificates: readonly StoredCertificate[],
  former: readonly StoredCertificate[] = [],
): SortedOut {
  const whole: StoredCertificate[] = [];
  const problems: string[] = [];
  for (const each of certificates) {
    const loaded = loadPair(each.certificate, each.key);
    if (loaded.kind === "ok") {
      whole.push(each);
      continue;
    }
    const stands = former.find(({ main, sans }) => namesOf(main, sans) === namesOf(each.main, each.sans));
    if (stands !== undefined) whole.push(stands);
    const what = `${path}: the ${loaded.part === "certificate" ? "certificate" : "key"} for ${each.main}`;
    problems.push(
      `${what}: ${loaded.message}; ${stands === undefined ? "it is ordered anew" : "the former one goes on serving"}`,
    );
  }
  return { whole, problems };
}

function namesOf(main: string, sans: readonly string[]): string {
  return JSON.stringify([...new Set([main, ...sans])].sort());
}
