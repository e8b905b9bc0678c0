// Sizes that prove something at the full measure cost seconds: npm test takes a sample of them, test/long all.

export const FULL = process.env.FULL_SIZE === "1";

/** The first in test/long, the second in npm test. */
export function sized(full: number, sample: number): number {
  return FULL ? full : sample;
}
