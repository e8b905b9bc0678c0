// providers.zooKeeper

import type { z } from "zod";
import { field, section } from "../field.ts";
import { clientTls } from "./client-tls.ts";
import { endpoints, password, rootKey, username } from "./store.ts";

const fields = section({
  endpoints: endpoints("Servers of the ensemble, `host:port`. The first that answers is asked.", 2181),
  rootKey,
  username: username("The user, where nodes are not for everyone (scheme `digest`)."),
  password: password("The user's password."),
  tls: field("TLS towards ZooKeeper, on its `secureClientPort`.", clientTls.optional(), {
    otherwise: "absent",
    nothingIsWrong: true,
  }),
});

export const zooKeeper = field(
  "Routes from ZooKeeper: see [ZooKeeper](providers.md#zookeeper). `{}` has the defaults of all fields.",
  fields.optional(),
  { otherwise: "none" },
);

export type ZooKeeperConfig = z.output<typeof fields>;
