// `sluice certs list` on a fresh clone: the development certificate that nobody has made yet is no error, and nothing is written.

import { expect, test } from "bun:test";
import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";
import { sluiceCli } from "../support/cli.ts";
import { ROOT } from "../support/sluice.ts";
import { temporaryDirectory } from "../support/tools.ts";

test("before the first start the development certificate is said to be made then", async () => {
  const cwd = temporaryDirectory();
  for (const name of ["config", "dynamic"]) cpSync(join(ROOT, name), join(cwd, name), { recursive: true });
  const listed = await sluiceCli(["certs", "list"], { cwd });
  expect(listed).toMatchObject({ code: 0, stderr: "" });
  expect(listed.stdout).toMatch(
    /^SOURCE +NAMES +EXPIRES +RENEWAL +STATE\ndata\/localhost\.crt +localhost.* - +- +made at the first start\n$/,
  );
  const { stdout } = await sluiceCli(["certs", "list", "--json"], { cwd });
  expect(JSON.parse(stdout)).toMatchObject([
    { source: "data/localhost.crt", expires: "", state: "made at the first start" },
  ]);
  expect(existsSync(join(cwd, "data"))).toBe(false);
});
