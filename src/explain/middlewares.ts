// What the middlewares of a router make of a client: those that go by its address are asked, the others are described.

import type { Merged } from "../compile/merge.ts";
import { formatDuration } from "../config/scalars.ts";
import { parseAddress } from "../ip/address.ts";
import { joinNetworks } from "../ip/network-parts.ts";
import type { NetworkSet } from "../ip/network-set.ts";
import type { KeyRow } from "../middlewares/client-key.ts";
import { IpList, type IpListRow } from "../middlewares/ip-lists.ts";
import type { MiddlewareReject } from "../middlewares/middleware.ts";
import type { MqttAuthRow } from "../middlewares/mqtt-auth.ts";
import { MqttConnect } from "../middlewares/mqtt-connect.ts";
import type { MiddlewareRow } from "../middlewares/row.ts";
import { partOf, readPart, type Users } from "../mqtt/user-parts.ts";
import type { Row } from "../protocol/messages.ts";
import { formatAddress } from "../rules/explain.ts";
import { count } from "../text/words.ts";
import type { MiddlewareFacts } from "./explanation.ts";
import { foreseeIdentity, type Known } from "./identity.ts";
import { placeOf } from "./places.ts";

type Rows = ReadonlyMap<string, Row>;

/** The networks that middlewares tell apart, until there are more than `limit`. */
export function networksOfMiddlewares(rows: Rows, names: readonly string[], limit: number, into: Set<string>): void {
  for (const name of names) {
    const row = rowOf(rows, name);
    if (row?.kind !== "ipAllowList" && row?.kind !== "ipDenyList") continue;
    for (const network of row.sourceRange) into.add(network);
    for (const network of fileOf(rows, row)?.networks() ?? []) {
      into.add(network);
      if (into.size > limit) break;
    }
  }
}

/** Why the first of them refuses a client from there, whoever else is connected; null if none does. */
export function rejectOf(rows: Rows, names: readonly string[], address: Uint8Array): MiddlewareReject | null {
  for (const name of names) {
    const row = rowOf(rows, name);
    const listed = row?.kind === "ipAllowList" || row?.kind === "ipDenyList" ? rejectBy(rows, row, address) : null;
    if (listed !== null) return listed;
    if (row?.kind === "inFlightConn" && row.amount === 0) return "too-many-connections";
  }
  return null;
}

export interface ConnectReject {
  readonly reason: MiddlewareReject;
  /** What about the client is the reason; empty where that says it. */
  readonly problems: readonly string[];
}

/** Why the first of them refuses a client with such a CONNECT and certificate, whatever its password is; null if none does, or too little is known. */
export function connectRejectOf(rows: Rows, names: readonly string[], known: Known): ConnectReject | null {
  for (const name of names) {
    const row = rowOf(rows, name);
    if (row?.kind === "mqttIdentity") {
      const { reject } = foreseeIdentity(row, known);
      if (reject !== null) return { reason: reject.reason, problems: [reject.why] };
    }
    if (row?.kind === "mqttConnect") {
      const refused = new MqttConnect(row).foresee(known.connect);
      if (refused !== null) return { reason: refused.reason, problems: [] };
    }
    if (row?.kind === "mqttAuth") {
      const reason = authRejectOf(rows, row, known);
      if (reason !== null) return { reason, problems: [] };
    }
  }
  return null;
}

function authRejectOf(rows: Rows, row: MqttAuthRow, { connect, certificate }: Known): MiddlewareReject | null {
  const { username } = connect;
  if (username === undefined) return null;
  if (username !== null) return hasUser(rows, row.users, username) ? null : "bad-credentials";
  return row.allowAnonymous || (row.certificateIsEnough && certificate !== null) ? null : "no-credentials";
}

export function middlewareFacts(
  rows: Rows,
  merged: Merged,
  names: readonly string[],
  address: Uint8Array,
  known: Known,
): MiddlewareFacts[] {
  return names.flatMap((name) => {
    const row = rowOf(rows, name);
    if (row === null) return [];
    return [
      {
        name,
        kind: row.kind,
        place: placeOf(merged.middlewares.get(name)?.at()),
        says: saysOf(rows, row, address, known),
      },
    ];
  });
}

function rowOf(rows: Rows, name: string): MiddlewareRow | null {
  const row = rows.get(`middleware/${name}`);
  return row?.kind === "middleware" ? row.value : null;
}

