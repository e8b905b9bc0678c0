// Bans in the master: what workers are told, what is listed, banned and lifted by hand, and what is taken up from a file.

import { afterEach, expect, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addressKey } from "../../../src/admission/keys.ts";
import { type BanConfig, ban } from "../../../src/config/ban.ts";
import type { EntryPointConfig } from "../../../src/config/entry-points.ts";
import { Bans } from "../../../src/control/bans.ts";
import { parseAddress } from "../../../src/ip/address.ts";
import type { Logger } from "../../../src/observe/logger.ts";
import type { ToWorker } from "../../../src/protocol/messages.ts";
import { temporaryDirectory, waitFor } from "../../support/tools.ts";

const START = 1_700_000_000_000;
const open: Bans[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

function master(more: Partial<BanConfig> = {}) {
  const told: { message: Extract<ToWorker, { type: "bans" }>; worker: number | undefined }[] = [];
  const lines: { level: string; text: string; fields: Record<string, unknown> }[] = [];
  const say = (level: string) => (fields: Record<string, unknown>, text: string) =>
    void lines.push({ level, text, fields });
  const config = { ...ban.parse({}), failures: 3, ...more };
  const clock = { now: START };
  const bans = new Bans(
    [{ name: "mqtts", ban: config, admin: false } as unknown as EntryPointConfig],
    (message, worker) => void told.push({ message: message as never, worker }),
    { info: say("info"), error: say("error") } as unknown as Logger,
    () => clock.now,
  );
  open.push(bans);
  const key = (address: string) => addressKey(parseAddress(address), config.ipv4Prefix, config.ipv6Prefix);
  const fail = (address: string, count = 3) => bans.heard([["mqtts", key(address), "bad-credentials", count]]);
  return { bans, told, lines, clock, key, fail };
}

test("failures that several workers tell of are added up, and all workers are told of the ban and of its end, a new one of all", async () => {
  const { bans, told, clock, key, fail } = master();
  fail("192.0.2.7", 2);
  fail("192.0.2.7", 1);
  await waitFor("the ban to be told", () => told.length === 1);
  expect(told[0]).toEqual({
    message: { type: "bans", put: [["mqtts", key("192.0.2.7")]], drop: [] },
    worker: undefined,
  });
  expect(bans.list()).toEqual([
    {
      entryPoint: "mqtts",
      network: "192.0.2.7/32",
      until: START + 60_000,
      ms: 60_000,
      level: 1,
      reason: "bad-credentials",
    },
  ]);
  bans.started(3);
  expect(told[1]).toEqual({ message: { type: "bans", put: [["mqtts", key("192.0.2.7")]], drop: [] }, worker: 3 });
  clock.now += 60_000;
  bans.sweep();
  await waitFor("its end to be told", () => told.length === 3);
  expect(told[2]!.message).toEqual({ type: "bans", put: [], drop: [["mqtts", key("192.0.2.7")]] });
  expect(bans.list()).toEqual([]);
});

test("by hand an address, or the network that stands for it, is banned and lifted, and nothing else is", () => {
  const { bans } = master();
  expect(bans.ban("mqtts", "192.0.2.1", 1000)).toBe(true);
  expect(bans.ban("mqtts", "2001:db8::5", 1000)).toBe(true);
  expect(bans.list().map(({ network, reason, level }) => [network, reason, level])).toEqual([
    ["192.0.2.1/32", "by-hand", 0],
    ["2001:db8::/64", "by-hand", 0],
  ]);
  for (const wrong of ["192.0.2.0/24", "2001:db8::/32", "nonsense", ""])
    expect([bans.ban("mqtts", wrong, 1000), bans.lift("mqtts", wrong)]).toEqual([false, false]);
  expect(bans.ban("other", "192.0.2.1", 1000)).toBe(false);
  expect(bans.lift("mqtts", "2001:db8::/64")).toBe(true);
  expect(bans.lift("mqtts", "192.0.2.1")).toBe(true);
  expect(bans.lift("mqtts", "192.0.2.1")).toBe(false);
  expect(bans.list()).toEqual([]);
});

test("what is stored is taken up where it still means the same, and longer than it was meant to be no ban lasts", () => {
  const storage = join(temporaryDirectory(), "bans.json");
  const first = master({ storage });
  first.fail("192.0.2.7");
  first.fail("2001:db8::1");
  first.bans.close();
  expect(statSync(storage).mode & 0o777).toBe(0o600);
  const stored = JSON.parse(readFileSync(storage, "utf8"));
  const good = stored.bans[0];
  const odd = [
    null,
    5,
    {},
    { ...good, network: "192.0.2.0/24" },
    { ...good, network: "x" },
    { ...good, until: "x" },
    { ...good, entryPoint: "gone" },
  ];
  const endless = { ...good, network: "192.0.2.8/32", until: Number.MAX_SAFE_INTEGER };
  writeFileSync(storage, JSON.stringify({ bans: [...stored.bans, ...odd, endless] }));
  const second = master({ storage });
  expect(second.bans.list().map(({ network }) => network)).toEqual(["192.0.2.7/32", "2001:db8::/64", "192.0.2.8/32"]);
  second.bans.sweep();
  second.clock.now += 60_000;
  second.bans.sweep();
  expect(second.bans.list()).toEqual([]);
  second.bans.close();
  // With other prefixes an address does not become a network.
  writeFileSync(storage, JSON.stringify(stored));
  expect(
    master({ storage, ipv4Prefix: 24 })
      .bans.list()
      .map(({ network }) => network),
  ).toEqual(["2001:db8::/64"]);
});

test("a ban from a file lasts no longer than the rules of now allow, whatever the file or a clock that was ahead says", () => {
  const storage = join(temporaryDirectory(), "bans.json");
  const ban = { entryPoint: "mqtts", network: "192.0.2.7/32", reason: "not-tls", level: 3 };
  const century = { ...ban, ms: 3e12, until: START + 3e12 };
  const byHand = { ...ban, network: "192.0.2.8/32", level: 0, ms: 1e9, until: START + 2e9 };
  writeFileSync(storage, JSON.stringify({ bans: [century, byHand] }));
  const { bans } = master({ storage, maxTime: 3_600_000 });
  expect(bans.list().map(({ until, ms }) => [until - START, ms])).toEqual([
    [3_600_000, 3_600_000],
    [1e9, 1e9],
  ]);
});

test("a file that cannot be read is put aside whole, for somebody to mend, and its place is used", () => {
  const storage = join(temporaryDirectory(), "bans.json");
  const broken = '{"version":1,"bans":[ {"network": ';
  writeFileSync(storage, broken);
  const { bans, lines, fail } = master({ storage });
  expect(lines.find(({ level }) => level === "error")!.text).toContain(`it is ${storage}.broken now`);
  fail("192.0.2.7");
  bans.close();
  expect(readFileSync(`${storage}.broken`, "utf8")).toBe(broken);
  expect(JSON.parse(readFileSync(storage, "utf8")).bans).toHaveLength(1);
});

test("a file that cannot be written is said at once, and once", () => {
  const { bans, lines, fail } = master({ storage: join(temporaryDirectory(), "none", "bans.json") });
  const errors = () => lines.filter(({ level }) => level === "error");
  expect(errors().map(({ fields }) => fields.code)).toEqual(["ban-storage"]);
  expect(errors()[0]!.text).toStartWith("bans would not outlive a restart: ");
  fail("192.0.2.7");
  bans.close();
  expect(errors()).toHaveLength(1);
});

test("a thousand bans are thirty lines, and one with the number of the others", () => {
  const { bans, lines, clock, key } = master();
  for (let at = 0; at < 1000; at++) bans.heard([["mqtts", (key("10.0.0.0") as number) + at, "not-tls", 3]]);
  clock.now += 60_000;
  bans.sweep();
  expect(lines).toHaveLength(31);
  expect(lines.at(-1)).toEqual({ level: "info", text: "further addresses were banned", fields: { addresses: 970 } });
});
