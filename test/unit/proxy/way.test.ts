// What a connection does in moments that no client can be made to hit: at a limit, and when a reload comes while it waits for its turn.

import { describe, expect, test } from "bun:test";
import type { Middleware, Verdict } from "../../../src/middlewares/middleware.ts";
import type { NativeSocket, SocketOwner } from "../../../src/net/socket.ts";
import type { AdmissionSettings, RouterAction, Row } from "../../../src/protocol/messages.ts";
import type { Connection } from "../../../src/proxy/connection.ts";
import { Edge } from "../../../src/proxy/edge.ts";
import { accept } from "../../../src/proxy/way.ts";
import { parseRule } from "../../../src/rules/parser.ts";
import type { Transport } from "../../../src/upstream/service.ts";
import { recordedHellos } from "../../fixtures/hello/hellos.ts";

const transport = { dialTimeoutMs: 1000, keepAliveMs: -1, terminationDelayMs: 1000, proxyProtocol: null } as Transport;
const hello = Buffer.from(recordedHellos().find(({ name }) => name === "curl")!.bytes);
const ADMIT_ALL: AdmissionSettings = {
  ...{ maxConnections: null, connections: null, rate: null, silent: null },
  handshakes: { concurrent: null, rate: null, concurrentOfAddress: null, rateOfAddress: null },
  ...{ ipv4Prefix: 32, ipv6Prefix: 64, maxWaitMs: 5000, trustedIPs: [] },
};
const CONNECT = Buffer.from("101100044d5154540402003c0005636c69656e74", "hex");

function router(name: string, action: RouterAction, priority = 1): Row {
  const parsed = parseRule("HostSNI(`*`)");
  if (parsed.kind === "error") throw new Error(parsed.message);
  return {
    kind: "router",
    name,
    value: { entryPoints: ["mqtts"], rule: parsed.rule, priority, action, middlewares: [], service: "s" },
  };
}

const SERVICE: Row = {
  kind: "service",
  name: "s",
  value: {
    kind: "loadBalancer",
    servers: [{ address: "127.0.0.1:1", host: "127.0.0.1", port: 1, tls: false }],
    transport,
  },
};

/** An edge with these routers, of which everything that goes out is noted instead of done. */
function edgeWith(rows: readonly Row[], limits: Partial<Edge["limits"]> = {}) {
  const ends: { router: string | null; reason: string }[] = [];
  const none = () => {};
  const edge = new Edge(
    {
      maxConnections: 10,
      heldBytesPerConnection: 100_000,
      heldBytesPerWorker: 1_000_000,
      helloBytesPerWorker: 1_000_000,
      ...limits,
    },
    {
      ...{
        onHandshake: none,
        onConnect: none,
        onDial: none,
        onDialFailed: none,
        onOutcome: none,
        onLoopDelay: none,
        onAuthentication: none,
        onOutOfDescriptors: none,
        onTurnedAway: none,
      },
      onEnd: ({ meters }, reason) => void ends.push({ router: meters?.router ?? null, reason }),
      onFault: (error) => {
        throw error;
      },
    },
  );
  let version = 0;
  const reload = (put: readonly Row[], drop: readonly string[] = []) => {
    edge.tables.apply(put, drop);
    edge.tables.commit(++version);
  };
  reload([SERVICE, ...rows]);
  let dials = 0;
  Object.assign(edge.dialer, {
    dial: () => {
      dials++;
      return { cancel: none, giveUp: none };
    },
  });
  const waiting: (() => void)[] = [];
  Object.assign(edge.turns, { run: (step: () => void) => void waiting.push(step) });
  const counted = () =>
    Object.fromEntries(
      [...edge.meters.routes()].map(({ router: name, connections, open }) => [name, { connections, open }]),
    );
  return { edge, ends, reload, waiting, dials: () => dials, counted };
}

/** What a client does, and what it gets to see. */
function arrive(edge: Edge) {
  const written: Buffer[] = [];
  const none = () => {};
  const socket = {
    ...{ remoteAddress: "192.0.2.7", remotePort: 4711, localAddress: "192.0.2.1" },
    ...{ end: none, shutdown: none, terminate: none, pause: none, resume: none },
    write: (bytes: Uint8Array) => {
      written.push(Buffer.from(bytes));
      return bytes.length;
    },
  } as unknown as NativeSocket;
  accept(
    edge,
    edge.entryPoint({
      name: "mqtts",
      readTimeoutMs: 10_000,
      connectTimeoutMs: 60_000,
      proxyProtocol: null,
      admission: ADMIT_ALL,
    }),
    socket,
  );
  const owner = (): SocketOwner => socket.data;
  return {
    send: (bytes: Buffer) => owner().onData(bytes),
    finish: () => owner().onEnd(),
    sent: () => Buffer.concat(written).toString("hex"),
  };
}

