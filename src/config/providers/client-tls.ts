// TLS towards a store of routes, as Traefik's ClientTLS.

import { z } from "zod";
import { field, section } from "../field.ts";
import type { Path } from "../source.ts";
import type { Say } from "../subject.ts";

const fileOrContent = z.string().min(1);

export const clientTls = section({
  ca: field("The authorities that may have issued the server's certificate.", fileOrContent.optional(), {
    kind: "file or content",
    otherwise: "the public authorities built into Bun",
    example: "certs/store-ca.crt",
  }),
  cert: field("The certificate that Sluice shows. It needs `key`.", fileOrContent.optional(), {
    kind: "file or content",
    secret: true,
    otherwise: "none",
    example: "certs/sluice.crt",
  }),
  key: field("The certificate's private key. It needs `cert`.", fileOrContent.optional(), {
    kind: "file or content",
    secret: true,
    otherwise: "none",
    example: "certs/sluice.key",
  }),
  insecureSkipVerify: field("Do not check the server's certificate at all.", z.boolean().default(false), {
    example: true,
  }),
});

/** Says what of it does not go together. */
export function checkClientTls(tls: z.output<typeof clientTls> | undefined, path: Path, problem: Say): void {
  if (tls === undefined || (tls.cert === undefined) === (tls.key === undefined)) return;
  const [given, missing] = tls.cert === undefined ? ["key", "cert"] : ["cert", "key"];
  problem("fields-conflict", [...path, given!], `${[...path, given].join(".")} needs ${missing} beside it`);
}
