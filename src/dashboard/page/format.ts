// Numbers, bytes and times in few characters.

export { bytesIn as bytes } from "../../text/quantities.ts";

export function number(value: number): string {
  return Math.round(value).toLocaleString("en");
}

/** A rate per second: two digits where it is small. */
export function rate(value: number): string {
  return value > 0 && value < 9.95 ? value.toFixed(1) : number(value);
}

/** The two largest units; milliseconds in. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [d, h, m, s] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
    seconds % 60,
  ];
  if (d > 0) return h > 0 && d < 10 ? `${d}d ${h}h` : `${d}d`;
  if (h > 0) return `${h}h ${m}m`;
  return m > 0 ? `${m}m ${s}s` : `${s}s`;
}

export function since(at: string): string {
  return duration(Date.now() - Date.parse(at));
}

export function clock(at: string): string {
  return new Date(at).toLocaleTimeString("en-GB");
}

export function day(at: string): string {
  return new Date(at).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}
