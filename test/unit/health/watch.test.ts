// When servers are checked: at once, spread, so many at a time, and what is known of one outlives a reload.

import { expect, spyOn, test } from "bun:test";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import type { ProbeDone, ProbeRequest } from "../../../src/health/probe.ts";
import type { CheckResult, Verdict } from "../../../src/health/verdict.ts";
import { MAX_RUNNING, Watch, type WatchedState } from "../../../src/health/watch.ts";
import type { Watched } from "../../../src/health/watched.ts";
import { DEFAULT_PASSIVE, type HealthCheck } from "../../../src/upstream/health.ts";
import { parseProxyHeader } from "../../../src/wire/proxy-protocol.ts";
import { Mosquitto } from "../../support/mosquitto.ts";
import { cleanup, temporaryDirectory, waitFor } from "../../support/tools.ts";

const TRANSPORT: Watched["transport"] = {
  ...{ dialTimeoutMs: 1000, keepAliveMs: -1, terminationDelayMs: 100, proxyProtocol: null },
  tls: { serverName: null, insecureSkipVerify: false, ca: null, cert: null, key: null },
};
const CHECK: HealthCheck = {
  ...{ port: null, intervalMs: 40, unhealthyIntervalMs: 40, timeoutMs: 1000, rise: 1, fall: 1 },
  talk: { kind: "tcp", send: "", expect: "" },
};
const server = (port: number, more: Partial<Watched> = {}): Watched => ({
  ...{ key: `s ${port}`, service: "s", transport: TRANSPORT, check: CHECK, passive: DEFAULT_PASSIVE },
  server: { address: `127.0.0.1:${port}`, host: "127.0.0.1", port, tls: false },
  ...more,
});

/** Checks whose ends the test decides. */
class Runs {
  readonly open: { request: ProbeRequest; done: ProbeDone }[] = [];
  started = 0;
  cancelled = 0;
  readonly run = (request: ProbeRequest, done: ProbeDone) => {
    const entry = { request, done };
    this.started++;
    this.open.push(entry);
    return () => {
      this.cancelled++;
      this.open.splice(this.open.indexOf(entry), 1);
    };
  };
  /** Ends all that run now. */
  end(verdict: Verdict): void {
    for (const { done } of this.open.splice(0)) done(verdict, 1);
  }
}

const GOOD: Verdict = { kind: "good" };
const FAILED: Verdict = { kind: "failed", reason: "refused", detail: "nothing listens there" };

function watchOf(runs: Runs, random?: () => number) {
  const changes: string[] = [];
  const refusals: string[] = [];
  const watch = new Watch(
    {
      onChange: ({ watched, health }, before) => changes.push(`${watched.server.port} ${before} ${health.health}`),
      onRefusedCheck: (_, detail) => refusals.push(detail),
    },
    runs.run,
    random,
  );
  cleanup(() => watch.close());
  return { watch, changes, refusals };
}

test("the first checks come at once, no more than the limit at a time, and each server has its turn", () => {
  const runs = new Runs();
  const { watch, changes } = watchOf(runs);
  watch.want(Array.from({ length: 1000 }, (_, index) => server(index + 1)));
  expect(runs.open).toHaveLength(MAX_RUNNING);
  for (let left = 1000; left > 0; left -= MAX_RUNNING) {
    expect(runs.open.length).toBe(Math.min(left, MAX_RUNNING));
    runs.end(GOOD);
  }
  expect(runs.started).toBe(1000);
  expect(new Set(changes).size).toBe(1000);
});

