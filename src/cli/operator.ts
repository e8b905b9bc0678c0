// What operators see and do from a shell: sluice clients, routes, servers, events, refusals, drain, undrain, ban, unban, close, renew,
// reload, token. Each asks the API of the running Sluice.

import { createHash, randomBytes } from "node:crypto";
import { printable } from "../text/printable.ts";
import { bytesIn, durationIn } from "../text/quantities.ts";
import { count } from "../text/words.ts";
import { type ApiClient, ApiFailure } from "./api-client.ts";
import { tableOf } from "./table.ts";
import type { Terminal } from "./terminal.ts";

interface Json {
  readonly json?: boolean;
}

type Row = Readonly<Record<string, unknown>>;

/** Runs a command against the API, and says what went wrong. @returns the exit code. */
export async function withApi(
  client: ApiClient | null,
  terminal: Terminal,
  run: (client: ApiClient) => Promise<number>,
): Promise<number> {
  if (client === null) return 1;
  try {
    return await run(client);
  } catch (error) {
    if (!(error instanceof ApiFailure)) throw error;
    terminal.error(printable(error.message));
    return 1;
  }
}

/** Rows as JSON, one object; or as a table with a heading. */
function show(
  terminal: Terminal,
  { json }: Json,
  answer: object,
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  nothing: string,
): number {
  if (json) terminal.log(JSON.stringify(answer, null, 2));
  else if (rows.length === 0) terminal.log(nothing);
  else terminal.log(tableOf([heading, ...rows].map((row) => row.map(cell))).join("\n"));
  return 0;
}

/** What comes from clients is text, whatever is in it. */
function cell(text: string): string {
  return printable(text === "" ? "-" : text);
}

const text = (value: unknown): string => (value === null || value === undefined ? "" : String(value));
const ago = (at: unknown): string => durationIn(Date.now() - Date.parse(text(at)));

export interface ClientsOptions extends Json {
  readonly clientId?: string;
  readonly username?: string;
  readonly address?: string;
  readonly sni?: string;
  readonly router?: string;
  readonly service?: string;
  readonly server?: string;
  readonly search?: string;
  readonly sort?: string;
  readonly limit?: string;
}

export async function clients(
  client: ApiClient,
  { json, ...query }: ClientsOptions,
  terminal: Terminal,
): Promise<number> {
  const answer = await client.get<{ connections: Row[]; matched: number; open: number }>("sluice/connections", query);
  const rows = answer.connections.map((each) => [
    ...[text(each.id), text(each.clientId), text(each.username), text(each.address), text(each.sni), text(each.router)],
    ...[text(each.server), ago(each.since), bytesIn(each.bytesIn as number), bytesIn(each.bytesOut as number)],
  ]);
  const heading = ["ID", "CLIENT ID", "USER", "ADDRESS", "SNI", "ROUTER", "SERVER", "SINCE", "IN", "OUT"];
  const code = show(terminal, { ...(json && { json }) }, answer, heading, rows, "no client");
  if (!json && rows.length > 0)
    terminal.error(`${rows.length} of ${count(answer.matched, "client")}, ${answer.open} open in all`);
  return code;
}

export async function routes(client: ApiClient, options: Json, terminal: Terminal): Promise<number> {
  const routers = await client.get<Row[]>("tcp/routers", { per_page: "1000000" });
  const rows = routers.map((each) => [
    ...[
      text(each.status),
      text(each.name),
      text((each.using as string[]).join(",")),
      text(each.rule),
      text(each.service),
    ],
    (each.error as string[] | undefined)?.[0] ?? "",
  ]);
  return show(
    terminal,
    options,
    routers,
    ["STATUS", "ROUTER", "ENTRY POINTS", "RULE", "SERVICE", "WHAT IS WRONG"],
    rows,
    "no router",
  );
}

export async function servers(client: ApiClient, options: Json, terminal: Terminal): Promise<number> {
  const answer = await client.get<{ servers: Row[] }>("sluice/servers");
  const rows = answer.servers.map((each) => [
    ...[text(each.health), text(each.service), text(each.address), text(each.open)],
    ...[each.latencyMs === null ? "" : `${each.latencyMs} ms`, text(each.errors)],
    each.drain === null ? "" : `${(each.drain as { left: number }).left} left`,
    text(each.reason),
  ]);
  return show(
    terminal,
    options,
    answer,
    ["HEALTH", "SERVICE", "SERVER", "OPEN", "LATENCY", "ERRORS", "DRAIN", "WHY"],
    rows,
    "no server",
  );
}

