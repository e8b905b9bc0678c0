// The master's book of listening sockets: one for each worker, taken over from whoever had them.

import { afterEach, expect, test } from "bun:test";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { EntryPointConfig } from "../../../src/config/entry-points.ts";
import { whereClientsSpeakFirst } from "../../../src/control/first-word.ts";
import { NOTHING_INHERITED, prove, Sockets } from "../../../src/control/sockets.ts";
import { StartError } from "../../../src/control/start-error.ts";
import { type Listener, listen } from "../../../src/net/listen.ts";
import { NOBODY } from "../../../src/net/socket.ts";
import { createLogger, jsonLines } from "../../../src/observe/logger.ts";
import type { RouterAction, Row } from "../../../src/protocol/messages.ts";
import { DescriptorDoor } from "../../../src/system/descriptor-door.ts";
import { describeSockets, takeInherited } from "../../../src/system/inherited.ts";
import { bindAlone, boundTo, closeSocket, listenOn } from "../../../src/system/listening-socket.ts";
import { waitFor } from "../../support/tools.ts";

const open: Sockets[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

const lines: string[] = [];
const logger = createLogger("debug", jsonLines("master"), (line) => lines.push(JSON.parse(line).msg));

function point(name: string, port = 0, host = "127.0.0.1"): EntryPointConfig {
  return {
    name,
    address: `${host}:${port}`,
    host,
    port,
    keepAliveMs: 0,
    backlog: 128,
    workerSelection: "connection",
  } as EntryPointConfig;
}

async function opened(
  ...[points, workers, inherited]: [EntryPointConfig[], number, Parameters<typeof Sockets.open>[3]?]
) {
  const sockets = await Sockets.open(points, workers, logger, inherited);
  open.push(sockets);
  return sockets;
}

const portOf = (fd: number) => boundTo(fd)?.port;

/** What a successor in this very process would find. */
function handedOn(sockets: Sockets) {
  const { fds, about } = sockets.handedOn();
  const environment = { SLUICE_SOCKETS: describeSockets(about, 0), PATH: "/bin" };
  // The numbers are those of here: nothing is passed to another process.
  environment.SLUICE_SOCKETS = JSON.stringify(
    (JSON.parse(environment.SLUICE_SOCKETS) as object[]).map((each, at) => ({ ...each, fd: fds[at] })),
  );
  const inherited = takeInherited(environment);
  expect(Object.keys(environment)).toEqual(["PATH"]);
  return inherited;
}

test("each worker has a socket of its own at each entry point, all at one port", async () => {
  const sockets = await opened([point("a"), point("b")], 3);
  const a = [0, 1, 2].flatMap((worker) => sockets.of("a", worker));
  const b = [0, 1, 2].flatMap((worker) => sockets.of("b", worker));
  expect(new Set([...a, ...b]).size).toBe(6);
  expect(new Set(a.map(portOf))).toEqual(new Set([sockets.ports.a]));
  expect(new Set(b.map(portOf))).toEqual(new Set([sockets.ports.b]));
  expect(sockets.ports.a).not.toBe(sockets.ports.b);
});

test("a port that another program has is an error that says whose it is, before anything is open", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen({ host: "127.0.0.1", port: 0, reusePort: true }, resolve));
  const { port } = other.address() as AddressInfo;
  const taken = point("mqtts", port);
  const error = await prove([taken]).catch((each) => each);
  expect(error).toBeInstanceOf(StartError);
  expect(error.message).toContain(`entry point mqtts: cannot listen on 127.0.0.1:${port}`);
  expect(error.message).toContain("the address is already in use");
  const free = point("free");
  expect(await Sockets.open([free, taken], 2, logger).catch((each) => each)).toBeInstanceOf(StartError);
  await new Promise((resolve) => other.close(resolve));
  await prove([taken]);
});

test("a host that has no address is an error that names it", async () => {
  const error = await prove([point("a", 1, "no-such-host.invalid")]).catch((each) => each);
  expect(error).toBeInstanceOf(StartError);
  expect(error.message).toContain("no-such-host.invalid:1");
});

