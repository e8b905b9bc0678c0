// A Compose file, and its services run by podman as Compose would run them. A field that is not translated here is an error, so that no
// promise of the file goes untested unnoticed.

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse } from "yaml";

export interface Service {
  readonly image: string;
  readonly build?: string;
  readonly user?: string;
  readonly command?: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly networks: readonly string[];
  readonly dns_opt?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly tmpfs?: readonly string[];
  readonly depends_on?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly ulimits?: Readonly<Record<string, { readonly soft: number; readonly hard: number }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly stop_grace_period?: string;
  readonly restart?: string;
}

export interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
  readonly volumes: Readonly<Record<string, null>>;
}

export function readCompose(file: string): Compose {
  return parse(readFileSync(file, "utf8"));
}

/** Host paths that a service mounts, the system's own left out. */
export function mountedPaths(file: string, service: Service): string[] {
  const sources = (service.volumes ?? []).map((volume) => volume.split(":")[0]!);
  return sources.filter((source) => /^[.]/.test(source)).map((source) => resolve(dirname(file), source));
}

export interface Substitutes {
  /** The image to run instead. */
  readonly image?: string;
  /** The project's name, before the names of networks and volumes. */
  readonly project: string;
  /** Published port to the one that is free here. */
  readonly ports?: ReadonlyMap<string, number>;
  /** Path of the host to the one that stands in for it. */
  readonly paths?: ReadonlyMap<string, string>;
}

/** What follows `podman run --detach --name=...` for a service; its name is known in its networks. */
export function runArguments(file: string, name: string, service: Service, substitutes: Substitutes): string[] {
  const { project } = substitutes;
  const path = (source: string) =>
    substitutes.paths?.get(source) ?? (/^[./]/.test(source) ? resolve(dirname(file), source) : `${project}_${source}`);
  const translate: { readonly [Field in keyof Service]-?: (value: NonNullable<Service[Field]>) => string[] } = {
    image: () => [],
    build: () => [],
    // They follow the image.
    command: () => [],
    user: (user) => [`--user=${user}`],
    ports: (ports) =>
      ports.map((port) => {
        const [inside, published] = port.split(":").reverse() as [string, string];
        return `--publish=127.0.0.1:${substitutes.ports?.get(published) ?? published}:${inside}`;
      }),
    volumes: (volumes) =>
      volumes.map((volume) => {
        const [source, ...rest] = volume.split(":");
        return `--volume=${[path(source!), ...rest].join(":")}`;
      }),
    networks: (networks) => networks.map((network) => `--network=${project}_${network}:alias=${name}`),
    dns_opt: (options) => options.map((option) => `--dns-option=${option}`),
    labels: (labels) => Object.entries(labels).map(([key, value]) => `--label=${key}=${value.replaceAll("$$", "$")}`),
    tmpfs: (all) => all.map((each) => `--tmpfs=${each}`),
    // Whoever starts them has the order.
    depends_on: () => [],
    environment: (variables) => Object.entries(variables).map(([key, value]) => `--env=${key}=${value}`),
    read_only: (on) => (on ? ["--read-only", "--read-only-tmpfs=false"] : []),
    cap_drop: (all) => all.map((each) => `--cap-drop=${each}`),
    security_opt: (all) => all.map((each) => `--security-opt=${each.replace(/:true$/, "")}`),
    // Where one limit is given podman sets the others as well, higher than some machines allow.
    ulimits: (all) => [
      ...Object.entries(all).map(([key, { soft, hard }]) => `--ulimit=${key}=${allowed(soft)}:${allowed(hard)}`),
      "--ulimit=nproc=1000:1000",
    ],
    healthcheck: ({ test: [kind, ...command] }) => {
      if (kind !== "CMD") throw new Error(`${file}: a health check by ${kind} needs a shell`);
      return [`--health-cmd=${JSON.stringify(command)}`];
    },
    stop_grace_period: (period) => [`--stop-timeout=${Number.parseInt(period, 10)}`],
    // No daemon is there to restart it.
    restart: () => [],
  };
  const options = Object.entries(service).flatMap(([field, value]) => {
    const translated = translate[field as keyof Service] as ((value: unknown) => string[]) | undefined;
    if (translated === undefined) throw new Error(`${file}: services.${name}.${field} is not translated for podman`);
    return translated(value);
  });
  const own = [`--label=com.docker.compose.project=${project}`, `--label=com.docker.compose.service=${name}`];
  return [...own, ...options, substitutes.image ?? service.image, ...(service.command ?? [])];
}

/** A machine that may not raise its own hard limit of descriptors cannot give a container more. */
export function allowed(descriptors: number): number {
  const most = /^Max open files +\d+ +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
  return Math.min(descriptors, Number(most ?? descriptors));
}
