// The access log: one line per connection, when it ends.
//
// The JSON form is put together here and not by pino: the line is the most expensive thing that Sluice itself does per connection
// (measured: 27 µs of CPU by way of a logger that looks at every field, half of it so). A test holds it to what pino would write.

import type { Reason } from "../proxy/reasons.ts";
import type { ConnectFacts, ConnectionRecord } from "../proxy/record.ts";
import { printable } from "../text/printable.ts";
import { type AccessFilters, filterOf } from "./access-filter.ts";
import type { Log } from "./log.ts";
import { loggedName } from "./logged-name.ts";

/** Lines are made together, when this many connections have ended: a line made while its code is warm costs half. */
const BATCH = 64;
/** No connection waits longer for its line. */
const LATEST_MS = 50;

interface Ended {
  readonly record: ConnectionRecord;
  readonly reason: Reason;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly durationMs: number;
}

export class AccessLog {
  readonly #line: (ended: Ended) => void;
  readonly #keeps: ReturnType<typeof filterOf>;
  #ended: Ended[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(log: Log, filters?: AccessFilters) {
    this.#keeps = filterOf(filters);
    this.#line = log.format === "json" ? jsonLine(log) : commonLine(log);
  }

  /** Takes note of an end. Bytes are those of the MQTT stream; the duration counts from accept; empty fields are left out. */
  write(record: ConnectionRecord, reason: Reason, bytesIn: number, bytesOut: number): void {
    const durationMs = Math.round(performance.now() - record.startedAt);
    if (this.#keeps !== null && !this.#keeps(reason, durationMs)) return;
    this.#ended.push({ record, reason, bytesIn, bytesOut, at: Date.now(), durationMs });
    if (this.#ended.length >= BATCH) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), LATEST_MS);
  }

  /** Writes what waits. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const ended = this.#ended;
    this.#ended = [];
    for (const each of ended) this.#line(each);
  }
}

function jsonLine(log: Log): (ended: Ended) => void {
  const role = `","role":${quote(log.role)}`;
  return ({ record, reason, bytesIn, bytesOut, at, durationMs }) => {
    const start = `{"level":"info","time":"${new Date(at).toISOString()}${role}${words(record)}`;
    const numbers = `,"bytesIn":${bytesIn},"bytesOut":${bytesOut},"durationMs":${durationMs}`;
    log.write(`${start}${numbers},"reason":"${reason}","msg":"access"}\n`);
  };
}

/** Who asks for an access log gets it, whatever log.level is. */
function commonLine(log: Log): (ended: Ended) => void {
  return ({ record, reason, bytesIn, bytesOut, durationMs }) => {
    const text = JSON.parse(`{${words(record).slice(1)}}`);
    log.always.info({ ...text, bytesIn, bytesOut, durationMs, reason }, "access");
  };
}

/** The fields that are text, each with a comma before it. */
function words(record: ConnectionRecord): string {
  const { meters } = record;
  let text = `,"entryPoint":${quote(record.entryPoint)}`;
  if (meters !== null) text += `,"router":${quote(meters.router)},"service":${quote(meters.service)}`;
  if (record.server !== "") text += `,"server":${quote(record.server)}`;
  if (record.clientPort !== 0) text += `,"client":"${record.clientAddress}","clientPort":${record.clientPort}`;
  if (record.balancer !== "") text += `,"balancer":"${record.balancer}"`;
  if (record.uniqueId !== "") text += `,"uniqueId":"${record.uniqueId}"`;
  if (record.sni !== "") text += `,"sni":${quote(record.sni)}`;
  if (record.alpn !== "") text += `,"alpn":${quote(record.alpn)}`;
  if (record.tlsVersion !== "") text += `,"tlsVersion":"${record.tlsVersion}","tlsCipher":"${record.tlsCipher}"`;
  if (record.cause !== "") text += `,"cause":"${record.cause}"`;
  if (record.mqtt !== null) text += mqttWords(record.mqtt);
  if (record.clientSubject !== "") text += `,"clientSubject":${quote(record.clientSubject)}`;
  return text;
}

/** Client id and user name are the client's own words: CONNECT has bounded them. */
function mqttWords({ version, clientId, username, keepAlive, clean, will }: ConnectFacts): string {
  const name = username === null ? "" : `,"username":${quoteName(username)}`;
  const facts = `,"keepAlive":${keepAlive},"clean":${clean},"will":${will}`;
  return `,"mqttVersion":"${version}","clientId":${quoteName(clientId)}${name}${facts}`;
}

/** MQTT allows what turns the direction of writing, ends lines or cannot be seen: with it a client could show another name than its own. */
function quoteName(name: string): string {
  const text = loggedName(name);
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(printable(text));
}

const PLAIN = /^[\w .:/*@=,+-]*$/;

function quote(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}
