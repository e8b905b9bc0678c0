// Passwords: where they come from, and that a file which is away is still waited for.

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readSecret } from "../../../src/certs/secrets.ts";
import { temporaryDirectory } from "../../support/tools.ts";

test("a password file that is away is named to be watched, and read when it has come", () => {
  const file = join(temporaryDirectory(), "password");
  const seen: string[] = [];
  expect(readSecret(undefined, file, (path) => seen.push(path))).toEqual({
    kind: "error",
    message: `${file}: no such file`,
  });
  expect(seen).toEqual([file]);
  writeFileSync(file, "hunter2\nnot this line\n");
  expect(readSecret(undefined, file)).toEqual({ kind: "ok", value: "hunter2" });
});
