// Admit: takes a connection in, or closes it where the worker is full. With the last descriptor gone, accept would fail without end.
// Where there is no room, one that has not come in yet makes room: who says nothing keeps nobody out.

import { FEW } from "../../admission/newcomers.ts";
import { type NativeSocket, NOBODY, unmap } from "../../net/socket.ts";
import { Connection } from "../connection.ts";
import type { Edge, EntryPoint } from "../edge.ts";
import type { Reason } from "../reasons.ts";

/** null: its address is banned; or it is over `limits.maxConnections`, or has one of the last descriptors, and nobody makes room: it is closed. */
export function admit(edge: Edge, entryPoint: EntryPoint, socket: NativeSocket): Connection | null {
  const { bans } = entryPoint;
  if (bans !== null && !bans.isEmpty && bans.refusesPeer(addressOf(socket)))
    return turnAway(edge, entryPoint, socket, "banned");
  const isShort = socket.fd >= edge.lastDescriptor;
  if (isShort) edge.observer.onOutOfDescriptors();
  if (!isShort && edge.connections.size < edge.limits.maxConnections) return new Connection(edge, entryPoint, socket);
  if (mostCrowded(edge) !== null) {
    // The one who comes counts already: of an address that has most of them, one of its own makes room.
    const connection = new Connection(edge, entryPoint, socket);
    mostCrowded(edge)?.newcomers.first()?.who.giveWay();
    return connection.isOver ? null : connection;
  }
  return turnAway(edge, entryPoint, socket, isShort ? "descriptors" : "limit");
}

function turnAway(edge: Edge, entryPoint: EntryPoint, socket: NativeSocket, reason: Reason): null {
  const address = addressOf(socket);
  socket.data = NOBODY;
  socket.terminate();
  entryPoint.meters.ended(reason);
  edge.observer.onTurnedAway(address, reason, entryPoint.name);
  return null;
}

function addressOf(socket: NativeSocket): string {
  return unmap(socket.remoteAddress ?? "");
}

/** Where one is to make room: where an address has many newcomers, and else where there are most of them. null: there are none. */
function mostCrowded(edge: Edge): EntryPoint | null {
  let found: EntryPoint | null = null;
  for (const entryPoint of edge.entryPoints)
    if (entryPoint.newcomers.size > 0 && (found === null || isMoreCrowded(entryPoint, found))) found = entryPoint;
  return found;
}

function isMoreCrowded({ newcomers }: EntryPoint, other: EntryPoint): boolean {
  if (Math.max(newcomers.most, other.newcomers.most) > FEW) return newcomers.most > other.newcomers.most;
  return newcomers.size > other.newcomers.size;
}
