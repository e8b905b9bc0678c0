// Whether data conforms to a published TypeScript type: tsc looks at it as a literal, so that unknown fields are found too, which JSON
// schemas of Kubernetes and Grafana let pass.

import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./sluice.ts";
import { exec, temporaryDirectory } from "./tools.ts";

export interface Claim {
  /** A TypeScript type, such as `Deployment`, with what `imports` brings. */
  readonly type: string;
  readonly value: unknown;
}

/** In JSON, members of string enumerations are plain words. */
const JSON_TYPE = `
type Json<T> = T extends string ? \`\${T}\` : T extends number | boolean | null | undefined ? T
  : T extends readonly (infer E)[] ? Json<E>[] : T extends object ? { [K in keyof T]: Json<T[K]> } : T;
`;

/** What tsc says against the claims, one a line; empty when all are good. `imports` are lines of TypeScript. */
export async function typeProblems(imports: readonly string[], claims: readonly Claim[]): Promise<string> {
  const directory = temporaryDirectory();
  symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"));
  const constants = claims.map(({ type, value }, index) => {
    return `export const claim${index}: Json<${type}> = ${JSON.stringify(value, null, 1)};`;
  });
  writeFileSync(join(directory, "claims.ts"), [...imports, JSON_TYPE, ...constants].join("\n"));
  const options = ["--strict", "--noEmit", "--skipLibCheck", "--module", "preserve", "--target", "esnext"];
  const { stdout, stderr } = await exec([join(ROOT, "node_modules/.bin/tsc"), ...options, "--types", "", "claims.ts"], {
    cwd: directory,
    timeoutMs: 60_000,
  });
  return stdout + stderr;
}