function rejectBy(rows: Rows, row: IpListRow, address: Uint8Array): MiddlewareReject | null {
  return new IpList(row, (part) => partIn(rows, part)).reject(parseAddress(formatAddress(address)));
}

/** What the file of a list holds; null: it has none. */
function fileOf(rows: Rows, { sourceFile }: IpListRow): NetworkSet | null {
  return sourceFile === null ? null : joinNetworks(sourceFile, (part) => partIn(rows, part));
}

function partIn(rows: Rows, name: string): string | null {
  const part = rows.get(`part/${name}`);
  return part?.kind === "part" ? part.value.text : null;
}

function hasUser(rows: Rows, { parts }: Users, username: string): boolean {
  const part = partIn(rows, parts[partOf(username, parts.length)]!);
  return part !== null && readPart(part).has(username);
}

/** Networks that are shown. */
const MAX_NETWORKS = 5;

function saysOf(rows: Rows, row: MiddlewareRow, address: Uint8Array, known: Known): string {
  switch (row.kind) {
    case "ipAllowList":
    case "ipDenyList": {
      const { sourceRange, sourceFile } = row;
      const more = sourceRange.length > MAX_NETWORKS ? `, ... (${sourceRange.length} in all)` : "";
      const listed = sourceRange.length === 0 ? [] : [`${sourceRange.slice(0, MAX_NETWORKS).join(", ")}${more}`];
      const filed = sourceFile === null ? [] : [`${count(sourceFile.count, "network")} of its file`];
      return `${rejectBy(rows, row, address) === null ? "lets it pass" : "refuses it"}: ${[...listed, ...filed].join(", and ")}`;
    }
    case "mqttConnect":
      switch (new MqttConnect(row).foresee(known.connect)?.reason) {
        case "connect-not-allowed":
          return `refuses it: it takes MQTT ${row.versions.join(", ")}`;
        case "client-id-not-allowed":
          return `refuses it: its client id is ${row.clientIdPattern === null ? "empty or too long" : `empty, too long, or does not match ${row.clientIdPattern}`}`;
      }
      return `reads CONNECT, of MQTT ${row.versions.join(", ")}, within ${formatDuration(row.timeoutMs)} and ${row.maxSize} bytes`;
    case "mqttAuth": {
      const { username } = known.connect;
      const asks = `asks for the user name and the password of one of ${count(row.users.count, "user")}`;
      if (username === undefined) return asks;
      if (username !== null)
        return hasUser(rows, row.users, username)
          ? "asks for the password: there is a user of this name"
          : "refuses it: there is no user of this name, or its line cannot be used";
      const ways = [
        ...(row.allowAnonymous ? ["without credentials"] : []),
        ...(row.certificateIsEnough && known.certificate !== null ? ["with a verified certificate"] : []),
      ];
      return ways.length === 0 ? `refuses it: it ${asks}` : `lets it pass ${ways.join(" and ")}`;
    }
    case "mqttIdentity":
      return foreseeIdentity(row, known).says;
    case "inFlightConn":
      if (row.amount === 0) return "refuses everybody: its amount is 0";
      return `lets at most ${row.amount} connections of ${keyOf(row)} pass at a time`;
    case "bandwidth": {
      const limits = [
        ...(row.in === null ? [] : [`takes ${row.in} bytes a second from it`]),
        ...(row.out === null ? [] : [`gives it ${row.out} bytes a second`]),
      ];
      return limits.join(" and ");
    }
    case "rateLimit": {
      const per = row.periodMs === 1000 ? "a second" : `per ${formatDuration(row.periodMs)}`;
      return `lets ${count(row.average, "connection")} of ${keyOf(row)} pass ${per}, and ${row.burst} at once`;
    }
  }
}

/** Whom a middleware counts as one. */
function keyOf({ key, ipv4Prefix, ipv6Prefix }: KeyRow): string {
  const bits = [ipv4Prefix === 32 ? "" : `/${ipv4Prefix} of IPv4`, ipv6Prefix === 128 ? "" : `/${ipv6Prefix} of IPv6`]
    .filter((each) => each !== "")
    .join(", ");
  return `${KEYS[key]}${key === "clientIP" && bits !== "" ? ` (${bits})` : ""}`;
}

const KEYS = {
  clientIP: "one address",
  clientId: "one client id",
  username: "one user name",
  certificate: "one certificate",
  sni: "one server name",
} as const satisfies Readonly<Record<KeyRow["key"], string>>;
