// Where a command prints, and whom it can ask: the terminal that it was typed in, or whoever runs it within a process.

import { askSecret, canAsk } from "./prompt.ts";

export interface Terminal {
  /** Prints a line, or several, on standard output. */
  log(text: string): void;
  /** The same on standard error. */
  error(text: string): void;
  /** Asks for a secret, and resolves to null when that was given up; null where there is nobody to ask. */
  readonly ask: ((question: string) => Promise<string | null>) | null;
  /** Standard error where it is a screen, for what is drawn there; else nothing is. */
  readonly screen?: NodeJS.WriteStream | null;
}

/** The one of this process. */
export const TERMINAL: Terminal = {
  log: (text) => console.log(text),
  error(text) {
    // console.error paints red there whatever it is, and most of what comes here is no error.
    if (process.stderr.isTTY) process.stderr.write(`${text}\n`);
    else console.error(text);
  },
  get ask() {
    return canAsk() ? askSecret : null;
  },
  get screen() {
    return process.stderr.isTTY ? process.stderr : null;
  },
};
