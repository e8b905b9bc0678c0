// What systemd is told arrives at the socket that it names, by path and by an abstract name; where it names none, nothing happens.

import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ServiceManager } from "../../../src/system/service-manager.ts";
import { cleanup, temporaryDirectory, waitFor } from "../../support/tools.ts";

/** A datagram socket, by the means of Python: the runtime has none. Gives what has come so far. */
async function listener(name: string): Promise<() => string> {
  const heard = join(temporaryDirectory(), "heard");
  const program = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\\0" + sys.argv[1][1:] if sys.argv[1][0] == "@" else sys.argv[1])
f = open(sys.argv[2], "a"); f.write("bound|"); f.flush()
while True: f.write(s.recv(4096).decode() + "|"); f.flush()
`;
  const child = Bun.spawn(["python3", "-c", program, name, heard]);
  cleanup(() => child.kill());
  const read = () => (existsSync(heard) ? readFileSync(heard, "utf8") : "");
  await waitFor("the socket", () => read() === "bound|");
  return read;
}

for (const [kind, name] of [
  ["a path", join(temporaryDirectory(), "notify")],
  ["an abstract name", `@sluice-test-${process.pid}`],
] as const)
  test(`${kind} is told`, async () => {
    const heard = await listener(name);
    const manager = new ServiceManager({ NOTIFY_SOCKET: name });
    expect([manager.isThere, manager.watchdogMs]).toEqual([true, null]);
    manager.tell("READY=1", "STATUS=Serves");
    manager.tell("STOPPING=1");
    await waitFor("both", () => heard() === "bound|READY=1\nSTATUS=Serves|STOPPING=1|");
  });

test("nobody who is not there is waited for", () => {
  for (const NOTIFY_SOCKET of [undefined, "", "relative", "/nowhere/notify", `/${"x".repeat(300)}`, "@nobody"])
    new ServiceManager({ NOTIFY_SOCKET }).tell("READY=1");
  expect(new ServiceManager({}).isThere).toBe(false);
});

test("the watchdog is for the process that is named, and for one that has followed it", () => {
  const watchdog = (environment: Record<string, string>) =>
    new ServiceManager({ NOTIFY_SOCKET: "@x", WATCHDOG_USEC: "30000000", ...environment }).watchdogMs;
  expect(watchdog({})).toBe(30_000);
  expect(watchdog({ WATCHDOG_PID: String(process.pid) })).toBe(30_000);
  expect(watchdog({ WATCHDOG_PID: "" })).toBe(30_000);
  expect(watchdog({ WATCHDOG_PID: "1" })).toBe(null);
  expect(watchdog({ WATCHDOG_USEC: "soon" })).toBe(null);
  expect(watchdog({ WATCHDOG_USEC: "0" })).toBe(null);
});
