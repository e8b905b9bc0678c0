// Services and transports of the configuration, made into what a worker dials by.

import { isIP } from "node:net";
import type { CertificateFiles, Outcome } from "../certs/files.ts";
import type { Code } from "../config/codes.ts";
import type { Diagnostics, Place, Subject } from "../config/diagnostics.ts";
import { livePolicy } from "../config/live.ts";
import { bareName, fullName, INTERNAL, qualify, shortName } from "../config/names.ts";
import { FIRST_BYTE_MS, type ServiceConfig } from "../config/service.ts";
import type { Path } from "../config/source.ts";
import { TCP_SERVERS_TRANSPORT } from "../config/subject.ts";
import { type TransportConfig, transport } from "../config/transport.ts";
import { childrenOf, type Server, type ServiceRow, type Transport } from "../upstream/service.ts";
import { compileBalancing, serverBalancing } from "./balancing.ts";
import { compileCheck, compilePassive } from "./health.ts";
import { isLocalAddress } from "./local-addresses.ts";
import type { Item, Merged } from "./merge.ts";
import { isPublic } from "./open-server.ts";
import { suggestReference } from "./references.ts";
import { compileServer } from "./servers.ts";
import { findCycle, findTooDeep, findTooLarge, MAX_NESTED, MAX_TARGETS, type ServiceDraft } from "./service-graph.ts";

/** Every service by its name; one that cannot work, or is made of such, has no row. */
export function compileServices(
  merged: Merged,
  defaultTransport: { readonly value: TransportConfig; at(...path: Path): Place } | null,
  files: CertificateFiles,
  diagnostics: Diagnostics,
): Map<string, ServiceDraft> {
  const services = new Map<string, ServiceDraft>();
  files.owner = "";
  const fallback = compileTransport(
    defaultTransport?.value ?? transport.parse({}),
    defaultTransport?.at ?? (() => NOWHERE),
    files,
    diagnostics,
    "tcpServersTransport",
    TCP_SERVERS_TRANSPORT,
  );
  const transports = new Map<string, Transport | null>();
  for (const [name, item] of merged.transports) {
    files.owner = item.provider;
    const about: Subject = { kind: "serversTransport", name };
    const what = `the serversTransport "${bareName(name)}"`;
    const compiled = compileTransport(item.value, item.at, files, diagnostics, what, about);
    transports.set(name, item.off ? null : compiled);
  }
  // As in Traefik, it can be named too.
  transports.set(fullName("default", INTERNAL), fallback);
  const transportOf = (reference: string | undefined, provider: string) =>
    reference === undefined ? fallback : transports.get(qualify(reference, provider));
  for (const [name, item] of merged.services)
    services.set(name, compileService(bareName(name), item, transportOf, transports.keys(), files, diagnostics));
  // A service is only as sound as those it is made of.
  const off = (code: Code, name: string, why: string) => {
    const about: Subject = { kind: "service", name };
    diagnostics.error(code, merged.services.get(name)!.at(), `the service "${bareName(name)}" ${why}`, about);
    services.set(name, { row: null });
  };
  for (const name of findCycle(services)) off("service-cycle", name, "contains itself");
  for (const name of findTooDeep(services))
    off("service-too-large", name, `has more than ${MAX_NESTED} services inside one another`);
  for (const name of findTooLarge(services)) off("service-too-large", name, `has more than ${MAX_TARGETS} servers`);
  for (const [name, { row }] of services) {
    if (row === null) continue;
    const item = merged.services.get(name)!;
    for (const child of childrenOf(row))
      if (!services.get(child)?.row)
        diagnostics.error(
          services.has(child) ? "service-off" : "service-unknown",
          item.at(),
          `the service "${bareName(name)}" uses "${shortName(child, item.provider)}", which ${services.has(child) ? "is off" : "does not exist"}`,
          { kind: "service", name },
          { kind: "service", name: child },
        );
  }
  return services;
}

const NOWHERE: Place = { file: "static configuration", line: 0, column: 0 };

