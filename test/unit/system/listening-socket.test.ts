// What Sluice relies on in Linux and in bun:ffi for listening sockets that it makes itself, one test per fact: see docs/architecture.md.

import { afterEach, describe, expect, test } from "bun:test";
import { connect, createServer, type Socket } from "node:net";
import { load, NoLibraryError } from "../../../src/system/libc.ts";
import {
  attachChoice,
  bindAlone,
  bindBeside,
  boundTo,
  closeSocket,
  listenOn,
  listensAt,
  setKeepAlive,
  setNoDelay,
} from "../../../src/system/listening-socket.ts";
import { choiceProgram } from "../../../src/system/socket-choice.ts";
import { waitFor } from "../../support/tools.ts";

const HERE = "127.0.0.1";
const undo: (() => void)[] = [];
afterEach(() => {
  for (const each of undo.splice(0)) each();
});

/** One that listens alone. */
function listening(address = HERE, port = 0): number {
  const fd = bindAlone({ address, port });
  undo.push(() => closeSocket(fd));
  listenOn(fd, 128);
  return fd;
}

const portOf = (fd: number) => boundTo(fd)!.port;

/** So many that share a port. */
function group(count: number, address = HERE): { fds: number[]; port: number } {
  const first = listening(address);
  const where = boundTo(first)!;
  const others = Array.from({ length: count - 1 }, () => {
    const fd = bindBeside(where);
    undo.push(() => closeSocket(fd));
    listenOn(fd, 128);
    return fd;
  });
  return { fds: [first, ...others], port: where.port };
}

interface Accepted {
  end(text: string): void;
}

/** Accepts as a worker does. */
function accept(fd: number, open: (socket: Accepted) => void): void {
  // biome-ignore lint/suspicious/noExplicitAny: the published types lack `fd`.
  const listener = (Bun.listen as any)({ fd, socket: { open, data() {}, close() {} } });
  undo.push(() => listener.stop(true));
}

function client(port: number, options: object = {}): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: HERE, port, ...options }, () => resolve(socket));
    socket.on("error", reject);
    undo.push(() => socket.destroy());
  });
}

function codeOf(action: () => unknown): unknown {
  try {
    action();
    return null;
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    return [syscall, code];
  }
}

describe("one address", () => {
  test("is bound alone: neither an exclusive nor a sharing listener of another kind can join", async () => {
    const fd = listening();
    const where = boundTo(fd)!;
    expect(where).toEqual({ address: HERE, port: expect.any(Number) });
    expect(codeOf(() => bindAlone(where))).toEqual(["bind", "EADDRINUSE"]);
    const server = createServer();
    const code = await new Promise((resolve) => {
      server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code));
      server.listen(where.port, HERE, () => resolve(null));
    });
    expect(code).toBe("EADDRINUSE");
  });

  test("that another program has is refused, also where that shares it", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen({ port: 0, host: HERE, reusePort: true }, resolve));
    undo.push(() => server.close());
    const { port } = server.address() as { port: number };
    expect(codeOf(() => bindAlone({ address: HERE, port }))).toEqual(["bind", "EADDRINUSE"]);
    expect(codeOf(() => bindAlone({ address: "0.0.0.0", port }))).toEqual(["bind", "EADDRINUSE"]);
    expect(codeOf(() => bindAlone({ address: "::", port }))).toEqual(["bind", "EADDRINUSE"]);
  });

  test("that is not this machine's is an error of the system, with its code", () => {
    expect(codeOf(() => bindAlone({ address: "192.0.2.1", port: 0 }))).toEqual(["bind", "EADDRNOTAVAIL"]);
    expect(codeOf(() => bindAlone({ address: "2001:db8::1", port: 0 }))).toEqual(["bind", "EADDRNOTAVAIL"]);
  });

  test("can be used again while connections of a former listener are being closed", async () => {
    const former = listening();
    const { port } = boundTo(former)!;
    accept(former, (socket) => socket.end("bye"));
    const socket = await client(port);
    await new Promise((resolve) => socket.resume().once("end", resolve));
    for (const each of undo.splice(0)) each();
    expect(portOf(listening(HERE, port))).toBe(port);
  });
});