test("after the first ones, the checks of many servers are spread over the interval, and then come in equal distances", () => {
  const runs = new Runs();
  let next = 0;
  const { watch } = watchOf(runs, () => (next++ % 50) / 50);
  const check = { ...CHECK, intervalMs: 600_000, unhealthyIntervalMs: 60_000 };
  const waits = spyOn(globalThis, "setTimeout");
  cleanup(() => waits.mockRestore());
  watch.want(Array.from({ length: 50 }, (_, index) => server(index + 1, { check })));
  runs.end(GOOD);
  const first = waits.mock.calls.map(([, ms]) => Math.round((ms ?? 0) / 12_000));
  expect(first).toEqual(Array.from({ length: 50 }, (_, index) => index));
  waits.mockClear();
  watch.want([server(1, { check: { ...check, rise: 2 } })]);
  runs.end(GOOD);
  expect(waits.mock.calls.map(([, ms]) => ms)).toEqual([600_000 - 1]);
  waits.mockClear();
  watch.want([server(1, { check })]);
  runs.end(FAILED);
  expect(waits.mock.calls.map(([, ms]) => ms)).toEqual([60_000 - 1]);
});

test("a reload keeps what is known of a server that stays, checks one that has changed, and forgets one that is gone", () => {
  const runs = new Runs();
  const { watch, changes } = watchOf(runs);
  const slow = { ...CHECK, intervalMs: 600_000, unhealthyIntervalMs: 600_000 };
  watch.want([server(1, { check: slow }), server(2, { check: slow }), server(3, { check: slow })]);
  runs.end(FAILED);
  expect(changes).toEqual(["1 unknown down", "2 unknown down", "3 unknown down"]);
  watch.want([server(1, { check: slow }), server(2, { check: { ...slow, rise: 2 } })]);
  expect(runs.open.map(({ request }) => request.server.port)).toEqual([2]);
  expect(watch.stateOf("s 1")?.health.health).toBe("down");
  expect(watch.stateOf("s 3")).toBeNull();
  runs.end(GOOD);
  expect(watch.stateOf("s 2")?.health.health).toBe("down");
  watch.want([]);
  expect([...watch.states()]).toEqual([]);
});

test("a check that runs while its server changes or goes is given up, and its place is free", () => {
  const runs = new Runs();
  const { watch, changes } = watchOf(runs);
  watch.want([server(1), server(2)]);
  watch.want([server(1, { check: { ...CHECK, rise: 5 } })]);
  expect([runs.cancelled, runs.open.length]).toEqual([2, 1]);
  watch.want(Array.from({ length: 2 * MAX_RUNNING }, (_, index) => server(index + 10)));
  expect(runs.open).toHaveLength(MAX_RUNNING);
  watch.close();
  expect(runs.open).toEqual([]);
  expect(changes).toEqual([]);
});

test("a server that is not checked is dialled only when clients have told that it is down, and until it is back", async () => {
  const runs = new Runs();
  const { watch, changes } = watchOf(runs);
  watch.want([server(1, { check: null, passive: { ...DEFAULT_PASSIVE, coolDownMs: 20 } })]);
  expect(runs.started).toBe(0);
  watch.heard([
    { key: "s 1", outcome: "refused", count: 1 },
    { key: "gone", outcome: "refused", count: 1 },
  ]);
  expect(changes).toEqual(["1 unknown down"]);
  expect(runs.started).toBe(0);
  await waitFor("a dial", () => runs.open.length === 1);
  runs.end(FAILED);
  await waitFor("another dial", () => runs.open.length === 1);
  runs.end(GOOD);
  expect(changes).toEqual(["1 unknown down", "1 down up"]);
  expect(runs.started).toBe(2);
});

test("of a batch the good news count last: a server that serves somebody is not taken out by those it did not answer before", () => {
  const { watch, changes } = watchOf(new Runs());
  watch.want([server(1, { check: null })]);
  for (let batch = 0; batch < 5; batch++)
    watch.heard([
      { key: "s 1", outcome: "answered", count: 1 },
      { key: "s 1", outcome: "closed", count: 2 },
    ]);
  expect(changes).toEqual([]);
});

