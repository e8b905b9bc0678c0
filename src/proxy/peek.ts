// Peek: reads the ClientHello without answering it. Bad is closed and never routed; it must arrive within the entry point's readTimeout.

import { HelloBuffer, type HelloReject } from "../wire/client-hello.ts";
import type { Connection } from "./connection.ts";
import { isPlainOnly } from "./decide.ts";
import { asBuffer, routePlain, routeTls } from "./route.ts";

export function startPeek(connection: Connection): void {
  const { edge, entryPoint } = connection;
  const routes = edge.snapshot.routes(entryPoint.name);
  if (isPlainOnly(routes)) routePlain(connection);
  else edge.deadlines.set(connection, entryPoint.readTimeoutMs);
}

export function peek(connection: Connection, chunk: Buffer): void {
  connection.hello ??= new HelloBuffer();
  const result = connection.hello.push(chunk);
  switch (result.kind) {
    case "more":
      return;
    case "ok":
    case "none":
      routeTls(connection, result, connection.hello.bytes);
      return;
    case "bad":
      reject(connection, result.reason, connection.hello.bytes);
  }
}

/** Plain MQTT goes to a plain router if there is one; everything else that is no hello is closed. */
function reject(connection: Connection, reason: HelloReject, received: Uint8Array): void {
  const hasPlain = connection.edge.snapshot.routes(connection.entryPoint.name).plain.size > 0;
  if (reason === "plain-mqtt" && hasPlain) {
    connection.keepEarly(asBuffer(received));
    if (connection.phase !== "closed") routePlain(connection);
  } else {
    connection.finish(reason);
  }
}
