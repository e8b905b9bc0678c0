// Answers to HTTP-01 challenges. Apart from the rest of ACME, which is loaded where there is a resolver.

import type { Responder } from "../acme/obtain.ts";

/** How long an authority may take to look at an answer that is in place. Milliseconds. */
export const PATIENCE_MS = 90_000;

/** HTTP-01 answers that are under way: the host that is proved, and its token. */
export class HttpChallenges {
  readonly #answers = new Map<string, string>();

  find(host: string, token: string): string | null {
    return this.#answers.get(`${host.toLowerCase()} ${token}`) ?? null;
  }

  responder(delayMs: number): Responder {
    return {
      type: "http-01",
      patienceMs: PATIENCE_MS,
      present: async (name, token, keyAuthorization) => {
        this.#answers.set(`${name} ${token}`, keyAuthorization);
        await pause(delayMs);
        return async () => void this.#answers.delete(`${name} ${token}`);
      },
    };
  }
}

export function pause(ms: number): Promise<void> {
  return ms === 0 ? Promise.resolve() : new Promise((next) => setTimeout(next, ms));
}
