// Accepting some in each turn of the event loop, on real sockets.

import { afterEach, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { type Listener, listen, PER_TURN } from "../../../src/net/listen.ts";
import { NOBODY } from "../../../src/net/socket.ts";
import { DescriptorDoor } from "../../../src/system/descriptor-door.ts";
import { bindAlone, boundTo, listenOn } from "../../../src/system/listening-socket.ts";
import { waitFor } from "../../support/tools.ts";

const CROWD = 5 * PER_TURN + 3;
const undo: (() => void)[] = [];
afterEach(() => {
  for (const each of undo.splice(0)) each();
});

/** So many wait in the queue of a socket that nobody accepts on. */
async function crowded(count: number): Promise<{ fd: number; port: number; clients: Socket[] }> {
  const fd = bindAlone({ address: "127.0.0.1", port: 0 });
  listenOn(fd, 1024);
  const { port } = boundTo(fd)!;
  return { fd, port, clients: await Promise.all(Array.from({ length: count }, () => client(port))) };
}

function client(port: number): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port }, () => resolve(socket));
    socket.on("error", () => {});
    undo.push(() => socket.destroy());
  });
}

/** Counts how many are accepted in each turn; they get what they send back. */
function counted(fd: number, onAccept = (_total: number): void => {}): { listener: Listener; turns: number[] } {
  const turns: number[] = [];
  let now = 0;
  let total = 0;
  const listener = listen(
    fd,
    (socket) => {
      socket.data = { ...NOBODY, onData: (chunk) => void socket.write(chunk) };
      if (now++ === 0)
        setImmediate(() => {
          turns.push(now);
          now = 0;
        });
      onAccept(++total);
    },
    new DescriptorDoor(fd),
  );
  undo.push(() => listener.stop());
  return { listener, turns };
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
const descriptors = () => readdirSync("/proc/self/fd").length;

test("of a crowd no more are accepted in one turn than are meant to be, and all of them in the end", async () => {
  const { fd } = await crowded(CROWD);
  const { turns } = counted(fd);
  await waitFor("accepted", () => sum(turns) === CROWD);
  expect(Math.max(...turns)).toBe(PER_TURN);
});

test("those who come while others wait, and those who come later, are accepted too, and served", async () => {
  const { fd, port, clients } = await crowded(CROWD);
  const { turns } = counted(fd);
  clients.push(...(await Promise.all(Array.from({ length: CROWD }, () => client(port)))));
  await waitFor("accepted", () => sum(turns) === 2 * CROWD);
  clients.push(await client(port));
  let answers = 0;
  for (const each of clients) each.once("data", () => answers++).write("x");
  await waitFor("accepted", () => answers === clients.length);
  expect(Math.max(...turns)).toBeLessThanOrEqual(PER_TURN);
});

test("one that is stopped while others wait accepts nobody any more, and leaves no descriptor and no port behind", async () => {
  const before = descriptors();
  const { fd, port, clients } = await crowded(CROWD);
  let inTurn: () => void = () => {};
  const { listener, turns } = counted(fd, (total) => total === PER_TURN && inTurn());
  const stopped = new Promise<void>((resolve) => {
    // Within the turn, with the door shut.
    inTurn = () => {
      listener.stop();
      resolve();
    };
  });
  await stopped;
  await waitFor("accepted", () => turns.length > 0);
  expect(turns).toEqual([PER_TURN]);
  for (const each of clients) each.destroy();
  const again = bindAlone({ address: "127.0.0.1", port });
  listenOn(again, 16);
  const { turns: later } = counted(again);
  await client(port);
  await waitFor("accepted", () => sum(later) === 1);
  expect(before).toBeGreaterThan(0);
});
