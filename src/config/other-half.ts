// A dynamic configuration where the static one is expected, and the other way round: both are YAML in files of similar names. A file
// may hold both halves, so only one that holds nothing else is told of.

import type { z } from "zod";
import type { Diagnostics } from "./diagnostics.ts";
import { fieldNames, unwrap } from "./field.ts";
import type { SourceFile } from "./source.ts";

type Places = Pick<SourceFile, "name" | "locate" | "namesAt">;

/** @returns whether a file that is given as the static configuration, which `schema` describes, is a dynamic one: an error. */
export function isDynamic(schema: z.ZodObject, source: Places, diagnostics: Diagnostics): boolean {
  const found = onlyOther(schema, source);
  if (found === null) return false;
  diagnostics.error(
    "dynamic-file-as-static",
    source.locate([]),
    `this is a dynamic configuration (${found}). Give the static one, which says what listens and names this file:  providers: { file: { filename: ${source.name} } }`,
  );
  return true;
}

/** Warns of a file among the dynamic ones, which `schema` describes, that is a static configuration. */
export function warnIfStatic(schema: z.ZodObject, source: Places, diagnostics: Diagnostics): void {
  const found = onlyOther(schema, source);
  if (found === null) return;
  diagnostics.warn(
    "static-file-as-dynamic",
    source.locate([]),
    `this is a static configuration (${found}), and nothing of it is used here. It is given as  --configFile=${source.name}`,
  );
}

/** The root keys of a file, if there are any and the schema says of each that it belongs to the other half. */
function onlyOther(schema: z.ZodObject, source: Places): string | null {
  const fields = fieldNames(schema);
  const names = source.namesAt([]);
  const isOther = (name: string) => {
    const field = fields.get(name.toLowerCase());
    return field !== undefined && unwrap(schema.shape[field] as z.ZodType).meta.elsewhere !== undefined;
  };
  return names.length > 0 && names.every(isOther) ? names.join(", ") : null;
}