export async function refusals(
  client: ApiClient,
  { json, ...query }: Json & { search?: string; reason?: string; address?: string },
  terminal: Terminal,
): Promise<number> {
  const answer = await client.get<{ refusals: Row[] }>("sluice/refusals", query);
  const rows = answer.refusals.map((each) => [
    ...[
      ago(each.at),
      text(each.reason),
      text(each.cause),
      text(each.address),
      text(each.sni),
      text(each.clientId),
      text(each.certificate),
      text(each.router),
    ],
  ]);
  return show(
    terminal,
    { ...(json && { json }) },
    answer,
    ["AGO", "REASON", "CAUSE", "ADDRESS", "SNI", "CLIENT ID", "CERTIFICATE", "ROUTER"],
    rows,
    "nobody was refused",
  );
}

interface EventLook {
  readonly at: string;
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export async function events(
  client: ApiClient,
  { json, follow, ...query }: Json & { follow?: boolean; search?: string; level?: string },
  terminal: Terminal,
): Promise<number> {
  const say = (each: EventLook) => terminal.log(json ? JSON.stringify(each) : printable(lineOf(each)));
  const { events: last } = await client.get<{ events: EventLook[] }>("sluice/events", query);
  last.forEach(say);
  if (!follow) return 0;
  const control = new AbortController();
  process.once("SIGINT", () => control.abort());
  try {
    for await (const each of client.follow<EventLook>("sluice/events/stream", query, control.signal)) say(each);
  } catch (error) {
    if (!control.signal.aborted)
      throw error instanceof ApiFailure ? error : new ApiFailure(`${client.where}: the stream has ended`);
  }
  if (!control.signal.aborted) throw new ApiFailure(`${client.where}: Sluice has ended the stream`);
  return 0;
}

export function lineOf({ at, level, message, fields }: EventLook): string {
  const facts = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return [at.slice(11, 19), level.toUpperCase().padEnd(5), message, ...facts].join(" ");
}

/** Why something is done, for the log. */
interface Reasoned extends Json {
  readonly reason?: string;
}

function reasoned({ reason }: Reasoned): { readonly reason?: string } {
  return reason === undefined ? {} : { reason };
}

export async function drain(
  client: ApiClient,
  [service, server]: readonly [string, string],
  options: Reasoned & { close?: boolean; spread?: string; wait?: boolean },
  terminal: Terminal,
): Promise<number> {
  const body =
    options.spread !== undefined
      ? { spread: Number(options.spread) }
      : { connections: options.close ? "close" : "keep" };
  await client.send("PUT", drainPath(service, server), reasoned(options), body);
  const left = async () => {
    const { servers } = await client.get<{ servers: Row[] }>("sluice/servers");
    const found = servers.find((each) => each.service === service && each.address === server);
    return (found?.open as number | undefined) ?? 0;
  };
  for (let open = await left(); ; open = await left()) {
    if (!options.wait || open === 0) {
      if (options.json) terminal.log(JSON.stringify({ service, server, open }));
      else terminal.log(`${server} gets no new connections; ${count(open, "connection")} left`);
      return 0;
    }
    await Bun.sleep(1000);
  }
}

export async function undrain(
  client: ApiClient,
  [service, server]: readonly [string, string],
  options: Reasoned,
  terminal: Terminal,
): Promise<number> {
  await client.send("DELETE", drainPath(service, server), reasoned(options));
  return say(terminal, options, { service, server }, `${server} is as the configuration says again`);
}

function drainPath(service: string, server: string): string {
  return `sluice/services/${encodeURIComponent(service)}/servers/${encodeURIComponent(server)}/drain`;
}

export async function ban(
  client: ApiClient,
  network: string,
  options: Reasoned & { time?: string; entryPoint?: string },
  terminal: Terminal,
): Promise<number> {
  const points = await pointsOf(client, options.entryPoint);
  for (const point of points)
    await client.send("POST", `sluice/entrypoints/${encodeURIComponent(point)}/bans`, reasoned(options), {
      network,
      ...(options.time !== undefined && { time: options.time }),
    });
  return say(terminal, options, { network, entryPoints: points }, `${network} is banned on ${points.join(", ")}`);
}

export async function unban(
  client: ApiClient,
  network: string,
  options: Reasoned & { entryPoint?: string },
  terminal: Terminal,
): Promise<number> {
  const { bans } = await client.get<{ bans: { entryPoint: string; network: string }[] }>("sluice/bans");
  const own = bans.filter((each) => each.network === network || each.network.split("/")[0] === network);
  const points =
    options.entryPoint === undefined ? [...new Set(own.map(({ entryPoint }) => entryPoint))] : [options.entryPoint];
  if (points.length === 0) throw new ApiFailure(`${network} is not banned`);
  for (const point of points)
    await client.send(
      "DELETE",
      `sluice/entrypoints/${encodeURIComponent(point)}/bans/${encodeURIComponent(network)}`,
      reasoned(options),
    );
  return say(
    terminal,
    options,
    { network, entryPoints: points },
    `${network} is banned no more on ${points.join(", ")}`,
  );
}

/** All entry points that have bans, unless one is named. */
async function pointsOf(client: ApiClient, entryPoint: string | undefined): Promise<string[]> {
  if (entryPoint !== undefined) return [entryPoint];
  const { value } = await client.get<{ value: { entryPoints: Record<string, { ban?: object }> } }>(
    "sluice/configuration",
  );
  const points = Object.entries(value.entryPoints).flatMap(([name, { ban }]) => (ban === undefined ? [] : [name]));
  if (points.length === 0)
    throw new ApiFailure("no entry point has bans: add  ban: {}  to one in the static configuration");
  return points;
}

export async function close(
  client: ApiClient,
  id: string | undefined,
  {
    reason,
    json,
    ...filter
  }: Reasoned & {
    clientId?: string;
    username?: string;
    address?: string;
    certificate?: string;
    server?: string;
    router?: string;
  },
  terminal: Terminal,
): Promise<number> {
  const body = { ...(id !== undefined && { id }), ...filter };
  if (Object.keys(body).length === 0) throw new ApiFailure("say which: an id, or for example --clientId or --address");
  const { closed } = await client.send<{ closed: number }>(
    "POST",
    "sluice/connections/close",
    reasoned({ ...(reason !== undefined && { reason }) }),
    body,
  );
  say(
    terminal,
    { ...(json && { json }) },
    { closed },
    closed === 0 ? "no client is so" : `${count(closed, "connection")} closed`,
  );
  return closed === 0 ? 1 : 0;
}

export async function renew(client: ApiClient, name: string, options: Reasoned, terminal: Terminal): Promise<number> {
  await client.send("POST", `sluice/certificates/${encodeURIComponent(name)}/renew`, reasoned(options));
  return say(
    terminal,
    options,
    { name },
    `the certificate for ${name} is ordered anew: sluice events says what comes of it`,
  );
}

interface LoadLook {
  readonly at: string;
  readonly result: "loaded" | "refused";
  readonly changes: number;
  readonly errors: number;
  readonly warnings: number;
  readonly diagnostics: readonly {
    severity: string;
    code: string;
    message: string;
    place: { file: string; line: number; column: number };
  }[];
}

/** How long a load may take to be there. */
const LOAD_MS = 30_000;

/** @returns 0 when the load that follows is one without an error. */
export async function reload(client: ApiClient, options: Reasoned, terminal: Terminal): Promise<number> {
  const newest = async () => (await client.get<{ loads: LoadLook[] }>("sluice/loads")).loads[0];
  const before = (await newest())?.at ?? "";
  await client.send("POST", "sluice/reload", reasoned(options));
  const until = Date.now() + LOAD_MS;
  for (;;) {
    const load = await newest();
    if (load !== undefined && load.at > before) {
      for (const { severity, code, message, place } of load.diagnostics)
        terminal.error(
          printable(
            `${place.file}:${place.line}:${place.column}: ${severity === "warning" ? "warning: " : ""}${message} [${code}]`,
          ),
        );
      say(
        terminal,
        options,
        load,
        load.result === "loaded"
          ? `loaded: ${count(load.changes, "change")}`
          : "refused: what served before goes on serving",
      );
      return load.result === "loaded" && load.errors === 0 ? 0 : 1;
    }
    if (Date.now() > until) throw new ApiFailure("no load has followed: the log says why");
    await Bun.sleep(100);
  }
}

/** A token and what the configuration knows of it. */
export function token(options: Json, terminal: Terminal): number {
  const made = randomBytes(32).toString("base64url");
  const sha256 = createHash("sha256").update(made).digest("hex");
  if (options.json) terminal.log(JSON.stringify({ token: made, sha256 }));
  else
    terminal.log(
      `token:  ${made}\nsha256: ${sha256}\n\napi: { tokens: { NAME: { sha256: ${sha256}, role: viewer } } }`,
    );
  return 0;
}

function say(terminal: Terminal, { json }: Json, answer: object, line: string): number {
  terminal.log(json ? JSON.stringify(answer) : printable(line));
  return 0;
}
