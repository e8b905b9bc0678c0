// Under which address and port a container is reached: the same ones for the same containers, never by chance.

import type { Container } from "./container.ts";

/** What is known of the place that Sluice runs in. */
export interface Surroundings {
  /** The networks of the container that Sluice runs in; null where it runs in none, or in the host's network. */
  readonly networks: ReadonlySet<string> | null;
  /** The host, as Sluice reaches it: for containers in the host's network. */
  readonly host: string;
}

export interface Chosen {
  readonly host: string;
  /** What an operator should know of the choice. */
  readonly remark: {
    readonly code: "network-ambiguous" | "network-unknown" | "network-not-shared";
    readonly message: string;
  } | null;
}

export type Choice = ({ readonly kind: "ok" } & Chosen) | { readonly kind: "none"; readonly why: string };

/** Containers that share another one's network, of which that one shares another's, and so on. */
const MAX_SHARED = 8;

/**
 * @param wanted the network that a label or the configuration names. Compose puts its project before the names of networks, and both
 * forms are taken.
 * @param find another container, by its id or its name.
 */
export function chooseAddress(
  container: Container,
  wanted: string | null,
  surroundings: Surroundings,
  find: (id: string) => Container | null,
  depth = 0,
): Choice {
  const { networkMode: mode } = container;
  if (mode === "host") return { kind: "ok", host: surroundings.host, remark: null };
  const sharedWith = /^container:(.+)$/.exec(mode)?.[1];
  if (sharedWith !== undefined) {
    const other = depth < MAX_SHARED ? find(sharedWith) : null;
    if (other === null) return none(`it has the network of the container ${shorten(sharedWith)}, which is not there`);
    return chooseAddress(other, wanted, surroundings, find, depth + 1);
  }
  const usable = container.networks.filter(({ ipv4, ipv6 }) => ipv4 !== "" || ipv6 !== "");
  if (usable.length === 0) {
    if (mode === "none") return none("it has no network");
    return none("it has no address in any network");
  }
  const names = usable.map(({ name }) => name);
  if (wanted !== null) {
    const { labels } = container;
    const project = labels["com.docker.compose.project"] ?? labels["com.docker.stack.namespace"];
    const named =
      usable.find(({ name }) => name === wanted) ?? usable.find(({ name }) => name === `${project}_${wanted}`);
    if (named !== undefined) return { kind: "ok", host: addressIn(named), remark: null };
  }
  const { networks: own } = surroundings;
  const shared = own === null ? usable : usable.filter(({ name }) => own.has(name));
  const candidates = shared.length > 0 ? shared : usable;
  const [first] = candidates as [(typeof candidates)[number]];
  const chosen = `${first.name} (${addressIn(first)}) is used`;
  let remark: Chosen["remark"] = null;
  if (wanted !== null)
    remark = {
      code: "network-unknown",
      message: `is not in the network "${wanted}", but in ${listed(names)}: ${chosen}`,
    };
  else if (shared.length === 0)
    remark = {
      code: "network-not-shared",
      message: `shares no network with Sluice, which is in ${listed([...own!])}: ${chosen}, and perhaps cannot be reached`,
    };
  else if (candidates.length > 1)
    remark = {
      code: "network-ambiguous",
      message: `is in several networks, ${listed(candidates.map(({ name }) => name))}: ${chosen}`,
    };
  return { kind: "ok", host: addressIn(first), remark };
}

export type PortChoice =
  | { readonly kind: "ok"; readonly port: number }
  | { readonly kind: "none"; readonly why: string };

/** The lowest port that is exposed or published, as in Traefik. Ports of UDP do not count. */
export function choosePort({ ports, networkMode }: Container): PortChoice {
  const [lowest] = ports;
  if (lowest !== undefined) return { kind: "ok", port: lowest };
  return none(
    networkMode === "host" ? "containers in the host's network expose none" : "it exposes and publishes none",
  );
}

/** Where on the host a port of the container is published; null where it is on no address in particular. */
export function boundTo(
  { bindings }: Container,
  port: number,
): { readonly host: string; readonly port: number } | null {
  const bound = bindings.find((each) => each.port === port && !["", "0.0.0.0", "::"].includes(each.hostIp));
  return bound === undefined || !(bound.hostPort > 0) ? null : { host: bound.hostIp, port: bound.hostPort };
}

function addressIn({ ipv4, ipv6 }: { readonly ipv4: string; readonly ipv6: string }): string {
  return ipv4 === "" ? ipv6 : ipv4;
}

function none(why: string): { readonly kind: "none"; readonly why: string } {
  return { kind: "none", why };
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.map((name) => `"${name}"`).join(", ");
}

/** An id of 64 digits as people know it. */
export function shorten(id: string): string {
  return /^[0-9a-f]{64}$/.test(id) ? id.slice(0, 12) : id;
}
