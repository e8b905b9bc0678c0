// What the middlewares of a router make of a client: those that go by its address are asked, the others are described.

import type { Merged } from "../compile/merge.ts";
import { formatDuration } from "../config/scalars.ts";
import { IpAllowList } from "../middlewares/ip-allow-list.ts";
import type { MiddlewareReject } from "../middlewares/middleware.ts";
import type { MiddlewareRow } from "../middlewares/row.ts";
import { formatTemplate } from "../mqtt/template.ts";
import { partOf, readPart, type Users } from "../mqtt/user-parts.ts";
import type { Row } from "../protocol/messages.ts";
import { formatAddress } from "../rules/explain.ts";
import { count } from "../text/words.ts";
import type { Client } from "./client.ts";
import type { MiddlewareFacts } from "./explanation.ts";
import { placeOf } from "./places.ts";

type Rows = ReadonlyMap<string, Row>;

/** The networks that middlewares tell apart. */
export function networksOfMiddlewares(rows: Rows, names: readonly string[], into: Set<string>): void {
  for (const name of names) {
    const row = rowOf(rows, name);
    if (row?.kind === "ipAllowList") for (const network of row.sourceRange) into.add(network);
  }
}

/** Why the first of them refuses a client from there, whoever else is connected; null if none does. */
export function rejectOf(rows: Rows, names: readonly string[], address: Uint8Array): MiddlewareReject | null {
  for (const name of names) {
    const row = rowOf(rows, name);
    if (row?.kind === "ipAllowList" && !allows(row, address)) return "address-not-allowed";
    if (row?.kind === "inFlightConn" && row.amount === 0) return "too-many-connections";
  }
  return null;
}

/** Why the first of them refuses a client that sends this CONNECT, whatever its password is; null if none does, or too little is known. */
export function connectRejectOf(
  rows: Rows,
  names: readonly string[],
  { username }: Client["connect"],
): MiddlewareReject | null {
  if (username === undefined) return null;
  for (const name of names) {
    const row = rowOf(rows, name);
    if (row?.kind !== "mqttAuth") continue;
    if (username !== null && !hasUser(rows, row.users, username)) return "bad-credentials";
    if (username === null && !row.allowAnonymous && !row.certificateIsEnough) return "no-credentials";
  }
  return null;
}

export function middlewareFacts(
  rows: Rows,
  merged: Merged,
  names: readonly string[],
  address: Uint8Array,
  connect: Client["connect"],
): MiddlewareFacts[] {
  return names.flatMap((name) => {
    const row = rowOf(rows, name);
    if (row === null) return [];
    return [
      {
        name,
        kind: row.kind,
        place: placeOf(merged.middlewares.get(name)?.at()),
        says: saysOf(rows, row, address, connect),
      },
    ];
  });
}

function rowOf(rows: Rows, name: string): MiddlewareRow | null {
  const row = rows.get(`middleware/${name}`);
  return row?.kind === "middleware" ? row.value : null;
}

function allows({ sourceRange }: Extract<MiddlewareRow, { kind: "ipAllowList" }>, address: Uint8Array): boolean {
  const client = {
    clientAddress: formatAddress(address),
    sni: "",
    clientSubject: "",
    connect: null,
    clientCertificate: null,
  };
  return new IpAllowList(sourceRange).judge(client).kind === "pass";
}

function hasUser(rows: Rows, { parts }: Users, username: string): boolean {
  const part = rows.get(`users/${parts[partOf(username, parts.length)]}`);
  return part?.kind === "users" && readPart(part.value.text).has(username);
}

/** Networks that are shown. */
const MAX_NETWORKS = 5;

function saysOf(rows: Rows, row: MiddlewareRow, address: Uint8Array, { username }: Client["connect"]): string {
  switch (row.kind) {
    case "ipAllowList": {
      const { sourceRange } = row;
      const more = sourceRange.length > MAX_NETWORKS ? `, ... (${sourceRange.length} in all)` : "";
      return `${allows(row, address) ? "lets it pass" : "refuses it"}: ${sourceRange.slice(0, MAX_NETWORKS).join(", ")}${more}`;
    }
    case "mqttConnect":
      return `reads CONNECT, of MQTT ${row.versions.join(", ")}, within ${formatDuration(row.timeoutMs)} and ${row.maxSize} bytes`;
    case "mqttAuth": {
      const asks = `asks for the user name and the password of one of ${count(row.users.count, "user")}`;
      if (username === undefined) return asks;
      if (username !== null)
        return hasUser(rows, row.users, username)
          ? "asks for the password: there is a user of this name"
          : "refuses it: there is no user of this name, or its line cannot be used";
      const ways = [
        ...(row.allowAnonymous ? ["without credentials"] : []),
        ...(row.certificateIsEnough ? ["with a verified certificate"] : []),
      ];
      return ways.length === 0 ? `refuses it: it ${asks}` : `lets it pass ${ways.join(" and ")}`;
    }
    case "mqttIdentity":
      return identityOf(row);
    case "inFlightConn":
      if (row.amount === 0) return "refuses everybody: its amount is 0";
      return `lets at most ${row.amount} connections of one address pass at a time, in each worker`;
  }
}

function identityOf({
  username,
  clientId,
  password,
  require,
}: Extract<MiddlewareRow, { kind: "mqttIdentity" }>): string {
  const told = [
    ...(username === null ? [] : [`user name ${formatTemplate(username)}`]),
    ...(clientId === null ? [] : [`client id ${formatTemplate(clientId)}`]),
    ...(password.kind === "keep" ? [] : [password.kind === "strip" ? "no password" : "another password"]),
  ];
  const required = require.map(
    (each) =>
      `${formatTemplate(each.value)} ${"equals" in each ? `equals ${formatTemplate(each.equals)}` : `matches ${each.matches}`}`,
  );
  return [
    ...(required.length === 0 ? [] : [`requires that ${required.join(" and ")}`]),
    ...(told.length === 0 ? [] : [`tells the server ${told.join(", ")}`]),
  ].join("; ");
}
