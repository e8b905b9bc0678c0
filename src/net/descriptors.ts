// Running out of descriptors, which Bun does not tell: a dial without one is "connection refused", and an accept without one is tried
// again without end and without a word (contract tests: "fact 14").

import { closeSync, openSync } from "node:fs";

/** The number that the next one gets; Infinity where there is none. Costs some microseconds. */
export function nextDescriptor(): number {
  try {
    const fd = openSync("/dev/null", "r");
    closeSync(fd);
    return fd;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

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
