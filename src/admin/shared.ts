// Work that many may ask for at the same time, done once for all of them.

/** While `work` is under way, who asks for it gets what comes of that. So there is never more than one at a time, whoever asks how often. */
export function shared<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | null = null;
  return () => {
    running ??= work().finally(() => {
      running = null;
    });
    return running;
  };
}
