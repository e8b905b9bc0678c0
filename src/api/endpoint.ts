// What an endpoint is: one line of the table that requests, the documentation and OpenAPI are made of.

import type { z } from "zod";
import type { Answer, StreamAnswer } from "../admin/server.ts";
import type { Role } from "../config/api.ts";
import type { Who } from "./credentials.ts";

export interface Call {
  /** What stands in the path in place of {name}, decoded. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** As the endpoint's schema has it; undefined where it has none. */
  readonly body: unknown;
  readonly who: Who;
  /** Of a client of Server-Sent Events that comes again; null without one. */
  readonly lastEventId: string | null;
  /** Why it is done, in the operator's words; "" without any. For the log. */
  readonly reason: string;
}

/** An answer that is no plain JSON with status 200. */
export class Reply {
  readonly answer: Answer | StreamAnswer;

  constructor(answer: Answer | StreamAnswer) {
    this.answer = answer;
  }
}

export interface Endpoint {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** With {name} for what varies. */
  readonly path: string;
  readonly role: Role;
  /** One line: what one gets, or what it does. */
  readonly summary: string;
  /** What may stand behind the question mark, and what it means. Anything else there is ignored. */
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: z.ZodType;
  /** It changes nothing, though it has a body. */
  readonly isSafe?: boolean;
  /** What it answers, for OpenAPI; a text is the media type of what is no JSON. */
  readonly answer: z.ZodType | string;
  /** Null, or a throw of an ApiError: it is refused. What it returns becomes JSON. */
  handle(call: Call): unknown;
}
