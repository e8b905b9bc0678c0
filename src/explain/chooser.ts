// By what a client's server is chosen, as far as it is known; and in words, how a load balancer chooses for it.

import { fingerprintOf } from "../certs/client-identity.ts";
import type { Row } from "../protocol/messages.ts";
import type { Balancing, Chooser, ClientKey } from "../upstream/service.ts";
import { foreseeIdentity, type Known } from "./identity.ts";

/** What the server would see of a client; null: that is not known. */
export type Foreseen = { readonly [key in keyof Chooser]: string | null };

/** Characters of a key that are shown. */
const MAX_SHOWN = 80;

/** `middlewares` are those of the router: they may tell the server another client id and user name. */
export function chooserOf(rows: ReadonlyMap<string, Row>, middlewares: readonly string[], known: Known): Foreseen {
  const { connect, certificate } = known;
  let clientId = connect.clientId ?? null;
  let username = connect.username === undefined ? null : (connect.username ?? "");
  for (const name of middlewares) {
    const row = rows.get(`middleware/${name}`);
    if (row?.kind !== "middleware" || row.value.kind !== "mqttIdentity") continue;
    const { told } = foreseeIdentity(row.value, known);
    if (told.clientId !== undefined) clientId = told.clientId;
    if (told.username !== undefined) username = told.username;
  }
  return {
    clientAddress: known.address ?? null,
    sni: known.sni,
    clientId,
    username,
    certificate: certificate === undefined ? null : certificate === null ? "" : fingerprintOf(certificate),
  };
}

/** As a load balancer is asked: what is not known is as what is not there. */
export function known(foreseen: Foreseen): Chooser {
  return {
    clientAddress: foreseen.clientAddress ?? "",
    sni: foreseen.sni ?? "",
    clientId: foreseen.clientId ?? "",
    username: foreseen.username ?? "",
    certificate: foreseen.certificate ?? "",
  };
}

const NAMES: Readonly<Record<ClientKey, { readonly name: string; readonly option: string }>> = {
  clientId: { name: "client id", option: "--clientId" },
  username: { name: "user name", option: "--username" },
  clientIP: { name: "address", option: "--from" },
  sni: { name: "SNI", option: "--sni" },
  certificate: { name: "certificate", option: "--cert" },
};

/** What is not said, because it is what everybody expects. */
export const IN_TURN = "in turn, by weight";

const WAYS = {
  wrr: IN_TURN,
  leastconn: "by its connections: the fewest for its weight, of all workers",
  p2c: "by chance and by its connections: of two drawn by weight the one with fewer, of all workers",
} as const;

/** How a load balancer chooses for such a client. */
export function saysOf({ strategy = "wrr", hashKey = "clientId", sticky }: Balancing, foreseen: Foreseen): string {
  const way = strategy === "hrw" ? hashed(hashKey, foreseen) : WAYS[strategy];
  return sticky === undefined ? way : `as last time for its ${NAMES[sticky.key].name}; for a new client ${way}`;
}

function hashed(key: ClientKey, foreseen: Foreseen): string {
  const { name, option } = NAMES[key];
  const value = foreseen[key === "clientIP" ? "clientAddress" : key];
  if (value === null)
    return `by a hash of its ${name}, which is not known here (${option}); one without goes in turn, as it is shown`;
  if (value === "") return `in turn, because it has no ${name} for hrw`;
  const shown = value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}...` : value;
  return `by a hash of its ${name} ${JSON.stringify(shown)}: always in the order that is shown, in every worker`;
}
