// Asks the API beside the page, and says in words what went wrong.

export class Failure extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const BASE = "../api/";
const TIMEOUT_MS = 10_000;

export async function ask<T>(
  path: string,
  { method = "GET", body, signal }: { method?: string; body?: object; signal?: AbortSignal } = {},
): Promise<T> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let response: Response;
  try {
    response = await fetch(BASE + path, {
      method,
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      ...(body !== undefined && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Failure(0, timeout.aborted ? "Sluice does not answer" : "Sluice cannot be reached");
  }
  const text = await response.text();
  if (!response.ok) throw new Failure(response.status, messageOf(text) ?? `status ${response.status}`);
  return JSON.parse(text) as T;
}

function messageOf(text: string): string | null {
  try {
    return (JSON.parse(text) as { message: string }).message;
  } catch {
    return null;
  }
}

export const encode = encodeURIComponent;

export function query(values: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== "");
  return given.length === 0 ? "" : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}
