// A whole dynamic configuration from a web server, asked for again and again: by ETag or date only what is new comes over the wire.

import type { HttpConfig } from "../../config/providers/http.ts";
import { printable } from "../../text/printable.ts";
import type { Document, Engine, Reading } from "../engine.ts";
import { pause } from "../pause.ts";
import { readTls } from "../store-tls.ts";

const MAX_REDIRECTS = 10;
/** Where `maxResponseBodySize` is -1, Traefik's word for no limit. Bytes. */
const DEFAULT_BYTES = 64 * 1024 * 1024;

export class HttpEngine implements Engine {
  readonly name = "http";
  readonly place: string;
  readonly #config: HttpConfig;
  readonly #url: URL;
  /** The last answer, and what the server calls that version of it. */
  #last: { readonly document: Document; readonly etag: string | null; readonly modified: string | null } | null = null;

  constructor(config: HttpConfig) {
    this.#config = config;
    this.#url = new URL(config.endpoint);
    // A token may be behind the path.
    this.place = `${this.#url.origin}${this.#url.pathname}`;
  }

  /** @throws also when the answer is too large, comes too late, or has another status than 200. */
  async read(signal: AbortSignal): Promise<Reading> {
    const { pollTimeout } = this.#config;
    const late = AbortSignal.timeout(pollTimeout);
    try {
      const response = await this.#get(AbortSignal.any([signal, late]));
      if (response.status === 304 && this.#last !== null) return { content: this.#last.document };
      if (response.status !== 200) {
        await response.body?.cancel();
        throw new Error(`the server answers with status ${response.status}${statusText(response)}`);
      }
      const text = await this.#text(response);
      const former = this.#last?.document;
      const document = former?.text === text ? former : { place: this.place, text };
      this.#last = { document, etag: response.headers.get("etag"), modified: response.headers.get("last-modified") };
      return { content: document };
    } catch (error) {
      if (late.aborted && !signal.aborted) throw new Error(`no whole answer within ${pollTimeout / 1000} s`);
      throw inWords(error);
    }
  }

  async watch(changed: () => void, signal: AbortSignal): Promise<void> {
    for (;;) {
      await pause(this.#config.pollInterval, signal);
      if (signal.aborted) return;
      changed();
    }
  }

  async close(): Promise<void> {}

  /** Follows redirects, without what is secret where they lead to another server. */
  async #get(signal: AbortSignal): Promise<Response> {
    let url = this.#url;
    for (let n = 0; n <= MAX_REDIRECTS; n++) {
      const isOwn = url.origin === this.#url.origin;
      const response = await fetch(url.href, {
        headers: this.#headers(isOwn),
        redirect: "manual",
        signal,
        ...(url.protocol === "https:" && { tls: this.#tls(isOwn) }),
      });
      const target = response.headers.get("location");
      if (![301, 302, 303, 307, 308].includes(response.status) || target === null) return response;
      await response.body?.cancel();
      const next = URL.parse(target, url.href);
      if (next === null || !/^https?:$/.test(next.protocol)) throw new Error("the server redirects to what is no URL");
      if (next.protocol === "http:" && url.protocol === "https:")
        throw new Error("the server redirects from https to http, which anybody could change on its way");
      url = next;
    }
    throw new Error(`the server redirects more than ${MAX_REDIRECTS} times`);
  }

  #headers(isOwn: boolean): Headers {
    const headers = new Headers({ accept: "application/yaml, application/json, */*;q=0.5", "user-agent": "sluice" });
    if (isOwn) for (const [name, value] of Object.entries(this.#config.headers)) headers.set(name, value);
    if (this.#last?.etag) headers.set("if-none-match", this.#last.etag);
    else if (this.#last?.modified) headers.set("if-modified-since", this.#last.modified);
    return headers;
  }

  #tls(isOwn: boolean): object {
    const { tls } = this.#config;
    return isOwn && tls !== undefined ? { ...readTls(tls), rejectUnauthorized: !tls.insecureSkipVerify } : {};
  }

  async #text(response: Response): Promise<string> {
    const limit = this.#config.maxResponseBodySize;
    const most = limit === -1 ? DEFAULT_BYTES : limit;
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of response.body ?? []) {
      size += part.length;
      if (size > most) throw new Error(`the answer has more than ${most} bytes (maxResponseBodySize)`);
      parts.push(part);
    }
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(parts));
    } catch {
      throw new Error("the answer is not in UTF-8");
    }
  }
}

function statusText({ statusText: text }: Response): string {
  return text === "" ? "" : ` (${printable(text).slice(0, 100)})`;
}

/** The runtime's message may have the whole URL in it. */
function inWords(error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ConnectionRefused" || code === "ECONNREFUSED") return new Error("the connection is refused");
  if (code === "FailedToOpenSocket") return new Error("the name cannot be resolved, or nobody answers there");
  if (code === "ECONNRESET" || code === "ConnectionClosed") return new Error("the connection broke");
  return new Error(code !== undefined && /[a-z]+:\/\//i.test(message) ? code : message);
}