test("every address is IPv6 and IPv4", async () => {
  const fd = listening("::");
  expect(boundTo(fd)).toMatchObject({ address: "::" });
  let count = 0;
  accept(fd, () => count++);
  await client(portOf(fd));
  await client(portOf(fd), { host: "::1" });
  await waitFor("both", () => count === 2);
});

test("what does not listen is told from what does", () => {
  const bound = bindAlone({ address: HERE, port: 0 });
  undo.push(() => closeSocket(bound));
  expect(listensAt(bound)).toBe(null);
  expect(listensAt(1)).toBe(null);
  expect(listensAt(9999)).toBe(null);
  listenOn(bound, 1);
  expect(listensAt(bound)).toEqual(boundTo(bound));
});

test("connections wait while nobody accepts, and whoever does gets them", async () => {
  const fd = listening();
  const waiting = await Promise.all(Array.from({ length: 20 }, () => client(portOf(fd))));
  const answers = waiting.map((socket) => new Promise((resolve) => socket.once("data", (data) => resolve(`${data}`))));
  accept(fd, (socket) => socket.end("at last"));
  expect(await Promise.all(answers)).toEqual(waiting.map(() => "at last"));
});

test("a child accepts on what it inherits, and the parent's queue outlives it", async () => {
  const { fds, port } = group(2);
  const script = `
    (Bun.listen)({ fd: 3, socket: { open(s) { s.write(String(process.pid)); }, data() {}, close() {} } });
    (Bun.listen)({ fd: 4, socket: { open(s) { s.write(String(process.pid)); }, data() {}, close() {} } });`;
  const start = () => {
    const child = Bun.spawn([process.execPath, "-e", script], {
      stdio: ["ignore", "ignore", "inherit", ...fds],
      ipc() {},
    });
    undo.push(() => child.kill("SIGKILL"));
    return child;
  };
  const first = start();
  const served = await client(port);
  expect(await new Promise((resolve) => served.once("data", (data) => resolve(Number(`${data}`))))).toBe(first.pid);
  process.kill(first.pid, "SIGSTOP");
  const waiting = await Promise.all(Array.from({ length: 20 }, () => client(port)));
  const answers = waiting.map(
    (socket) =>
      new Promise((resolve, reject) => {
        socket.once("data", (data) => resolve(Number(`${data}`)));
        socket.once("close", () => reject(new Error("reset")));
      }),
  );
  first.kill("SIGKILL");
  await first.exited;
  const second = start();
  expect(await Promise.all(answers)).toEqual(waiting.map(() => second.pid));
});

test("children do not inherit it unless it is given to them", async () => {
  listening();
  const child = Bun.spawnSync(["ls", "/proc/self/fd"]);
  // Its standard ones, and the folder that it lists.
  expect(`${child.stdout}`).toBe("0\n1\n2\n3\n");
});