test("what Sluice lacks is no result, and a refused check is told once until that has changed", async () => {
  const runs = new Runs();
  const { watch, changes, refusals } = watchOf(runs);
  watch.want([server(1)]);
  const next = async (verdict: Verdict) => {
    await waitFor("a check", () => runs.open.length === 1);
    runs.end(verdict);
  };
  await next({ kind: "failed", reason: "descriptors", detail: "" });
  expect(changes).toEqual([]);
  const refused = { kind: "alive", detail: "its CONNACK has code 5" } as const;
  await next(refused);
  await next(refused);
  expect([changes, refusals]).toEqual([["1 unknown up"], [refused.detail]]);
  await next(GOOD);
  await next(refused);
  expect(refusals).toHaveLength(2);
  const state = watch.stateOf("s 1") as WatchedState;
  expect(Object.fromEntries(state.results)).toEqual({ descriptors: 1, "refused-check": 3, good: 1 });
});

test("over real connections: an answer in pieces, a broker that hangs, one that closes, one that is gone", async () => {
  const pieces = createServer((socket) => {
    for (const [index, piece] of ["PO", "N", "G\r\n"].entries()) setTimeout(() => socket.write(piece), 30 * index);
    socket.on("error", () => {});
  });
  const closing = createServer((socket) => socket.end());
  const ports = await Promise.all(
    [pieces, closing].map(
      (each) =>
        new Promise<number>((resolve) => {
          each.listen(0, "127.0.0.1", () => resolve((each.address() as { port: number }).port));
          cleanup(() => each.close());
        }),
    ),
  );
  const broker = await Mosquitto.start();
  const hanging = await Mosquitto.start();
  hanging.process.kill("SIGSTOP");
  const gone = await Mosquitto.start();
  await gone.stop();
  const reasons = new Map<number, string>();
  const watch = new Watch({
    onChange: ({ watched, health }) => void reasons.set(watched.server.port, health.reason),
    onRefusedCheck: () => {},
  });
  cleanup(() => watch.close());
  const mqtt = { kind: "mqtt", version: "5", clientId: null, username: null, password: null } as const;
  const quick = { ...CHECK, timeoutMs: 500, intervalMs: 60_000 };
  watch.want([
    server(ports[0]!, {
      check: { ...quick, timeoutMs: 5000, talk: { kind: "tcp", send: "PING\r\n", expect: "PONG" } },
    }),
    ...[ports[1]!, broker.port, hanging.port, gone.port].map((port) =>
      server(port, { check: { ...quick, talk: mqtt } }),
    ),
  ]);
  await waitFor("all results", () => reasons.size === 5);
  expect(Object.fromEntries(reasons)).toEqual({
    [ports[0]!]: "",
    [ports[1]!]: "it closes the connection without a whole answer",
    [broker.port]: "",
    [hanging.port]: "it takes the connection, and does not answer in time",
    [gone.port]: "nothing listens there",
  });
});

test("where the transport has PROXY headers a check sends one of its own: LOCAL with both ends, or a line that says the truth", async () => {
  const heard: Buffer[] = [];
  const receiver = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (chunk: Buffer) => {
      heard.push(Buffer.concat([chunk, Buffer.from(`|${socket.remotePort}`)]));
      socket.end();
    });
  });
  const port = await new Promise<number>((resolve) => {
    receiver.listen(0, "127.0.0.1", () => resolve((receiver.address() as { port: number }).port));
    cleanup(() => receiver.close());
  });
  const watch = new Watch({ onChange: () => {}, onRefusedCheck: () => {} });
  cleanup(() => watch.close());
  const told = async (version: number) => {
    heard.length = 0;
    const transport = { ...TRANSPORT, proxyProtocol: { version, tlvs: [] } };
    watch.want([server(port, { transport, check: { ...CHECK, intervalMs: 60_000 } })]);
    await waitFor("the header", () => heard.length > 0);
    const [bytes, remotePort] = heard[0]!.toString("latin1").split("|") as [string, string];
    return { bytes, remotePort: Number(remotePort) };
  };
  const two = await told(2);
  const parsed = parseProxyHeader(Buffer.from(two.bytes, "latin1"));
  // LOCAL: what stands in it is for nobody to believe.
  expect(parsed).toMatchObject({ kind: "ok", version: 2, addresses: null, length: 28 });
  const ends = Buffer.from(two.bytes, "latin1").subarray(12, 28);
  expect(ends.toString("hex")).toBe(
    `2011000c7f0000017f000001${[two.remotePort, port].map((each) => each.toString(16).padStart(4, "0")).join("")}`,
  );
  const one = await told(1);
  expect(one.bytes).toBe(`PROXY TCP4 127.0.0.1 127.0.0.1 ${one.remotePort} ${port}\r\n`);
});