test("a successor takes over the same sockets, each for the worker that had it", async () => {
  const former = await opened([point("a"), point("b")], 2);
  const inherited = handedOn(former);
  await prove([point("a"), point("b")], inherited);
  const next = await Sockets.open([point("a"), point("b")], 2, logger, inherited);
  for (const name of ["a", "b"])
    for (const worker of [0, 1]) expect(next.of(name, worker)).toEqual(former.of(name, worker));
});

test("an entry point that has another name by now is known by its address", async () => {
  const port = portOf((await opened([point("x")], 1)).of("x", 0)[0]!)!;
  for (const each of open.splice(0)) each.close();
  const former = await opened([point("a", port)], 2);
  const next = await Sockets.open([point("renamed", port)], 2, logger, handedOn(former));
  expect(next.of("renamed", 1)).toEqual(former.of("a", 1));
});

test("more workers than before get new sockets at the same port; fewer take the rest along", async () => {
  const former = await opened([point("a")], 2);
  const more = await Sockets.open([point("a")], 3, logger, handedOn(former));
  expect(more.of("a", 0)).toEqual(former.of("a", 0));
  expect(more.of("a", 1)).toEqual(former.of("a", 1));
  expect(portOf(more.of("a", 2)[0]!)).toBe(former.ports.a!);
  const fewer = await Sockets.open([point("a")], 2, logger, handedOn(more));
  expect(fewer.of("a", 0)).toEqual([...more.of("a", 0), ...more.of("a", 2)]);
  expect(fewer.of("a", 1)).toEqual(more.of("a", 1));
  closeSocket(more.of("a", 2)[0]!);
});

test("systemd's socket is known by the entry point's name, or by its address; what is nobody's is closed, and said", async () => {
  const [named, addressed, stranger] = [0, 0, 0].map((port) => {
    const fd = bindAlone({ address: "127.0.0.1", port });
    listenOn(fd, 1);
    return fd;
  });
  const given = (fd: number, entryPoint: string | null) => ({
    fd,
    entryPoint,
    configured: null,
    where: boundTo(fd)!,
  });
  const inherited = {
    sockets: [given(named!, "mqtts"), given(addressed!, "sluice.socket"), given(stranger!, "other")],
    problems: ["descriptor 9 (x) is no TCP socket that listens"],
  };
  lines.length = 0;
  const sockets = await opened([point("mqtts", 8883), point("b", portOf(addressed!)!)], 1, inherited);
  expect(sockets.of("mqtts", 0)).toEqual([named!]);
  expect(sockets.of("b", 0)).toEqual([addressed!]);
  expect(() => boundTo(stranger!)).toThrow("EBADF");
  expect(lines).toEqual([
    "an inherited socket cannot be used: descriptor 9 (x) is no TCP socket that listens",
    "an inherited socket is no entry point's, and is closed",
  ]);
});

test("a socket beside which nobody else may listen is everybody's, and nothing is steered there", async () => {
  // As systemd makes them: bound exclusively, and never meant to be shared.
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  // biome-ignore lint/suspicious/noExplicitAny: the published types lack `fd`.
  const fd = (server as any).fd as number;
  const inherited = { sockets: [{ fd, entryPoint: "a", configured: null, where: boundTo(fd)! }], problems: [] };
  const sockets = await Sockets.open([point("a", 1)], 3, logger, inherited);
  for (const worker of [0, 1, 2]) expect(sockets.of("a", worker)).toEqual([fd]);
  sockets.steer(new Set([1]));
  server.stop(true);
});

test("workers that are off get no new connections", async () => {
  const sockets = await opened([point("a")], 2);
  const counts = [0, 0];
  const listeners: Listener[] = [];
  for (const worker of [0, 1])
    for (const fd of sockets.of("a", worker))
      listeners.push(
        listen(
          fd,
          (socket) => {
            counts[worker]!++;
            socket.data = NOBODY;
            socket.end();
          },
          new DescriptorDoor(fd),
        ),
      );
  const come = async (count: number) => {
    for (let i = 0; i < count; i++)
      await new Promise((resolve) => connect(sockets.ports.a!, "127.0.0.1").resume().once("close", resolve));
  };
  sockets.steer(new Set([0]));
  await come(20);
  expect(counts).toEqual([0, 20]);
  sockets.steer(new Set([1]));
  await come(20);
  expect(counts).toEqual([20, 20]);
  for (const each of listeners) each.stop();
});

