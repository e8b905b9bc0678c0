// The way in which changes are looked for: by events, or by asking again and again.

import { PollWatch } from "./poll-watch.ts";
import { PathWatch, type Watch } from "./watch.ts";

/** Milliseconds between two looks; null: the system sends events. */
export type Polling = number | null;

export function createWatch(changed: () => void, polling: Polling): Watch {
  return polling === null ? new PathWatch(changed) : new PollWatch(changed, polling);
}
