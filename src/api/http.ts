// From a request to an endpoint, and back: paths, roles, bodies, JSON, and the line in the log for what changes something.

import type { Answer, Question, Service, StreamAnswer } from "../admin/server.ts";
import type { Gatekeeper } from "./access.ts";
import { type Endpoint, Reply } from "./endpoint.ts";
import { ApiError, failure } from "./failure.ts";

/** Bytes of a body: what is asked for is a few words. */
const MAX_BODY = 64 * 1024;
/** Characters of a reason that are logged. */
const MAX_REASON = 200;

export interface HttpEvents {
  /** Something was changed, or was to be: who, what and why. `status` is that of the answer. */
  onAction(action: {
    readonly who: string;
    readonly from: string;
    readonly what: string;
    readonly reason: string;
    readonly status: number;
  }): void;
  /** A defect. */
  onFault(error: unknown): void;
}

interface Route {
  readonly endpoint: Endpoint;
  readonly pattern: RegExp;
}

/** The endpoints as a handler for all paths under `/api/`, before which `base` stands ("" or "/sluice"). */
export function serveEndpoints(
  endpoints: readonly Endpoint[],
  base: string,
  gatekeeper: Gatekeeper,
  events: HttpEvents,
): Service {
  const routes = endpoints.map((endpoint): Route => ({ endpoint, pattern: patternOf(endpoint.path) }));
  return {
    methods: ["GET", "HEAD", ...new Set(endpoints.map(({ method }) => method).filter((method) => method !== "GET"))],
    maxBody: MAX_BODY,
    handle: async (question) => {
      const path = question.path.slice(base.length);
      const here = routes.filter(({ pattern }) => pattern.test(path));
      const route = here.find(({ endpoint }) => endpoint.method === question.method);
      // Who may not look is not told what there is.
      const changes = question.method !== "GET" && route?.endpoint.isSafe !== true;
      const access = await gatekeeper.admit(question, route?.endpoint.role ?? "viewer", changes);
      if (access.kind === "refused") return access.answer;
      if (here.length === 0) return failure(404, `there is nothing at ${path.slice(0, 100)}`);
      if (route === undefined)
        return failure(405, "method not allowed", { allow: here.map(({ endpoint }) => endpoint.method).join(", ") });
      const { who } = access;
      const reason = (question.query.get("reason") ?? String(question.headers["x-reason"] ?? "")).slice(0, MAX_REASON);
      const answer = await answerOf(
        route,
        path,
        question,
        (parameters, body) => ({
          parameters,
          query: question.query,
          body,
          who,
          reason,
          lastEventId: lastEventIdOf(question),
        }),
        events,
      );
      if (changes)
        events.onAction({
          who: who.name,
          from: question.address ?? "the Unix socket",
          what: `${question.method} ${path}`,
          reason,
          status: "status" in answer ? (answer.status ?? 200) : 200,
        });
      return answer;
    },
  };
}

async function answerOf(
  { endpoint, pattern }: Route,
  path: string,
  question: Question,
  call: (parameters: Record<string, string>, body: unknown) => Parameters<Endpoint["handle"]>[0],
  events: HttpEvents,
): Promise<Answer | StreamAnswer> {
  try {
    const parameters = decoded(pattern.exec(path)?.groups ?? {});
    const result = await endpoint.handle(call(parameters, bodyOf(endpoint, question)));
    return result instanceof Reply ? result.answer : json(result ?? {});
  } catch (error) {
    if (error instanceof ApiError) return failure(error.status, error.message);
    events.onFault(error);
    return failure(500, "a defect in Sluice: the log has it");
  }
}

function lastEventIdOf({ headers }: Question): string | null {
  const id = headers["last-event-id"];
  return typeof id === "string" ? id : null;
}

/** As Traefik writes it: one line. */
export function json(value: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return {
    type: "application/json",
    headers: { "cache-control": "no-store", ...headers },
    body: `${JSON.stringify(value)}\n`,
  };
}

function bodyOf({ body: schema }: Endpoint, { body, headers }: Question): unknown {
  if (schema === undefined) return undefined;
  // A page of another site cannot send this type without asking first.
  if (body.length > 0 && !/^application\/json\b/i.test(headers["content-type"] ?? ""))
    throw new ApiError(415, "the body is to be JSON, with  Content-Type: application/json");
  let value: unknown;
  try {
    value = body.length === 0 ? {} : JSON.parse(body.toString());
  } catch {
    throw new ApiError(400, "the body is no JSON");
  }
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new ApiError(400, `the body: ${issue!.path.length === 0 ? "" : `${issue!.path.join(".")}: `}${issue!.message}`);
}

/** `{name}` is one segment, in which a / is written %2F. */
function patternOf(path: string): RegExp {
  const source = path.replaceAll(/[.*+?^$()|[\]\\]/g, "\\$&").replaceAll(/\{(\w+)\}/g, "(?<$1>[^/]+)");
  return new RegExp(`^${source}$`);
}

function decoded(groups: Readonly<Record<string, string>>): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, text] of Object.entries(groups)) {
    try {
      result[name] = decodeURIComponent(text);
    } catch {
      throw new ApiError(400, `unable to decode ${name} ${JSON.stringify(text.slice(0, 100))}`);
    }
  }
  return result;
}
