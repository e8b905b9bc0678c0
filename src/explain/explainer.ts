// What would become of a client. Every decision is asked of the code that workers decide by, with the rows that they would get; here
// it is only described, together with the routers that were not chosen.

import { isIP } from "node:net";
import type { Compiled } from "../compile/compile.ts";
import type { Merged } from "../compile/merge.ts";
import type { Diagnostics } from "../config/diagnostics.ts";
import type { EntryPointConfig } from "../config/entry-points.ts";
import type { MiddlewareReject } from "../middlewares/middleware.ts";
import { isPlainOnly, isServedUnder } from "../proxy/decide.ts";
import type { Reason } from "../proxy/reasons.ts";
import type { RoutingTables } from "../proxy/tables.ts";
import type { Facts } from "../rules/ast.ts";
import { formatAddress, judge, type Unknown } from "../rules/explain.ts";
import { networksOf, type Region, regionsOf } from "../rules/regions.ts";
import { ruleNames } from "../rules/table.ts";
import type { Re2 } from "../text/re2.ts";
import { didYouMean } from "../text/spelling.ts";
import { certificateChoices, tlsFacts } from "./certificates.ts";
import { chooserOf } from "./chooser.ts";
import type { Client } from "./client.ts";
import type { ExpectedResult, Explanation, ServiceFacts } from "./explanation.ts";
import {
  AFTER_HANDSHAKE,
  CLOSED,
  CONNACK,
  certificateOf,
  DENIED,
  type HandshakeFailure,
  handshakeFailure,
  knownOf,
  UNRECOGNIZED,
} from "./handshake.ts";
import {
  type ConnectReject,
  connectRejectOf,
  middlewareFacts,
  networksOfMiddlewares,
  rejectOf,
} from "./middlewares.ts";
import { factsWith, type Outcome, outcomesOf } from "./outcomes.ts";
import { Problems } from "./problems.ts";
import { type Router, RouterReport } from "./routers.ts";
import { serviceFacts, tablesOf } from "./services.ts";
import type { ServerFinding } from "./watching.ts";

/** Networks among which the address of an unknown client may lie. */
const MAX_NETWORKS = 500;

/** Why a middleware refuses the client, by what its address and by what its CONNECT says. */
interface Rejects {
  readonly address: MiddlewareReject | null;
  readonly connect: ConnectReject | null;
}

export class Explainer {
  readonly #compiled: Compiled;
  readonly #merged: Merged;
  readonly #problems: Problems;
  readonly #tables: RoutingTables;
  readonly #regexps = new Map<string, Re2>();
  readonly #report: RouterReport;
  /** Routers in the order in which they are asked, by entry point and kind. */
  readonly #ordered = new Map<string, readonly Router[]>();

  /** What checks of servers have found, by their keys. */
  #found: ReadonlyMap<string, ServerFinding> = new Map();

  constructor(compiled: Compiled, merged: Merged, diagnostics: Diagnostics) {
    this.#compiled = compiled;
    this.#merged = merged;
    this.#problems = new Problems(diagnostics);
    this.#report = new RouterReport(merged, this.#regexps);
    this.#tables = tablesOf([...compiled.rows.values()]);
  }

  get compiled(): Compiled {
    return this.#compiled;
  }

  /** From now on servers are as these checks have found them. */
  take(found: ReadonlyMap<string, ServerFinding>): void {
    this.#found = found;
  }

