// How long a client's own text may be to match a regular expression of the configuration.

/**
 * None is tried on a longer one, which counts as what lets nobody in. RE2 takes time for each character, on the worker's only thread: some
 * 0.1 ms for as many, and 6 ms for the 65535 bytes that CONNECT has room for. In UTF-16 units.
 */
export const MAX_MATCHED = 1024;

/** Whether the whole text matches, and is not too long for it. */
export function matchesWhole(pattern: { testExact(text: string): boolean }, text: string): boolean {
  return text.length <= MAX_MATCHED && pattern.testExact(text);
}
