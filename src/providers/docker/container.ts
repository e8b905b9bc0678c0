// A container as a daemon describes it, Docker or Podman: what of that is used, read from whatever the daemon has sent.

import { z } from "zod";

export interface AttachedNetwork {
  readonly name: string;
  /** "" where it has none. */
  readonly ipv4: string;
  readonly ipv6: string;
}

export interface Binding {
  readonly port: number;
  readonly hostIp: string;
  readonly hostPort: number;
}

export interface Container {
  readonly id: string;
  /** Without the slash before it. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `running`, `created`, `exited`, `paused`, ... */
  readonly state: string;
  /** null: it has no health check, or the daemon does none. */
  readonly health: "starting" | "healthy" | "unhealthy" | null;
  /** To the second, as a list has it; it sorts as text. */
  readonly created: string;
  /** `host`, `none`, `container:ID`, or the name of a network. */
  readonly networkMode: string;
  /** By name. */
  readonly networks: readonly AttachedNetwork[];
  /** Exposed and published ports of TCP, ascending. */
  readonly ports: readonly number[];
  readonly bindings: readonly Binding[];
}

/** What a list says of a container. */
export interface Listed {
  readonly id: string;
  readonly names: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly networks: readonly string[];
  /** Changes whenever something does that is of interest. */
  readonly mark: string;
  /** All that there is to know, if the list says it: Docker's does, and Podman's leaves out the mode and ports. */
  readonly container: Container | null;
}

const text = z.string().catch("");
const labels = z.record(z.string(), z.string()).nullish().catch(null);
const attached = z.object({ IPAddress: text, GlobalIPv6Address: text }).nullish().catch(null);
const networks = z.record(z.string(), attached).nullish().catch(null);

const inspected = z.object({
  Id: z.string(),
  Name: z.string(),
  Created: text,
  State: z.object({
    Status: text,
    Health: z.object({ Status: text }).nullish().catch(null),
  }),
  HostConfig: z.object({ NetworkMode: text }),
  Config: z.object({ Labels: labels, ExposedPorts: z.record(z.string(), z.unknown()).nullish().catch(null) }),
  NetworkSettings: z.object({
    Networks: networks,
    Ports: z
      .record(
        z.string(),
        z
          .array(z.object({ HostIp: text, HostPort: text }))
          .nullish()
          .catch(null),
      )
      .nullish()
      .catch(null),
  }),
});

/** @throws when it is no container. */
export function readContainer(json: unknown): Container {
  const { Id, Name, Created, State, HostConfig, Config, NetworkSettings } = inspected.parse(json);
  const published = Object.entries(NetworkSettings.Ports ?? {});
  const ports = [...Object.keys(Config.ExposedPorts ?? {}), ...published.map(([key]) => key)].map(tcpPort);
  return {
    id: Id,
    name: Name.replace(/^\//, ""),
    labels: Config.Labels ?? {},
    state: State.Status,
    health: healthOf(State.Health?.Status ?? ""),
    created: Created.replace(/\..*/, ""),
    networkMode: HostConfig.NetworkMode,
    networks: Object.entries(NetworkSettings.Networks ?? {})
      .map(([name, each]) => ({ name, ipv4: each?.IPAddress ?? "", ipv6: each?.GlobalIPv6Address ?? "" }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    ports: ascending(ports.filter((port) => port !== null)),
    bindings: published.flatMap(([key, bound]) => {
      const port = tcpPort(key);
      if (port === null) return [];
      return (bound ?? []).map(({ HostIp, HostPort }) => ({ port, hostIp: HostIp, hostPort: Number(HostPort) }));
    }),
  };
}

/**
 * The containers of a list; what is none is left out. By hand, and not by a schema: the list of 1000 containers is read once a minute.
 * @throws when it is no list
 */
export function readList(json: unknown): Listed[] {
  if (!Array.isArray(json)) throw new Error("it does not list containers as a Docker daemon does");
  return json.flatMap((each) => (isRecord(each) && typeof each.Id === "string" ? [readListed(each, each.Id)] : []));
}

type Json = Readonly<Record<string, unknown>>;

function readListed(json: Json, id: string): Listed {
  const names = listOf(json.Names).map((name) => textOf(name).replace(/^\//, ""));
  const state = textOf(json.State);
  // "Up 3 minutes (healthy)", "Up 1 second (health: starting)": the time is left out.
  const health = /\((?:health: )?(\w+)\)\s*$/.exec(textOf(json.Status))?.[1] ?? "";
  const networks = Object.entries(recordOf(recordOf(json.NetworkSettings).Networks))
    .map(([name, at]) => ({
      name,
      ipv4: textOf(recordOf(at).IPAddress),
      ipv6: textOf(recordOf(at).GlobalIPv6Address),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const ports = listOf(json.Ports)
    .map(recordOf)
    .filter(({ Type }) => Type === "tcp");
  const mode = textOf(recordOf(json.HostConfig).NetworkMode);
  const labels = labelsOf(json.Labels);
  const isRunning = state === "running";
  // A list has no ports of containers that have no network of their own, and what their images expose is to be asked for.
  const isWhole = mode !== "" && typeof json.Created === "number" && (ports.length > 0 || !isRunning);
  return {
    id,
    names,
    labels,
    networks: networks.map(({ name }) => name),
    mark: JSON.stringify([state, isRunning ? health : "", names, networks]),
    container: !isWhole
      ? null
      : {
          id,
          name: names.find((name) => !name.includes("/")) ?? id,
          labels,
          state,
          health: isRunning ? healthOf(health) : null,
          created: new Date((json.Created as number) * 1000).toISOString().replace(/\..*/, ""),
          networkMode: mode,
          networks,
          ports: ascending(ports.map(({ PrivatePort }) => Number(PrivatePort))),
          bindings: ports.flatMap(({ PrivatePort, IP, PublicPort }) =>
            typeof PublicPort === "number"
              ? [{ port: Number(PrivatePort), hostIp: textOf(IP), hostPort: PublicPort }]
              : [],
          ),
        },
  };
}

function ascending(ports: readonly number[]): number[] {
  return [...new Set(ports)].filter((port) => port > 0).sort((a, b) => a - b);
}

function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function recordOf(value: unknown): Json {
  return isRecord(value) ? value : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function labelsOf(value: unknown): Readonly<Record<string, string>> {
  const labels = recordOf(value);
  const isSound = Object.values(labels).every((each) => typeof each === "string");
  return isSound ? (labels as Record<string, string>) : {};
}

function healthOf(status: string): Container["health"] {
  return status === "starting" || status === "healthy" || status === "unhealthy" ? status : null;
}

/** `1883/tcp`; null where it is of another protocol. */
function tcpPort(key: string): number | null {
  const [, port, protocol = "tcp"] = /^(\d{1,5})(?:\/(\w+))?$/.exec(key) ?? [];
  return port === undefined || protocol.toLowerCase() !== "tcp" ? null : Number(port);
}
