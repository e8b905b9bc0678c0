// What a middleware counts clients by.

import { addressKey, type Key, textKey } from "../admission/keys.ts";
import { parseAddress } from "../ip/address.ts";
import type { Client, Stage } from "./middleware.ts";

/** What clients are told apart by, and when each is known. */
export const KEY_STAGES = {
  clientIP: "address",
  sni: "address",
  clientId: "connect",
  username: "connect",
  certificate: "connect",
} as const satisfies Readonly<Record<string, Stage>>;

export type KeyKind = keyof typeof KEY_STAGES;

export interface KeyRow {
  readonly key: KeyKind;
  /** How many bits of an address count. */
  readonly ipv4Prefix: number;
  readonly ipv6Prefix: number;
}

/** The key of a client; its address is that of one which has nothing of the kind: leaving a name out is no way around a limit. */
export function keyOf(client: Client, { key, ipv4Prefix, ipv6Prefix }: KeyRow): Key {
  const text = key === "clientIP" ? "" : (client[key] ?? "");
  if (text !== "") return textKey(text);
  return addressKey(parseAddress(client.clientAddress), ipv4Prefix, ipv6Prefix);
}

/** The table of a middleware: another one when it counts by something else, so no key is taken for one of another meaning. */
export function tableOf(name: string, { key, ipv4Prefix, ipv6Prefix }: KeyRow): string {
  return `${TABLES}${name} ${key}/${ipv4Prefix}/${ipv6Prefix}`;
}

/** How the names of the middlewares' tables begin. */
export const TABLES = "middleware ";
