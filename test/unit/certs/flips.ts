// Damaged copies of a file: the same ones in every run.

/** `count` copies of `bytes`, each with one to three bytes changed. */
export function* flips(bytes: Buffer, count: number, seed = 7): Generator<Buffer> {
  let state = seed;
  const next = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let i = 0; i < count; i++) {
    const copy = Buffer.from(bytes);
    for (let changes = 1 + next(3); changes > 0; changes--) {
      const at = next(copy.length);
      copy[at] = copy[at]! ^ (1 + next(255));
    }
    yield copy;
  }
}
