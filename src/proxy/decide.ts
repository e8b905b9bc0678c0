// Decide: what the rules in force make of a client. Pure, because `sluice explain` asks the same questions without a client.
//
// While the CONNECT is not read (facts.mqtt is null), a decision whose route `asksMqtt` is provisional: the first router that could be
// right, which may be off. One whose route does not is final. With facts.mqtt every decision is final.

import type { CertifiedKey } from "../certs/pem.ts";
import type { Facts } from "../rules/ast.ts";
import type { CertificateStore, SignatureOffer } from "../tls/certificates.ts";
import type { EntryRoutes, Route, RoutingTables, Termination } from "./tables.ts";

export type Refusal = "no-route" | "unknown-sni" | "router-off";

export type Decision =
  | { readonly kind: "refuse"; readonly reason: Refusal; readonly route: Route | null }
  | { readonly kind: "plain" | "passthrough"; readonly route: Route }
  | { readonly kind: "terminate"; readonly route: Route; readonly termination: Termination };

export type Terminating = Extract<Decision, { kind: "terminate" }>;

/** What becomes of a TLS client with these facts. An ACME challenge is not asked about: no route ever gets one. */
export function decideTls(tables: RoutingTables, entryPoint: string, facts: Facts): Decision {
  const { tls } = tables.routes(entryPoint);
  return decideRoute("tls", tls, tables.match(tls, facts), facts);
}

/** What becomes of a client whose TLS, if it has any, is not looked at. */
export function decidePlain(tables: RoutingTables, entryPoint: string, facts: Facts): Decision {
  const { plain } = tables.routes(entryPoint);
  return decideRoute("plain", plain, tables.match(plain, facts), facts);
}

/** What becomes of a client whose route in a table of TLS or plain routers is this. */
export function decideRoute(
  kind: "tls" | "plain",
  table: { knows(sni: string): boolean },
  route: Route | null,
  facts: Facts,
): Decision {
  const { sni } = facts;
  if (route === null) {
    const isKnown = kind === "plain" || sni === "" || table.knows(sni);
    return { kind: "refuse", reason: isKnown ? "no-route" : "unknown-sni", route };
  }
  const off = { kind: "refuse", reason: "router-off", route } as const;
  if (route.action === "off" && !isProvisional(route, facts)) return off;
  if (kind === "plain") return { kind: "plain", route };
  if (route.action === "passthrough") return { kind: "passthrough", route };
  const { termination } = route;
  return termination === null ? off : { kind: "terminate", route, termination };
}

/** Whether only the CONNECT says if the client is one of the route's: then it is read, and decided again with what it says. */
export function isProvisional(route: Route, facts: Pick<Facts, "mqtt">): boolean {
  return route.asksMqtt && facts.mqtt === null;
}

/** Whether a client whose handshake was that of `former` may come in where `decision` lets it: it has shown all that is asked for there. */
export function isServedUnder(former: Terminating, decision: Decision): decision is Terminating {
  return (
    decision.kind === "terminate" &&
    decision.termination.options.handshakeKey === former.termination.options.handshakeKey
  );
}

/** An entry point with only plain routers does not peek: there the server may be the one that speaks first. */
export function isPlainOnly(routes: EntryRoutes): boolean {
  return routes.plain.size > 0 && routes.tls.size === 0;
}

/** The certificate for a client, or null where there is none and sniStrict keeps the default one back. */
export function certificateFor(
  certificates: CertificateStore,
  termination: Termination,
  name: string,
  offer: SignatureOffer,
): CertifiedKey | null {
  const { maxVersion, sniStrict } = termination.options;
  return certificates.find(name, offer, maxVersion) ?? (sniStrict ? null : certificates.fallback);
}

/** The protocols that the handshake may answer, the best first; null: none is answered, and every client is let in. */
export function protocolsFor(termination: Termination, offered: readonly string[]): readonly string[] | null {
  return termination.options.alpn ?? (offered.includes("mqtt") ? MQTT : null);
}

const MQTT: readonly string[] = ["mqtt"];
