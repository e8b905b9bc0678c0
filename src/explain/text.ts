// An explanation for people: the verdict in one line, then what it rests on.

import type { LivePolicy } from "../upstream/live.ts";
import type { ProxyProtocolOut } from "../upstream/service.ts";
import { admissionLines } from "./admission.ts";
import { IN_TURN } from "./chooser.ts";
import type {
  CertificateChoice,
  ConnectFacts,
  Explanation,
  Listed,
  RouterFacts,
  ServiceNode,
  TlsFacts,
} from "./explanation.ts";
import { seconds } from "./seconds.ts";
import type { ServerFinding } from "./watching.ts";

/** Width of the first column. */
const LABEL = 15;

/** Conditions that are shown. */
const MAX_UNLESS = 5;

/** Who comes where, and what becomes of it, in one line. */
export function verdictOf({ entryPoint, client, connect, verdict, router, tls, service }: Explanation): string {
  const who = client.tls ? (client.sni ?? "a client without SNI") : "a client without TLS";
  const offers = client.alpn.length === 0 ? "" : ` with ALPN ${client.alpn.join(", ")}`;
  const subject = `${who}${offers} from ${client.from.join(", ")}${client.to === null ? "" : ` to ${client.to}`} on ${entryPoint.name}${shows(client.certificate)}${saysOf(client.connect)}${condition(connect)}`;
  const named = router === null ? "" : `router "${router.name}" `;
  switch (verdict.action) {
    case "refuse":
      if (service !== null) return `${subject}: ${named}takes it, and it is refused: ${verdict.reason}`;
      return `${subject}: refused${router === null ? "" : ` by ${named.trimEnd()}`}: ${verdict.reason}`;
    case "terminate":
      return `${subject}: ${named}terminates TLS${client.certificate === null ? CONDITIONS[tls!.clientAuth.type] : ""}, service "${service!.name}"`;
    case "passthrough":
      return `${subject}: ${named}passes TLS through, service "${service!.name}"`;
    case "plain":
      return `${subject}: ${named}forwards it as it is, service "${service!.name}"`;
  }
}

/** Characters of what a client says that are shown. */
const MAX_TEXT = 80;

function shows(certificate: string | null): string {
  return certificate === null ? "" : ` with the certificate ${cut(certificate)}`;
}