const TERMINATE: RouterAction = { kind: "terminate", options: "default" };
/** Enough of TLS options for being routed; no handshake is begun here. */
const OPTIONS = { kind: "options", name: "default", value: { alpn: null, sniStrict: true } } as unknown as Row;

for (const [what, action, bytes] of [
  ["passed through", { kind: "passthrough" }, hello],
  ["plain", { kind: "plain" }, CONNECT],
] as const)
  test(`a ${what} client whose first bytes are over the limit on held bytes is not dialled for`, () => {
    // With a TLS router beside it, because an entry point with only plain ones does not wait for bytes.
    const rows = [router("r", action), router("other", { kind: "passthrough" }, 0)];
    const within = edgeWith(rows, { heldBytesPerConnection: bytes.length });
    arrive(within.edge).send(bytes);
    expect([within.dials(), within.ends]).toEqual([1, []]);

    const over = edgeWith(rows, { heldBytesPerConnection: bytes.length - 1 });
    arrive(over.edge).send(bytes);
    expect(over.dials()).toBe(0);
    expect(over.ends.map(({ reason }) => reason)).toEqual(["held-limit"]);
    expect(over.edge.pool.held).toBe(0);
    expect(over.edge.connections.size).toBe(0);
    const open = Object.values(over.counted()).map((each) => each.open);
    expect(open.length).toBeGreaterThan(0);
    expect(open.filter((each) => each !== 0)).toEqual([]);
  });

test("over the limit of the worker, of the clients that wait for their brokers the one that holds most is cut, not the last one that came", () => {
  const { edge, ends, dials } = edgeWith([router("r", { kind: "passthrough" })], {
    heldBytesPerWorker: 9000 + 2.5 * hello.length,
  });
  const [large, small] = [arrive(edge), arrive(edge)];
  large.send(hello);
  large.send(Buffer.alloc(9000));
  small.send(hello);
  expect(ends).toEqual([]);
  const late = arrive(edge);
  late.send(hello);
  expect(ends).toEqual([{ router: "r", reason: "held-limit" }]);
  expect([edge.connections.size, dials(), edge.pool.cuts]).toEqual([2, 3, 1]);
  expect(edge.pool.held).toBe(2 * hello.length);
});

test("a queued handshake is routed anew when a reload came first: by the rules in force, and counted once", () => {
  const { edge, ends, reload, waiting, dials, counted } = edgeWith([OPTIONS, router("former", TERMINATE)]);
  const clients = [arrive(edge), arrive(edge)];
  for (const { send } of clients) send(hello);
  // They are open ones of a router at once, and have come to it when they can come to no other.
  expect(counted()).toEqual({ former: { connections: 0, open: 2 } });
  const former = [...edge.meters.routes()][0]!;

  // One that refuses: its client is told so.
  reload([router("off", { kind: "off", tls: true })], ["router/former"]);
  waiting.shift()!();
  expect(ends).toEqual([{ router: "off", reason: "router-off" }]);
  expect(clients[0]!.sent()).toBe("15030300020270");
  expect(counted()).toEqual({ off: { connections: 1, open: 0 } });
  expect(former).toMatchObject({ connections: 0, open: 1 });

  // One that serves, with what the client has sent meanwhile behind its hello.
  reload([router("new", { kind: "passthrough" })], ["router/off"]);
  clients[1]!.send(Buffer.from("more"));
  waiting.shift()!();
  expect(dials()).toBe(1);
  expect(counted()).toEqual({ new: { connections: 0, open: 1 } });
  expect(former).toMatchObject({ connections: 0, open: 0 });
  const [connection] = edge.connections as Set<Connection>;
  expect(Buffer.concat(connection!.ahead)).toEqual(Buffer.concat([hello, Buffer.from("more")]));
  expect(edge.pool.held).toBe(hello.length + 4);

  connection!.shutdown();
  expect(counted()).toEqual({ new: { connections: 1, open: 0 } });
  expect(edge.pool.held).toBe(0);
});

