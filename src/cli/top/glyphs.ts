// Small pictures and numbers in few characters.

const BLOCKS = "▁▂▃▄▅▆▇█";
/** Where the locale is not UTF-8. */
const ASCII = "_.:-=+*#";

/** The values in `width` columns at most, the newest at the right. Where there are more, each column has the greatest of its share. */
export function sparkline(values: readonly number[], width: number, isUnicode: boolean): string {
  if (values.length === 0 || width <= 0) return "";
  const share = Math.ceil(values.length / width);
  const columns: number[] = [];
  for (let end = values.length; end > 0; end -= share)
    columns.unshift(Math.max(...values.slice(Math.max(0, end - share), end)));
  const most = Math.max(...columns);
  const glyphs = isUnicode ? BLOCKS : ASCII;
  return columns
    .map(
      (value) => glyphs[most === 0 ? 0 : Math.min(glyphs.length - 1, Math.round((value / most) * (glyphs.length - 1)))],
    )
    .join("");
}

/** `12 345`. */
export function grouped(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, " ");
}

/** Per second: a digit behind the point where it is few. */
export function perSecond(value: number): string {
  return value > 0 && value < 9.95 ? value.toFixed(1) : grouped(value);
}

/** Whether the terminal shows what is not ASCII. */
export function isUnicode(env: Readonly<Record<string, string | undefined>>): boolean {
  return /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || "");
}