  /**
   * One explanation; several where it depends on the address of a client that comes from nobody knows where, or on what is not known of
   * its CONNECT.
   * @throws Error with a line for the operator, when there are too many answers.
   */
  explain(point: EntryPointConfig, client: Client): Explanation[] {
    const cases = (address: Uint8Array, from: readonly string[], unknown: Unknown) =>
      this.#outcomes(point, client, address).map((outcome) =>
        this.#case(point, client, address, from, unknown, outcome),
      );
    if (client.from !== null) return cases(client.from, [formatAddress(client.from)], {});
    // A client that a balancer speaks for comes by whatever protocol the balancer was reached by.
    const host = point.proxyProtocol === null ? point.host : "";
    const regions = regionsOf(this.#networks(point, client)).filter(({ family }) => mayComeBy(family, host));
    const byEnd = Map.groupBy(regions, ({ address }) =>
      this.#outcomes(point, client, address)
        .map((outcome) => {
          const router = outcome?.decision.route?.router ?? "(none)";
          return `${router} ${rejectOf(this.#compiled.rows, this.#middlewaresOf(router), address)}`;
        })
        .join(),
    );
    if (byEnd.size === 1) return cases(regions[0]!.address, ["anywhere"], { address: true });
    return [...byEnd.values()].flatMap((same) => cases(same[0]!.address, labelsOf(same, host), {}));
  }

