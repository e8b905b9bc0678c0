// tcp.services: where connections can go.

import { z } from "zod";
import { balancing, serverBalancing } from "./balancing.ts";
import { duration, field, section } from "./field.ts";
import { failover, healthCheck, passive } from "./health.ts";
import { drain, onRemove } from "./live.ts";
import { proxyProtocolOut } from "./proxy-protocol.ts";
import { parsePort } from "./scalars.ts";

/** Milliseconds. */
export const FIRST_BYTE_MS = 10_000;

const word = z.string().min(1);

/** Which addresses of a name become servers. */
const ADDRESS_FAMILIES = ["all", "ipv4", "ipv6"] as const;

const server = z.object({
  address: field(
    "`host:port`, or `unix:///path` for a Unix socket. Names are resolved again for a dial when the answer is older than 3 s, and all addresses are tried.",
    z.string().optional(),
    { otherwise: "`port` on 127.0.0.1", example: "broker-a.internal:1883" },
  ),
  resolve: field(
    "Make every address of the name a server of its own, and follow them as DNS changes: `all`, or only those of one family. See [All brokers behind one name](brokers.md#all-brokers-behind-one-name).",
    z.enum(ADDRESS_FAMILIES).optional(),
    { otherwise: "the name is one server", example: "all", nothingIsWrong: true },
  ),
  srv: field(
    "In place of `address`: the name of DNS records of type SRV, which say hosts, ports, priorities and weights. They are followed as DNS changes. See [SRV records](brokers.md#srv-records).",
    z.string().optional(),
    { otherwise: "`address` says where the server is", example: "_mqtt._tcp.example.com" },
  ),
  port: field(
    "Without an `address`, this port on 127.0.0.1. With an `address` that has no port, the port.",
    z
      .string()
      .refine((value) => (parsePort(value) ?? 0) > 0, { message: "must be a port from 1 to 65535" })
      .optional(),
    { kind: "port", numbers: [1, 65_535], otherwise: "in `address`", example: 1883 },
  ),
  tls: field("Speak TLS to this server.", z.boolean().default(false), { example: true, nothingIsWrong: true }),
  drain: field(
    "No new connection goes to this server, as long as it is here: see [Drain](brokers.md#drain). `true` keeps those that are open; `close` closes them; `{ spread: 50 }` closes 50 in a second.",
    drain.optional(),
    { otherwise: "`false`", example: { spread: 50 } },
  ),
  ...serverBalancing,
});

export const service = z.object({
  loadBalancer: field(
    "Servers. A service has one of this, `weighted` and `failover`.",
    section({
      servers: field(
        "The brokers. `strategy` says how one is chosen. When it fails, the next is tried, until all have been. Without any, clients are disconnected.",
        z.array(server).default([]),
        { otherwise: "empty" },
      ),
      ...balancing,
      serversTransport: field("The name of an entry of `tcp.serversTransports`.", word.optional(), {
        otherwise: "`tcpServersTransport` of the static file",
        example: "quick",
        nothingIsWrong: true,
      }),
      terminationDelay: field(
        "The same as in a transport, but an integer and not a duration. It is ignored when `serversTransport` is set.",
        // Deprecated in Traefik, where it is taken for nanoseconds; here it means what its documentation says.
        z.number().int().optional(),
        { unit: "milliseconds", otherwise: "that of the transport", example: 100 },
      ),
      proxyProtocol: field(
        "Traefik's old place of the transport's field; ignored with a warning when `serversTransport` is set.",
        proxyProtocolOut.optional(),
        { otherwise: "that of the transport", nothingIsWrong: true },
      ),
      firstByteTimeout: field(
        "How long a server may take from a client's CONNECT, or from its ClientHello where TLS is passed through, to the first byte of its answer. Then the next server gets the same: see [When a server fails](brokers.md#when-a-server-fails). `0`: for ever.",
        duration(0, "must not be negative").default(FIRST_BYTE_MS),
        { example: "5s" },
      ),
      onRemove: field(
        "What becomes of open connections whose server is not in this service any more, or whose service is gone: see [What a reload removes](brokers.md#what-a-reload-removes).",
        onRemove.optional(),
        { otherwise: "`keep`", example: "close" },
      ),
      healthCheck: field(
        "Check the servers: see [Health checks](brokers.md#health-checks). `{}` opens a connection every 30 s.",
        healthCheck.optional(),
        { otherwise: "absent: Sluice goes by what happens to clients" },
      ),
      passive: field(
        "When a server is taken out by what happens to clients: see [What clients tell](brokers.md#what-clients-tell).",
        passive.optional(),
        { otherwise: "as with `{}`" },
      ),
    }).optional(),
    { otherwise: "absent" },
  ),
  weighted: field(
    "Other services, in turn by weight.",
    section({
      services: field(
        "The services, each with its weight. They may be weighted too, up to 50 inside one another. If the weights add up to 10, a service with the weight 3 gets three of any ten connections in a row. If all servers of one service fail, the others are tried.",
        z
          .array(
            z.object({
              name: field("The service.", word, { example: "brokers" }),
              weight: field("0 is never used.", z.number().int().min(0).max(1_000_000).default(1), { example: 3 }),
            }),
          )
          .default([]),
        { otherwise: "empty" },
      ),
      healthCheck: field(
        "Accepted: a service whose servers are all down is passed over with it and without it, and its services need no `healthCheck` of their own.",
        section({}).optional(),
        { otherwise: "absent" },
      ),
    }).optional(),
    { otherwise: "absent" },
  ),
  failover: field(
    "One service, and another one for when all servers of the first are down: see [Failover](brokers.md#failover).",
    failover.optional(),
    { otherwise: "absent" },
  ),
});

export type ServiceConfig = z.output<typeof service>;
