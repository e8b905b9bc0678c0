// Where a process hangs, as the system tells it and as the log says it.

import { expect, test } from "bun:test";
import { hangOf } from "../../../src/control/hang.ts";
import { standingOf, waitedForCpu } from "../../../src/system/processes.ts";
import { cleanup, waitFor } from "../../support/tools.ts";

function started(...command: string[]): number {
  const child = Bun.spawn(command, { stdio: ["ignore", "ignore", "ignore"] });
  cleanup(() => child.kill("SIGKILL"));
  return child.pid;
}

test("one that waits, one that is stopped and one that computes are told apart", async () => {
  const pid = started("sleep", "1000");
  await waitFor("it to sleep", () => standingOf(pid)?.state === "S");
  expect(hangOf(standingOf(pid)).where).toBe("it waits for something that does not come");
  process.kill(pid, "SIGSTOP");
  await waitFor("it to be stopped", () => standingOf(pid)?.state === "T");
  expect(hangOf(standingOf(pid)).where).toContain("SIGSTOP");
  const busy = started("sh", "-c", "while :; do :; done");
  await waitFor("it to run", () => standingOf(busy)?.state === "R");
  expect(hangOf(standingOf(busy)).where).toBe("it computes without end");
});

test("what the system tells of the place in the kernel is said; what it does not tell is left out", () => {
  expect(hangOf({ state: "D", kernel: ["nfs_wait", "read"] })).toEqual({
    where: expect.stringContaining("cannot be killed"),
    kernel: "nfs_wait < read",
  });
  expect(hangOf({ state: "X", kernel: [] })).toEqual({ where: "its state is X" });
  expect(hangOf(null)).toEqual({ where: "not known" });
});

test("of a process that is gone nothing is known", () => {
  expect(standingOf(2 ** 22 + 1)).toBe(null);
  expect(waitedForCpu(2 ** 22 + 1)).toBe(null);
});
