// Gives memory back that was needed once: what a start or a load leaves behind is garbage, and code that does not run again for long.

/** Milliseconds after the last of several loads: with none to follow soon, nothing has to be made ready again. */
const QUIET_MS = 5000;

/** At once. Takes some 10 ms for each 10 MB in use. */
export function giveBack(): void {
  Bun.gc(true);
  Bun.shrink();
}

/** When all has been quiet for a while: each call puts it off. */
export class GivingBack {
  #timer: ReturnType<typeof setTimeout> | null = null;

  soon(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(giveBack, QUIET_MS);
    this.#timer.unref();
  }
}
