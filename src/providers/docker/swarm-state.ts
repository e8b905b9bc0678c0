// Services, tasks, networks and nodes of a swarm: what is used of them, read from whatever a manager has sent.

import { z } from "zod";
import type { AttachedNetwork } from "./container.ts";

export interface SwarmService {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** As the manager writes it, a time that sorts as text. */
  readonly created: string;
  /** Its virtual addresses by the networks' ids; none with the endpoint mode dnsrr. */
  readonly virtual: ReadonlyMap<string, string>;
}

export interface SwarmTask {
  readonly serviceId: string;
  readonly nodeId: string;
  readonly isRunning: boolean;
  readonly attachments: readonly { readonly network: string; readonly address: string }[];
}

export interface SwarmState {
  /** The older ones first. */
  readonly services: readonly SwarmService[];
  readonly tasks: readonly SwarmTask[];
  /** Names by id, without the one that only published ports are on. */
  readonly networks: ReadonlyMap<string, string>;
  /** Addresses by id. */
  readonly nodes: ReadonlyMap<string, string>;
  /** The networks of the container that Sluice runs in; null where it runs in none of this node's. */
  readonly own: ReadonlySet<string> | null;
}

const text = z.string().catch("");
const labels = z.record(z.string(), z.string()).nullish().catch(null);
const many = <T extends z.ZodType>(type: T) => z.array(type).nullish().catch(null);

const service = z.object({
  ID: z.string(),
  CreatedAt: text,
  Spec: z.object({ Name: z.string(), Labels: labels }),
  Endpoint: z
    .object({ VirtualIPs: many(z.object({ NetworkID: text, Addr: text })) })
    .nullish()
    .catch(null),
});
const task = z.object({
  ID: z.string(),
  ServiceID: text,
  NodeID: text,
  DesiredState: text,
  Status: z.object({ State: text }),
  NetworksAttachments: many(
    z.object({
      Network: z.object({ Spec: z.object({ Name: text, Ingress: z.boolean().catch(false) }) }),
      Addresses: many(text),
    }),
  ),
});
const network = z.object({ Id: z.string(), Name: z.string(), Ingress: z.boolean().catch(false) });
const node = z.object({ ID: z.string(), Status: z.object({ Addr: text }) });

/** Those of a list that are what they should be. @throws when it is no list. */
function those<T extends z.ZodType>(type: T, json: unknown): z.output<T>[] {
  return z
    .array(z.unknown())
    .parse(json)
    .flatMap((each) => {
      const { success, data } = type.safeParse(each);
      return success ? [data] : [];
    });
}

export function readServices(json: unknown): SwarmService[] {
  return those(service, json)
    .map(({ ID, CreatedAt, Spec, Endpoint }) => ({
      id: ID,
      name: Spec.Name,
      labels: Spec.Labels ?? {},
      created: CreatedAt,
      virtual: new Map((Endpoint?.VirtualIPs ?? []).map(({ NetworkID, Addr }) => [NetworkID, withoutPrefix(Addr)])),
    }))
    .sort((a, b) => (a.created === b.created ? (a.id < b.id ? -1 : 1) : a.created < b.created ? -1 : 1));
}

/** In an order that stays. */
export function readTasks(json: unknown): SwarmTask[] {
  return those(task, json)
    .sort((a, b) => (a.ID < b.ID ? -1 : 1))
    .map(({ ServiceID, NodeID, DesiredState, Status, NetworksAttachments }) => ({
      serviceId: ServiceID,
      nodeId: NodeID,
      isRunning: DesiredState === "running" && Status.State === "running",
      attachments: (NetworksAttachments ?? [])
        .filter(({ Network }) => !Network.Spec.Ingress && Network.Spec.Name !== "ingress")
        .map(({ Network, Addresses }) => ({
          network: Network.Spec.Name,
          address: withoutPrefix(Addresses?.[0] ?? ""),
        })),
    }));
}

export function readNetworks(json: unknown): Map<string, string> {
  const all = those(network, json).filter(({ Ingress, Name }) => !Ingress && Name !== "ingress");
  return new Map(all.map(({ Id, Name }) => [Id, Name]));
}

export function readNodes(json: unknown): Map<string, string> {
  return new Map(those(node, json).map(({ ID, Status }) => [ID, Status.Addr]));
}

/** Addresses by the names of their networks, as a container has them. */
export function attached(all: readonly { readonly network: string; readonly address: string }[]): AttachedNetwork[] {
  return all
    .map(({ network, address }) => ({
      name: network,
      ipv4: address.includes(":") ? "" : address,
      ipv6: address.includes(":") ? address : "",
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** `10.0.1.3/24` */
function withoutPrefix(address: string): string {
  return address.replace(/\/\d+$/, "");
}
