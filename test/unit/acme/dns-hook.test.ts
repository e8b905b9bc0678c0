// A DNS hook that fails says why, and what it leaves running in the background holds up nobody.

import { expect, test } from "bun:test";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dnsHook } from "../../../src/acme/dns-hook.ts";
import { temporaryDirectory } from "../../support/tools.ts";

function hook(script: string): string {
  const path = join(temporaryDirectory(), "hook");
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

const present = (path: string) => dnsHook(path, 0).present("a.test", "token", "token.thumbprint");

test("it is called with the record and the digest of the key authorization, and again to take it away", async () => {
  const path = hook(`echo "$@" >>"$0.calls"`);
  await (await present(path))();
  const value = "[A-Za-z0-9_-]{43}";
  expect(readFileSync(`${path}.calls`, "utf8")).toMatch(
    new RegExp(`^present _acme-challenge\\.a\\.test ${value}\ncleanup _acme-challenge\\.a\\.test ${value}\n$`),
  );
});

test("one that fails says so with its last words, in one line", async () => {
  const path = hook(`printf 'no\\033such\\nzone' >&2; exit 3`);
  expect(present(path)).rejects.toThrow(`the hook ${path} ended with exit code 3: no such zone`);
});

test("one that leaves a program running that holds its output open is not waited for", async () => {
  const path = hook('sleep 600 & echo $! >"$0.pid"; echo failed >&2; exit 1');
  await expect(present(path)).rejects.toThrow("ended with exit code 1: failed");
  process.kill(Number(readFileSync(`${path}.pid`, "utf8")));
});

test("one that is not there says so", async () => {
  expect(present("/nowhere/hook")).rejects.toThrow("the hook /nowhere/hook cannot be started: ENOENT");
});