function cut(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}...` : text;
}

/** What is given of its CONNECT. */
function saysOf({ clientId, username, version }: Explanation["client"]["connect"]): string {
  const shown = (text: string) => JSON.stringify(cut(text));
  const parts = [
    ...(clientId === undefined ? [] : [`client ID ${shown(clientId)}`]),
    ...(username === undefined ? [] : [username === null ? "no user name" : `user name ${shown(username)}`]),
    ...(version === undefined ? [] : [`MQTT ${version}`]),
  ];
  return parts.length === 0 ? "" : ` with ${parts.join(", ")}`;
}

function condition(connect: ConnectFacts | null): string {
  if (connect === null) return "";
  const { when, unless } = connect;
  return when !== null ? ` if ${when.part}` : unless.length > 0 ? " otherwise" : "";
}

const CONDITIONS = {
  NoClientCert: "",
  RequestClientCert: "",
  RequireAnyClientCert: " if the client shows a certificate",
  VerifyClientCertIfGiven: " unless the client shows a certificate that is not good",
  RequireAndVerifyClientCert: " if the client shows a good certificate",
} as const;

/** All lines, the verdict first. */
export function textOf(explanation: Explanation): string[] {
  const {
    entryPoint,
    verdict,
    router,
    connect,
    middlewares,
    tls,
    certificates,
    service,
    before,
    after,
    others,
    notes,
  } = explanation;
  const lines = [verdictOf(explanation)];
  for (const note of notes) lines.push(`  note: ${note}`);
  const row = (label: string, value: string, depth = 1) =>
    lines.push(`${"  ".repeat(depth)}${label.padEnd(LABEL - 2 * (depth - 1))} ${value}`);
  lines.push("");
  if (verdict.sees !== null) row("client sees", verdict.sees);
  for (const [index, problem] of verdict.problems.entries()) row(index === 0 ? "because" : "", problem);
  row("entry point", `${entryPoint.name}, ${entryPoint.address}`);
  if (entryPoint.proxyProtocol !== null) row("PROXY headers", believed(entryPoint.proxyProtocol), 2);
  for (const [index, line] of admissionLines(entryPoint.admission).entries()) row(index === 0 ? "admits" : "", line, 2);
  if (router !== null) {
    row("router", `${router.name}, ${router.place}`);
    row("rule", router.rule, 2);
    row("priority", priorityOf(router), 2);
  }
  if (connect !== null) for (const [label, value, depth] of connectRows(connect, router)) row(label, value, depth);
  for (const [index, { name, kind, says }] of middlewares.entries())
    row(index === 0 ? "middlewares" : "", `${name} (${kind}) ${says}`);
  if (tls !== null) for (const [label, value, depth] of tlsRows(tls, explanation)) row(label, value, depth);
  for (const choice of certificates)
    for (const [label, value, depth] of certificateRows(choice, explanation)) row(label, value, depth);
  if (service !== null) {
    row("service", `${service.name}${service.place === "" ? "" : `, ${service.place}`}`);
    lines.push(...nodeLines(service.tree, 2));
    if (service.order.total > 1)
      row(
        "first dial",
        `${list(service.order)}, each if the ones before fail${service.tree.chosen?.startsWith("by a hash") ? "" : "; every worker has turns of its own"}`,
        2,
      );
  }
  lines.push(
    ...routerLines(
      router === null ? "asked, and none is true of this client" : "asked before, and not true of this client",
      before,
      ({ why }) => `${why.part}: ${why.reason}`,
    ),
  );
  lines.push(...routerLines("true as well, but later", after, ({ why }) => why));
  lines.push(...otherLines(others, entryPoint.name, explanation.client.tls));
  return lines;
}

/** Networks that are shown. */
const MAX_TRUSTED = 5;

function believed({ trustedIPs, insecure, required }: NonNullable<Explanation["entryPoint"]["proxyProtocol"]>): string {
  const more = trustedIPs.length > MAX_TRUSTED ? `, ... (${count(trustedIPs.length)} in all)` : "";
  const whose = insecure ? "of everybody" : `of ${trustedIPs.slice(0, MAX_TRUSTED).join(", ")}${more}`;
  const others = required ? "who comes without one is refused" : "who comes without one comes from its own address";
  return `${whose} are believed: the client comes from the address in them; ${others}`;
}

function connectRows({ provisional, when, unless }: ConnectFacts, router: RouterFacts | null): Line[] {
  const isSame = provisional.name === router?.name;
  const rows: Line[] = [["decided", "by the CONNECT of the client", 1]];
  rows.push(["until then", `${isSame ? "the same router" : provisional.name}, the first that could be right`, 2]);
  if (when !== null) rows.push(["if", `${when.part}: ${when.reason}`, 2]);
  for (const { part, reason } of unless.slice(0, MAX_UNLESS)) rows.push(["and not", `${part}: ${reason}`, 2]);
  if (unless.length > MAX_UNLESS) rows.push(["", `... and ${unless.length - MAX_UNLESS} more`, 2]);
  return rows;
}

function priorityOf({ priority, priorityFrom }: RouterFacts): string {
  switch (priorityFrom) {
    case "given":
      return `${priority}, as given`;
    case "catch-all":
      return `${priority}, because it is the catch-all`;
    case "rule length":
      return `${priority}, the length of its rule`;
  }
}

type Line = [label: string, value: string, depth: number];

const VERSIONS: Record<string, string> = { TLSv1: "1.0", "TLSv1.1": "1.1", "TLSv1.2": "1.2", "TLSv1.3": "1.3" };

function tlsRows(tls: TlsFacts, { client }: Explanation): Line[] {
  const [min, max] = [VERSIONS[tls.minVersion], VERSIONS[tls.maxVersion]];
  const rows: Line[] = [
    ["TLS options", `${tls.options}, ${tls.place ?? "built in"}`, 1],
    ["versions", min === max ? `TLS ${min} only` : `TLS ${min} to ${max}`, 2],
  ];
  if (tls.ciphers !== null) rows.push(["ciphers", tls.ciphers.replaceAll(":", ", "), 2]);
  if (tls.curves !== null) rows.push(["curves", tls.curves.replaceAll(":", ", "), 2]);
  rows.push(["client cert", CLIENT_AUTH[tls.clientAuth.type], 2]);
  const { authorities, revocationLists, allowedNames } = tls.clientAuth;
  if (authorities.length > 0) rows.push(["issued by", authorities.join("; or "), 2]);
  if (allowedNames.length > 0) rows.push(["with a name", allowedNames.join(", "), 2]);
  if (revocationLists !== null) rows.push(["not revoked", `by ${revocationLists} revocation lists`, 2]);
  rows.push(["ALPN", alpnOf(tls, client.alpn), 2]);
  rows.push(["sniStrict", tls.sniStrict ? "on: no certificate for the name, no connection" : "off", 2]);
  return rows;
}

const CLIENT_AUTH = {
  NoClientCert: "not asked for",
  RequestClientCert: "asked for, not required, not checked",
  RequireAnyClientCert: "required, not checked",
  VerifyClientCertIfGiven: "not required; one that is shown must be good",
  RequireAndVerifyClientCert: "required, and must be good",
} as const;

function alpnOf({ alpn }: TlsFacts, offered: readonly string[]): string {
  const served = alpn.protocols === null ? "" : `; served: ${alpn.protocols.join(", ")}`;
  if (alpn.answer !== null) return `"${alpn.answer}" is answered${served}`;
  if (offered.length > 0)
    return alpn.protocols === null ? "nothing is answered, which refuses nobody" : `none of the offered${served}`;
  return `the client offers none, as most MQTT clients do; some offer "mqtt" (--alpn mqtt)${served}`;
}

const MATCHES = {
  exact: "it is for this name",
  wildcard: "it has a wildcard for this name",
  default: "the default one: no certificate is for this name",
  "self-signed":
    "made by Sluice: no certificate is for this name, and there is no default one; clients will not trust it",
} as const;

function certificateRows(choice: CertificateChoice, { client }: Explanation): Line[] {
  const { names } = choice;
  const shown = names.slice(0, 5).join(", ") + (names.length > 5 ? `, ... and ${names.length - 5} more` : "");
  const source = choice.source ?? (choice.match === "self-signed" ? "made at each start" : "obtained by a resolver");
  const because =
    client.sni === null
      ? MATCHES[choice.match].replace("this name", "the address that is dialled")
      : MATCHES[choice.match];
  const rows: Line[] = [["certificate", shown, 1]];
  if (choice.clients !== "all") rows.push(["for", choice.clients, 2]);
  rows.push(["because", because, 2], ["from", source, 2]);
  rows.push(["key", KEYS[choice.keyType] ?? choice.keyType, 2]);
  rows.push([choice.expired ? "EXPIRED" : "expires", choice.notAfter.slice(0, 10), 2]);
  return rows;
}

/** What becomes of connections that are open. */
function drained(policy: LivePolicy): string {
  if (policy.kind === "spread") return `${policy.perSecond} connections are closed each second`;
  return policy.kind === "close" ? "its connections are closed" : "its connections are kept";
}

const KEYS: Record<string, string> = {
  rsa: "RSA",
  p256: "ECDSA, P-256",
  p384: "ECDSA, P-384",
  p521: "ECDSA, P-521",
  ed25519: "Ed25519",
};

function nodeLines(node: ServiceNode, depth: number): string[] {
  const indent = "  ".repeat(depth);
  const lines: string[] = [];
  if (node.kind === "not shown") return [`${indent.slice(2)}... and more services`];
  if (depth > 2) lines.push(`${indent.slice(2)}${node.name}: ${placeIn(node)}`);
  if (node.kind === "missing") lines.push(`${indent}does not exist or is off: its turns go to the others`);
  if (node.chosen !== null && node.chosen !== IN_TURN) lines.push(`${indent}one is chosen ${node.chosen}`);
  for (const { address, share, dial, drain, discovery, check, ...server } of node.servers.shown) {
    const turns = server.backup && share === 0 ? "a backup" : `${percent(share)} of the connections`;
    const most = server.maxConnections === null ? "" : `, at most ${count(server.maxConnections)}`;
    const how = drain === null ? `${turns}${most}` : `drained, ${drained(drain)}`;
    lines.push(`${indent}${address}, ${dial === "tls" ? "by TLS" : "plain"}, ${how}`);
    if (discovery !== null) lines.push(`${indent}  ${discovery}`);
    if (check !== null) lines.push(`${indent}  ${foundOf(check)}`);
  }
  if (node.servers.total > node.servers.shown.length)
    lines.push(`${indent}... and ${count(node.servers.total - node.servers.shown.length)} more servers`);
  if (node.kind === "loadBalancer" && node.servers.total === 0) lines.push(`${indent}no server`);
  if (node.transport !== null) {
    const { transport } = node;
    const { keepAliveMs, terminationDelayMs, firstByteTimeoutMs, proxyProtocol, verify, clientCertificate } = transport;
    const parts = [
      `dialTimeout ${seconds(transport.dialTimeoutMs)}`,
      `dialBudget ${seconds(transport.dialBudgetMs)}`,
      firstByteTimeoutMs === 0 ? "no firstByteTimeout" : `firstByteTimeout ${seconds(firstByteTimeoutMs)}`,
      keepAliveMs < 0 ? "no TCP keep-alive" : `TCP keep-alive ${seconds(keepAliveMs)}`,
      `terminationDelay ${terminationDelayMs < 0 ? "for ever" : seconds(terminationDelayMs)}`,
    ];
    if (verify !== null) parts.push(`TLS ${verify}`, ...(clientCertificate ? ["with a client certificate"] : []));
    lines.push(`${indent}${parts.join(", ")}`);
    if (proxyProtocol !== null) lines.push(`${indent}${headerOf(proxyProtocol)}`);
    const { sourceAddresses } = node.transport;
    if (sourceAddresses.length > 0) lines.push(`${indent}dialled from ${first(sourceAddresses)}, in turn`);
  }
  if (node.watching !== null && node.servers.total > 0) lines.push(`${indent}${node.watching}`);
  if (node.kind === "failover" && node.returnAfterMs! > 0)
    lines.push(
      `${indent}clients come back to the first service when that has been up for ${seconds(node.returnAfterMs!)}`,
    );
  for (const child of node.services) lines.push(...nodeLines(child, depth + 1));
  return lines;
}

/** What a service does within the one that holds it. */
function placeIn({ weight, share }: ServiceNode): string {
  const part = `${percent(share)} of the connections`;
  if (weight !== null) return `weight ${weight}, ${part}`;
  return share === 0 ? "while all servers of the service before are down" : `${part} while one of its servers is up`;
}

function foundOf({ isUp, detail, ms }: ServerFinding): string {
  const more = detail === "" ? "" : `: ${detail}`;
  return isUp ? `up, checked now in ${ms} ms${more}` : `DOWN, checked now${more}`;
}

function headerOf({ version, tlvs }: ProxyProtocolOut): string {
  const said = ["both addresses", ...tlvs].join(", ");
  return `told first: a PROXY header of version ${version} with ${said}`;
}

function routerLines<T extends RouterFacts>(title: string, routers: Listed<T>, why: (router: T) => string): string[] {
  if (routers.total === 0) return [];
  const lines = ["", `  ${title}: ${count(routers.total)} ${routers.total === 1 ? "router" : "routers"}`];
  for (const router of routers.shown) lines.push(`    ${router.name}, ${router.place}`, `      ${why(router)}`);
  const more = routers.total - routers.shown.length;
  if (more > 0) lines.push(`    ... and ${count(more)} more`);
  return lines;
}

function otherLines({ otherEntryPoints, otherKind }: Explanation["others"], point: string, tls: boolean): string[] {
  const lines: string[] = [];
  if (otherKind > 0)
    lines.push(`  not asked: ${count(otherKind)} on ${point} for clients ${tls ? "without" : "with"} TLS`);
  if (otherEntryPoints > 0) lines.push(`  not asked: ${count(otherEntryPoints)} on other entry points`);
  return lines.length === 0 ? [] : ["", ...lines];
}

/** The first five of a list that is known in whole. */
function first(all: readonly string[]): string {
  return list({ total: all.length, shown: all });
}

function list({ total, shown }: Listed<string>): string {
  return shown.slice(0, 5).join(", ") + (total > 5 ? `, ... (${count(total)} in all)` : "");
}

function percent(share: number): string {
  const value = share * 100;
  return `${value >= 10 ? Math.round(value * 10) / 10 : Number(value.toPrecision(2))} %`;
}

/** 100 000: digits in threes. */
function count(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+$)/g, " ");
}
