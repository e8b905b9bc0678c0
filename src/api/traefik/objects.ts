// Routers, services and middlewares as Traefik's API shows them, from the configuration in force.

import type { Item } from "../../compile/merge.ts";
import type { Subject } from "../../config/diagnostics.ts";
import { middleware } from "../../config/middlewares.ts";
import { qualify } from "../../config/names.ts";
import type { RouterConfig } from "../../config/router.ts";
import { service } from "../../config/service.ts";
import { shown } from "../../config/shown.ts";
import type { RouterRow } from "../../protocol/messages.ts";
import type { ApiSources, InForce } from "../sources.ts";

/** `disabled`: it is off; `warning`: something is wrong with it, and it works. */
export type Status = "enabled" | "warning" | "disabled";

interface Named {
  readonly error?: readonly string[];
  readonly status: Status;
  readonly name: string;
  readonly provider: string;
}

export interface ApiRouter extends Named {
  readonly entryPoints: readonly string[];
  readonly middlewares?: readonly string[];
  readonly service?: string;
  readonly rule?: string;
  readonly ruleSyntax?: string;
  readonly priority?: number;
  readonly tls?: object;
  readonly using: readonly string[];
  readonly priorityStr: string;
}

export interface ApiService extends Named {
  readonly usedBy?: readonly string[];
  readonly type?: string;
  readonly serverStatus?: Readonly<Record<string, "UP" | "DOWN">>;
  readonly loadBalancer?: { readonly servers?: readonly unknown[] };
}

export interface ApiMiddleware extends Named {
  readonly usedBy?: readonly string[];
  readonly type: string;
}

export function routersOf({ inForce }: Pick<ApiSources, "inForce">): ApiRouter[] {
  const now = inForce();
  const faults = faultsOf(now, "router");
  return [...(now.merged?.routers ?? [])].map(([name, { value, provider }]) => {
    const row = now.compiled.rows.get(`router/${name}`);
    const route = row?.kind === "router" ? row.value : null;
    return {
      ...written(value, provider, route),
      ...said(faults, name, route !== null && route.action.kind !== "off"),
      using: route?.entryPoints ?? [],
      name,
      provider,
      priorityStr: String(route?.priority ?? value.priority),
    };
  });
}

/** What has been built has full names, and what has not, those that are written, as in Traefik. */
function written(value: RouterConfig, provider: string, route: RouterRow | null) {
  const { entryPoints, rule, service, ruleSyntax, tls } = value;
  const priority = route?.priority ?? value.priority;
  const middlewares = route === null ? value.middlewares : value.middlewares.map((each) => qualify(each, provider));
  return {
    entryPoints: route?.entryPoints ?? entryPoints ?? [],
    ...(middlewares.length > 0 && { middlewares }),
    ...(service !== undefined && { service }),
    ...(rule !== undefined && { rule }),
    ...(ruleSyntax !== undefined && { ruleSyntax }),
    ...(priority !== 0 && { priority }),
    ...(tls !== undefined && { tls: tlsOf(tls) }),
  };
}

function tlsOf({ passthrough, options, certResolver, domains }: NonNullable<RouterConfig["tls"]>) {
  return {
    passthrough,
    ...(options !== undefined && { options }),
    ...(certResolver !== undefined && { certResolver }),
    ...(domains.length > 0 && { domains }),
  };
}

export function servicesOf({ inForce, servers }: Pick<ApiSources, "inForce" | "servers">): ApiService[] {
  const now = inForce();
  const faults = faultsOf(now, "service");
  const users = usersOf(now, ({ service }) => (service === "" ? [] : [service]));
  const health = new Map<string, Record<string, "UP" | "DOWN">>();
  for (const { watched, health: state } of servers()) {
    const known = health.get(watched.service) ?? {};
    known[watched.server.address] = state.health === "down" ? "DOWN" : "UP";
    health.set(watched.service, known);
  }
  return [...(now.merged?.services ?? [])].map(([name, { value, provider }]) => {
    const usedBy = users.get(name);
    const type = value.loadBalancer ? "loadbalancer" : value.weighted ? "weighted" : value.failover ? "failover" : null;
    return {
      ...(shown(service, value) as Pick<ApiService, "loadBalancer">),
      ...said(faults, name, now.compiled.rows.has(`service/${name}`)),
      ...(usedBy !== undefined && { usedBy }),
      name,
      provider,
      ...(type !== null && { type }),
      ...(health.has(name) && { serverStatus: health.get(name)! }),
    };
  });
}

export function middlewaresOf({ inForce }: Pick<ApiSources, "inForce">): ApiMiddleware[] {
  const now = inForce();
  const faults = faultsOf(now, "middleware");
  const users = usersOf(now, ({ middlewares }) => middlewares);
  return [...(now.merged?.middlewares ?? [])].map(([name, { value, provider }]: [string, Item<object>]) => {
    const usedBy = users.get(name);
    return {
      ...(shown(middleware, value) as object),
      ...said(faults, name, now.compiled.rows.has(`middleware/${name}`)),
      ...(usedBy !== undefined && { usedBy }),
      name,
      provider,
      type: (Object.entries(value).find(([, settings]) => settings !== undefined)?.[0] ?? "").toLowerCase(),
    };
  });
}

/** The routers that use something, by its name. */
function usersOf({ compiled }: InForce, used: (row: RouterRow) => readonly string[]): Map<string, string[]> {
  const users = new Map<string, string[]>();
  for (const row of compiled.rows.values()) {
    if (row.kind !== "router") continue;
    for (const name of used(row.value)) {
      const known = users.get(name);
      if (known === undefined) users.set(name, [row.name]);
      else known.push(row.name);
    }
  }
  return users;
}

interface Faults {
  readonly errors: Map<string, Set<string>>;
  readonly warnings: Map<string, Set<string>>;
}

function faultsOf({ diagnostics }: InForce, kind: Subject["kind"]): Faults {
  const faults: Faults = { errors: new Map(), warnings: new Map() };
  for (const { severity, about, message } of diagnostics) {
    if (about?.kind !== kind) continue;
    const by = severity === "error" ? faults.errors : faults.warnings;
    const known = by.get(about.name);
    if (known === undefined) by.set(about.name, new Set([message]));
    else known.add(message);
  }
  return faults;
}

function said({ errors, warnings }: Faults, name: string, works: boolean): Pick<Named, "error" | "status"> {
  const error = [...(errors.get(name) ?? []), ...(warnings.get(name) ?? [])];
  const status = works ? (error.length > 0 ? "warning" : "enabled") : "disabled";
  return { ...(error.length > 0 && { error }), status };
}
