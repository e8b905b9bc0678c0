// What is said when a request cannot be answered. Traefik's form: {"message":"..."}.

import type { Answer } from "../admin/server.ts";

export function failure(status: number, message: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, type: "application/json", headers, body: `${JSON.stringify({ message })}\n` };
}

/** Thrown by an endpoint: the request is refused with this status and these words. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}
