// The middlewares ipAllowList and ipDenyList in the configuration.

import { z } from "zod";
import type { Code } from "./codes.ts";
import { field } from "./field.ts";

const ipList = (mistakes: string) =>
  z
    .object({
      sourceRange: field(
        "Addresses and networks in CIDR form. An IPv4 client is IPv4 also where the entry point takes both families.",
        z.array(z.string().min(1)).min(1, "needs at least one network").optional(),
        {
          kind: "network",
          otherwise: "none; then `sourceFile` is required",
          example: ["10.0.0.0/8", "2001:db8::/32"],
          nothingIsWrong: true,
        },
      ),
      sourceFile: field(
        `A file with one address or network in CIDR form a line; what is behind a \`#\` is a comment. It is read again when it changes, and counts beside \`sourceRange\`. ${mistakes} While the file cannot be read, or is empty, its former networks stay in force; if there are none, the middleware is off.`,
        z.string().min(1, "must name a file").optional(),
        { kind: "file", otherwise: "none", example: "/etc/sluice/networks.txt", nothingIsWrong: true },
      ),
    })
    .superRefine(({ sourceRange, sourceFile }, context) => {
      if (sourceRange === undefined && sourceFile === undefined)
        context.addIssue({
          code: "custom",
          path: [],
          message: "needs sourceRange or sourceFile",
          params: { code: "field-missing" satisfies Code },
        });
    })
    .meta({ oneOf: ["sourceRange", "sourceFile"] });

export const ipAllowList = ipList("A line that cannot be read is an error, and lets nobody in.");
export const ipDenyList = ipList(
  "A line that cannot be read is an error. Until it is mended, whoever the file kept out before stays out.",
);

export type IpListConfig = z.output<typeof ipAllowList>;
