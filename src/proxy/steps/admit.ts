// Admit: takes a connection in, or closes it where the worker is full.

import { type NativeSocket, NOBODY } from "../../net/socket.ts";
import { Connection } from "../connection.ts";
import type { Edge, EntryPoint } from "../edge.ts";

/** null: it is over `limits.maxConnections`, and closed. */
export function admit(edge: Edge, entryPoint: EntryPoint, socket: NativeSocket): Connection | null {
  if (edge.connections.size < edge.limits.maxConnections) return new Connection(edge, entryPoint, socket);
  socket.data = NOBODY;
  socket.terminate();
  entryPoint.meters.ended("limit");
  return null;
}
