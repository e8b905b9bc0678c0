// Asking all workers the same thing, and waiting for their answers as long as it makes sense.

import type { Answers, Asked, Question, ToWorker } from "../protocol/messages.ts";

/** A worker that does not answer within this is left out. Milliseconds. */
const PATIENCE_MS = 1000;

interface Open<W> {
  readonly missing: Set<W>;
  readonly answers: Map<W, unknown>;
  readonly done: () => void;
}

/** Questions to workers of type `W` that are not answered yet. */
export class Questions<W> {
  readonly #send: (worker: W, message: ToWorker) => void;
  readonly #open = new Map<number, Open<W>>();
  #last = 0;

  constructor(send: (worker: W, message: ToWorker) => void) {
    this.#send = send;
  }

  /** What each of them answers. One that is hung costs a second, one that dies nothing; both are missing from the result. */
  async ask<Q extends Question>(
    workers: Iterable<W>,
    question: Q,
    about: Asked[Q],
  ): Promise<ReadonlyMap<W, Answers[Q]>> {
    const id = ++this.#last;
    const answers = new Map<W, unknown>();
    const missing = new Set(workers);
    if (missing.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, PATIENCE_MS);
        const done = () => {
          clearTimeout(timer);
          resolve();
        };
        this.#open.set(id, { missing, answers, done });
        for (const worker of missing) this.#send(worker, { type: "ask", id, question, about });
      });
      this.#open.delete(id);
    }
    return answers as ReadonlyMap<W, Answers[Q]>;
  }

  answered(worker: W, id: number, answer: unknown): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    open.answers.set(worker, answer);
    this.#heard(worker, open);
  }

  /** It is gone, and answers nothing any more. */
  gone(worker: W): void {
    for (const open of this.#open.values()) this.#heard(worker, open);
  }

  #heard(worker: W, { missing, done }: Open<W>): void {
    if (missing.delete(worker) && missing.size === 0) done();
  }
}
