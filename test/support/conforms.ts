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

/**
 * What tsc says against each of the claims, one a line; empty when it is good. `imports` are lines of TypeScript. All are looked at in
 * one run, which costs most where the types are read.
 */
export async function typeProblems(imports: readonly string[], claims: readonly Claim[]): Promise<string[]> {
  const directory = temporaryDirectory();
  symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"));
  const constants = claims.map(({ type, value }, index) => {
    return `export const claim${index}: Json<${type}> = ${JSON.stringify(value, null, 1)};`;
  });
  const files = constants.map((constant, index) => {
    writeFileSync(join(directory, `claim${index}.ts`), [...imports, JSON_TYPE, constant].join("\n"));
    return `claim${index}.ts`;
  });
  const options = ["--strict", "--noEmit", "--skipLibCheck", "--module", "preserve", "--target", "esnext"];
  const { stdout, stderr } = await exec([join(ROOT, "node_modules/.bin/tsc"), ...options, "--types", "", ...files], {
    cwd: directory,
    timeoutMs: 60_000,
  });
  const said = `${stdout}${stderr}`.split(/\n(?! )/).filter(Boolean);
  const of = files.map((file) => said.filter((each) => each.startsWith(`${file}(`)));
  // What is said of no claim, such as of an option, is said of each.
  const rest = said.filter((each) => !of.flat().includes(each));
  return of.map((each) => [...rest, ...each].join("\n"));
}
