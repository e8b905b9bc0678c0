// What would become of a client. Every decision is asked of the code that workers decide by, with the rows that they would get; here
// it is only described, together with the routers that were not chosen.

import { isIP } from "node:net";
import type { RE2JS } from "re2js";
import type { Compiled } from "../compile/compile.ts";
import type { Merged } from "../compile/merge.ts";
import { type Diagnostic, type Diagnostics, formatDiagnostic, type Subject } from "../config/diagnostics.ts";
import type { EntryPointConfig } from "../config/entry-points.ts";
import type { MiddlewareReject } from "../middlewares/middleware.ts";
import { type Decision, decidePlain, decideTls, isPlainOnly } from "../proxy/decide.ts";
import type { Reason } from "../proxy/reasons.ts";
import type { RoutingTables } from "../proxy/tables.ts";
import type { Facts } from "../rules/ast.ts";
import { formatAddress, judge, type Unknown } from "../rules/explain.ts";
import { networksOf, type Region, regionsOf } from "../rules/regions.ts";
import { ruleNames } from "../rules/table.ts";
import { didYouMean } from "../text/spelling.ts";
import { certificateChoices, tlsFacts } from "./certificates.ts";
import type { Client } from "./client.ts";
import {
  type CertificateChoice,
  type ExpectedResult,
  type Explanation,
  MAX_SHOWN,
  type ServiceFacts,
  type TlsFacts,
} from "./explanation.ts";
import { middlewareFacts, networksOfMiddlewares, rejectOf } from "./middlewares.ts";
import { type Router, RouterReport } from "./routers.ts";
import { serviceFacts, tablesOf } from "./services.ts";

/** Networks among which the address of an unknown client may lie. */
const MAX_NETWORKS = 500;

export class Explainer {
  readonly #compiled: Compiled;
  readonly #merged: Merged;
  readonly #diagnostics: Diagnostics;
  /** By what they are about. */
  #errors: Map<string, Diagnostic[]> | null = null;
  readonly #tables: RoutingTables;
  readonly #regexps = new Map<string, RE2JS>();
  readonly #report: RouterReport;
  /** Routers in the order in which they are asked, by entry point and kind. */
  readonly #ordered = new Map<string, readonly Router[]>();

  constructor(compiled: Compiled, merged: Merged, diagnostics: Diagnostics) {
    this.#compiled = compiled;
    this.#merged = merged;
    this.#diagnostics = diagnostics;
    this.#report = new RouterReport(merged, this.#regexps);
    this.#tables = tablesOf([...compiled.rows.values()]);
  }

