// Each middleware lets in whom its settings let in, and holds what it counts just as long as the connection lives.

import { describe, expect, test } from "bun:test";
import { InFlightConn } from "../../../src/middlewares/in-flight-conn.ts";
import { IpAllowList } from "../../../src/middlewares/ip-allow-list.ts";
import type { Client, Lease } from "../../../src/middlewares/middleware.ts";
import type { AuthServices } from "../../../src/middlewares/mqtt-auth.ts";
import { createMiddleware } from "../../../src/middlewares/row.ts";

const NO_SERVICES: AuthServices = { partOf: () => null, onAuthentication: () => {} };

const from = (clientAddress: string): Client => ({
  clientAddress,
  sni: "",
  connect: null,
  clientCertificate: null,
});

describe("ipAllowList", () => {
  const list = new IpAllowList(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::ffff:198.51.100.0/120"]);
  const judged = (address: string) => list.judge(from(address)).kind;

  test.each(["10.1.2.3", "192.0.2.7", "2001:db8::1", "198.51.100.9"])("lets %s in", (address) =>
    expect(judged(address)).toBe("pass"),
  );

  test.each(["11.0.0.1", "192.0.2.8", "2001:db9::1", "::1", "", "no address", "010.0.0.1"])("refuses %p", (address) =>
    expect(list.judge(from(address))).toEqual({ kind: "refuse", reason: "address-not-allowed" }),
  );
});

describe("inFlightConn", () => {
  const lease = (limit: InFlightConn, address: string): Lease | null => {
    const verdict = limit.judge(from(address));
    return verdict.kind === "pass" ? verdict.lease : null;
  };

  test("counts each address by itself, gives its place back, and forgets who has none", () => {
    const limit = new InFlightConn(2);
    const held = [lease(limit, "192.0.2.1"), lease(limit, "192.0.2.1")];
    expect(limit.judge(from("192.0.2.1"))).toEqual({ kind: "refuse", reason: "too-many-connections" });
    const other = lease(limit, "192.0.2.2")!;
    held[0]!.release();
    held.push(lease(limit, "192.0.2.1"));
    expect(held[2]).not.toBeNull();
    expect(limit.judge(from("192.0.2.1")).kind).toBe("refuse");
    held[1]!.release();
    held[2]!.release();
    other.release();
    expect(limit.size).toBe(0);
  });

  test("with an amount of 0 refuses everybody", () => {
    expect(new InFlightConn(0).judge(from("192.0.2.1")).kind).toBe("refuse");
  });

  test("goes on counting when a reload changes its amount, and begins anew as another kind", () => {
    const before = createMiddleware({ kind: "inFlightConn", amount: 2 }, null, NO_SERVICES) as InFlightConn;
    const held = lease(before, "192.0.2.1")!;
    const after = createMiddleware({ kind: "inFlightConn", amount: 1 }, before, NO_SERVICES) as InFlightConn;
    expect(after.judge(from("192.0.2.1")).kind).toBe("refuse");
    held.release();
    expect(after.judge(from("192.0.2.1")).kind).toBe("pass");
    const list = createMiddleware({ kind: "ipAllowList", sourceRange: ["192.0.2.1"] }, after, NO_SERVICES);
    expect((createMiddleware({ kind: "inFlightConn", amount: 1 }, list, NO_SERVICES) as InFlightConn).size).toBe(0);
  });
});
