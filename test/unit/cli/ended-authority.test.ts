// An authority that has ended, or a clock that says so: every command tells it, and what is revoked is remembered.

import { afterEach, expect, setSystemTime, test } from "bun:test";
import { join } from "node:path";
import { sluiceCli } from "../../support/cli.ts";
import { temporaryDirectory } from "../../support/tools.ts";

afterEach(() => setSystemTime());

test("an authority that has ended is told by each command, and its list is not called good", async () => {
  const cwd = temporaryDirectory();
  const run = (...args: string[]) => sluiceCli(["certs", ...args], { cwd });
  setSystemTime(Date.parse("2026-11-26T12:00:00Z"));
  await run("init", "--days=2");
  await run("client", "dev-1");
  setSystemTime(Date.parse("2026-12-06T12:00:00Z"));
  const ended = "note: the authority ended on 2026-11-28: neither its certificates nor this list are taken any more\n";
  expect(await run("client", "dev-2")).toMatchObject({
    code: 1,
    stderr: "the authority ended on 2026-11-28: nothing can be issued by it any more\n",
  });
  expect(await run("revoke", "dev-1")).toMatchObject({ code: 0, stderr: ended });
  expect(await run("crl")).toMatchObject({ code: 0, stderr: ended });
  const listed = await run("list", `--authority=${join(cwd, "authority")}`);
  expect(listed.code).toBe(1);
  expect(listed.stdout + listed.stderr).toContain("revoked on 2026-12-06");
  expect(listed.stdout + listed.stderr).toContain(
    "wrong: the authority ended on 2026-11-28, and no list that it writes is good any more\n",
  );
  expect(listed.stdout + listed.stderr).not.toContain("sluice certs crl");
});
