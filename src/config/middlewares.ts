// tcp.middlewares: what a router asks about a client before it lets it in.

import { z } from "zod";
import { field } from "./field.ts";
import { mqttAuth } from "./mqtt-auth.ts";
import { mqttConnect } from "./mqtt-connect.ts";
import { mqttIdentity } from "./mqtt-identity.ts";

const ipAllowList = z.object({
  sourceRange: field(
    "Addresses and networks in CIDR form. An IPv4 client is IPv4 also where the entry point takes both families.",
    z.array(z.string().min(1)).min(1, "needs at least one network: with none nobody could come in"),
    { kind: "network", otherwise: "required", example: ["10.0.0.0/8", "2001:db8::/32"] },
  ),
});

/** One middleware: one kind, with its settings. */
export const middleware = z.object({
  ipAllowList: field(
    "Lets in clients of these networks, and refuses all others: a TLS client gets the alert `access_denied`.",
    ipAllowList.optional(),
    { otherwise: "absent" },
  ),
  ipWhiteList: field("The old name of `ipAllowList`.", ipAllowList.optional(), { otherwise: "absent" }),
  inFlightConn: field(
    "Limits the connections that one address has at a time. The routers that use the middleware share the count, and a reload keeps it. Each worker counts the connections that came to it.",
    z
      .object({
        amount: field(
          "The most connections of one address, in each worker. 0 refuses everybody.",
          z.number().int().min(0),
          {
            otherwise: "required",
            example: 10,
          },
        ),
      })
      .optional(),
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
