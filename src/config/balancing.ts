// How a load balancer chooses among its servers: the fields of Sluice's own, of the load balancer and of each server.

import { z } from "zod";
import { duration, field, section } from "./field.ts";

/** What a client can be known by. */
const CLIENT_KEYS = ["clientId", "username", "clientIP", "sni", "certificate"] as const;

const SEE = "see [Balancing](brokers.md#balancing)";

/** Of each server. */
export const serverBalancing = {
  weight: field(
    `The server's share: one with the weight 3 gets three times as many clients as one with 1. 0 is never used: ${SEE}.`,
    z.number().int().min(0).max(1_000_000).optional(),
    { otherwise: "`1`", example: 3 },
  ),
  maxConnections: field(
    "Connections that the server has at most, over all workers, in round numbers: [how exactly](brokers.md#counts-across-workers). Over it clients go to the next server, and are refused where there is none.",
    z.number().int().min(1).max(10_000_000).optional(),
    { otherwise: "as many as come", example: 5000, nothingIsWrong: true },
  ),
  backup: field("Use this server only while no other one can be chosen.", z.boolean().default(false), {
    example: true,
  }),
};

/** Of the load balancer. */
export const balancing = {
  strategy: field(
    `How a server is chosen. \`wrr\`: in turn, by weight. \`leastconn\`: the one with the fewest connections. \`p2c\`: of two drawn at random the one with fewer. \`hrw\`: the same client comes to the same server: ${SEE}.`,
    z.enum(["wrr", "leastconn", "p2c", "hrw"]).default("wrr"),
    { example: "hrw", nothingIsWrong: true },
  ),
  hashKey: field(
    "What `hrw` knows a client by. For `clientId` and `username` its CONNECT is read, and counts as the server gets it. A client without one goes in turn.",
    z.enum(CLIENT_KEYS).optional(),
    { otherwise: "`clientId`", example: "username", nothingIsWrong: true },
  ),
  sticky: field(
    "A client comes to the server that it came to last, as long as that can be chosen, whatever the strategy.",
    section({
      key: field("What a client is known by, as in `hashKey`.", z.enum(CLIENT_KEYS).default("clientId"), {
        example: "username",
      }),
      maxEntries: field(
        "Clients that are remembered. One more makes room by the one that has not come for longest. Each takes about 200 bytes in every worker and in the master.",
        z.number().int().min(1).max(1_000_000).default(100_000),
        { example: 20_000 },
      ),
    }).optional(),
    { otherwise: "absent", example: {}, nothingIsWrong: true },
  ),
  slowStart: field(
    "A server that comes up, or is added, grows to its weight over this time. It has no effect on `hrw`.",
    duration(0, "must not be negative").optional(),
    { otherwise: "its weight at once", example: "30s" },
  ),
  takeover: field(
    "What becomes of the older connection when its client id comes again on another server of this service, and is let in there. `close`: it is closed, as one broker would. See [The same client id on two servers](brokers.md#the-same-client-id-on-two-servers).",
    z.enum(["keep", "close"]).default("keep"),
    { example: "close", nothingIsWrong: true },
  ),
};