function compileTransport(
  config: TransportConfig,
  at: (...path: Path) => Place,
  files: CertificateFiles,
  diagnostics: Diagnostics,
  what: string,
  about: Subject,
): Transport | null {
  let sound = true;
  // What a file held before stands in for what cannot be used now.
  const use = <T>(path: Path, outcome: Outcome<T>): T | null => {
    if (outcome.kind === "ok") return outcome.value;
    const place = at(...path, ...(outcome.field === "" ? [] : [outcome.field]));
    diagnostics.error(outcome.code, place, `${what}: ${outcome.message}`, about);
    if (outcome.former === null) sound = false;
    return outcome.former;
  };
  const authorities: string[] = [];
  for (const [index, value] of (config.tls?.rootCAs ?? []).entries()) {
    const loaded = use(["tls", "rootCAs", index], files.authorities(value));
    if (loaded !== null) authorities.push(loaded.pem);
  }
  const pairs = config.tls?.certificates ?? [];
  if (pairs.length > 1)
    diagnostics.warn(
      "client-certificate-unused",
      at("tls", "certificates", 1),
      `${what}: only the first client certificate is used`,
      about,
    );
  const identity =
    pairs[0] === undefined ? null : (use(["tls", "certificates", 0], files.pair(pairs[0]))?.pair ?? null);
  const header = config.proxyProtocol;
  const wrong = header === undefined ? null : wrongHeader(header);
  if (wrong !== null) {
    diagnostics.error("field-value", at("proxyProtocol"), `${what}: ${wrong}`, about);
    sound = false;
  }
  const sources = [...new Set(config.sourceAddresses)];
  for (const source of sources) {
    const place = at("sourceAddresses", config.sourceAddresses.indexOf(source));
    if (isIP(source) === 0 || source.includes("%")) {
      diagnostics.error(
        "field-value",
        place,
        `${what}: sourceAddresses has ${JSON.stringify(source)}, which is no IP address`,
        about,
      );
      sound = false;
    } else if (!isLocalAddress(source))
      diagnostics.warn(
        "source-address-unknown",
        place,
        `${what}: ${source} is not an address of this machine: nothing can be dialled from it here`,
        about,
      );
  }
  if (!sound) return null;
  return {
    dialTimeoutMs: config.dialTimeout,
    ...(config.dialBudget !== undefined && { dialBudgetMs: config.dialBudget }),
    // 0 is Go's "default", which is 15 s.
    keepAliveMs: config.dialKeepAlive === 0 ? 15_000 : config.dialKeepAlive,
    terminationDelayMs: config.terminationDelay,
    proxyProtocol: header ?? null,
    ...(sources.length === 0 ? {} : { sourceAddresses: sources }),
    tls: {
      serverName: config.tls?.serverName ?? null,
      insecureSkipVerify: config.tls?.insecureSkipVerify ?? false,
      ca: authorities.length === 0 ? null : authorities.join(""),
      cert: identity?.cert ?? null,
      key: identity?.key ?? null,
    },
  };
}

/** Why such a header cannot be sent; null if it can. */
function wrongHeader({ version, tlvs = [] }: { version: number; tlvs?: readonly string[] }): string | null {
  if (version !== 1 && version !== 2) return `unknown proxyProtocol version ${version}: there are 1 and 2`;
  return version === 1 && tlvs.length > 0 ? "tlvs need version 2: a line of version 1 has no room for them" : null;
}

