// mqttIdentity, asked about a client of which some things are known and others are not: what is known is asked of the code that workers
// ask, and the rest is described.

import { MqttIdentity, type MqttIdentityRow, type Requirement } from "../middlewares/mqtt-identity.ts";
import type { Connect } from "../mqtt/connect.ts";
import { formatTemplate, type Placeholder, placeholdersOf, type Template } from "../mqtt/template.ts";
import type { MqttFacts } from "../rules/ast.ts";

/** What is known of a client; undefined: not known. */
export interface Known {
  readonly sni: string;
  readonly address: string | undefined;
  readonly connect: Partial<MqttFacts>;
  /** In DER, where it counts for Sluice; null: it shows none, or one that is not verified. */
  readonly certificate: Buffer | null | undefined;
}

export interface ForeseenIdentity {
  readonly reject: Extract<ReturnType<MqttIdentity["identify"]>, { kind: "refuse" }> | null;
  readonly says: string;
  /** What the server is told; null: that is not known. What is left out is as the client says it. */
  readonly told: { readonly clientId?: string | null; readonly username?: string | null };
}

export function foreseeIdentity(row: MqttIdentityRow, known: Known): ForeseenIdentity {
  const isKnown = (template: Template) => placeholdersOf(template).every((each) => knows(known, each));
  const holds = (each: Requirement) => isKnown(each.value) && ("matches" in each || isKnown(each.equals));
  const { username, clientId, password, require } = row;
  const names = { username: username !== null && isKnown(username), clientId: clientId !== null && isKnown(clientId) };
  const canPassword =
    password.kind === "template"
      ? isKnown(password.template)
      : // Whether it can be sent depends on a user name.
        username !== null || known.connect.username !== undefined;
  const identified = new MqttIdentity({
    kind: "mqttIdentity",
    username: names.username ? username : null,
    clientId: names.clientId ? clientId : null,
    password: canPassword && (username === null || names.username) ? password : { kind: "keep" },
    require: require.filter(holds),
  }).identify(clientOf(known));
  if (identified.kind === "refuse") return { reject: identified, says: `refuses it: ${identified.why}`, told: {} };
  const { changes } = identified;
  const told = (template: Template, made: string | null | undefined) =>
    made == null ? formatTemplate(template) : JSON.stringify(made);
  const parts = [
    ...(username === null ? [] : [`user name ${told(username, changes.username)}`]),
    ...(clientId === null ? [] : [`client id ${told(clientId, changes.clientId)}`]),
    ...(password.kind === "keep" ? [] : [password.kind === "strip" ? "no password" : "another password"]),
  ];
  const required = require.map((each) => `${describe(each)}${holds(each) ? ", as it does" : ""}`);
  const says = [
    ...(required.length === 0 ? [] : [`requires that ${required.join(" and that ")}`]),
    ...(parts.length === 0 ? [] : [`tells the server ${parts.join(", ")}`]),
  ];
  return {
    reject: null,
    says: says.join("; "),
    told: {
      ...(clientId !== null && { clientId: names.clientId ? (changes.clientId ?? null) : null }),
      ...(username !== null && { username: names.username ? (changes.username ?? null) : null }),
    },
  };
}

function describe(requirement: Requirement): string {
  const wanted =
    "equals" in requirement ? `equals ${formatTemplate(requirement.equals)}` : `matches ${requirement.matches}`;
  return `${formatTemplate(requirement.value)} ${wanted}`;
}

function knows({ address, connect, certificate }: Known, placeholder: Placeholder): boolean {
  switch (placeholder) {
    case "sni":
      return true;
    case "client.ip":
      return address !== undefined;
    case "mqtt.clientId":
      return connect.clientId !== undefined;
    case "mqtt.username":
      return connect.username !== undefined;
    default:
      return certificate !== undefined;
  }
}

/** With a CONNECT that has what is known of the client's; only what is known is asked for. */
function clientOf({ sni, address = "", connect, certificate = null }: Known): Parameters<MqttIdentity["identify"]>[0] {
  const { clientId = "", username = null, version = "5" } = connect;
  const sent: Connect = {
    ...{ packet: Buffer.alloc(0), bridge: false, clean: true, keepAlive: 0, password: null, will: null },
    ...{ maximumPacketSize: null, sessionExpiry: 0, authenticationMethod: null },
    ...{ version, clientId, username },
  };
  return { clientAddress: address, sni, connect: sent, clientCertificate: certificate };
}