test("the hello of a queued handshake counts as held, and over the limit of a worker the connection that holds most is cut", () => {
  const limit = hello.length * 3 - 1;
  const { edge, ends, waiting } = edgeWith([OPTIONS, router("r", TERMINATE)], { heldBytesPerWorker: limit });
  for (let i = 0; i < 2; i++) arrive(edge).send(hello);
  expect([edge.pool.held, ends.length]).toEqual([2 * hello.length, 0]);
  arrive(edge).send(hello);
  expect(ends.map(({ reason }) => reason)).toEqual(["held-limit"]);
  expect(edge.pool.held).toBe(2 * hello.length);
  for (const step of waiting.splice(0)) step();
  expect(edge.pool.held).toBe(0);
});

test("a queued handshake that no rule wants any more is refused, and counts for no router", () => {
  const { edge, ends, reload, waiting, counted } = edgeWith([OPTIONS, router("former", TERMINATE)]);
  const { send, sent } = arrive(edge);
  send(hello);
  const former = [...edge.meters.routes()][0]!;
  reload([], ["router/former"]);
  waiting.shift()!();
  expect(ends).toEqual([{ router: null, reason: "unknown-sni" }]);
  expect(sent()).toBe("15030300020270");
  expect(counted()).toEqual({});
  expect(former).toMatchObject({ connections: 0, open: 0 });
});

test("a router whose TLS options are no more refuses as one that is off", () => {
  const { edge, ends, waiting, counted } = edgeWith([router("r", TERMINATE)]);
  const { send, sent } = arrive(edge);
  send(hello);
  for (const step of waiting.splice(0)) step();
  expect(ends).toEqual([{ router: "r", reason: "router-off" }]);
  expect(sent()).toBe("15030300020270");
  expect(counted()).toEqual({ r: { connections: 1, open: 0 } });
});

test("a certificate that does not load refuses its clients with the alert, and is reported once", () => {
  const faults: string[] = [];
  const certificate = {
    kind: "certificate",
    name: "h",
    value: { hash: "h", names: ["example.com"], keyType: "p256", cert: "no PEM", key: "no PEM" },
  } as unknown as Row;
  const options = {
    ...OPTIONS,
    value: { key: "k", alpn: null, sniStrict: false, clientAuth: "NoClientCert", clientCa: "" },
  } as unknown as Row;
  const fallback: Row = { kind: "default", name: "default", value: { certificate: "h" } };
  const { edge, ends, waiting } = edgeWith([options, certificate, fallback, router("r", TERMINATE)]);
  Object.assign(edge.observer, { onFault: (error: Error) => void faults.push(error.message) });
  for (let i = 0; i < 3; i++) {
    const { send, sent } = arrive(edge);
    send(hello);
    waiting.shift()!();
    expect(sent()).toBe("15030300020270");
  }
  expect(ends).toEqual(Array.from({ length: 3 }, () => ({ router: "r", reason: "no-certificate" })));
  expect(faults).toEqual([expect.stringContaining("the certificate for example.com does not load: ")]);
});

