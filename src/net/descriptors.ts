// Running out of descriptors, which Bun does not tell: a dial without one is "connection refused", and an accept without one is tried
// again without end and without a word (contract tests: "fact 14").

import { closeSync, openSync } from "node:fs";

/** Tries it: true where this process, or the system, has none left. Costs some microseconds. */
export function isOutOfDescriptors(): boolean {
  try {
    closeSync(openSync("/dev/null", "r"));
    return false;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "EMFILE" || code === "ENFILE";
  }
}
