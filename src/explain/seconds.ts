// Times for people.

/** Milliseconds in. */
export function seconds(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${ms / 1000} s`;
}
