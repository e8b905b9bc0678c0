// Shapes that several endpoints of Sluice's own have.

import { z } from "zod";

export const moment = z.string().meta({ description: "When, in ISO 8601." });
export const done = z.object({ done: z.literal(true) });
export const place = z.object({ file: z.string(), line: z.number(), column: z.number() });
export const diagnostic = z.object({
  severity: z.enum(["error", "warning"]),
  code: z.string().meta({ description: "See docs/diagnostics.md." }),
  message: z.string(),
  place,
  about: z.object({ kind: z.string(), name: z.string() }).nullable(),
});

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

interface Said {
  readonly severity: "error" | "warning";
  readonly code: string;
  readonly message: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly about: { readonly kind: string; readonly name: string } | null;
}

export function diagnosticOf({
  severity,
  code,
  message,
  file,
  line,
  column,
  about,
}: Said): z.output<typeof diagnostic> {
  return { severity, code, message, place: { file, line, column }, about };
}
