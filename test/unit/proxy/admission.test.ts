// What an entry point admits, and by what it counts.

import { expect, test } from "bun:test";
import type { PlaceHeld } from "../../../src/admission/in-order.ts";
import { Newcomers } from "../../../src/admission/newcomers.ts";
import { Tables } from "../../../src/admission/tables.ts";
import type { AdmissionSettings } from "../../../src/protocol/messages.ts";
import { Admission, type Applicant, type Yielding } from "../../../src/proxy/admission.ts";

const NONE: AdmissionSettings = {
  ...{ maxConnections: null, connections: null, rate: null, silent: null },
  handshakes: { concurrent: null, rate: null, concurrentOfAddress: null, rateOfAddress: null },
  ...{ ipv4Prefix: 32, ipv6Prefix: 64, maxWaitMs: 1000, trustedIPs: ["127.0.0.0/8", "10.0.0.0/8"] },
};

function worker(settings: Partial<AdmissionSettings>, workers = 1) {
  const clock = { now: 0 };
  const tables = new Tables(workers, () => clock.now);
  const admission = new Admission("mqtts", { ...NONE, ...settings }, 1000, tables);
  const newcomers = new Newcomers<Yielding>();
  const places: PlaceHeld[] = [];
  const come = (address: string) => {
    const applicant: Applicant = {
      addressKey: admission.look(address).key,
      stay: (place) => places.push(place),
      giveWay: () => {},
    };
    return admission.enter(applicant, newcomers);
  };
  return { clock, tables, admission, come, places };
}

test("IPv4 counts by the whole address, also where it is mapped, and IPv6 by its /64", () => {
  const { admission } = worker({});
  const key = (address: string) => admission.look(address).key;
  expect(key("::ffff:192.0.2.1")).toBe(key("192.0.2.1"));
  expect(key("192.0.2.2")).not.toBe(key("192.0.2.1"));
  expect(key("2001:db8:0:1::1")).toBe(key("2001:db8:0:1:ffff::2"));
  expect(key("2001:db8:0:2::1")).not.toBe(key("2001:db8:0:1::1"));
  expect(["127.3.2.1", "10.9.9.9", "11.0.0.1"].map((address) => admission.look(address).isExempt)).toEqual([
    true,
    true,
    false,
  ]);
});

test("what exceeds a rate waits in its order, and what would wait too long uses up nothing", () => {
  const { come, clock } = worker({ rate: { perSecond: 10, burst: 2 } });
  const all = Array.from({ length: 20 }, () => come("192.0.2.1"));
  const waits = all.map((each) => (each.kind === "wait" ? Math.round(each.ms) : each.reason));
  const expected = [0, 0, ...Array.from({ length: 10 }, (_, index) => 100 * (index + 1))];
  expect(waits).toEqual([...expected, ...Array.from({ length: 8 }, () => "address-too-fast" as const)]);
  expect(come("192.0.2.2")).toMatchObject({ kind: "wait", ms: 0 });
  clock.now = 100;
  expect(come("192.0.2.1")).toMatchObject({ kind: "wait", ms: 1000 });
});

test("handshakes wait for the later one of the two rates, and the name is that of the limit", () => {
  const { admission } = worker({
    handshakes: {
      ...NONE.handshakes,
      rate: { perSecond: 10, burst: 3 },
      rateOfAddress: { perSecond: 1, burst: 1 },
    },
  });
  const shake = (address: string) => admission.beforeHandshake(admission.look(address).key);
  expect(shake("192.0.2.1")).toMatchObject({ ms: 0 });
  expect(shake("192.0.2.1")).toMatchObject({ ms: 1000, reason: "address-too-many-handshakes" });
  expect(shake("192.0.2.1")).toMatchObject({ kind: "refuse", reason: "address-too-many-handshakes" });
  expect(shake("192.0.2.2")).toMatchObject({ ms: 0 });
  expect(shake("192.0.2.3")).toMatchObject({ ms: 100, reason: "too-many-handshakes" });
});

test("a limit is one for all workers, and what another one gives back is free here", () => {
  const [one, other] = [worker({ connections: 10 }, 2), worker({ connections: 10 }, 2)];
  const tell = () => other.tables.put(one.tables.report());
  for (let count = 0; count < 10; count++) one.come("192.0.2.1");
  tell();
  expect(other.come("192.0.2.1")).toEqual({ kind: "refuse", reason: "address-full" });
  expect(other.come("192.0.2.2")).toMatchObject({ kind: "wait", ms: 0 });
  for (const place of one.places) place.release();
  tell();
  expect(other.come("192.0.2.1")).toMatchObject({ kind: "wait", ms: 0 });
});

test("handshakes under way are bounded in all and of one address, and one that gives up waiting takes no place along", () => {
  const { admission } = worker({ handshakes: { ...NONE.handshakes, concurrent: 3, concurrentOfAddress: 2 } });
  const begun: string[] = [];
  const begin = (address: string) => admission.beginHandshake(admission.look(address).key, () => begun.push(address))!;
  const [first] = [begin("192.0.2.1"), begin("192.0.2.1")];
  const tired = begin("192.0.2.1");
  begin("192.0.2.2");
  const late = begin("192.0.2.3");
  expect(begun).toEqual(["192.0.2.1", "192.0.2.1", "192.0.2.2"]);
  expect(admission.waiting).toBe(2);
  tired.release();
  first!.release();
  expect(begun).toEqual(["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.3"]);
  late.release();
  expect(admission.waiting).toBe(0);
});

test("one address that takes all the handshakes it can get, and leaves again, leaves half of them to others, and two a third", () => {
  const { admission, clock } = worker({
    handshakes: { ...NONE.handshakes, rate: { perSecond: 100, burst: 1 } },
    maxWaitMs: 3000,
  });
  const shake = (address: string) => admission.beforeHandshake(admission.look(address).key).kind === "wait";
  const takesAll = (address: string) => {
    let count = 0;
    while (shake(address)) count++;
    return count;
  };
  expect(takesAll("192.0.2.1")).toBeWithin(145, 156);
  expect(takesAll("192.0.2.2")).toBeWithin(70, 80);
  // In the long run too: four of them take all that they can get, and one tenth of what there is comes for others.
  let others = 0;
  for (let n = 0; n < 1000; n++) {
    clock.now += 10;
    for (let each = 1; each <= 4; each++) takesAll(`192.0.2.${each}`);
    if (n % 10 === 0 && shake(`203.0.113.${(n / 10) % 250}`)) others++;
  }
  expect(others).toBeGreaterThanOrEqual(99);
});
