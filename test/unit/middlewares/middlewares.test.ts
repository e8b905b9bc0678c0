// Each middleware lets in whom its settings let in, and holds what it counts just as long as the connection lives.

import { describe, expect, test } from "bun:test";
import { Tables } from "../../../src/admission/tables.ts";
import { IpList } from "../../../src/middlewares/ip-lists.ts";
import type { Client, Lease, Middleware, Verdict } from "../../../src/middlewares/middleware.ts";
import { createMiddleware, type MiddlewareRow, type MiddlewareServices } from "../../../src/middlewares/row.ts";

const from = (clientAddress: string): Client => ({
  clientAddress,
  sni: "",
  connect: null,
  clientCertificate: null,
});

describe("ipAllowList", () => {
  const list = new IpList(
    {
      kind: "ipAllowList",
      sourceRange: ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::ffff:198.51.100.0/120"],
      sourceFile: null,
    },
    () => null,
  );
  const judged = (address: string) => list.judge(from(address)).kind;

  test.each(["10.1.2.3", "192.0.2.7", "2001:db8::1", "198.51.100.9"])("lets %s in", (address) =>
    expect(judged(address)).toBe("pass"),
  );

  test.each(["11.0.0.1", "192.0.2.8", "2001:db9::1", "::1", "", "no address", "010.0.0.1"])("refuses %p", (address) =>
    expect(list.judge(from(address))).toEqual({ kind: "refuse", reason: "address-not-allowed" }),
  );
});

const KEY = { key: "clientIP", ipv4Prefix: 32, ipv6Prefix: 128 } as const;

/** A middleware of a name, in a worker whose clock stands still until it is moved. */
function worker() {
  let now = 0;
  const tables = new Tables(1, () => now);
  const services: MiddlewareServices = { partOf: () => null, onAuthentication: () => {}, tables };
  const limits = (row: Partial<Extract<MiddlewareRow, { kind: "inFlightConn" }>>) =>
    createMiddleware("m", { kind: "inFlightConn", amount: 2, ...KEY, ...row }, null, services);
  const rates = (row: Partial<Extract<MiddlewareRow, { kind: "rateLimit" }>>, former: Middleware | null = null) =>
    createMiddleware(
      "m",
      { kind: "rateLimit", average: 1, periodMs: 1000, burst: 2, ...KEY, ...row },
      former,
      services,
    );
  const pass = (ms: number) => {
    now += ms;
  };
  return { tables, limits, rates, pass };
}

const kindOf = (middleware: Middleware, client: Client) => (middleware.judge(client) as Verdict).kind;

describe("inFlightConn", () => {
  const lease = (limit: Middleware, client: Client): Lease | null => {
    const verdict = limit.judge(client) as Verdict;
    return verdict.kind === "pass" ? verdict.lease : null;
  };

  test("counts each address by itself, gives its place back, and forgets who has none", () => {
    const { limits, tables } = worker();
    const limit = limits({});
    const client = from("192.0.2.1");
    const held = [lease(limit, client), lease(limit, client)];
    expect(limit.judge(client)).toEqual({ kind: "refuse", reason: "too-many-connections" });
    const other = lease(limit, from("192.0.2.2"))!;
    held[0]!.release();
    held.push(lease(limit, client));
    expect(held[2]).not.toBeNull();
    expect(kindOf(limit, client)).toBe("refuse");
    held[1]!.release();
    held[2]!.release();
    other.release();
    expect([...tables.status()].map(({ entries }) => entries)).toEqual([0]);
  });

  test("with an amount of 0 refuses everybody", () => {
    expect(kindOf(worker().limits({ amount: 0 }), from("192.0.2.1"))).toBe("refuse");
  });

  test("goes on counting when a reload changes its amount, and begins anew when it counts by something else", () => {
    const { limits } = worker();
    const held = lease(limits({ amount: 2 }), from("192.0.2.1"))!;
    const after = limits({ amount: 1 });
    expect(kindOf(after, from("192.0.2.1"))).toBe("refuse");
    expect(kindOf(limits({ amount: 1, ipv4Prefix: 24 }), from("192.0.2.1"))).toBe("pass");
    held.release();
    expect(kindOf(after, from("192.0.2.1"))).toBe("pass");
  });

  test.each([
    ["clientId", { clientId: "a" }, { clientId: "b" }],
    ["username", { username: "a" }, { username: "b" }],
    ["certificate", { certificate: "a" }, { certificate: "b" }],
    ["sni", { sni: "a" }, { sni: "b" }],
  ] as const)("tells clients apart by their %s, and those that have none by address", (key, one, two) => {
    const limit = worker().limits({ key, amount: 1 });
    const client = (more: Partial<Client>) => ({ ...from("192.0.2.1"), ...more });
    expect([one, two, one].map((more) => kindOf(limit, client(more)))).toEqual(["pass", "pass", "refuse"]);
    expect(kindOf(limit, client({}))).toBe("pass");
    expect(kindOf(limit, client({}))).toBe("refuse");
    expect(kindOf(limit, from("192.0.2.2"))).toBe("pass");
  });

  test("of a network counts as one whoever is in it", () => {
    const limit = worker().limits({ amount: 1, ipv4Prefix: 24, ipv6Prefix: 64 });
    const addresses = ["192.0.2.1", "192.0.2.254", "192.0.3.1", "2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1"];
    expect(addresses.map((address) => kindOf(limit, from(address)))).toEqual([
      "pass",
      "refuse",
      "pass",
      "pass",
      "refuse",
      "pass",
    ]);
  });
});

describe("rateLimit", () => {
  test("lets a burst in, then one per interval; each client by itself", () => {
    const { rates, pass } = worker();
    const limit = rates({});
    const come = () => kindOf(limit, from("192.0.2.1"));
    expect([come(), come(), come()]).toEqual(["pass", "pass", "refuse"]);
    expect(limit.judge(from("192.0.2.1"))).toEqual({ kind: "refuse", reason: "too-many-connects" });
    expect(kindOf(limit, from("192.0.2.2"))).toBe("pass");
    pass(999);
    expect(come()).toBe("refuse");
    pass(1);
    expect([come(), come()]).toEqual(["pass", "refuse"]);
  });

  test("a period makes rates below one per second", () => {
    const { rates, pass } = worker();
    const limit = rates({ average: 6, periodMs: 60_000, burst: 1 });
    expect(kindOf(limit, from("192.0.2.1"))).toBe("pass");
    pass(9_999);
    expect(kindOf(limit, from("192.0.2.1"))).toBe("refuse");
    pass(1);
    expect(kindOf(limit, from("192.0.2.1"))).toBe("pass");
  });

  test("one client that is asked about twice has come once, also where a reload lies between", () => {
    const { rates } = worker();
    const before = rates({ burst: 1 });
    const client = from("192.0.2.1");
    expect(kindOf(before, client)).toBe("pass");
    const after = rates({ burst: 1, average: 2 }, before);
    expect(kindOf(after, client)).toBe("pass");
    expect(kindOf(after, from("192.0.2.1"))).toBe("refuse");
  });
});
