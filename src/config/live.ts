// `drain` and `onRemove`: what becomes of connections that are open when their server or router shall have no new ones.

import { z } from "zod";
import type { Code } from "./codes.ts";
import { type FieldMeta, field } from "./field.ts";

/** `spread` without a number. */
const PER_SECOND = 10;

const shape = {
  live: field(
    "What becomes of connections that are open. `keep`: they stay until a side ends them. `close`: they are closed. `spread`: they are closed one after another. The word alone stands for this field.",
    z.enum(["keep", "close", "spread"]).optional(),
    { otherwise: "`keep`, or `spread` where that is set", example: "close" },
  ),
  spread: field(
    "How many are closed in a second, by all workers together. Which ones is left to chance.",
    z.number().int().min(1).max(100_000).optional(),
    { unit: "connections a second", otherwise: `\`${PER_SECOND}\``, example: 50 },
  ),
};

const live = z.object(shape).superRefine((value, context) => {
  if (value.spread === undefined || value.live === undefined || value.live === "spread") return;
  context.addIssue({
    code: "custom",
    path: ["spread"],
    message: `has no use beside live: ${value.live}: remove one of them`,
    params: { code: "fields-conflict" satisfies Code },
  });
});

export type LiveConfig = z.output<typeof live>;

/** A server's: `true` is on, and keeps what is open. */
export const drain = live.meta({ scalarKey: "live", allowEmpty: true } satisfies FieldMeta);

export const onRemove = live.meta({ scalarKey: "live", nothingIsWrong: true } satisfies FieldMeta);

/** The same as a policy. */
export function livePolicy({ live: kind, spread }: LiveConfig) {
  if (kind === "spread" || (kind === undefined && spread !== undefined))
    return { kind: "spread", perSecond: spread ?? PER_SECOND } as const;
  return { kind: kind ?? "keep" } as const;
}
