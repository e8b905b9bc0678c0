// What is wrong with a router so much that the compiler would refuse everything that its provider offers: its names are not known, or are on
// no entry point. In a store each router stands for itself, so it alone is not taken.

import type { Code } from "../config/codes.ts";
import type { RouterConfig } from "../config/router.ts";
import type { Path } from "../config/source.ts";
import { parseRule } from "../rules/parser.ts";
import { suggestion } from "../text/spelling.ts";

export interface RouterFault {
  readonly code: Code;
  /** Below the router's own. */
  readonly path: Path;
  readonly message: string;
}

/** null: none. `former` is what the router was before, or null; `entryPoints` are those that there are. */
export function routerFault(
  router: RouterConfig,
  former: RouterConfig | null,
  entryPoints: ReadonlySet<string>,
): RouterFault | null {
  const { rule, ruleSyntax, entryPoints: points } = router;
  if (rule === undefined || rule === "") return { code: "rule-missing", path: [], message: "it has no rule" };
  const parsed = parseRule(rule);
  if (parsed.kind === "error")
    return { code: "rule-syntax", path: ["rule"], message: `its rule, column ${parsed.column}: ${parsed.message}` };
  if (ruleSyntax === "v2")
    return {
      code: "rule-syntax",
      path: ["ruleSyntax"],
      message: "rules of Traefik v2 are not read by Sluice: write the rule in v3 syntax and drop ruleSyntax",
    };
  const unknown = points?.find((each) => !entryPoints.has(each));
  if (unknown === undefined) return null;
  const isOnSome = points!.some((each) => entryPoints.has(each));
  // A misspelled entry point is one that the router loses: there its names would be anybody's.
  const loses = former?.entryPoints?.some((each) => entryPoints.has(each) && !points!.includes(each)) ?? false;
  if (isOnSome && !loses) return null;
  return {
    code: "router-without-entry-points",
    path: ["entryPoints"],
    message: `its entry point "${unknown}" does not exist${suggestion(unknown, entryPoints)}`,
  };
}
