// Who waits for a moment: each is called at its own, and of two with the same moment the one that came first. One timer for all of them, in
// a heap: a wait of thousands costs each a few steps.

export class Wait {
  readonly at: number;
  readonly order: number;
  /** null: it waits no more. */
  go: (() => void) | null;

  constructor(at: number, order: number, go: () => void) {
    this.at = at;
    this.order = order;
    this.go = go;
  }
}

export class Waits {
  readonly #now: () => number;
  readonly #heap: Wait[] = [];
  #order = 0;
  #size = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #timerAt = Number.POSITIVE_INFINITY;

  /** `now` gives milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /** Calls `go` in so many milliseconds; it must not throw. */
  add(ms: number, go: () => void): Wait {
    const wait = new Wait(this.#now() + ms, this.#order++, go);
    this.#size++;
    const heap = this.#heap;
    heap.push(wait);
    for (let at = heap.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!isBefore(heap[at]!, heap[parent]!)) break;
      [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
      at = parent;
    }
    this.#wind();
    return wait;
  }

  /** It is not called any more. Its place is free when its moment comes, which bounds the heap by what may wait. */
  cancel(wait: Wait): void {
    if (wait.go === null) return;
    wait.go = null;
    this.#size--;
  }

  /** Calls all whose moment has come. */
  run(): void {
    const now = this.#now();
    for (let first = this.#heap[0]; first !== undefined && first.at <= now; first = this.#heap[0]) {
      this.#removeFirst();
      const { go } = first;
      if (go === null) continue;
      this.cancel(first);
      go();
    }
    this.#wind();
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    heap[0] = last;
    for (let at = 0; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < heap.length && isBefore(heap[child]!, heap[least]!)) least = child;
      if (least === at) return;
      [heap[at], heap[least]] = [heap[least]!, heap[at]!];
      at = least;
    }
  }

  #wind(): void {
    const at = this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
    if (at === this.#timerAt) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer =
      at === Number.POSITIVE_INFINITY
        ? null
        : setTimeout(
            () => {
              this.#timer = null;
              this.#timerAt = Number.POSITIVE_INFINITY;
              this.run();
            },
            Math.max(0, Math.ceil(at - this.#now())),
          );
  }
}

function isBefore(one: Wait, other: Wait): boolean {
  return one.at === other.at ? one.order < other.order : one.at < other.at;
}
