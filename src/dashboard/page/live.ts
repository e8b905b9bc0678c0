// What is shown follows the API: asked again every few seconds while the page is seen, and what was shown last stays when it cannot be had.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ask, type Failure } from "./api.ts";

export interface Live<T> {
  /** null: it has not come yet. */
  readonly data: T | null;
  readonly failure: Failure | null;
  /** Asks now, and goes on as before. */
  refresh(): void;
}

/** How the way to Sluice is, over everything that is asked. */
export interface Link {
  /** When the last answer came (Unix time in milliseconds); 0: none has. */
  lastAt: number;
  failure: Failure | null;
}

export const link: Link = { lastAt: 0, failure: null };
const listeners = new Set<() => void>();

function noteLink(failure: Failure | null): void {
  link.failure = failure;
  if (failure === null) link.lastAt = Date.now();
  for (const listener of listeners) listener();
}

export function useLink(): Link {
  const [, tell] = useState(0);
  useEffect(() => {
    const listener = () => tell((count) => count + 1);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return link;
}

export function useLive<T>(path: string | null, everyMs = 2000): Live<T> {
  const [data, setData] = useState<T | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const [round, setRound] = useState(0);
  const asked = useRef("");
  useEffect(() => {
    if (path === null) return;
    // What belongs to another question is not shown under this one.
    if (asked.current !== path.split("?")[0]) setData(null);
    asked.current = path.split("?")[0]!;
    const control = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const turn = async () => {
      if (!document.hidden) {
        try {
          const answer = await ask<T>(path, { signal: control.signal });
          setData(answer);
          setFailure(null);
          noteLink(null);
        } catch (error) {
          if (control.signal.aborted) return;
          setFailure(error as Failure);
          // An answer that says no is an answer.
          noteLink((error as Failure).status > 0 ? null : (error as Failure));
        }
      }
      timer = setTimeout(turn, everyMs);
    };
    void turn();
    const seen = () => {
      if (document.hidden) return;
      clearTimeout(timer);
      void turn();
    };
    document.addEventListener("visibilitychange", seen);
    return () => {
      control.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [path, everyMs, round]);
  return { data, failure, refresh: useCallback(() => setRound((count) => count + 1), []) };
}

/** A value that follows another one when that has been still for a while: of who types, only the last word is asked for. */
export function useSettled<T>(value: T, ms = 250): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}
