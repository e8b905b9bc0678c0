// What an authority says no with (RFC 8555 6.7), and when it wants to be asked again.

/** RFC 7807, as RFC 8555 6.7 uses it. */
export interface Problem {
  readonly type?: string;
  readonly detail?: string;
  readonly status?: number;
  readonly subproblems?: readonly Problem[];
}

/** What the authority said no to, or why it could not be asked. */
export class AcmeError extends Error {
  /** The last part of the problem's type, such as rateLimited; "unreachable" when there was no answer; "odd-answer" for one that is no ACME. */
  readonly kind: string;
  /** What Retry-After says, from now; null when it says nothing. */
  readonly retryAfterMs: number | null;

  constructor(kind: string, message: string, retryAfterMs: number | null = null) {
    super(message);
    this.kind = kind;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Nobody is told to wait longer: a mistake of the authority's would be for ever. Milliseconds. */
const MAX_RETRY_AFTER_MS = 7 * 86_400_000;
/** Longest text of an authority that reaches a log line. Characters. */
const MAX_DETAIL = 400;

/** What an answer that is not a success tells of; `text` is its body. */
export function problemOf(url: string, response: Response, text: string): AcmeError {
  let problem: Problem = {};
  try {
    problem = JSON.parse(text) as Problem;
  } catch {
    // A proxy or a web server answered, and not ACME.
  }
  const kind = typeof problem?.type === "string" ? problem.type.split(":").at(-1)! : "odd-answer";
  const said = describe(problem);
  return new AcmeError(
    kind,
    said === "" ? `${url} answers with status ${response.status}` : said,
    retryAfter(response.headers),
  );
}

/** A problem in one line that is safe to log: what authorities say comes from outside. */
export function describe(problem: Problem | undefined): string {
  const parts = [problem, ...(problem?.subproblems ?? [])].map((each) => [each?.type?.split(":").at(-1), each?.detail]);
  const text = parts
    .map(([kind, detail]) => [kind, detail].filter((part) => typeof part === "string" && part !== "").join(": "))
    .filter((part) => part !== "")
    .join("; ");
  return text.replace(/[^\x20-\x7e\u00a1-\uffff]/g, " ").slice(0, MAX_DETAIL);
}

/** Retry-After in seconds or as a date (RFC 9110 10.2.3), as milliseconds from now. */
export function retryAfter(headers: Headers): number | null {
  const value = headers.get("retry-after");
  if (value === null) return null;
  const ms = /^\d{1,9}$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? null : Math.min(MAX_RETRY_AFTER_MS, Math.max(0, ms));
}
