// The API of a Docker daemon, or of Podman: answers and the stream of events, over a Unix socket or TCP. It only ever asks (GET).

import { accessSync, constants, statSync } from "node:fs";
import type { DockerEndpoint } from "../../config/providers/docker-endpoint.ts";
import { formatHostPort } from "../../config/scalars.ts";
import { describeError } from "../../system/errors.ts";
import { readTls, type StoreTls } from "../store-tls.ts";

export interface ApiOptions {
  readonly endpoint: DockerEndpoint;
  /** Files are read for each request, so that renewed certificates are used. */
  readonly tls: StoreTls | undefined;
  readonly username: string | null;
  readonly password: string | null;
  /** Milliseconds for an answer; 0: for ever. It does not end a stream. */
  readonly timeoutMs: number;
}

/** Newer versions change nothing of what is read here. A daemon may refuse old ones: Docker 29 knows none before 1.44. */
const NEWEST = [1, 47] as const;
/** Bytes: some ten thousand containers. */
const MAX_ANSWER = 256 * 1024 * 1024;
const MAX_LINE = 1024 * 1024;

/** What a daemon says instead of an answer, or why there is none: fit for an operator. */
export class ApiError extends Error {
  /** 0: there was no answer. */
  readonly status: number;

  constructor(message: string, status = 0) {
    super(message);
    this.status = status;
  }
}

export class DockerApi {
  /** For messages. */
  readonly place: string;
  readonly #options: ApiOptions;
  readonly #base: string;
  #version: string | null = null;

  constructor(options: ApiOptions) {
    const { endpoint, tls } = options;
    this.#options = options;
    if (endpoint.kind === "unix") {
      this.place = `unix://${endpoint.path}`;
      this.#base = "http://docker";
    } else {
      const secure = endpoint.secure ?? tls !== undefined;
      this.place = `tcp://${formatHostPort(endpoint.host, endpoint.port)}`;
      this.#base = `${secure ? "https" : "http"}://${formatHostPort(endpoint.host, endpoint.port)}`;
    }
  }

  /** Forgets which version the daemon speaks: it may be another one when it comes back. */
  forget(): void {
    this.#version = null;
  }

  /**
   * The JSON of an answer.
   * @throws ApiError
   */
  async get(path: string, signal: AbortSignal): Promise<unknown> {
    this.#version ??= await this.#negotiate(signal);
    return this.#json(`/v${this.#version}${path}`, signal);
  }

  /**
   * The lines of an answer without an end, each one JSON; `opened` is called when it has begun. Resolves when the daemon ends it.
   * @throws ApiError
   */
  async follow(path: string, signal: AbortSignal, opened: () => void, line: (json: unknown) => void): Promise<void> {
    this.#version ??= await this.#negotiate(signal);
    const response = await this.#ask(`/v${this.#version}${path}`, signal);
    opened();
    let held = "";
    try {
      for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
        held += text;
        const lines = held.split("\n");
        held = lines.pop()!;
        if (held.length > MAX_LINE) throw new ApiError(`${this.place} sends events without an end`);
        for (const each of lines) if (each.trim() !== "") line(parsed(each));
      }
    } catch (error) {
      throw this.#described(error);
    }
  }

  /** As Docker's own client does: `/version` makes Podman look at packages for seconds. A proxy may allow one of the two. */
  async #negotiate(signal: AbortSignal): Promise<string> {
    let said: string | null = null;
    try {
      const response = await this.#ask("/_ping", this.#limited(signal));
      said = response.headers.get("api-version");
      await textOf(response, 4096);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status === 0) throw this.#described(error);
    }
    if (said === null)
      said = String(((await this.#json("/version", signal)) as { ApiVersion?: unknown } | null)?.ApiVersion);
    const [, major, minor] = /^(\d{1,3})\.(\d{1,4})$/.exec(said) ?? [];
    if (major === undefined) throw new ApiError(`${this.place} does not answer as a Docker daemon does`);
    const isNewer = Number(major) > NEWEST[0] || (Number(major) === NEWEST[0] && Number(minor) > NEWEST[1]);
    return isNewer ? NEWEST.join(".") : `${major}.${minor}`;
  }

  #limited(signal: AbortSignal): AbortSignal {
    const { timeoutMs } = this.#options;
    return timeoutMs === 0 ? signal : AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  }

  async #json(path: string, signal: AbortSignal): Promise<unknown> {
    const response = await this.#ask(path, this.#limited(signal));
    try {
      return parsed(await textOf(response, MAX_ANSWER));
    } catch (error) {
      throw this.#described(error);
    }
  }

  async #ask(path: string, signal: AbortSignal): Promise<Response> {
    const { endpoint, tls, username, password } = this.#options;
    const headers: Record<string, string> = {};
    if (username !== null && password !== null)
      headers.Authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
    let response: Response;
    try {
      response = await fetch(this.#base + path, {
        headers,
        signal,
        redirect: "error",
        // Nothing is left open between questions: a daemon that is started anew would not know it.
        keepalive: false,
        // Bun's own limit of 5 minutes would cut events.
        timeout: false,
        ...(endpoint.kind === "unix" ? { unix: endpoint.path } : {}),
        ...(tls === undefined ? {} : { tls: { ...readTls(tls), rejectUnauthorized: tls.insecureSkipVerify !== true } }),
      } as RequestInit);
    } catch (error) {
      throw this.#described(error);
    }
    if (response.ok) return response;
    const said = await textOf(response, 4096).catch(() => "");
    throw new ApiError(this.#refusal(path, response.status, said), response.status);
  }

  #refusal(path: string, status: number, said: string): string {
    const message = (parsed(said) as { message?: unknown } | null)?.message;
    const why = typeof message === "string" ? message.slice(0, 300) : `status ${status}`;
    const shown = path.replace(/\?.*$/, "").replace(/^\/v[\d.]+/, "");
    if (status === 401) return `${this.place} wants another  username  and  password: ${why}`;
    if (status === 403)
      return `${this.place} does not allow GET ${shown}: is it a socket proxy that must be told to? ${why}`;
    return `${this.place} answers GET ${shown} with: ${why}`;
  }

  #described(error: unknown): Error {
    if (error instanceof ApiError) return error;
    const { name, code } = error as NodeJS.ErrnoException;
    if (name === "AbortError") return error as Error;
    if (name === "TimeoutError")
      return new ApiError(`${this.place} does not answer within ${this.#options.timeoutMs} ms`);
    const { endpoint } = this.#options;
    return new ApiError(
      `${this.place} cannot be reached: ${(endpoint.kind === "unix" && whyNoSocket(endpoint.path)) || inWords(code, error)}`,
    );
  }
}

/** What is wrong with a socket's file; null where it looks well. */
function whyNoSocket(path: string): string | null {
  try {
    if (!statSync(path).isSocket()) return "it is no socket";
    accessSync(path, constants.R_OK | constants.W_OK);
    return null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EACCES")
      return "permission denied: Sluice's user must be in the socket's group, or ask a socket proxy instead";
    return describeError(error);
  }
}

/** Bun has names of its own for some errors. */
function inWords(code: string | undefined, error: unknown): string {
  switch (code) {
    case "ConnectionRefused":
    case "ECONNREFUSED":
    case "FailedToOpenSocket":
      return "nobody listens there. If the daemon was started anew, a socket that is mounted alone is still the old one: mount its directory";
    case "ConnectionClosed":
    case "ECONNRESET":
      return "the connection was closed";
    default:
      return describeError(error);
  }
}

async function textOf(response: Response, max: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > max) throw new ApiError(`an answer has more than ${max} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** null for what is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
