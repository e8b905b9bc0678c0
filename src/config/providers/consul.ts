// providers.consul

import { z } from "zod";
import { field, section } from "../field.ts";
import type { Say } from "../subject.ts";
import { clientTls } from "./client-tls.ts";
import { endpoints, rootKey } from "./store.ts";

const fields = section({
  endpoints: endpoints("Agents, `host:port` of their HTTP API. The first that answers is asked.", 8500),
  rootKey,
  token: field(
    "The token, where access control is on. It needs `key_prefix` with the policy `read` for the root key.",
    z.string().min(1).optional(),
    { secret: true, otherwise: "none", example: "11111111-2222-3333-4444-555555555555" },
  ),
  namespaces: field(
    "Namespaces of Consul Enterprise. Each is a provider of its own: what `team` holds is called `name@consul-team`.",
    z.array(z.string().min(1)).min(1).optional(),
    { otherwise: "the token's own, as the provider `consul`", example: ["team"] },
  ),
  tls: field("TLS towards Consul.", clientTls.optional(), { otherwise: "absent", nothingIsWrong: true }),
});

export const consul = field(
  "Routes from Consul's key-value store: see [Consul](providers.md#consul). `{}` has the defaults of all fields.",
  fields.optional(),
  { otherwise: "none" },
);

export type ConsulConfig = z.output<typeof fields>;

/** Says which names no namespace has. */
export function checkNamespaces(config: ConsulConfig | undefined, problem: Say): void {
  for (const [index, name] of (config?.namespaces ?? []).entries()) {
    const path = ["providers", "consul", "namespaces", index];
    if (!/^[\w-]+$/.test(name))
      problem("field-value", path, `${path.join(".")} must be a name of letters, digits, - and _`);
  }
}
