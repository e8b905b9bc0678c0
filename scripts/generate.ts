// Writes the files that are made from the code: JSON Schemas for editors, the reference pages, and the codes of diagnostics. Run it with `npm run generate`.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { dynamicSchema } from "../src/config/dynamic.ts";
import { staticSchema } from "../src/config/static-schema.ts";
import { diagnosticsPage } from "./generate/diagnostics.ts";
import { jsonSchema } from "./generate/json-schema.ts";
import { metricsPage } from "./generate/metrics.ts";
import { referencePage } from "./generate/reference.ts";

const MADE_BY = "<!-- Made by `npm run generate` from the code: do not edit. -->\n\n";

/** The text of each file, by its path in the repository. */
export function generate(): Map<string, string> {
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  return new Map([
    ["config/schema/static.json", json(jsonSchema(staticSchema, "static"))],
    ["config/schema/dynamic.json", json(jsonSchema(dynamicSchema, "dynamic"))],
    ["docs/diagnostics.md", MADE_BY + diagnosticsPage()],
    ["docs/reference/static.md", MADE_BY + referencePage(staticSchema, "static")],
    ["docs/reference/dynamic.md", MADE_BY + referencePage(dynamicSchema, "dynamic")],
    ["docs/reference/metrics.md", MADE_BY + metricsPage()],
  ]);
}

if (import.meta.main)
  for (const [path, text] of generate()) {
    const file = join(import.meta.dir, "..", path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    console.log(path);
  }
