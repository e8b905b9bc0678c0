// Regular expressions that take time linear in their input (RE2). The library takes 2 MB, so it is loaded with the first of them.

import type { RE2JS } from "re2js";

export type Re2 = RE2JS;

/** @throws what re2js throws on a source that is none. */
export function compileRe2(source: string): Re2 {
  // Not by import(): whoever compiles a rule cannot wait.
  const library = require("re2js") as typeof import("re2js");
  return library.RE2JS.compile(source);
}
