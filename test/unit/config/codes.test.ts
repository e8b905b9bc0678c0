// A code of a diagnostic is in three places: where it is said, in the table, and in the docs with what to do. They are the same codes.

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { codes, diagnosticsPage } from "../../../scripts/generate/diagnostics.ts";
import { CODES } from "../../../src/config/codes.ts";

const SRC = join(import.meta.dir, "../../../src");
const BROKEN = join(import.meta.dir, "../../fixtures/broken");

const source = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && file !== "config/codes.ts")
  .map((file) => readFileSync(join(SRC, file), "utf8"))
  .join("\n");

describe("codes of diagnostics", () => {
  test("each one is said somewhere, and is in one group", () => {
    expect(codes().filter((code) => !source.includes(`"${code}"`))).toEqual([]);
    expect(codes().filter((code, index, all) => all.indexOf(code) !== index)).toEqual([]);
  });

  test("each one has a heading in the docs, with what it means and what to do, and no other has", () => {
    const headings = [...diagnosticsPage().matchAll(/^### `(.+)`$/gm)].map(([, code]) => code!);
    expect(headings).toEqual(codes());
    for (const group of Object.values<Record<string, { means: string; remedy: string }>>(CODES))
      for (const [code, { means, remedy }] of Object.entries(group)) {
        expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
        for (const sentence of [means, remedy]) expect(sentence).toMatch(/^[A-Z].*\.$/);
      }
  });

  test("each line of `check` that has a place ends in one of them", () => {
    const known = new Set(codes());
    let lines = 0;
    for (const folder of readdirSync(BROKEN))
      for (const line of readFileSync(join(BROKEN, folder, "expected.txt"), "utf8").split("\n"))
        if (/^\S+\.(yml|toml)(:\d+:\d+)?: /.test(line)) {
          lines++;
          expect([line, known.has(/ \[([a-z-]+)\]$/.exec(line)?.[1] ?? "")]).toEqual([line, true]);
        }
    expect(lines).toBeGreaterThan(400);
  });
});
