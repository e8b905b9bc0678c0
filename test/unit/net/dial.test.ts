// A dial never holds up its client, and what an address that falls silent can keep is bounded.

import { expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Deadlines } from "../../../src/net/deadlines.ts";
import { type DialError, Dialer, MAX_QUICK } from "../../../src/net/dial.ts";
import type { NativeSocket } from "../../../src/net/socket.ts";
import { deafListener } from "../../support/raw.ts";
import { cleanup, freePort, temporaryDirectory, waitFor } from "../../support/tools.ts";

const descriptors = () => readdirSync("/proc/self/fd").length;

function dial(
  dialer: Dialer,
  port: number,
  timeoutMs = 5000,
  address = "127.0.0.1",
): Promise<NativeSocket | DialError> {
  return new Promise((resolve) => {
    dialer.dial(address, port, timeoutMs, 15_000, { onDialOpen: resolve, onDialFailed: resolve });
  });
}

test("a server that answers is dialled again and again, and a sent byte arrives each time", async () => {
  let received = "";
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (_, chunk) => void (received += chunk) },
  });
  cleanup(() => listener.stop(true));
  const dialer = new Dialer(new Deadlines());
  for (let i = 0; i < 5; i++) {
    const socket = (await dial(dialer, listener.port)) as NativeSocket;
    expect(socket.write(Buffer.from(String(i)))).toBe(1);
  }
  await waitFor("the bytes to arrive", () => received.length === 5 || null);
  expect([...received].sort().join("")).toBe("01234");
});

test("a refused dial says so, of a server that never answered and of one that did", async () => {
  const port = await freePort();
  const dialer = new Dialer(new Deadlines());
  expect(await dial(dialer, port)).toBe("refused");
  const listener = Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } });
  expect(typeof (await dial(dialer, port))).toBe("object");
  listener.stop(true);
  expect(await dial(dialer, port)).toBe("refused");
  expect(await dial(dialer, port)).toBe("refused");
});

test("a server that falls silent keeps a bounded number of descriptors, and later dials free theirs at once", async () => {
  const port = await deafListener();
  const dialer = new Dialer(new Deadlines());
  expect(typeof (await dial(dialer, port))).toBe("object"); // the one connection for which there is room
  const before = descriptors();
  const outcomes = await Promise.all(Array.from({ length: MAX_QUICK + 20 }, () => dial(dialer, port, 100)));
  expect(new Set(outcomes)).toEqual(new Set(["timeout"]));
  await waitFor("the others to be free", () => descriptors() <= before + MAX_QUICK || null);
  const held = descriptors();
  expect(await dial(dialer, port, 100)).toBe("timeout");
  await waitFor("that one to be free too", () => descriptors() <= held || null);
});

test("a dial that is given up is heard of no more", async () => {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  cleanup(() => listener.stop(true));
  const dialer = new Dialer(new Deadlines());
  await dial(dialer, listener.port);
  let heard = 0;
  const owner = { onDialOpen: () => void heard++, onDialFailed: () => void heard++ };
  const before = descriptors();
  for (let i = 0; i < 10; i++) dialer.dial("127.0.0.1", listener.port, 5000, -1, owner).cancel();
  expect(typeof (await dial(dialer, listener.port))).toBe("object");
  await waitFor("their descriptors to be free", () => descriptors() <= before + 2 || null);
  expect(heard).toBe(0);
});

test("a quick dial that the system refuses at once is told of later and in order, and not at all when it was given up", async () => {
  const dialer = new Dialer(new Deadlines());
  const refused = "255.255.255.255"; // no connection of TCP leads there
  const heard: string[] = [];
  const begin = (name: string) => {
    dialer.answered(`${refused} 9`); // as if it had answered before: only such ones are dialled the quick way
    return dialer.dial(refused, 9, 5000, -1, {
      onDialOpen: () => void heard.push(`${name} open`),
      onDialFailed: () => void heard.push(name),
    });
  };
  begin("first");
  const given = begin("given up");
  begin("last");
  expect(heard).toEqual([]);
  given.cancel();
  await waitFor("the answers", () => heard.length >= 2);
  expect(heard).toEqual(["first", "last"]);
});

test("a Unix socket whose queue is full is dialled again, and one on which nobody listens is refused", async () => {
  const directory = temporaryDirectory();
  const path = join(directory, "full.sock");
  const program = `import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(0)
first = socket.socket(socket.AF_UNIX); first.connect(sys.argv[1]); print("full", flush=True)
time.sleep(0.1); kept = [s.accept(), s.accept()]; time.sleep(600)`;
  const child = Bun.spawn(["python3", "-c", program, path], { stdout: "pipe" });
  cleanup(() => child.kill("SIGKILL"));
  await child.stdout.getReader().read();
  const dialer = new Dialer(new Deadlines());
  expect(typeof (await dial(dialer, 0, 5000, path))).toBe("object");
  child.kill("SIGKILL");
  await child.exited;
  // Of one that was reached and of one that was not: these are dialled in two ways.
  expect(await dial(dialer, 0, 5000, path)).toBe("refused");
  expect(await dial(new Dialer(new Deadlines()), 0, 5000, path)).toBe("refused");
  expect(await dial(dialer, 0, 5000, join(directory, "none.sock"))).toBe("absent");
});

test("a Unix socket's dial that is given up between two tries is heard of no more", async () => {
  const path = join(temporaryDirectory(), "gone.sock");
  Bun.listen({ unix: path, socket: { data() {} } }).stop(true);
  if (!existsSync(path)) writeFileSync(path, "");
  let heard = 0;
  const dialer = new Dialer(new Deadlines());
  const owner = { onDialOpen: () => heard++, onDialFailed: () => heard++ };
  dialer.dial(path, 0, 5000, -1, owner).cancel();
  const later = dialer.dial(path, 0, 5000, -1, owner);
  setTimeout(() => later.cancel(), 40);
  expect(await dial(dialer, 0, 5000, path)).toBe("refused");
  expect(heard).toBe(0);
});

test("what cannot be dialled from is passed over, and where it is all there is, the dial says so, the first time and while it is remembered", async () => {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  cleanup(() => listener.stop(true));
  const dialer = new Dialer(new Deadlines());
  const from = (...sources: string[]) =>
    new Promise<NativeSocket | DialError>((onDialOpen) =>
      dialer.dial("127.0.0.1", listener.port, 5000, -1, { onDialOpen, onDialFailed: onDialOpen }, sources),
    );
  // RFC 5737: nobody has it.
  for (let i = 0; i < 3; i++) expect(await from("192.0.2.77")).toBe("source-addresses");
  for (let i = 0; i < 4; i++)
    expect(((await from("192.0.2.77", "127.0.0.9")) as NativeSocket).localAddress).toBe("127.0.0.9");
  // None is of the server's family.
  expect(((await from("::1")) as NativeSocket).localAddress).toBe("127.0.0.1");
});