test("over a Unix socket, which has no addresses, the header says that both ends are on this machine", async () => {
  const path = join(temporaryDirectory(), "broker.sock");
  let heard = "";
  const receiver = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (chunk: Buffer) => {
      heard = chunk.toString("latin1");
      socket.end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(path, resolve));
  cleanup(() => receiver.close());
  const watch = new Watch({ onChange: () => {}, onRefusedCheck: () => {} });
  cleanup(() => watch.close());
  const told = async (version: number) => {
    heard = "";
    const transport = { ...TRANSPORT, proxyProtocol: { version, tlvs: [] } };
    const unix = { address: `unix://${path}`, host: path, port: 0, tls: false };
    watch.want([server(0, { server: unix, transport, check: { ...CHECK, intervalMs: 60_000 } })]);
    await waitFor("the header", () => heard !== "");
    return heard;
  };
  expect(await told(1)).toBe("PROXY TCP4 127.0.0.1 127.0.0.1 0 0\r\n");
  expect(
    Buffer.from(await told(2), "latin1")
      .subarray(12)
      .toString("hex"),
  ).toBe("2011000c7f0000017f00000100000000");
});

test("a server on a Unix socket is checked like any other", async () => {
  const path = join(temporaryDirectory(), "broker.sock");
  const receiver = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end("PONG"));
  });
  await new Promise<void>((resolve) => receiver.listen(path, resolve));
  cleanup(() => receiver.close());
  const found = new Map<string, string>();
  const watch = new Watch({
    onChange: ({ watched, health }) => void found.set(watched.key, `${health.health} ${health.reason}`),
    onRefusedCheck: () => {},
  });
  cleanup(() => watch.close());
  const check: HealthCheck = { ...CHECK, intervalMs: 60_000, talk: { kind: "tcp", send: "PING", expect: "PONG" } };
  const on = (host: string): Watched =>
    server(0, { key: host, check, server: { address: `unix://${host}`, host, port: 0, tls: false } });
  watch.want([on(path), on(`${path}-gone`)]);
  await waitFor("both", () => found.size === 2);
  expect(Object.fromEntries(found)).toEqual({ [path]: "up ", [`${path}-gone`]: "down there is no such socket" });
});

test("a master that was busy for longer than a check may take blames nobody: the answer lies there unread", async () => {
  let busy = 0;
  const answering = createServer((socket) => {
    if (busy > 0) Bun.sleepSync(busy);
    socket.end("hello");
  }).listen(0, "127.0.0.1");
  cleanup(() => answering.close());
  await new Promise((done) => answering.once("listening", done));
  const { port } = answering.address() as AddressInfo;
  const changes: string[] = [];
  const watch = new Watch({ onChange: ({ health }) => changes.push(health.health), onRefusedCheck: () => {} });
  cleanup(() => watch.close());
  const talk = { kind: "tcp", send: "", expect: "hello" } as const;
  const watched = server(port, { check: { ...CHECK, timeoutMs: 100, talk } });
  watch.want([watched]);
  const results = (result: CheckResult) => watch.stateOf(watched.key)?.results.get(result) ?? 0;
  await waitFor("it to be up", () => changes.length > 0);
  busy = 800;
  await waitFor("a check to be late", () => results("late") > 0);
  busy = 0;
  const good = results("good");
  await waitFor("checks to go on", () => results("good") > good + 2);
  expect(changes).toEqual(["up"]);
});