test("what is said of inherited sockets and makes no sense is said, and costs nothing else", () => {
  for (const text of ["nonsense", "{}", '[{"fd":"3"}]', '[{"fd":3}]'])
    expect(takeInherited({ SLUICE_SOCKETS: text })).toEqual({
      sockets: [],
      problems: ["SLUICE_SOCKETS is for a Sluice that another one starts, and cannot be read"],
    });
  // Another process' variables, and none.
  expect(takeInherited({ LISTEN_PID: "1", LISTEN_FDS: "2" }, 77)).toEqual(NOTHING_INHERITED);
  expect(takeInherited({ LISTEN_PID: "77", LISTEN_FDS: "x" }, 77)).toEqual(NOTHING_INHERITED);
  expect(takeInherited({})).toEqual(NOTHING_INHERITED);
});

test("each worker's socket has the backlog that is configured, also after it has begun to accept", async () => {
  const sockets = await opened(
    [
      { ...point("a"), backlog: 77 },
      { ...point("b"), backlog: 1000 },
    ],
    2,
  );
  const backlogs = (port: number) =>
    `${Bun.spawnSync(["ss", "-Hltn", `sport = :${port}`]).stdout}`
      .trim()
      .split("\n")
      .map((line) => Number(line.trim().split(/\s+/)[2]));
  expect(backlogs(sockets.ports.a!)).toEqual([77, 77]);
  const fd = sockets.of("a", 1)[0]!;
  const listener = listen(fd, () => {}, new DescriptorDoor(fd));
  expect(backlogs(sockets.ports.a!).sort()).not.toEqual([77, 77]);
  sockets.accepted(1);
  expect(backlogs(sockets.ports.a!)).toEqual([77, 77]);
  expect(backlogs(sockets.ports.b!)).toEqual([1000, 1000]);
  listener.stop();
});

test("a backlog over what the system gives is said, with the remedy", async () => {
  lines.length = 0;
  await opened([{ ...point("a"), backlog: 65_535 }], 1);
  expect(lines).toEqual([expect.stringContaining("raise sysctl net.core.somaxconn")]);
});

test("a client that says nothing is kept from the workers only where clients speak first", async () => {
  const sockets = await opened([point("a"), point("b")], 1);
  const accepted: string[] = [];
  const listeners = ["a", "b"].map((name) =>
    listen(
      sockets.of(name, 0)[0]!,
      (socket) => {
        accepted.push(name);
        socket.data = NOBODY;
      },
      new DescriptorDoor(sockets.of(name, 0)[0]!),
    ),
  );
  const come = (name: string) =>
    new Promise<Socket>((resolve) => {
      const socket = connect(sockets.ports[name]!, "127.0.0.1", () => resolve(socket));
    });
  sockets.whereClientsSpeakFirst(new Set(["a"]));
  const silent = await come("a");
  await come("b");
  await waitFor("who waits for the server's word", () => accepted.length > 0);
  expect(accepted).toEqual(["b"]);
  silent.write("hello");
  await waitFor("who has spoken", () => accepted.length === 2);
  // A reload brings a router for clients without TLS.
  sockets.whereClientsSpeakFirst(new Set());
  const late = await come("a");
  await waitFor("the next one", () => accepted.length === 3);
  for (const socket of [silent, late]) socket.destroy();
  for (const each of listeners) each.stop();
});

test("clients speak first where no router is for clients without TLS", () => {
  const router = (name: string, entryPoints: string[], action: RouterAction): Row =>
    ({ kind: "router", name, value: { entryPoints, action } }) as unknown as Row;
  const rows = [
    router("tls", ["a", "b"], { kind: "terminate", options: "default" }),
    router("through", ["c"], { kind: "passthrough" }),
    router("plain", ["b"], { kind: "plain" }),
    router("broken", ["d"], { kind: "off", tls: false }),
  ];
  expect(whereClientsSpeakFirst(["a", "b", "c", "d", "e"], rows)).toEqual(new Set(["a", "c", "e"]));
});
