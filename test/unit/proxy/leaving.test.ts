// A worker finds, counts and closes the connections that are to end, and no others.

import { afterEach, describe, expect, test } from "bun:test";
import type { Leaving, Narrowed } from "../../../src/protocol/messages.ts";
import type { LiveConnection } from "../../../src/proxy/edge.ts";
import { LeavingConnections } from "../../../src/proxy/leaving.ts";
import { waitFor } from "../../support/tools.ts";

interface Fake {
  isOver: boolean;
  reason: string | null;
  serverKey: string;
}

const open: LeavingConnections[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.change({ type: "leaving", round: 9, put: [], drop: ["a", "b", "c"] });
});

function worker() {
  const connections = new Set<LiveConnection>();
  const told: unknown[] = [];
  const waiting: (() => void)[] = [];
  const turns = { run: (step: () => void) => void waiting.push(step) };
  const leaving = new LeavingConnections(connections, turns, ({ round, counts }) => void told.push([round, ...counts]));
  open.push(leaving);
  const connect = (serverKey: string, router = "r", service = "s", version = 1, entryPoint = "e"): Fake => {
    const connection = {
      ...{ isOver: false, reason: null as string | null, serverKey, version },
      record: { entryPoint, meters: { router, service } },
      letGo(reason: string) {
        if (connection.isOver) throw new Error("closed twice");
        Object.assign(connection, { isOver: true, reason });
        connections.delete(connection as unknown as LiveConnection);
      },
    };
    connections.add(connection as unknown as LiveConnection);
    return connection;
  };
  const crowd = (count: number, serverKey: string) => Array.from({ length: count }, () => connect(serverKey));
  const settle = () => {
    for (const step of waiting.splice(0)) step();
  };
  return { leaving, connect, crowd, told, waiting, settle };
}

const put = (which: Leaving["which"], atOnce = false, id = "a"): Leaving => ({ id, which, atOnce, reason: "drained" });
const server = (key: string, atOnce = false, id = "a") => put({ by: "server", key }, atOnce, id);
const change = (...leaving: Leaving[]) => ({ type: "leaving", round: 1, put: leaving, drop: [] }) as const;
const reasons = (...fakes: Fake[]) => fakes.map(({ reason }) => reason);

test("those with a drained server are counted, and told again only when there are more or fewer", () => {
  const { leaving, connect, told } = worker();
  connect("s one");
  connect("s two");
  const dialling = connect("");
  leaving.change(change(server("s one")));
  leaving.look();
  expect(told).toEqual([[1, ["a", 1]]]);
  // A dial that had begun before has come to an end.
  dialling.serverKey = "s one";
  leaving.look();
  expect(told.at(-1)).toEqual([1, ["a", 2]]);
});

test("when as many have come as were let go, the master hears of it", () => {
  const { leaving, crowd, told, settle } = worker();
  crowd(5, "s one");
  leaving.change(change(server("s one")));
  leaving.letGo({ type: "let-go", id: "a", count: 5 });
  settle();
  crowd(5, "s one");
  leaving.look();
  expect(told).toEqual([
    [1, ["a", 5]],
    [1, ["a", 5]],
  ]);
});

test("a change is answered with its number, also where there is nothing", () => {
  const { leaving, told } = worker();
  leaving.change({ type: "leaving", round: 3, put: [server("s one")], drop: [] });
  leaving.change({ type: "leaving", round: 4, put: [], drop: ["a"] });
  expect(told).toEqual([[3], [4]]);
});

test("close closes all of them, each in a turn of its own, and those that come late", async () => {
  const { leaving, crowd, connect, waiting, settle } = worker();
  const all = crowd(20_000, "s one");
  const other = connect("s two");
  leaving.change(change(server("s one", true)));
  // They are looked at in several turns of the event loop.
  expect(waiting.length).toBe(0);
  await waitFor("all of them to be found", () => waiting.length > 0);
  expect(waiting.length).toBe(20_000);
  settle();
  expect(new Set(reasons(...all))).toEqual(new Set(["drained"]));
  const late = connect("s one");
  leaving.look();
  settle();
  expect(reasons(other, late)).toEqual([null, "drained"]);
});

test("as many go as the master says, by chance, and none twice", () => {
  const { leaving, crowd, settle } = worker();
  const all = crowd(100, "s one");
  leaving.change(change(server("s one")));
  all[5]!.isOver = true; // by itself
  leaving.letGo({ type: "let-go", id: "a", count: 30 });
  leaving.letGo({ type: "let-go", id: "a", count: 30 });
  settle();
  const gone = all.flatMap(({ reason }, index) => (reason === null ? [] : [index]));
  expect(gone.length).toBe(60);
  expect(gone.at(-1)).toBeGreaterThan(60);
  leaving.letGo({ type: "let-go", id: "a", count: 1000 });
  leaving.letGo({ type: "let-go", id: "unknown", count: 1 });
  settle();
  expect(reasons(...all).filter((reason) => reason === null).length).toBe(1);
});

test("what is called off stays", () => {
  const { leaving, connect, settle } = worker();
  const one = connect("s one");
  leaving.change(change(server("s one")));
  leaving.change({ type: "leaving", round: 2, put: [], drop: ["a"] });
  leaving.letGo({ type: "let-go", id: "a", count: 1 });
  settle();
  expect(reasons(one)).toEqual([null]);
});

describe("of a router", () => {
  const found = (by: "router" | "service", narrowed: Narrowed) => {
    const { leaving, connect, settle } = worker();
    const all = {
      usual: connect("s one"),
      newer: connect("s one", "r", "s", 2),
      elsewhere: connect("s one", "r", "s", 1, "other"),
      otherServer: connect("s two"),
      otherRouter: connect("s one", "q"),
      otherService: connect("s one", "q", "t"),
      dialling: connect(""),
    };
    leaving.change(change(put({ by, name: by === "router" ? "r" : "s", ...narrowed }, true)));
    settle();
    return Object.entries(all).flatMap(([name, { reason }]) => (reason === null ? [] : [name]));
  };

  test("go those that came before the reload, of all entry points, or of one, or with a server", () => {
    expect(found("router", { before: 2 })).toEqual(["usual", "elsewhere", "otherServer"]);
    expect(found("router", { before: 2, entryPoints: ["other"] })).toEqual(["elsewhere"]);
    expect(found("router", { before: 2, servers: ["s two"] })).toEqual(["otherServer"]);
    expect(found("service", { before: 3, servers: ["s one"] })).toEqual(["usual", "newer", "elsewhere", "otherRouter"]);
  });
});
