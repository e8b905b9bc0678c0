// Asking a store that speaks JSON over HTTP (etcd, Consul): of several endpoints the one that answers, each answer bounded in time and size.

import { printable } from "../text/printable.ts";
import { readTls, type StoreTls } from "./store-tls.ts";

export interface Ask {
  readonly method?: "GET" | "POST" | "PUT";
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds until the head of the answer is there. */
  readonly timeoutMs?: number;
  readonly signal: AbortSignal;
}

/** An answer of any status; its body is not read yet. */
export interface Answer {
  readonly endpoint: string;
  readonly response: Response;
}

const TIMEOUT_MS = 5000;
/** 10 000 routers with a service each are about 10 MB in JSON and base64. */
const MAX_BYTES = 256 * 1024 * 1024;
const MAX_MESSAGE = 300;

export class StoreHttp {
  readonly #endpoints: readonly string[];
  readonly #tls: StoreTls | undefined;
  /** The one that answered last. */
  #at = 0;

  /** `endpoints`: host:port. */
  constructor(endpoints: readonly string[], tls: StoreTls | undefined) {
    this.#endpoints = endpoints;
    this.#tls = tls;
  }

  /** @throws when no endpoint answers; the message names each with its reason. */
  async ask(path: string, ask: Ask): Promise<Answer> {
    const failures: string[] = [];
    for (let n = 0; n < this.#endpoints.length; n++) {
      const endpoint = this.#endpoints[this.#at]!;
      try {
        return { endpoint, response: await this.#fetch(endpoint, path, ask) };
      } catch (error) {
        if (ask.signal.aborted) throw error;
        failures.push(`${endpoint}: ${whyNot(error, ask.timeoutMs ?? TIMEOUT_MS)}`);
        this.next();
      }
    }
    throw new Error(failures.join("; "));
  }

  /** Another endpoint is asked from now on: this one answers and is no good. */
  next(): void {
    this.#at = (this.#at + 1) % this.#endpoints.length;
  }

  async #fetch(endpoint: string, path: string, ask: Ask): Promise<Response> {
    const { method = "GET", body, headers, timeoutMs = TIMEOUT_MS, signal } = ask;
    const head = new AbortController();
    // The body may take longer, as a watch does: it ends with `signal`.
    const timer = setTimeout(() => head.abort(new DOMException("", "TimeoutError")), timeoutMs);
    try {
      return await fetch(`${this.#tls === undefined ? "http" : "https"}://${endpoint}${path}`, {
        method,
        ...(body === undefined ? {} : { body }),
        headers: { ...headers },
        redirect: "error",
        signal: AbortSignal.any([signal, head.signal]),
        timeout: false,
        ...(this.#tls === undefined
          ? {}
          : { tls: { ...readTls(this.#tls), rejectUnauthorized: this.#tls.insecureSkipVerify !== true } }),
      } as RequestInit);
    } finally {
      clearTimeout(timer);
    }
  }
}

function whyNot(error: unknown, timeoutMs: number): string {
  const { name, code, message } = error as NodeJS.ErrnoException;
  if (name === "TimeoutError") return `no answer within ${timeoutMs / 1000} s`;
  if (code === "ConnectionRefused" || code === "ECONNREFUSED") return "the connection is refused";
  if (code === "EPROTO") return "the TLS handshake fails: does it want a client certificate?";
  return code ?? message;
}

/** The text of an answer. @throws when it is too large, or breaks off. */
export async function textOf({ endpoint, response }: Answer): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > MAX_BYTES) throw new Error(`${endpoint} answers with more than ${MAX_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** The same as JSON. @throws also when it is none. */
export async function jsonOf<T>(answer: Answer): Promise<T> {
  const text = await textOf(answer);
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new Error(`${answer.endpoint} answers with something else than JSON: is it the right port?`);
  }
}

/** What a store says, as a part of a message: on one line and short. */
export function quoteAnswer(text: string): string {
  const line = printable(text.trim());
  return line.length > MAX_MESSAGE ? `${line.slice(0, MAX_MESSAGE)}...` : line;
}