/** `transportOf` answers undefined for a name that does not exist and null for one that is broken. */
function compileService(
  name: string,
  item: Item<ServiceConfig>,
  transportOf: (reference: string | undefined, provider: string) => Transport | null | undefined,
  transportNames: Iterable<string>,
  files: CertificateFiles,
  diagnostics: Diagnostics,
): ServiceDraft {
  const { value, at } = item;
  const about: Subject = { kind: "service", name: fullName(name, item.provider) };
  const error = (code: Code, place: Place, message: string, because?: Subject): ServiceDraft => {
    diagnostics.error(code, place, `the service "${name}": ${message}`, about, because);
    return { row: null };
  };
  if (item.off) return { row: null };
  const { loadBalancer, weighted, failover } = value;
  const kinds = (["loadBalancer", "weighted", "failover"] as const).filter((kind) => value[kind] !== undefined);
  if (kinds.length > 1)
    return error(
      "service-kind",
      at(),
      `it has ${kinds.length === 2 ? `both ${kinds.join(" and ")}` : kinds.join(", ")}; it can only be one`,
    );
  if (weighted !== undefined) return { row: compileWeighted(name, item, weighted, diagnostics) };
  if (failover !== undefined)
    return {
      row: {
        kind: "failover",
        service: qualify(failover.service, item.provider),
        fallback: qualify(failover.fallback, item.provider),
        returnAfterMs: failover.returnAfter,
      },
    };
  if (loadBalancer === undefined)
    return error("service-kind", at(), "it has none of loadBalancer, weighted and failover");

  const transport = transportOf(loadBalancer.serversTransport, item.provider);
  if (transport === undefined)
    return error(
      "transport-unknown",
      at("loadBalancer", "serversTransport"),
      `the serversTransport "${loadBalancer.serversTransport}" does not exist${suggestReference(loadBalancer.serversTransport!, item.provider, transportNames)}`,
    );
  if (transport === null)
    return error(
      "transport-off",
      at("loadBalancer", "serversTransport"),
      "its serversTransport is off",
      loadBalancer.serversTransport === undefined
        ? TCP_SERVERS_TRANSPORT
        : { kind: "serversTransport", name: qualify(loadBalancer.serversTransport, item.provider) },
    );
  const servers: Server[] = [];
  for (const [index, server] of loadBalancer.servers.entries()) {
    const made = compileServer(server, transport);
    const place = at("loadBalancer", "servers", index);
    const what = `the service "${name}": server ${index + 1}`;
    if (made.kind === "error")
      diagnostics.error("server-address", place, `${what} is left out: ${made.message}`, about);
    else {
      const own = serverBalancing(server);
      servers.push({ ...made.server, ...own, ...(server.drain && { drain: livePolicy(server.drain) }) });
      if (made.remark !== null) diagnostics.warn("field-ignored", place, `${what}: ${made.remark}`, about);
    }
  }
  if (servers.every(({ weight }) => weight === 0))
    diagnostics.warn(
      "service-empty",
      at("loadBalancer"),
      `the service "${name}" has no server${servers.length === 0 ? "" : " with a weight above 0"}: its clients are disconnected`,
      about,
    );
  else if (servers.every((server) => server.drain !== undefined))
    diagnostics.warn(
      "service-drained",
      at("loadBalancer", "servers"),
      `the service "${name}": ${servers.length === 1 ? "its server is drained" : `all of its ${servers.length} servers are drained`}, so it takes no new client`,
      about,
    );
  const { terminationDelay, proxyProtocol } = loadBalancer;
  const isOwn = loadBalancer.serversTransport === undefined;
  if (!isOwn && proxyProtocol !== undefined)
    diagnostics.warn(
      "field-ignored",
      at("loadBalancer", "proxyProtocol"),
      `the service "${name}": proxyProtocol is ignored beside serversTransport, as in Traefik: set it on the transport`,
      about,
    );
  const wrong = isOwn && proxyProtocol !== undefined ? wrongHeader(proxyProtocol) : null;
  if (wrong !== null) return error("field-value", at("loadBalancer", "proxyProtocol"), wrong);
  const { firstByteTimeout } = loadBalancer;
  const answering: Transport =
    firstByteTimeout === FIRST_BYTE_MS ? transport : { ...transport, firstByteTimeoutMs: firstByteTimeout };
  const combined = isOwn
    ? {
        ...answering,
        terminationDelayMs: terminationDelay ?? transport.terminationDelayMs,
        proxyProtocol: proxyProtocol ?? transport.proxyProtocol,
      }
    : answering;
  const open = combined.proxyProtocol === null ? undefined : servers.find(isPublic);
  if (open !== undefined)
    diagnostics.warn(
      "proxy-header-bypass",
      at("loadBalancer"),
      `the service "${name}" tells ${open.address} who its clients are by a PROXY header, which no TLS protects: whoever reaches that server, or is on the way to it, can say anything. Keep it in a private network`,
      about,
    );
  const { onRemove } = loadBalancer;
  const check = compileCheck(loadBalancer.healthCheck, name, item, files, diagnostics);
  const passive = compilePassive(loadBalancer.passive);
  const balancing = compileBalancing(name, item, loadBalancer, about, diagnostics);
  return {
    row: {
      kind: "loadBalancer",
      servers,
      transport: combined,
      ...(passive !== null && { passive }),
      ...(balancing !== undefined && { balancing }),
      ...(onRemove !== undefined && { onRemove: livePolicy(onRemove) }),
    },
    isPartial: servers.length < loadBalancer.servers.length,
    ...(check !== null && { check }),
  };
}

function compileWeighted(
  name: string,
  item: Item<ServiceConfig>,
  weighted: NonNullable<ServiceConfig["weighted"]>,
  diagnostics: Diagnostics,
): ServiceRow {
  const services = weighted.services.map((child) => {
    return { name: qualify(child.name, item.provider), weight: child.weight };
  });
  if (!services.some((child) => child.weight > 0)) {
    diagnostics.warn(
      "service-empty",
      item.at("weighted"),
      `the service "${name}" has no service with a weight above 0: its clients are disconnected`,
      { kind: "service", name: fullName(name, item.provider) },
    );
  }
  return { kind: "weighted", services };
}
