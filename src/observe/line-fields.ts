// What a line of the log says beside its message, as far as it can be written.

/** undefined is left out; `err` is an error, whatever was thrown. */
export type Fields = object;

/** The fields with an error as what can be written of it. */
export function shown(fields: Fields): Readonly<Record<string, unknown>> {
  return "err" in fields ? { ...fields, err: errorFacts(fields.err) } : { ...fields };
}

/** As JSON; undefined: there is nothing to write. A line is never lost because of what is in it. */
export function json(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return '"[cannot be written]"'; // in a circle, or a bigint
  }
}

interface ErrorLike {
  readonly message: string;
  readonly name?: string;
  readonly stack?: string;
  readonly cause?: unknown;
}

/** What is thrown need not be an Error. */
function isErrorLike(value: unknown): value is ErrorLike {
  return typeof value === "object" && value !== null && typeof (value as ErrorLike).message === "string";
}

/** Its kind, message and stack with those of its causes, and what else it has. */
function errorFacts(error: unknown): unknown {
  if (!isErrorLike(error)) return error;
  const chain: ErrorLike[] = [];
  for (let each: unknown = error; isErrorLike(each) && !chain.includes(each); each = each.cause) chain.push(each);
  const facts: Record<string, unknown> = {
    type: typeof error.constructor === "function" ? error.constructor.name : error.name,
    message: chain.map(({ message }) => message).join(": "),
    stack: chain.map(({ stack }) => stack ?? "").join("\ncaused by: "),
  };
  for (const [name, value] of Object.entries(error)) if (!(name in facts) && name !== "cause") facts[name] = value;
  return facts;
}
