// Asks a running Sluice by its API: over the Unix socket where there is one, else over the entry point, as the static configuration says.

import { resolve } from "node:path";
import { EVERYWHERE } from "../config/entry-points.ts";
import { formatHostPort } from "../config/scalars.ts";
import { isThere, readFileBytes } from "../system/files.ts";
import { type Given, printDiagnostics, readStatic } from "./static-file.ts";
import type { Terminal } from "./terminal.ts";

export interface ReachOptions {
  /** Where the API is, in place of what the configuration says: a URL, or the path of a Unix socket. */
  readonly api?: string;
  readonly tokenFile?: string;
  readonly tokenEnv?: string;
}

/** What went wrong, as a line for the operator. */
export class ApiFailure extends Error {
  /** Of the answer; null: there was none. */
  readonly status: number | null;

  constructor(message: string, status: number | null = null) {
    super(message);
    this.status = status;
  }
}

const TIMEOUT_MS = 15_000;
const MAX_TOKEN_FILE = 4096;

export class ApiClient {
  readonly #base: string;
  readonly #socket: string | null;
  readonly #token: string | null;
  /** Where it is, in words. */
  readonly where: string;

  private constructor(base: string, socket: string | null, token: string | null) {
    this.#base = base;
    this.#socket = socket;
    this.#token = token;
    this.where = socket ?? base;
  }

  /** null: it cannot be told where the API is, which has been said. */
  static of(given: Given, options: ReachOptions, terminal: Terminal): ApiClient | null {
    const token = tokenOf(options);
    if (token instanceof ApiFailure) {
      terminal.error(token.message);
      return null;
    }
    const { api } = options;
    if (api !== undefined) {
      const isUrl = /^https?:\/\//.test(api);
      return new ApiClient(isUrl ? api.replace(/\/$/, "") : "http://localhost", isUrl ? null : resolve(api), token);
    }
    const { config, diagnostics } = readStatic(given);
    if (config === null) {
      printDiagnostics(diagnostics, terminal);
      return null;
    }
    if (config.api === undefined) {
      terminal.error(`${config.file}: the API is not configured: add  api: { socket: /run/sluice/api.sock }`);
      return null;
    }
    const { socket, basePath, entryPoint } = config.api;
    const base = basePath.replace(/\/$/, "");
    if (socket !== undefined && (token === null || isThere(resolve(socket))))
      return new ApiClient(`http://localhost${base}`, resolve(socket), token);
    const { host, port } = config.entryPoints.get(entryPoint)!;
    return new ApiClient(
      `http://${formatHostPort(EVERYWHERE.includes(host) ? "localhost" : host, port)}${base}`,
      null,
      token,
    );
  }

  get<T>(path: string, query: Readonly<Record<string, string | undefined>> = {}): Promise<T> {
    return this.send("GET", path, query);
  }

  /** @throws ApiFailure with a line for the operator. */
  async send<T>(
    method: string,
    path: string,
    query: Readonly<Record<string, string | undefined>> = {},
    body?: object,
  ): Promise<T> {
    const response = await this.#fetch(method, path, query, AbortSignal.timeout(TIMEOUT_MS), body);
    const text = await response.text();
    if (!response.ok) throw new ApiFailure(messageOf(response.status, text), response.status);
    return JSON.parse(text) as T;
  }

  /** The data of Server-Sent Events, until the signal. */
  async *follow<T>(
    path: string,
    query: Readonly<Record<string, string | undefined>>,
    signal: AbortSignal,
  ): AsyncGenerator<T> {
    const response = await this.#fetch("GET", path, query, signal);
    if (!response.ok) throw new ApiFailure(messageOf(response.status, await response.text()), response.status);
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n\n");
      rest = parts.pop()!;
      for (const part of parts) {
        const data = part.split("\n").find((line) => line.startsWith("data: "));
        if (data !== undefined) yield JSON.parse(data.slice("data: ".length)) as T;
      }
    }
  }

  async #fetch(
    method: string,
    path: string,
    query: Readonly<Record<string, string | undefined>>,
    signal: AbortSignal,
    body?: object,
  ): Promise<Response> {
    const given = Object.entries(query).filter((each): each is [string, string] => each[1] !== undefined);
    const search = given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
    try {
      return await fetch(`${this.#base}/api/${path}${search}`, {
        method,
        signal,
        headers: {
          ...(this.#token !== null && { authorization: `Bearer ${this.#token}` }),
          ...(body !== undefined && { "content-type": "application/json" }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        ...(this.#socket !== null && { unix: this.#socket }),
      });
    } catch (error) {
      throw new ApiFailure(`${this.where}: ${inWords(error as Error & { code?: string })}`);
    }
  }
}

function messageOf(status: number, text: string): string {
  let message = text.trim();
  try {
    message = (JSON.parse(text) as { message: string }).message;
  } catch {
    // Not an answer of the API's.
  }
  return status === 401 ? `${message}: give --tokenFile, or use the Unix socket` : message || `status ${status}`;
}

function tokenOf({ tokenFile, tokenEnv }: ReachOptions): string | null | ApiFailure {
  if (tokenFile !== undefined) {
    const read = readFileBytes(tokenFile, MAX_TOKEN_FILE);
    return read.kind === "error" ? new ApiFailure(`--tokenFile: ${read.message}`) : read.bytes.toString().trim();
  }
  if (tokenEnv === undefined) return null;
  return process.env[tokenEnv] ?? new ApiFailure(`--tokenEnv: the variable ${tokenEnv} is not set`);
}

function inWords({ name, code, message }: Error & { code?: string }): string {
  if (name === "TimeoutError") return `no answer within ${TIMEOUT_MS / 1000} s`;
  if (code === "EACCES") return "it belongs to another user: run this as that one, or as root";
  return /^(ECONNREFUSED|ConnectionRefused|FailedToOpenSocket|ENOENT)$/.test(code ?? "")
    ? "nothing listens there: is Sluice running?"
    : message;
}
