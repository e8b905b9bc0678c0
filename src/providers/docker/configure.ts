// What the labels of one container or service stand for, and what they leave out: its service, its server, the rule.

import { type Described, normalize, type Template } from "../../config/providers/default-rule.ts";
import { parsePort } from "../../config/scalars.ts";
import type { LabelValue } from "./labels.ts";
import { type Part, type Value, whose } from "./parts.ts";

export type Refusal = "port-missing" | "port-invalid" | "address-missing" | "service-ambiguous";

export interface Problem {
  readonly severity: "error" | "warning";
  readonly code: Refusal;
  readonly message: string;
  /** The label that is to blame, where it is one. */
  readonly label?: string;
}

/** One container, or one service of a swarm. */
export interface Workload {
  /** `container mosquitto`: begins every place. */
  readonly what: string;
  readonly described: Described;
  /** A label says that it is to be served. */
  readonly isEnabled: boolean;
  readonly values: readonly LabelValue[];
  /** Whether its servers are in the balancer; otherwise its services are there without them. */
  readonly isServing: boolean;
  /** The port where no label has one. */
  readonly port: () => { readonly kind: "ok"; readonly port: number } | { readonly kind: "none"; readonly why: string };
  /** `host:port` of each of its instances, for a port of theirs. */
  readonly addresses: (
    port: number,
  ) => { readonly kind: "ok"; readonly addresses: readonly string[] } | { readonly kind: "none"; readonly why: string };
}

export interface Configured {
  readonly parts: readonly Part[];
  readonly problems: readonly Problem[];
}

export function configure(workload: Workload, defaultRule: Template | null): Configured {
  return new Configuring(workload, defaultRule).all();
}

class Configuring {
  readonly #workload: Workload;
  readonly #defaultRule: Template | null;
  readonly #parts = new Map<string, Part>();
  readonly #problems: Problem[] = [];

  constructor(workload: Workload, defaultRule: Template | null) {
    this.#workload = workload;
    this.#defaultRule = defaultRule;
  }

  all(): Configured {
    for (const { steps, key, value, label } of this.#workload.values) {
      const { kind, name, depth } = whose(key, steps);
      const place = `${this.#workload.what}, label ${label}`;
      const path = steps.slice(depth).join("/");
      this.#part(kind, name).values.set(key.slice(depth).join("/"), { path, value, place });
    }
    const services = this.#named("tcp/services");
    for (const service of services) this.#complete(service);
    this.#defaultRouter(services);
    this.#link(services);
    return { parts: [...this.#parts.values()], problems: this.#problems };
  }

  #part(kind: string, name: string): Part {
    const key = `${kind}/${name}`;
    let part = this.#parts.get(key);
    if (part === undefined) {
      part = { kind, name, values: new Map(), servers: [] };
      this.#parts.set(key, part);
    }
    return part;
  }

  #named(kind: string): Part[] {
    return [...this.#parts.values()].filter((part) => part.kind === kind);
  }

  #default(path: string, value: string): Value {
    return { path, value, place: this.#workload.what };
  }

  /** With a rule for all, who is to be served and has no router gets one, with TLS: a name means nothing without. */
  #defaultRouter(services: readonly Part[]): void {
    const { described, isEnabled } = this.#workload;
    if (this.#defaultRule === null) return;
    if (this.#named("tcp/routers").length === 0 && (isEnabled || services.length > 0)) {
      const { values } = this.#part("tcp/routers", normalize(described.name));
      values.set("tls", this.#default("tls", "true"));
    }
    for (const { values } of this.#named("tcp/routers")) {
      if (values.has("rule")) continue;
      values.set("rule", {
        ...this.#default("rule", this.#defaultRule(described)),
        place: `${this.#workload.what}, defaultRule`,
      });
    }
  }

  /** A router without a service has the only one of its container; where there is none, one is made, which Traefik calls the same. */
  #link(services: readonly Part[]): void {
    const lacking = this.#named("tcp/routers").filter(({ values }) => !values.has("service"));
    if (lacking.length === 0) return;
    let [service] = services;
    if (service === undefined) {
      service = this.#part("tcp/services", normalize(this.#workload.described.name));
      this.#complete(service);
    } else if (services.length > 1) {
      for (const { name } of lacking)
        this.#problem(
          "service-ambiguous",
          `the router "${name}" names no service, and there are several: ${services.map((each) => each.name).join(", ")}`,
        );
      return;
    }
    for (const { values } of lacking) values.set("service", this.#default("service", service.name));
  }

  /** Gives a load balancer its server: what stands under `server`, with the address of this container. */
  #complete(service: Part): void {
    const { values } = service;
    if ([...values.keys()].some((key) => ELSEWHERE.test(key))) return;
    const fields = new Map<string, Value>();
    for (const [key, value] of values) {
      if (!key.startsWith(SERVER)) continue;
      values.delete(key);
      fields.set(key.slice(SERVER.length), { ...value, path: value.path.slice(SERVER.length) });
    }
    const isAddressed = fields.has("address") || fields.has("srv");
    if (isAddressed && this.#workload.isServing) service.servers.push(fields);
    if (!isAddressed)
      for (const address of this.#addresses(fields.get("port"), service.name)) {
        const server = new Map(fields).set("address", this.#default("address", address));
        server.delete("port");
        service.servers.push(server);
      }
    if (values.size === 0 && service.servers.length === 0)
      values.set("loadbalancer", this.#default("loadbalancer", "true"));
  }

  /** One for each instance; nothing where it cannot be told, which has been said then. */
  #addresses(labelled: Value | undefined, service: string): readonly string[] {
    const { isServing, addresses, port: defaultPort } = this.#workload;
    if (!isServing) return [];
    let port: number;
    if (labelled !== undefined) {
      const parsed = parsePort(labelled.value.trim());
      if (parsed === null || parsed === 0) {
        const label = labelled.place.slice(`${this.#workload.what}, label `.length);
        this.#problem("port-invalid", "must be a port from 1 to 65535", label);
        return [];
      }
      port = parsed;
    } else {
      const choice = defaultPort();
      if (choice.kind === "none") {
        this.#problem(
          "port-missing",
          `the port of the service "${service}" is not known: ${choice.why}. Add the label  traefik.tcp.services.${service}.loadbalancer.server.port=1883`,
        );
        return [];
      }
      port = choice.port;
    }
    const where = addresses(port);
    if (where.kind === "ok") return where.addresses;
    this.#problem("address-missing", `the service "${service}" has no server here: ${where.why}`);
    return [];
  }

  #problem(code: Refusal, message: string, label?: string): void {
    this.#problems.push({ severity: "error", code, message, ...(label === undefined ? {} : { label }) });
  }
}

const SERVER = "loadbalancer/server/";
/** Services that say themselves where they lead. */
const ELSEWHERE = /^(?:weighted|failover|loadbalancer\/servers)(?:[/[]|$)/;
