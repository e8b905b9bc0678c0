// The access log: one line per connection, when it ends.
//
// The JSON form is put together here and not by pino: the line is the most expensive thing that Sluice itself does per connection
// (measured: 27 µs of CPU by way of a logger that has to look at every field, 5 µs so). A test holds it to what pino would write.

import type { Connection } from "../proxy/connection.ts";
import type { Reason } from "../proxy/reasons.ts";
import type { Log } from "./log.ts";

/** Writes the line of a connection. Bytes are those of the MQTT stream, `durationMs` counts from accept; empty fields are left out. */
export type AccessLog = (connection: Connection, reason: Reason, bytesIn: number, bytesOut: number) => void;

/** Who asks for an access log gets it, whatever log.level is. */
export function accessLog(log: Log): AccessLog {
  if (log.format === "json") {
    const head = `{"level":"info","time":"`;
    const role = `","role":${quote(log.role)}`;
    return (connection, reason, bytesIn, bytesOut) => {
      const fields = `${head}${new Date().toISOString()}${role}${words(connection)}`;
      const numbers = `,"bytesIn":${bytesIn},"bytesOut":${bytesOut},"durationMs":${durationMs(connection)}`;
      log.write(`${fields}${numbers},"reason":"${reason}","msg":"access"}\n`);
    };
  }
  const logger = log.logger.child({}, { level: "info" });
  return (connection, reason, bytesIn, bytesOut) =>
    logger.info(
      {
        ...JSON.parse(`{${words(connection).slice(1)}}`),
        bytesIn,
        bytesOut,
        durationMs: durationMs(connection),
        reason,
      },
      "access",
    );
}

/** The fields that are text, each with a comma before it. */
function words(connection: Connection): string {
  const { meters } = connection;
  let text = `,"entryPoint":${quote(connection.entryPoint.name)}`;
  if (meters !== null) text += `,"router":${quote(meters.router)},"service":${quote(meters.service)}`;
  if (connection.server !== "") text += `,"server":${quote(connection.server)}`;
  text += `,"client":"${connection.clientAddress}","clientPort":${connection.clientPort}`;
  if (connection.sni !== "") text += `,"sni":${quote(connection.sni)}`;
  if (connection.alpn !== "") text += `,"alpn":${quote(connection.alpn)}`;
  if (connection.tlsVersion !== "")
    text += `,"tlsVersion":"${connection.tlsVersion}","tlsCipher":"${connection.tlsCipher}"`;
  if (connection.clientSubject !== "") text += `,"clientSubject":${quote(connection.clientSubject)}`;
  return text;
}

function durationMs(connection: Connection): number {
  return Math.round(performance.now() - connection.startedAt);
}

const PLAIN = /^[\w .:/*@=,+-]*$/;

function quote(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}
