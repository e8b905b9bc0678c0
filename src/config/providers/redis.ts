// providers.redis: routes in Redis, one key for each value.

import { z } from "zod";
import { duration, field, section, unsupported } from "../field.ts";
import type { Say } from "../subject.ts";
import { clientTls } from "./client-tls.ts";
import { checkStore, endpoints, password, rootKey, username } from "./store.ts";

const FROM_MASTER = "has no effect: Sluice reads from the master";

const fields = section({
  endpoints: endpoints("One `host:port`. With `sentinel`, the Sentinels.", 6379),
  rootKey,
  username: username("The user of Redis's ACL. Without it, a password is that of the user `default`."),
  password: password("The password."),
  db: field("The number of the database.", z.number().int().min(0).max(1_000_000).default(0), { example: 2 }),
  tls: field("TLS towards Redis, and towards the Sentinels.", clientTls.optional(), {
    otherwise: "absent",
    nothingIsWrong: true,
  }),
  poll: field(
    "How often to look for changes where Redis cannot tell of them: see [Redis](providers.md#redis). At least `100ms`.",
    duration(100, "must be at least 100ms").default(5000),
    { example: "30s" },
  ),
  sentinel: field(
    "Ask Sentinels where the master is.",
    z
      .object({
        masterName: field("The name of the master, as the Sentinels have it.", z.string().min(1), {
          example: "mymaster",
        }),
        username: username("The user of the Sentinels' own ACL."),
        password: password("The password of the Sentinels themselves."),
        latencyStrategy: unsupported("warn", FROM_MASTER),
        randomStrategy: unsupported("warn", FROM_MASTER),
        replicaStrategy: unsupported("warn", FROM_MASTER),
        useDisconnectedReplicas: unsupported("warn", FROM_MASTER),
      })
      .optional(),
    { otherwise: "absent: `endpoints` is Redis itself", nothingIsWrong: true },
  ),
});

export const redis = field(
  "Routes from Redis: see [Redis](providers.md#redis). `{}` has the defaults of all fields.",
  fields.optional(),
  { otherwise: "none" },
);

export type RedisConfig = z.output<typeof fields>;

/** Says what of it does not go together. */
export function checkRedis(config: RedisConfig | undefined, problem: Say): void {
  if (config === undefined) return;
  const { password: _, ...rest } = config;
  checkStore("redis", rest, problem);
  if (config.endpoints.length > 1 && config.sentinel === undefined)
    problem(
      "fields-conflict",
      ["providers", "redis", "endpoints"],
      "providers.redis.endpoints: several of them are Sentinels, so sentinel.masterName must be given too; Redis itself is one",
    );
}
