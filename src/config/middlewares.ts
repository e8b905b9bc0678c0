// tcp.middlewares: what a router asks about a client before it lets it in.

import { z } from "zod";
import type { Code } from "./codes.ts";
import { duration, field } from "./field.ts";
import { ipAllowList, ipDenyList } from "./ip-lists.ts";
import { mqttAuth } from "./mqtt-auth.ts";
import { mqttConnect } from "./mqtt-connect.ts";
import { mqttIdentity } from "./mqtt-identity.ts";

/** By what clients are told apart. Nothing behind a field may not be taken for absent: it would count something else. */
const keyFields = (ipv6Prefix: number) => ({
  key: field(
    "What clients are told apart by: the address, the client id or the user name (as the server sees them), the verified certificate, or the server name of TLS. A client that has nothing of the kind counts by its address. `clientId`, `username` and `certificate` make Sluice read the CONNECT first.",
    z.enum(["clientIP", "clientId", "username", "certificate", "sni"]).default("clientIP"),
    { example: "username", nothingIsWrong: true },
  ),
  ipv4Prefix: field("How many bits of an IPv4 address count.", z.number().int().min(0).max(32).default(32), {
    unit: "bits",
    example: 24,
    nothingIsWrong: true,
  }),
  ipv6Prefix: field(
    "How many bits of an IPv6 address count. One client mostly has a network of 64 bits to choose addresses from.",
    z.number().int().min(0).max(128).default(ipv6Prefix),
    { unit: "bits", example: 56, nothingIsWrong: true },
  ),
});

const inFlightConn = z.object({
  amount: field("The most connections of one client, over all workers. 0 refuses everybody.", z.number().int().min(0), {
    otherwise: "required",
    example: 10,
  }),
  ...keyFields(128),
});

const rateLimit = z.object({
  average: field(
    "How many connections a client may make per `period`, in the long run.",
    z.number().int().min(1, "must be at least 1; for a lower rate make the period longer").max(1_000_000),
    { otherwise: "required", unit: "connections", example: 5 },
  ),
  period: field(
    "The time that `average` is for.",
    duration(1, "must be at least 1ms").max(86_400_000, "must be at most 24h").default(1000),
    {
      example: "1m",
      nothingIsWrong: true,
    },
  ),
  burst: field("How many may come at once, after a pause.", z.number().int().min(1).max(1_000_000).default(1), {
    unit: "connections",
    example: 10,
    nothingIsWrong: true,
  }),
  ...keyFields(64),
});

const bytes = z
  .number()
  .int()
  .min(1024, "must be at least 1024")
  .max(2 ** 40);

const bandwidth = z
  .object({
    in: field("How many bytes per second a client may send.", bytes.optional(), {
      unit: "bytes",
      otherwise: "as fast as it goes",
      example: 65_536,
      nothingIsWrong: true,
    }),
    out: field("How many bytes per second a client may get.", bytes.optional(), {
      unit: "bytes",
      otherwise: "as fast as it goes",
      example: 262_144,
      nothingIsWrong: true,
    }),
    burst: field(
      "How many may come at once, after a pause, in each direction. At least what comes in a quarter of a second counts.",
      bytes.optional(),
      {
        unit: "bytes",
        otherwise: "what comes in a second",
        example: 1_048_576,
        nothingIsWrong: true,
      },
    ),
  })
  .superRefine((value, context) => {
    if (value.in === undefined && value.out === undefined)
      context.addIssue({
        code: "custom",
        path: [],
        message: "needs in or out",
        params: { code: "field-missing" satisfies Code },
      });
  })
  .meta({ oneOf: ["in", "out"] });

/** One middleware: one kind, with its settings. */
export const middleware = z.object({
  ipAllowList: field(
    "Lets in clients of these networks, and refuses all others: a TLS client gets the alert `access_denied`.",
    ipAllowList.optional(),
    { otherwise: "absent" },
  ),
  ipWhiteList: field("The old name of `ipAllowList`.", ipAllowList.optional(), { otherwise: "absent" }),
  ipDenyList: field(
    "Refuses clients of these networks, and lets in all others: a TLS client gets the alert `access_denied`.",
    ipDenyList.optional(),
    { otherwise: "absent" },
  ),
  inFlightConn: field(
    "Limits the connections that one client has at a time. The routers that use the middleware share the count, all workers have one, and a reload keeps it: see [limits for clients](configuration.md#limits-for-clients).",
    inFlightConn.optional(),
    { otherwise: "absent" },
  ),
  rateLimit: field(
    "Limits how often one client connects. Who comes more often is refused: a TLS client gets the alert `access_denied`, and a client whose CONNECT was read a CONNACK (code 3, in MQTT 5 code 0x9F). The routers that use the middleware share the count, and a reload keeps it: see [limits for clients](configuration.md#limits-for-clients).",
    rateLimit.optional(),
    { otherwise: "absent" },
  ),
  bandwidth: field(
    "Limits how fast each connection sends and gets, by not reading for a while from who is faster. It refuses nobody: see [bandwidth](configuration.md#bandwidth).",
    bandwidth.optional(),
    { otherwise: "absent" },
  ),
  mqttConnect: field(
    "Reads the client's first packet before a server is dialled, and refuses what is no sound CONNECT or not allowed here: see [MQTT at the edge](mqtt.md).",
    mqttConnect.optional(),
    { otherwise: "absent" },
  ),
  mqttAuth: field(
    "Reads the client's CONNECT, and lets in whose user name and password are in a password file of Mosquitto. Others get a CONNACK that says so, and no server hears of them.",
    mqttAuth.optional(),
    { otherwise: "absent" },
  ),
  mqttIdentity: field(
    "Tells the server who the client is: writes the user name, the client id or the password in its CONNECT anew, by its certificate or by what else it has shown. Refuses a client that has not shown what is asked for: see [Who is connecting](mqtt.md#who-is-connecting).",
    mqttIdentity.optional(),
    { otherwise: "absent" },
  ),
});

export type MiddlewareConfig = z.output<typeof middleware>;
