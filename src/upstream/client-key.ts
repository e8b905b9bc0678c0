// What a client is known by when its server is chosen.

import type { Balancing, Chooser, ClientKey } from "./service.ts";

/** "": nothing is known of it that would tell it from others. */
export function keyOf(client: Chooser, key: ClientKey): string {
  switch (key) {
    case "clientId":
      return client.clientId;
    case "username":
      return client.username;
    case "clientIP":
      return client.clientAddress;
    case "sni":
      return client.sni;
    case "certificate":
      return client.certificate;
  }
}

/** What clients are told apart by, by the strategy and by `sticky`. */
export function keysOf(balancing: Balancing | undefined): ClientKey[] {
  if (balancing === undefined) return [];
  const { strategy, hashKey = "clientId", sticky } = balancing;
  return [...(strategy === "hrw" ? [hashKey] : []), ...(sticky === undefined ? [] : [sticky.key])];
}

/** Whether the client's CONNECT has to be read before a server is chosen. */
export function asksConnect(balancing: Balancing | undefined): boolean {
  return balancing?.takeover !== undefined || keysOf(balancing).some((key) => key === "clientId" || key === "username");
}
