// Numbers by key and worker, and what all workers but one have of a key together.

export class Sums<T> {
  /** By key, then by worker. Those that have none are left out. */
  readonly #numbers = new Map<string, { readonly of: T; readonly byWorker: Map<number, number> }>();
  readonly #changed = new Map<string, T>();
  readonly #maxKeys: number;

  /** `maxKeys`: further ones are not taken. */
  constructor(maxKeys = Number.POSITIVE_INFINITY) {
    this.#maxKeys = maxKeys;
  }

  /** What a worker has of a key; `of` says what the key means. */
  set(worker: number, key: string, of: T, number: number): void {
    let entry = this.#numbers.get(key);
    if (entry === undefined) {
      if (number === 0 || this.#numbers.size >= this.#maxKeys) return;
      this.#numbers.set(key, (entry = { of, byWorker: new Map() }));
    }
    // Two masters that tell each other what they have heard would never come to an end otherwise.
    if ((entry.byWorker.get(worker) ?? 0) === number) return;
    if (number === 0) entry.byWorker.delete(worker);
    else entry.byWorker.set(worker, number);
    if (entry.byWorker.size === 0) this.#numbers.delete(key);
    this.#changed.set(key, entry.of);
  }

  /** A worker has so many more of a key. */
  add(worker: number, key: string, of: T, number: number): void {
    this.set(worker, key, of, number + (this.#numbers.get(key)?.byWorker.get(worker) ?? 0));
  }

  /** A worker has nothing any more. */
  drop(worker: number): void {
    for (const [key, { of, byWorker }] of this.#numbers) if (byWorker.has(worker)) this.set(worker, key, of, 0);
  }

  /** Everything that is not 0, as `worker` sees it. */
  *all(worker: number): Iterable<readonly [T, number]> {
    for (const [key, { of }] of this.#numbers) yield [of, this.#elsewhere(key, worker)];
  }

  /** What has changed since `settle`, as `worker` sees it. */
  *changed(worker: number): Iterable<readonly [T, number]> {
    for (const [key, of] of this.#changed) yield [of, this.#elsewhere(key, worker)];
  }

  /** All workers know of the changes. */
  settle(): void {
    this.#changed.clear();
  }

  /** Everything is told, and counts no more. */
  clear(): void {
    this.#numbers.clear();
    this.#changed.clear();
  }

  #elsewhere(key: string, worker: number): number {
    let sum = 0;
    for (const [other, number] of this.#numbers.get(key)?.byWorker ?? []) if (other !== worker) sum += number;
    return sum;
  }
}
