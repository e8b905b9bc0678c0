// Admit: takes a connection in, or closes it where the worker is full. With the last descriptor gone, accept would fail without end.
// Where there is no room, one that has not come in yet makes room: who says nothing keeps nobody out.

import { FEW, type Newcomers } from "../../admission/newcomers.ts";
import { type NativeSocket, NOBODY, unmap } from "../../net/socket.ts";
import type { Yielding } from "../admission.ts";
import { Connection } from "../connection.ts";
import type { Edge, EntryPoint } from "../edge.ts";
import type { Reason } from "../reasons.ts";

/** null: its address is banned; or it is over `limits.maxConnections`, or has one of the last descriptors, and nobody makes room: it is closed. */
export function admit(edge: Edge, entryPoint: EntryPoint, socket: NativeSocket): Connection | null {
  const { bans } = entryPoint;
  if (bans !== null && !bans.isEmpty && bans.refusesPeer(addressOf(socket)))
    return turnAway(edge, entryPoint, socket, "banned");
  const isShort = edge.isShort(socket.fd);
  if (isShort) edge.observer.onOutOfDescriptors();
  if (!isShort && edge.connections.size < edge.limits.maxConnections) return new Connection(edge, entryPoint, socket);
  if (mostCrowded(edge) !== null) {
    // The one who comes counts already: of an address that has most of them, one of its own makes room.
    const connection = new Connection(edge, entryPoint, socket);
    mostCrowded(edge)?.first()?.who.giveWay();
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

/** Among whom one is to make room: where an address has many, and else where there are most newcomers. null: there are none. */
function mostCrowded(edge: Edge): Newcomers<Yielding> | null {
  let found: Newcomers<Yielding> | null = null;
  for (const { newcomers, waiters } of edge.entryPoints) {
    if (newcomers.size > 0 && (found === null || isMoreCrowded(newcomers, found))) found = newcomers;
    // Who waits in a line of a few does not go.
    if (waiters.most > FEW && (found === null || waiters.most > found.most)) found = waiters;
  }
  return found;
}

function isMoreCrowded(crowd: Newcomers<Yielding>, other: Newcomers<Yielding>): boolean {
  if (Math.max(crowd.most, other.most) > FEW) return crowd.most > other.most;
  return crowd.size > other.size;
}