describe("a middleware that takes its time", () => {
  /** Answers when it is told to; put in the place of the real one, because none of those that there are waits. */
  function slow() {
    const answers: ((verdict: Verdict) => void)[] = [];
    const judge = () => new Promise<Verdict>((answer) => void answers.push(answer));
    return { answers, middleware: { stage: "address", judge } satisfies Middleware };
  }
  const asked = (name: string, action: RouterAction): Row => {
    const row = router(name, action);
    return { ...row, value: { ...row.value, middlewares: ["m"] } } as Row;
  };
  const PLACEHOLDER: Row = {
    kind: "middleware",
    name: "m",
    value: { kind: "ipAllowList", sourceRange: ["::/0"], sourceFile: null },
  };

  function scene(action: RouterAction) {
    const made = edgeWith([OPTIONS, PLACEHOLDER, asked("r", action), router("other", { kind: "passthrough" }, 0)]);
    const { answers, middleware } = slow();
    const { tables } = made.edge;
    const match = tables.match.bind(tables);
    tables.match = (table, facts) => {
      const route = match(table, facts);
      return route?.router === "r" ? { ...route, middlewares: { address: [middleware], tls: [], connect: [] } } : route;
    };
    return { ...made, answers };
  }
  const settle = () => new Promise(setImmediate);

  test("holds the client back, and lets it go on with all it has sent", async () => {
    const { edge, answers, dials } = scene({ kind: "passthrough" });
    const { send } = arrive(edge);
    send(hello);
    send(Buffer.from("more"));
    expect(dials()).toBe(0);
    answers[0]!({ kind: "pass", lease: null });
    await settle();
    expect(dials()).toBe(1);
    const [connection] = edge.connections as Set<Connection>;
    expect(Buffer.concat(connection!.ahead)).toEqual(Buffer.concat([hello, Buffer.from("more")]));
  });

  test("refuses with its reason", async () => {
    const { edge, answers, ends } = scene({ kind: "passthrough" });
    const { send, sent } = arrive(edge);
    send(hello);
    answers[0]!({ kind: "refuse", reason: "address-not-allowed" });
    await settle();
    expect(ends).toEqual([{ router: "r", reason: "address-not-allowed" }]);
    expect(sent()).toBe("15030300020231");
  });

  test("decides nothing for a client that has left: what it holds is given back", async () => {
    const { edge, answers, ends, dials } = scene({ kind: "passthrough" });
    const { send, finish } = arrive(edge);
    send(hello);
    finish();
    let given = 0;
    answers[0]!({ kind: "pass", lease: { release: () => given++ } });
    await settle();
    expect([given, dials(), ends.map(({ reason }) => reason)]).toEqual([1, 0, ["client-gone"]]);
  });

  test("is asked again when a reload came meanwhile: what was held by the former rules is given back", async () => {
    const { edge, answers, reload, dials, ends } = scene({ kind: "passthrough" });
    const { send } = arrive(edge);
    send(hello);
    reload([router("r", { kind: "off", tls: true })]);
    let given = 0;
    answers[0]!({ kind: "pass", lease: { release: () => given++ } });
    await settle();
    expect([given, dials(), ends.map(({ reason }) => reason)]).toEqual([1, 0, ["router-off"]]);
  });

  /** A plain client whose CONNECT is judged by whoever is in force. */
  function gated() {
    const made = edgeWith([PLACEHOLDER, asked("r", { kind: "plain" }), router("other", { kind: "passthrough" }, 0)]);
    const asks: ReturnType<typeof slow>[] = [slow()];
    const { tables } = made.edge;
    const match = tables.match.bind(tables);
    tables.match = (table, facts) => {
      const route = match(table, facts);
      const middlewares = { address: [], tls: [], connect: [asks.at(-1)!.middleware] };
      return route?.router === "r" ? { ...route, middlewares, gate: { timeoutMs: 1000, maxSize: 1000 } } : route;
    };
    return { ...made, asks };
  }
  const PASSES: Verdict = { kind: "pass", lease: null };

  test("says it once of a CONNECT, whatever reloads change elsewhere", async () => {
    const { edge, asks, reload, dials } = gated();
    arrive(edge).send(CONNECT);
    reload([router("other", { kind: "off", tls: true }, 0)]);
    asks[0]!.answers[0]!(PASSES);
    await settle();
    expect([asks[0]!.answers.length, dials()]).toEqual([1, 1]);
  });

  test("that is another one after a reload is asked too", async () => {
    const { edge, asks, reload, dials } = gated();
    arrive(edge).send(CONNECT);
    asks.push(slow());
    reload([router("other", { kind: "off", tls: true }, 0)]);
    asks[0]!.answers[0]!(PASSES);
    await settle();
    expect([asks[1]!.answers.length, dials()]).toEqual([1, 0]);
    asks[1]!.answers[0]!({ kind: "refuse", reason: "bad-credentials" });
    await settle();
    expect([dials(), edge.connections.size, edge.pool.held]).toEqual([0, 0, 0]);
  });

  test("a lease is given back once, at the end of the connection", async () => {
    const { edge, answers } = scene({ kind: "passthrough" });
    const { send } = arrive(edge);
    send(hello);
    let given = 0;
    answers[0]!({ kind: "pass", lease: { release: () => given++ } });
    await settle();
    expect(given).toBe(0);
    const [connection] = edge.connections as Set<Connection>;
    connection!.shutdown();
    connection!.shutdown();
    expect(given).toBe(1);
  });
});
