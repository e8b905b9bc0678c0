// What a signing request asks for and does not get is said.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { sluiceCli } from "../support/cli.ts";
import { exec, temporaryDirectory } from "../support/tools.ts";

test("names of a request that are not in its certificate are told", async () => {
  const directory = temporaryDirectory();
  const run = (...args: string[]) => sluiceCli(["certs", ...args], { cwd: directory });
  const ask = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "k.pem"];
  const names = "subjectAltName=DNS:foo.example,DNS:dev9,email:x@y.example,URI:urn:x:1";
  const made = await exec(["openssl", ...ask, "-out", "r.csr", "-subj", "/CN=dev9", "-addext", names], {
    cwd: directory,
  });
  expect(made.code).toBe(0);
  await run("init", `--dir=${join(directory, "authority")}`);
  const without = (...wishes: string[]) =>
    wishes.map((wish) => `note: the request asks for the name ${wish}, which it does not get\n`).join("");
  expect((await run("sign", "r.csr", "--for=client")).stderr).toBe(
    without("DNS:foo.example", "email:x@y.example", "URI:urn:x:1"),
  );
  expect((await run("sign", "r.csr", "--for=server", "--force")).stderr).toBe(
    without("email:x@y.example", "URI:urn:x:1"),
  );
  expect((await run("sign", "r.csr", "--for=server", "--name", "other.example", "--force")).stderr).toBe("");
});
