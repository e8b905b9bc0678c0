// What works, and will hardly be what the operator of a router means.

import { isIP } from "node:net";
import type { Diagnostics, Place, Subject } from "../config/diagnostics.ts";
import { bareName } from "../config/names.ts";
import type { MiddlewareRow } from "../middlewares/row.ts";
import { placeholdersOf, type Template } from "../mqtt/template.ts";
import { isOpen } from "./open-server.ts";
import type { RouterDraft, RoutersInput } from "./router-draft.ts";
import { serversOf } from "./service-graph.ts";

type Router = Omit<RouterDraft, "off">;

const HTTPS = 443;

/** `used`: the entry points that routers are on. */
export function warnUnused(used: ReadonlySet<string>, input: RoutersInput, diagnostics: Diagnostics): void {
  const { routers, entryPoints, resolvers, staticAt } = input;
  if (staticAt === null) return;
  if (routers.size === 0)
    diagnostics.warn("routers-missing", staticAt("providers"), "there is no router: every connection is refused");
  const serving = [...entryPoints.values()].filter((point) => !point.admin);
  const answersChallenges = [...resolvers.values()].some((each) => each.tlsChallenge);
  // An authority comes to 443; where nothing listens there, to whichever entry point 443 leads to.
  const hasHttps = serving.some((point) => point.port === HTTPS);
  for (const { name, address, port } of serving) {
    if (used.has(name) || (answersChallenges && (port === HTTPS || !hasHttps))) continue;
    diagnostics.warn(
      "entry-point-unused",
      staticAt("entryPoints", name),
      `no router uses the entry point "${name}": every connection to ${address} is refused. Add a router for it, or remove it`,
      { kind: "entryPoint", name },
    );
  }
}

/** RFC 6066, 3: "Literal IPv4 and IPv6 addresses are not permitted" in a server name. OpenSSL sends what it is told, and mosquitto_pub tells. */
export function warnAddresses(
  about: Subject,
  names: readonly string[],
  place: () => Place,
  diagnostics: Diagnostics,
): void {
  const address = names.find((each) => isIP(each) !== 0);
  if (address === undefined) return;
  diagnostics.warn(
    "rule-of-address",
    place,
    `the router "${bareName(about.name)}": ${address} is an address, and clients that dial an address ask for no name (RFC 6066), except a few such as mosquitto_pub: use HostSNI(\`*\`) for them`,
    about,
  );
}

/** What is odd about a router that is sound. */
export function warnOddities(draft: Router, input: RoutersInput, diagnostics: Diagnostics): void {
  const { action, service } = draft;
  if (action.kind === "passthrough" && service !== null) warnPlainPassthrough(draft, service, input, diagnostics);
  if (service !== null) warnBypass(draft, service, input, diagnostics);
  warnNoCertificate(draft, input, diagnostics);
  warnUnproven(draft, input, diagnostics);
}

/** A user name that is made of nothing but what a client says of itself, and that nothing holds to what it has shown. */
function warnUnproven({ middlewares, fullName, item }: Router, input: RoutersInput, diagnostics: Diagnostics): void {
  const rows = middlewares.map((name) => input.middlewares.get(name) ?? null);
  const at = rows.findLastIndex((row) => row?.kind === "mqttIdentity" && row.username !== null);
  const row = rows[at];
  if (row?.kind !== "mqttIdentity" || row.username === null) return;
  const told = placeholdersOf(row.username);
  const own = told.find((each) => each === "mqtt.clientId" || each === "mqtt.username");
  if (own === undefined || !told.every((each) => each.startsWith("mqtt.") && !isProven(each, rows))) return;
  diagnostics.warn(
    "identity-unproven",
    () => item.at("middlewares"),
    `the router "${bareName(fullName)}" tells its server {${own}} for the user name, by its middleware "${bareName(middlewares[at]!)}", and clients may send any: add a require that holds it to what they have shown${own === "mqtt.username" ? ", or mqttAuth" : ""}`,
    { kind: "router", name: fullName },
  );
}

/** Whether a password or a requirement holds what a client says to something. */
function isProven(own: string, rows: readonly (MiddlewareRow | null)[]): boolean {
  const names = (template: Template) => (placeholdersOf(template) as string[]).includes(own);
  return rows.some((row) => {
    if (row?.kind === "mqttAuth") return own === "mqtt.username";
    if (row?.kind !== "mqttIdentity") return false;
    return row.require.some((each) => names(each.value) || ("equals" in each && names(each.equals)));
  });
}

/** Where no certificate is verified, certificateIsEnough is for nobody. */
function warnNoCertificate(
  { action, middlewares, fullName, item }: Router,
  input: RoutersInput,
  diagnostics: Diagnostics,
): void {
  if (action.kind !== "plain" && (action.kind !== "terminate" || input.verifying.has(action.options))) return;
  const name = middlewares.find((each) => {
    const row = input.middlewares.get(each);
    return row?.kind === "mqttAuth" && row.certificateIsEnough;
  });
  if (name === undefined) return;
  const why =
    action.kind === "plain"
      ? "it has no TLS"
      : "its TLS options do not verify clients' certificates: give them clientAuth with caFiles";
  diagnostics.warn(
    "auth-without-certificates",
    () => item.at("middlewares"),
    `the router "${bareName(fullName)}" lets nobody in for a certificate, as its middleware "${bareName(name)}" says: ${why}`,
    { kind: "router", name: fullName },
  );
}

/** A broker believes the user name that Sluice gives it, and so that of anyone else who reaches it. */
function warnBypass(
  { middlewares, fullName, item }: Router,
  service: string,
  input: RoutersInput,
  diagnostics: Diagnostics,
): void {
  const rows = middlewares.map((name) => input.middlewares.get(name));
  const names = rows.some((row) => row?.kind === "mqttIdentity" && row.username !== null);
  const strips = rows.some((row) => row?.kind === "mqttAuth" && row.stripPassword);
  if (!names && !strips) return;
  const open = serversOf(input.services, service).find(isOpen);
  if (open === undefined) return;
  const does = names
    ? `tells ${open.address} who its clients are`
    : `keeps its clients' passwords from ${open.address}`;
  diagnostics.warn(
    "identity-bypass",
    () => item.at("service"),
    `the router "${bareName(fullName)}" ${does}, and that server seems to be reached over a public network without TLS: whoever reaches it can say any user name. Let it listen for Sluice alone, or dial it by TLS`,
    { kind: "router", name: fullName },
  );
}

/** TLS that is passed through to the plain port cannot work: the broker would read a ClientHello as MQTT. */
function warnPlainPassthrough(
  { fullName, item }: Router,
  service: string,
  input: RoutersInput,
  diagnostics: Diagnostics,
): void {
  const plain = serversOf(input.services, service).find((server) => server.port === 1883 && !server.tls);
  if (plain === undefined) return;
  diagnostics.warn(
    "passthrough-to-plain",
    () => item.at("tls", "passthrough"),
    `the router "${bareName(fullName)}" passes TLS through to ${plain.address}, and 1883 is the port of plain MQTT: no client can connect. Drop "passthrough: true" to terminate TLS here`,
    { kind: "router", name: fullName },
  );
}
