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
  /** As the daemon writes it, a time that sorts as text. */
  readonly created: string;
  /** `host`, `none`, `container:ID`, or the name of a network. */
  readonly networkMode: string;
  /** By name. */
  readonly networks: readonly AttachedNetwork[];
  /** Exposed and published ports of TCP, ascending. */
  readonly ports: readonly number[];
  readonly bindings: readonly Binding[];
}

/** What a list says of each container, beside what it says of all: enough to see whether it must be asked for anew. */
export interface Listed {
  readonly id: string;
  readonly names: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly networks: readonly string[];
  /** Changes whenever something does that is of interest. */
  readonly mark: string;
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

const listed = z.object({
  Id: z.string(),
  Names: z.array(z.string()).nullish().catch(null),
  Labels: labels,
  State: text,
  Status: text,
  NetworkSettings: z.object({ Networks: networks }).nullish().catch(null),
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
    created: Created,
    networkMode: HostConfig.NetworkMode,
    networks: Object.entries(NetworkSettings.Networks ?? {})
      .map(([name, each]) => ({ name, ipv4: each?.IPAddress ?? "", ipv6: each?.GlobalIPv6Address ?? "" }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    ports: [...new Set(ports.filter((port) => port !== null))].sort((a, b) => a - b),
    bindings: published.flatMap(([key, bound]) => {
      const port = tcpPort(key);
      if (port === null) return [];
      return (bound ?? []).map(({ HostIp, HostPort }) => ({ port, hostIp: HostIp, hostPort: Number(HostPort) }));
    }),
  };
}

/** The containers of a list; what is none is left out. */
export function readList(json: unknown): Listed[] {
  const list = z.array(z.unknown()).parse(json);
  return list.flatMap((each) => {
    const { success, data } = listed.safeParse(each);
    if (!success) return [];
    const { Id, Names, Labels, State, Status, NetworkSettings } = data;
    const attachedTo = NetworkSettings?.Networks ?? {};
    // "Up 3 minutes (healthy)": the time is left out, and the health is not.
    const health = /\(([^)]*)\)\s*$/.exec(Status)?.[1] ?? "";
    const addresses = Object.entries(attachedTo).map(
      ([name, at]) => `${name}=${at?.IPAddress}/${at?.GlobalIPv6Address}`,
    );
    return [
      {
        id: Id,
        names: (Names ?? []).map((name) => name.replace(/^\//, "")),
        labels: Labels ?? {},
        networks: Object.keys(attachedTo),
        mark: [State, State === "running" ? health : "", ...(Names ?? []), ...addresses.sort()].join("\0"),
      },
    ];
  });
}

function healthOf(status: string): Container["health"] {
  return status === "starting" || status === "healthy" || status === "unhealthy" ? status : null;
}

/** `1883/tcp`; null where it is of another protocol. */
function tcpPort(key: string): number | null {
  const [, port, protocol = "tcp"] = /^(\d{1,5})(?:\/(\w+))?$/.exec(key) ?? [];
  return port === undefined || protocol.toLowerCase() !== "tcp" ? null : Number(port);
}