  /**
   * One explanation; several where it depends on the address of a client that comes from nobody knows where.
   * @throws Error with a line for the operator, when there are too many networks to answer for each.
   */
  explain(point: EntryPointConfig, client: Client): Explanation[] {
    if (client.from !== null) return [this.#case(point, client, client.from, [formatAddress(client.from)], {})];
    // A client that a balancer speaks for comes by whatever protocol the balancer was reached by.
    const host = point.proxyProtocol === null ? point.host : "";
    const regions = regionsOf(this.#networks(point, client)).filter(({ family }) => mayComeBy(family, host));
    const byRouter = Map.groupBy(regions, ({ address }) => {
      const router = this.#decide(point, client, address)?.route?.router ?? "(none)";
      return `${router} ${rejectOf(this.#compiled.rows, this.#middlewaresOf(router), address)}`;
    });
    if (byRouter.size === 1) return [this.#case(point, client, regions[0]!.address, ["anywhere"], { address: true })];
    return [...byRouter.values()].map((same) => this.#case(point, client, same[0]!.address, labelsOf(same, host), {}));
  }

  /** The networks that matter: of rules that depend on the address, up to the first that is true for any. */
  #networks(point: EntryPointConfig, client: Client): Set<string> {
    const networks = new Set<string>();
    const facts = this.#facts(point, client, null);
    for (const { rule, value: router } of this.#routers(point, client)) {
      const { value } = judge(rule, facts, { address: true }, this.#regexps);
      if (value === "depends") networksOf(rule, networks);
      if (value !== "false") networksOfMiddlewares(this.#compiled.rows, router.row.middlewares, networks);
      if (networks.size > MAX_NETWORKS)
        throw new Error(
          `the rules tell more than ${MAX_NETWORKS} networks apart: give the client's address with --from`,
        );
      if (value === "true") break;
    }
    return networks;
  }

  /** null: no router is asked. */
  #decide(point: EntryPointConfig, client: Client, address: Uint8Array): Decision | null {
    const facts = this.#facts(point, client, address);
    if (this.#isPlain(point, client)) return decidePlain(this.#tables, point.name, facts);
    return !client.tls || client.alpn.includes(ACME) ? null : decideTls(this.#tables, point.name, facts);
  }

  /** Whether it goes to plain routers: because it speaks plain MQTT, or because nobody looks. */
  #isPlain(point: EntryPointConfig, client: Client): boolean {
    const routes = this.#tables.routes(point.name);
    return isPlainOnly(routes) || (!client.tls && routes.plain.size > 0);
  }

  #facts(point: EntryPointConfig, client: Client, address: Uint8Array | null): Facts {
    const { sni, alpn } = this.#isPlain(point, client) ? { sni: "", alpn: [] } : client;
    return { sni, alpn, address, mqtt: null };
  }

  /** The routers that such a client is compared with. */
  #routers(point: EntryPointConfig, client: Client): readonly Router[] {
    const kind = this.#isPlain(point, client) ? "plain" : "tls";
    const key = `${kind} ${point.name}`;
    let ordered = this.#ordered.get(key);
    if (ordered === undefined) {
      ordered = this.#tables.routes(point.name)[kind].ordered();
      this.#ordered.set(key, ordered);
    }
    return ordered;
  }

  #case(
    point: EntryPointConfig,
    client: Client,
    address: Uint8Array,
    from: readonly string[],
    unknown: Unknown,
  ): Explanation {
    const plain = this.#isPlain(point, client);
    const decision = this.#decide(point, client, address);
    const notes = [...client.notes];
    if (plain && client.tls)
      notes.push(`all routers of ${point.name} are plain: TLS is not looked at, and goes to the server as it comes`);
    const routers = decision === null ? [] : this.#routers(point, client);
    const name = decision?.route?.router;
    const at = name === undefined ? routers.length : routers.findIndex((each) => each.name === name);
    const winner = routers[at] ?? null;
    const termination = decision?.kind === "terminate" ? decision.termination : null;
    const tls = termination === null ? null : tlsFacts(termination, client, this.#merged);
    const { certificates: store } = this.#tables;
    const certificates =
      termination === null ? [] : certificateChoices(this.#compiled, store, point, client, termination, notes);
    const asked = winner === null || decision?.kind === "refuse" ? [] : winner.value.row.middlewares;
    const reject = rejectOf(this.#compiled.rows, asked, address);
    const service =
      winner === null || decision?.kind === "refuse"
        ? null
        : serviceFacts(this.#compiled.rows, this.#merged, winner.value.row.service);
    const facts = this.#facts(point, client, address);
    return {
      entryPoint: { name: point.name, address: point.address, proxyProtocol: point.proxyProtocol },
      client: { tls: client.tls, sni: client.sni || null, alpn: client.alpn, from, to: client.to },
      verdict: this.#verdict(point, client, decision, reject, certificates, tls, service, notes),
      router: winner === null ? null : this.#report.facts(winner),
      middlewares: middlewareFacts(this.#compiled.rows, this.#merged, asked, address),
      tls,
      certificates,
      service,
      before: this.#report.before(routers.slice(0, at), facts, unknown),
      after: this.#report.after(winner, routers.slice(at + 1), facts, unknown),
      others: this.#others(point, plain || !client.tls ? "plain" : "tls"),
      notes,
    };
  }

  #verdict(
    point: EntryPointConfig,
    client: Client,
    decision: Decision | null,
    reject: MiddlewareReject | null,
    certificates: readonly CertificateChoice[],
    tls: TlsFacts | null,
    service: ServiceFacts | null,
    notes: string[],
  ): ExpectedResult {
    const refuse = (reason: Reason, sees: string, problems: readonly string[] = []): ExpectedResult => {
      return { served: false, action: "refuse", reason, sees, problems };
    };
    if (decision === null) {
      if (!client.tls) return refuse("plain-mqtt", CLOSED);
      notes.push("while a challenge for the name is under way it is answered; no router is ever asked for acme-tls/1");
      return refuse("acme-challenge", UNRECOGNIZED);
    }
    if (decision.kind === "refuse") {
      const { reason, route } = decision;
      if (reason === "unknown-sni") {
        const names = new Set(this.#routers(point, client).flatMap(({ rule }) => ruleNames(rule)));
        const meant = didYouMean(client.sni, names);
        if (meant !== null) notes.push(`did you mean ${meant}?`);
      }
      const problems = route === null ? [] : this.#problemsOf(route.router);
      return refuse(reason, this.#isPlain(point, client) ? CLOSED : UNRECOGNIZED, problems);
    }
    if (reject !== null) return refuse(reject, this.#isPlain(point, client) ? CLOSED : DENIED);
    if (tls !== null) {
      if (certificates.length === 0) return refuse("no-certificate", UNRECOGNIZED);
      if (tls.alpn.protocols !== null && client.alpn.length > 0 && tls.alpn.answer === null)
        return refuse("handshake-failed", "the TLS alert no_application_protocol (120)");
    }
    if (service!.order.total === 0)
      return refuse("no-server", tls === null ? CLOSED : "a TLS handshake, and then the end of the connection");
    return { served: true, action: decision.kind, reason: null, sees: null, problems: [] };
  }

  #middlewaresOf(router: string): readonly string[] {
    const row = this.#compiled.rows.get(`router/${router}`);
    return row?.kind === "router" ? row.value.middlewares : [];
  }

  /** The diagnostics that turned a router off, those of the service or the options that they blame, and what these blame in turn. */
  #problemsOf(router: string): string[] {
    const lines = new Set<string>();
    const seen = new Set<string>();
    const add = (subject: Subject): void => {
      const key = keyOf(subject);
      if (seen.has(key) || lines.size >= MAX_SHOWN) return;
      seen.add(key);
      const own = this.#errorsAbout(key);
      for (const each of own) lines.add(formatDiagnostic(each));
      for (const { because } of own) if (because !== null) add(because);
    };
    add({ kind: "router", name: router });
    // Only so many diagnostics are kept.
    return lines.size === 0 ? ["see sluice check"] : [...lines].slice(0, MAX_SHOWN);
  }

  #errorsAbout(key: string): readonly Diagnostic[] {
    this.#errors ??= Map.groupBy(
      this.#diagnostics.list.filter(({ severity }) => severity === "error"),
      ({ about }) => (about === null ? "" : keyOf(about)),
    );
    return this.#errors.get(key) ?? [];
  }

  #others(point: EntryPointConfig, kind: "plain" | "tls"): Explanation["others"] {
    const { plain, tls } = this.#tables.routes(point.name);
    return {
      otherEntryPoints: this.#compiled.routers.length - plain.size - tls.size,
      otherKind: kind === "plain" ? tls.size : plain.size,
    };
  }
}

function keyOf({ kind, name }: Subject): string {
  return `${kind} ${name}`;
}

const ACME = "acme-tls/1";
const UNRECOGNIZED = "the TLS alert unrecognized_name (112), before any certificate";
const DENIED = "the TLS alert access_denied (49), before any certificate";
const CLOSED = "the connection is closed without an answer";

/** Clients come to an address by its own protocol, and to "" and "::" by both. */
function mayComeBy(family: 4 | 6, host: string): boolean {
  const own = isIP(host);
  return own === 0 || host === "::" || own === family;
}

function labelsOf(regions: readonly Region[], host: string): string[] {
  const networks = regions.flatMap(({ network }) => (network === null ? [] : [network]));
  const rest = regions.filter(({ network }) => network === null);
  if (rest.length === 2 || (rest.length === 1 && isIP(host) !== 0 && host !== "::"))
    return [...networks, "anywhere else"];
  return [...networks, ...rest.map(({ family }) => `other IPv${family}`)];
}
