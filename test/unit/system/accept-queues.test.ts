// What the kernel counts of connections that found an accept queue full.

import { expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readAcceptQueues } from "../../../src/system/accept-queues.ts";
import { temporaryDirectory } from "../../support/tools.ts";

const file = join(temporaryDirectory(), "netstat");

test("overflows and drops are found by their names, wherever they stand", () => {
  writeFileSync(
    file,
    "TcpExt: SyncookiesSent ListenOverflows Other ListenDrops\nTcpExt: 1 23 4 56\nIpExt: InNoRoutes\nIpExt: 0\n",
  );
  expect(readAcceptQueues(file)).toEqual({ overflows: 23, drops: 56 });
});

test("a kernel that says nothing of them, or says it otherwise, is no fault", () => {
  for (const text of [
    "",
    "TcpExt: A B\n",
    "TcpExt: A\nTcpExt: 1\n",
    "TcpExt: ListenDrops ListenOverflows\nTcpExt: 1\n",
  ]) {
    writeFileSync(file, text);
    expect(readAcceptQueues(file)).toBeNull();
  }
  expect(readAcceptQueues(join(file, "none"))).toBeNull();
});

test.if(existsSync("/proc/net/netstat"))("this kernel's own are read", () => {
  expect(readAcceptQueues()).not.toBeNull();
});
