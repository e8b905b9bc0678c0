// The stream of a daemon's events, for as long as somebody wants it.

import type { DockerApi } from "./api.ts";

/** A stream that ends after that was a good one: socket proxies cut those on which nothing has happened for some minutes. */
const GOOD_MS = 10_000;

/**
 * Follows the events that `filters` lets through, in a new stream after each one that was good; `opened` is called for each, because what
 * happened meanwhile is not told. Resolves when a stream has ended soon, and when `signal` is aborted.
 * @throws ApiError when there is none
 */
export async function followEvents(
  api: DockerApi,
  filters: Readonly<Record<string, readonly string[]>>,
  signal: AbortSignal,
  opened: () => void,
  event: (json: unknown) => void,
): Promise<void> {
  const path = `/events?filters=${encodeURIComponent(JSON.stringify(filters))}`;
  for (;;) {
    const began = performance.now();
    const isGood = () => !signal.aborted && performance.now() - began > GOOD_MS;
    try {
      await api.follow(path, signal, opened, event);
    } catch (error) {
      if (!isGood()) throw error;
    }
    if (!isGood()) return;
  }
}

/** In place of a stream, where nothing is followed. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
