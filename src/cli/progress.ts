// How far a long run is: a bar on a screen, and a line now and then where there is none.

import type { Terminal } from "./terminal.ts";

/** Between two lines where there is no screen. Milliseconds. */
const QUIET_MS = 10_000;

export interface Progress {
  /** One more is done. */
  step(): void;
  /** Before anything else is printed. */
  end(): void;
}

/** `what`: `devices`. The library is loaded only where there is a screen. */
export async function progressOf(terminal: Terminal, what: string, total: number, now = Date.now): Promise<Progress> {
  const { screen } = terminal;
  if (screen === undefined || screen === null) return lines(terminal, what, total, now);
  const { default: progress } = await import("cli-progress");
  const bar = new progress.SingleBar({
    format: `{bar} {value} of {total} ${what}, {eta_formatted} left`,
    ...{ stream: screen, hideCursor: true, clearOnComplete: true, barCompleteChar: "█", barIncompleteChar: "░" },
    // The run ends by itself when it is interrupted.
    gracefulExit: false,
  });
  bar.start(total, 0);
  return { step: () => bar.increment(), end: () => bar.stop() };
}

function lines(terminal: Terminal, what: string, total: number, now: () => number): Progress {
  let done = 0;
  let last = now();
  return {
    step() {
      done++;
      if (now() - last < QUIET_MS || done === total) return;
      last = now();
      terminal.error(`${done} of ${total} ${what}`);
    },
    end() {},
  };
}
