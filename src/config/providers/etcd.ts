// providers.etcd

import type { z } from "zod";
import { field, section } from "../field.ts";
import { clientTls } from "./client-tls.ts";
import { endpoints, password, rootKey, username } from "./store.ts";

const fields = section({
  endpoints: endpoints("Members of the cluster, `host:port`. The first that answers is asked.", 2379),
  rootKey,
  username: username(
    "The user, where etcd asks for one. A certificate (`tls.cert`) whose common name is a user needs none.",
  ),
  password: password("The user's password."),
  tls: field("TLS towards etcd.", clientTls.optional(), { otherwise: "absent", nothingIsWrong: true }),
});

export const etcd = field(
  "Routes from etcd 3.4 or newer: see [etcd](providers.md#etcd). `{}` has the defaults of all fields.",
  fields.optional(),
  { otherwise: "none" },
);

export type EtcdConfig = z.output<typeof fields>;
