// How long certificates are to be good, as it is typed.

/** A hundred years. */
export const MOST_DAYS = 36_500;

/** null for what is no number from 1 to MOST_DAYS. */
export function parseDays(text: string): number | null {
  const days = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  return days < 1 || days > MOST_DAYS ? null : days;
}
