// Words that several commands print.

/** `1 error`, `2 errors`. */
export function count(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? "" : "s"}`;
}
