// providers.swarm

import { z } from "zod";
import { duration, field, section, unsupported } from "../field.ts";
import { daemonFields } from "./docker.ts";

const fields = section({
  ...daemonFields("service", "swarm"),
  refreshSeconds: field(
    "How often tasks are looked at. Changes of services are heard of at once.",
    duration(100, "must be at least 100ms").default(15_000),
    { example: "5s" },
  ),
  watch: field(
    "Follow what services do. With `false` they are read at the start and at SIGHUP.",
    z.boolean().default(true),
    {
      example: false,
    },
  ),
  allowEmptyServices: field(
    "Keep the routers of services that have no running task. Their clients are then refused as those of a service without servers.",
    z.boolean().default(false),
    { example: true },
  ),
  useBindPortIP: unsupported("warn", "has no effect on a swarm: tasks publish no address of their own"),
});

export const swarm = field(
  "Routes from the labels of the services of a Docker swarm, asked of a manager: see [Docker](docker.md#swarm).",
  fields.optional(),
  { otherwise: "none" },
);

export type SwarmConfig = z.output<typeof fields>;
