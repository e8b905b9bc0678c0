// tcp.routers: which connections go where.

import { z } from "zod";
import { domain } from "./certificate.ts";
import { field, section } from "./field.ts";
import { onRemove } from "./live.ts";

const word = z.string().min(1);

export const router = z.object({
  entryPoints: field(
    "The entry points that it is on. Sluice warns about one that does not exist; if none exists, the load is refused: see [When something is wrong](configuration.md#when-something-is-wrong).",
    z.array(word).optional(),
    { otherwise: "all, or those with `asDefault`", example: ["mqtts"], nothingIsWrong: true },
  ),
  rule: field("The connections that it takes: see [Rules](configuration.md#rules).", z.string().optional(), {
    otherwise: "required",
    example: "HostSNI(`mqtt.example.com`)",
  }),
  service: field("The service that they go to: the name of an entry of `tcp.services`.", z.string().optional(), {
    otherwise: "required",
    example: "brokers",
  }),
  priority: field(
    "Higher is asked first: see [Priorities](configuration.md#priorities).",
    z
      .number()
      .min(-(2 ** 53))
      .max(2 ** 53 - 1000)
      .default(0),
    { otherwise: "`0`: from the rule", example: 100 },
  ),
  middlewares: field(
    "What is asked about a client before it is let in: names of entries of `tcp.middlewares`. [Middlewares](configuration.md#middlewares) says in which order.",
    z.array(word).default([]),
    { otherwise: "none", example: ["office"], nothingIsWrong: true },
  ),
  onRemove: field(
    "What becomes of open connections when the router is gone, or has lost the entry point, the service or the TLS options by which they came: see [What a reload removes](brokers.md#what-a-reload-removes).",
    onRemove.optional(),
    { otherwise: "`keep`", example: "close" },
  ),
  ruleSyntax: field(
    "`default` and `v3` are the same. `v2` refuses the load: Sluice does not read the rules of Traefik v2.",
    z.enum(["default", "v3", "v2"]).optional(),
    { otherwise: "`v3`", example: "v3" },
  ),
  tls: field(
    "Absent: the router is for plain MQTT. `{}`: TLS is terminated here.",
    section({
      passthrough: field(
        "The TLS bytes go to the broker as they are. `tls.options` then has no effect.",
        z.boolean().default(false),
        { example: true },
      ),
      options: field("The name of an entry of `tls.options`.", word.optional(), {
        otherwise: "`default`",
        example: "modern",
        nothingIsWrong: true,
      }),
      certResolver: field(
        "The [resolver](reference/static.md#certificatesresolvers) that obtains a certificate for the names in the rule, one for all of them, unless configured certificates serve them already.",
        word.optional(),
        { otherwise: "none", example: "letsencrypt" },
      ),
      domains: field("One certificate for each entry, instead.", z.array(domain).default([]), {
        otherwise: "the names in the rule",
      }),
    }).optional(),
    { otherwise: "absent" },
  ),
});

export type RouterConfig = z.output<typeof router>;