  /** The networks that matter: of rules that depend on the address, up to the first that is true for any. */
  #networks(point: EntryPointConfig, client: Client): Set<string> {
    const networks = new Set<string>();
    const { facts, unknown } = factsWith(client.connect, this.#facts(point, client, null));
    for (const { rule, value: router } of this.#routers(point, client)) {
      const { value } = judge(rule, facts, { ...unknown, address: true }, this.#regexps);
      if (value === "depends") networksOf(rule, networks);
      if (value !== "false") networksOfMiddlewares(this.#compiled.rows, router.row.middlewares, MAX_NETWORKS, networks);
      if (networks.size > MAX_NETWORKS)
        throw new Error(
          `the rules tell more than ${MAX_NETWORKS} networks apart: give the client's address with --from`,
        );
      if (value === "true") break;
    }
    return networks;
  }

  /** One; several where it depends on what is not known of the CONNECT. null: no router is asked. */
  #outcomes(point: EntryPointConfig, client: Client, address: Uint8Array): readonly (Outcome | null)[] {
    const isPlain = this.#isPlain(point, client);
    if (!isPlain && (!client.tls || client.alpn.includes(ACME))) return [null];
    const kind = isPlain ? "plain" : "tls";
    const facts = this.#facts(point, client, address);
    const table = this.#tables.routes(point.name)[kind];
    return outcomesOf(this.#tables, kind, table, facts, client.connect, this.#regexps);
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
    unknownAddress: Unknown,
    outcome: Outcome | null,
  ): Explanation {
    const plain = this.#isPlain(point, client);
    const decision = outcome?.decision ?? null;
    const provisional = outcome?.provisional ?? null;
    const notes = [...client.notes];
    if (plain && client.tls)
      notes.push(`all routers of ${point.name} are plain: TLS is not looked at, and goes to the server as it comes`);
    const routers = decision === null ? [] : this.#routers(point, client);
    const name = decision?.route?.router;
    const at = name === undefined ? routers.length : routers.findIndex((each) => each.name === name);
    const winner = routers[at] ?? null;
    // Until the CONNECT is read it is served by what the first router says that could be right.
    const served = provisional ?? decision;
    const termination = served?.kind === "terminate" ? served.termination : null;
    const tls = termination === null ? null : tlsFacts(termination, client, this.#merged);
    const { certificates: store } = this.#tables;
    const certificates =
      termination === null ? [] : certificateChoices(this.#compiled, store, point, client, termination, notes);
    const asked = winner === null || decision?.kind === "refuse" ? [] : winner.value.row.middlewares;
    const known = knownOf(client, termination?.options ?? null);
    const rejects: Rejects = {
      address: rejectOf(this.#compiled.rows, asked, address),
      connect: connectRejectOf(this.#compiled.rows, asked, known),
    };
    const failure = tls === null ? null : handshakeFailure(tls, termination!.options, certificates, client);
    const service =
      winner === null || decision?.kind === "refuse"
        ? null
        : serviceFacts(
            this.#compiled.rows,
            this.#merged,
            winner.value.row.service,
            chooserOf(this.#compiled.rows, asked, known),
            { checks: this.#compiled.checks, found: this.#found },
          );
    const full = factsWith(client.connect, this.#facts(point, client, address));
    const { facts } = full;
    const unknown = { ...full.unknown, ...unknownAddress };
    return {
      entryPoint: {
        name: point.name,
        address: point.address,
        proxyProtocol: point.proxyProtocol,
        admission: point.admission,
      },
      client: {
        tls: client.tls,
        sni: client.sni || null,
        alpn: client.alpn,
        from,
        to: client.to,
        certificate: certificateOf(client),
        connect: client.connect,
      },
      verdict: this.#verdict(point, client, outcome, rejects, failure, service, notes),
      router: winner === null ? null : this.#report.facts(winner),
      connect: this.#connectFacts(routers, outcome),
      middlewares: middlewareFacts(this.#compiled.rows, this.#merged, asked, address, known),
      tls,
      certificates,
      service,
      before: this.#report.before(routers.slice(0, at), facts, unknown),
      after: this.#report.after(winner, routers.slice(at + 1), facts, unknown),
      others: this.#others(point, plain || !client.tls ? "plain" : "tls"),
      notes,
    };
  }

  /** null: the CONNECT has nothing to do with which router it is. */
  #connectFacts(routers: readonly Router[], outcome: Outcome | null): Explanation["connect"] {
    const name = outcome?.provisional?.route?.router;
    const first = routers.find((each) => each.name === name);
    if (outcome === null || first === undefined) return null;
    const { when, unless } = outcome;
    return { provisional: this.#report.facts(first), when, unless };
  }

  #verdict(
    point: EntryPointConfig,
    client: Client,
    outcome: Outcome | null,
    rejects: Rejects,
    failure: HandshakeFailure | null,
    service: ServiceFacts | null,
    notes: string[],
  ): ExpectedResult {
    const refuse = (reason: Reason, sees: string, problems: readonly string[] = []): ExpectedResult => {
      return { served: false, action: "refuse", reason, sees, problems };
    };
    if (outcome === null) {
      if (!client.tls) return refuse("plain-mqtt", CLOSED);
      notes.push("while a challenge for the name is under way it is answered; no router is ever asked for acme-tls/1");
      return refuse("acme-challenge", UNRECOGNIZED);
    }
    const { decision, provisional } = outcome;
    // What comes first when the CONNECT decides: TLS is set up before it.
    if (provisional !== null && failure !== null) return refuse(...failure);
    const isPlain = this.#isPlain(point, client);
    const told = (before: string) => (provisional !== null ? CONNACK : isPlain ? CLOSED : before);
    if (decision.kind === "refuse") {
      const { reason, route } = decision;
      if (reason === "unknown-sni") {
        const names = new Set(this.#routers(point, client).flatMap(({ rule }) => ruleNames(rule)));
        const meant = didYouMean(client.sni, names);
        if (meant !== null) notes.push(`did you mean ${meant}?`);
      }
      const problems = route === null ? [] : this.#problems.of(route.router);
      return refuse(reason, told(UNRECOGNIZED), problems);
    }
    if (provisional?.kind === "terminate" && !isServedUnder(provisional, decision)) return refuse("other-tls", CONNACK);
    if (rejects.address !== null) return refuse(rejects.address, told(DENIED));
    if (failure !== null) return refuse(...failure);
    if (rejects.connect !== null) return refuse(rejects.connect.reason, CONNACK, rejects.connect.problems);
    if (service!.order.total === 0)
      return refuse("no-server", told((provisional ?? decision).kind === "terminate" ? AFTER_HANDSHAKE : CLOSED));
    return { served: true, action: decision.kind, reason: null, sees: null, problems: [] };
  }

  #middlewaresOf(router: string): readonly string[] {
    const row = this.#compiled.rows.get(`router/${router}`);
    return row?.kind === "router" ? row.value.middlewares : [];
  }

  #others(point: EntryPointConfig, kind: "plain" | "tls"): Explanation["others"] {
    const { plain, tls } = this.#tables.routes(point.name);
    return {
      otherEntryPoints: this.#compiled.routers.length - plain.size - tls.size,
      otherKind: kind === "plain" ? tls.size : plain.size,
    };
  }
}

const ACME = "acme-tls/1";
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