test("options of the listener are those of what it accepts", async () => {
  const fd = listening();
  setNoDelay(fd);
  setKeepAlive(fd, 120_000);
  await client(portOf(fd));
  // ss shows the timer of keep-alive on the accepted side: a minute of silence, then probes.
  const shown = Bun.spawnSync(["ss", "-tnoH", "state", "established", `sport = :${portOf(fd)}`]);
  expect(`${shown.stdout}`).toMatch(/timer:\(keepalive,(59|1min)/);
});

describe("a choice among sockets", () => {
  /** How many connections each of a group gets. */
  async function spread(
    fds: readonly number[],
    port: number,
    from: readonly string[],
    counts = fds.map(() => 0),
  ): Promise<number[]> {
    const before = counts.reduce((sum, each) => sum + each, 0);
    for (const localAddress of from) (await client(port, { localAddress })).destroy();
    await waitFor("all", () => counts.reduce((sum, each) => sum + each, 0) === before + from.length);
    return counts;
  }

  const counting = (fds: readonly number[]) => {
    const counts = fds.map(() => 0);
    for (const [at, fd] of fds.entries()) accept(fd, () => counts[at]!++);
    return counts;
  };
  const addresses = (count: number) => Array.from({ length: count }, (_, at) => `127.0.${at % 7}.${at + 1}`);

  test("without those that are off: they get none, and the others share", async () => {
    const { fds, port } = group(4);
    const counts = counting(fds);
    attachChoice(fds[0]!, choiceProgram("connection", 4, new Set([1, 2])));
    await spread(fds, port, Array(64).fill(HERE), counts);
    expect(counts[1]).toBe(0);
    expect(counts[2]).toBe(0);
    expect(counts[0]).toBeGreaterThan(0);
    expect(counts[3]).toBeGreaterThan(0);
    // Back to the kernel's own choice, which is all of them.
    attachChoice(fds[3]!, choiceProgram("connection", 4, new Set()));
    await waitFor("the second to get one", async () => (await spread(fds, port, [HERE], counts))[1]! > 0);
    attachChoice(fds[0]!, choiceProgram("connection", 4, new Set([0, 1, 2, 3])));
    const known = counts[2]!;
    await waitFor("the third to get one", async () => (await spread(fds, port, [HERE], counts))[2]! > known);
  });

  test("by address: each comes to one socket, whatever its port, and many are spread", async () => {
    const { fds, port } = group(3);
    const counts = counting(fds);
    attachChoice(fds[0]!, choiceProgram("address", 3, new Set()));
    for (const from of addresses(6)) {
      const before = [...counts];
      await spread(fds, port, Array(5).fill(from), counts);
      expect(counts.map((each, at) => each - before[at]!).sort()).toEqual([0, 0, 5]);
    }
    await spread(fds, port, addresses(60), counts);
    expect(Math.min(...counts)).toBeGreaterThan(0);
  });

  test("by address: one that is off moves its own addresses alone, and they come back", async () => {
    const { fds, port } = group(4);
    const counts = counting(fds);
    const placeOf = async (localAddress: string) => {
      const before = [...counts];
      await spread(fds, port, [localAddress], counts);
      return counts.findIndex((each, at) => each > before[at]!);
    };
    const places = async () => {
      const all: number[] = [];
      for (const each of addresses(40)) all.push(await placeOf(each));
      return all;
    };
    attachChoice(fds[0]!, choiceProgram("address", 4, new Set()));
    const before = await places();
    attachChoice(fds[0]!, choiceProgram("address", 4, new Set([1, 3])));
    const meanwhile = await places();
    for (const [at, place] of before.entries()) {
      if (place === 1 || place === 3) expect([0, 2]).toContain(meanwhile[at]!);
      else expect(meanwhile[at]).toBe(place);
    }
    attachChoice(fds[0]!, choiceProgram("address", 4, new Set()));
    expect(await places()).toEqual(before);
  });

  test("by address over IPv6 as well", async () => {
    const { fds, port } = group(4, "::");
    const counts = counting(fds);
    attachChoice(fds[0]!, choiceProgram("address", 4, new Set()));
    for (let i = 0; i < 8; i++) (await client(port, { host: "::1" })).destroy();
    await waitFor("all", () => counts.reduce((sum, each) => sum + each, 0) === 8);
    expect(counts.sort((a, b) => a - b)).toEqual([0, 0, 0, 8]);
  });

  test("of many sockets with many off is a program that the kernel takes", () => {
    const { fds } = group(2);
    const off = new Set(Array.from({ length: 900 }, (_, at) => at));
    attachChoice(fds[0]!, choiceProgram("address", 999, off));
    attachChoice(fds[0]!, choiceProgram("connection", 999, off));
  });
});

test("a C library that cannot be loaded is said so", () => {
  const call = { close: { args: ["int"], returns: "int" } } as const;
  expect(() => load(call, ["libc-of-nobody.so"])).toThrow(NoLibraryError);
  expect(() => load(call, ["libc-of-nobody.so"])).toThrow(/^the C library cannot be called: .*libc-of-nobody/);
});
