// Admit: takes a connection in, or closes it where the worker is full. With the last descriptor gone, accept would fail without end.

import { type NativeSocket, NOBODY } from "../../net/socket.ts";
import { Connection } from "../connection.ts";
import type { Edge, EntryPoint } from "../edge.ts";

/** null: it is over `limits.maxConnections`, or has one of the last descriptors, and is closed. */
export function admit(edge: Edge, entryPoint: EntryPoint, socket: NativeSocket): Connection | null {
  const isShort = socket.fd >= edge.lastDescriptor;
  if (edge.connections.size < edge.limits.maxConnections && !isShort) return new Connection(edge, entryPoint, socket);
  socket.data = NOBODY;
  socket.terminate();
  entryPoint.meters.ended(isShort ? "descriptors" : "limit");
  if (isShort) edge.observer.onOutOfDescriptors();
  return null;
}
