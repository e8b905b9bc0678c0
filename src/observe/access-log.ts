// The access log: one line per connection, when it ends.
//
// The JSON form is put together here and not by pino: the line is the most expensive thing that Sluice itself does per connection
// (measured: 27 µs of CPU by way of a logger that looks at every field, half of it so). A test holds it to what pino would write.

import type { Connection } from "../proxy/connection.ts";
import type { Reason } from "../proxy/reasons.ts";
import type { Log } from "./log.ts";

/** Lines are made together, when this many connections have ended: a line made while its code is warm costs half. */
const BATCH = 64;
/** No connection waits longer for its line. */
const LATEST_MS = 50;

interface Ended {
  readonly connection: Connection;
  readonly reason: Reason;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly durationMs: number;
}

export class AccessLog {
  readonly #line: (ended: Ended) => void;
  #ended: Ended[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(log: Log) {
    this.#line = log.format === "json" ? jsonLine(log) : commonLine(log);
  }

  /** Takes note of an end. Bytes are those of the MQTT stream; the duration counts from accept; empty fields are left out. */
  write(connection: Connection, reason: Reason, bytesIn: number, bytesOut: number): void {
    const durationMs = Math.round(performance.now() - connection.startedAt);
    this.#ended.push({ connection, reason, bytesIn, bytesOut, at: Date.now(), durationMs });
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
  return ({ connection, reason, bytesIn, bytesOut, at, durationMs }) => {
    const start = `{"level":"info","time":"${new Date(at).toISOString()}${role}${words(connection)}`;
    const numbers = `,"bytesIn":${bytesIn},"bytesOut":${bytesOut},"durationMs":${durationMs}`;
    log.write(`${start}${numbers},"reason":"${reason}","msg":"access"}\n`);
  };
}

/** Who asks for an access log gets it, whatever log.level is. */
function commonLine(log: Log): (ended: Ended) => void {
  const logger = log.logger.child({}, { level: "info" });
  return ({ connection, reason, bytesIn, bytesOut, durationMs }) => {
    const text = JSON.parse(`{${words(connection).slice(1)}}`);
    logger.info({ ...text, bytesIn, bytesOut, durationMs, reason }, "access");
  };
}

/** The fields that are text, each with a comma before it. */
function words(connection: Connection): string {
  const { meters } = connection;
  let text = `,"entryPoint":${quote(connection.entryPoint.name)}`;
  if (meters !== null) text += `,"router":${quote(meters.router)},"service":${quote(meters.service)}`;
  if (connection.server !== "") text += `,"server":${quote(connection.server)}`;
  if (connection.clientPort !== 0)
    text += `,"client":"${connection.clientAddress}","clientPort":${connection.clientPort}`;
  if (connection.sni !== "") text += `,"sni":${quote(connection.sni)}`;
  if (connection.alpn !== "") text += `,"alpn":${quote(connection.alpn)}`;
  if (connection.tlsVersion !== "")
    text += `,"tlsVersion":"${connection.tlsVersion}","tlsCipher":"${connection.tlsCipher}"`;
  if (connection.clientSubject !== "") text += `,"clientSubject":${quote(connection.clientSubject)}`;
  return text;
}

const PLAIN = /^[\w .:/*@=,+-]*$/;

function quote(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}
