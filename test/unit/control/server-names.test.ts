// Names are followed as DNS changes: within bounds of time and number, and what DNS does not answer changes nothing.

import { expect, test } from "bun:test";
import { MAX_SERVERS_PER_NAME, ServerNames } from "../../../src/control/server-names.ts";
import type { Located, NameAsks, Reply } from "../../../src/net/name-answers.ts";
import { locatedBy } from "../../../src/net/name-answers.ts";
import type { Logger } from "../../../src/observe/logger.ts";
import type { Row } from "../../../src/protocol/messages.ts";
import type { Discovery, Transport } from "../../../src/upstream/service.ts";
import { cleanup, waitFor } from "../../support/tools.ts";

const TIMES = { least: 20, most: 60, usual: 40, retry: 20, first: 200, settle: 1 };

/** A DNS that a test sets; a name without an entry fails. */
class FakeDns implements NameAsks {
  readonly entries = new Map<string, Reply<string | Located>>();
  readonly asked = new Map<string, number>();
  async addresses(host: string): Promise<Reply<string>> {
    return this.#answer(host) as Reply<string>;
  }
  async located(name: string): Promise<Reply<Located>> {
    return this.#answer(name) as Reply<Located>;
  }
  set(name: string, values: readonly (string | Located)[], ttlMs: number | null = null): void {
    this.entries.set(name, { values, ttlMs });
  }
  #answer(name: string): Reply<string | Located> {
    this.asked.set(name, (this.asked.get(name) ?? 0) + 1);
    const found = this.entries.get(name);
    if (found === undefined) throw Object.assign(new Error(name), { code: "ENOTFOUND" });
    return found;
  }
}

function follow(dns: NameAsks, times = TIMES) {
  const lines: { level: string; msg: string; [key: string]: unknown }[] = [];
  const say = (level: string) => (fields: object, msg: string) => void lines.push({ level, msg, ...fields });
  let changes = 0;
  const logger = { info: say("info"), warn: say("warn") } as unknown as Logger;
  const names = new ServerNames(logger, () => changes++, dns, times);
  cleanup(() => names.close());
  return { names, lines, changes: () => changes };
}

const discover: Discovery = { kind: "addresses", families: "all" };
function rowsOf(...hosts: string[]): Map<string, Row> {
  const servers = hosts.map((host) =>
    host.startsWith("_")
      ? { address: `srv:${host}`, host, port: 0, tls: false, discover: { kind: "srv", families: "all" } as const }
      : { address: `${host}:1883`, host, port: 1883, tls: false, discover },
  );
  const other: Row = { kind: "default", name: "", value: { certificate: "x" } };
  const service: Row = {
    kind: "service",
    name: "s",
    value: { kind: "loadBalancer", servers, transport: {} as Transport },
  };
  return new Map<string, Row>([
    ["default/", other],
    ["service/s", service],
  ]);
}
function serversOf(names: ServerNames, rows: ReadonlyMap<string, Row>): string[] {
  const row = names.apply(rows).get("service/s")!;
  return row.kind === "service" && row.value.kind === "loadBalancer"
    ? row.value.servers.map((each) => each.address)
    : [];
}

test("servers come in an order of their own, one family after the other, whatever the order of the answer", async () => {
  const dns = new FakeDns();
  dns.set("a.test", ["10.0.0.10", "2001:db8::1", "10.0.0.9", "10.0.0.10"]);
  const { names } = follow(dns);
  const rows = rowsOf("a.test");
  names.want(rows.values());
  expect(names.isReady).toBe(false);
  await names.ready();
  expect(serversOf(names, rows)).toEqual(["10.0.0.9:1883", "10.0.0.10:1883", "[2001:db8::1]:1883"]);
  expect([...names.apply(rows).keys()]).toEqual([...rows.keys()]);
  expect(names.apply(rows).get("default/")).toBe(rows.get("default/")!);
});

test("a change is told once, and an answer in another order is none", async () => {
  const dns = new FakeDns();
  dns.set("a.test", ["10.0.0.1", "10.0.0.2"]);
  const { names, changes, lines } = follow(dns);
  const rows = rowsOf("a.test");
  names.want(rows.values());
  await waitFor("the first answer", () => changes() === 1);
  dns.set("a.test", ["10.0.0.2", "10.0.0.1"]);
  const before = dns.asked.get("a.test")!;
  await waitFor("more questions", () => dns.asked.get("a.test")! > before + 2);
  expect(changes()).toBe(1);
  dns.set("a.test", ["10.0.0.2", "10.0.0.3"]);
  await waitFor("the change", () => changes() === 2);
  expect(serversOf(names, rows)).toEqual(["10.0.0.2:1883", "10.0.0.3:1883"]);
  expect(lines.at(-1)).toMatchObject({ level: "info", name: "a.test", added: ["10.0.0.3"], removed: ["10.0.0.1"] });
});

test("DNS that fails keeps the last good answer, says so once, and says when it is back", async () => {
  const dns = new FakeDns();
  dns.set("a.test", ["10.0.0.1"]);
  const { names, changes, lines } = follow(dns);
  const rows = rowsOf("a.test", "new.test");
  names.want(rows.values());
  await names.ready();
  dns.entries.clear();
  await waitFor("failures", () => names.states().every(({ failed }) => failed > 3));
  expect(serversOf(names, rows)).toEqual(["10.0.0.1:1883", "new.test:1883"]);
  expect(names.states().map(({ isFailing }) => isFailing)).toEqual([true, true]);
  const warnings = lines.filter(({ level }) => level === "warn");
  expect(warnings).toHaveLength(2);
  expect(warnings.map(({ name, error }) => [name, error]).sort()).toEqual([
    ["a.test", "ENOTFOUND"],
    ["new.test", "ENOTFOUND"],
  ]);
  dns.set("a.test", ["10.0.0.1"]);
  await waitFor("it to be back", () => lines.some(({ msg }) => msg.includes("resolves again")));
  expect(changes()).toBe(1);
});

test("a time to live counts within bounds, and what is wanted no more is asked no more", async () => {
  const dns = new FakeDns();
  dns.set("short.test", ["10.0.0.1"], 0);
  dns.set("long.test", ["10.0.0.2"], 3_600_000);
  const { names } = follow(dns);
  names.want(rowsOf("short.test", "long.test").values());
  await waitFor("the long one to be asked three times", () => dns.asked.get("long.test")! >= 3);
  // 20 and 60 ms: the bounds.
  expect(dns.asked.get("short.test")!).toBeGreaterThan(3);
  expect(dns.asked.get("short.test")!).toBeLessThan(60);
  names.want(rowsOf("long.test").values());
  const [asked, others] = [dns.asked.get("short.test"), dns.asked.get("long.test")!];
  await waitFor("the other to be asked", () => dns.asked.get("long.test")! > others + 1);
  expect(dns.asked.get("short.test")).toBe(asked!);
  expect(names.states().map(({ name }) => name)).toEqual(["long.test"]);
});

test("nothing waits longer for a name than its time, and a name without an answer stands for itself meanwhile", async () => {
  const never = new Promise<never>(() => {});
  const { names } = follow({ addresses: () => never, located: () => never });
  const rows = rowsOf("a.test");
  names.want(rows.values());
  await names.ready();
  expect(names.isReady).toBe(false);
  expect(serversOf(names, rows)).toEqual(["a.test:1883"]);
  names.want([]);
  expect(names.isReady).toBe(true);
});

test("the hosts of SRV records are followed with them, and forgotten with them", async () => {
  const dns = new FakeDns();
  const record = (host: string, priority = 1) => ({ host, priority, weight: 1, port: 1884 });
  dns.set("_mqtt._tcp.test", [record("b.test", 2), record("a.test")]);
  dns.set("a.test", ["10.0.0.1"]);
  dns.set("b.test", ["10.0.0.2"]);
  const { names } = follow(dns);
  const rows = rowsOf("_mqtt._tcp.test");
  names.want(rows.values());
  await names.ready();
  expect(serversOf(names, rows)).toEqual(["10.0.0.1:1884", "10.0.0.2:1884"]);
  dns.set("_mqtt._tcp.test", [record("b.test")]);
  await waitFor("the change", () => serversOf(names, rows).length === 1);
  expect(serversOf(names, rows)).toEqual(["10.0.0.2:1884"]);
  await waitFor("the other to be forgotten", () => names.states().length === 2);
});

test("a name has a bounded number of servers, which is said once, and nothing but addresses and hosts comes out of an answer", async () => {
  const dns = new FakeDns();
  dns.set("a.test", Array.from({ length: 400 }, (_, i) => `10.0.${i >> 8}.${i & 255}`).concat("evil\n", "1.2.3"));
  const { names, lines } = follow(dns);
  const rows = rowsOf("a.test");
  names.want(rows.values());
  await waitFor("some questions", () => (dns.asked.get("a.test") ?? 0) > 3);
  expect(serversOf(names, rows)).toHaveLength(MAX_SERVERS_PER_NAME);
  expect(lines.filter(({ level }) => level === "warn")).toMatchObject([{ name: "a.test", found: 400 }]);
  const srv = { priority: 1, weight: 1, port: 1883 };
  expect(locatedBy({ ...srv, name: "Broker-A.test." })).toEqual({ ...srv, host: "broker-a.test" });
  for (const bad of [
    "",
    ".",
    "a b",
    "a\n.test",
    "a..test",
    `${"x".repeat(64)}.test`,
    `${"x.".repeat(130)}test`,
    "\\000.test",
  ])
    expect(locatedBy({ ...srv, name: bad })).toBeNull();
  for (const port of [0, 65_536]) expect(locatedBy({ ...srv, port, name: "a.test" })).toBeNull();
});

test("what is asked now is asked once, and goes on in its time", async () => {
  const dns = new FakeDns();
  dns.set("a.test", ["10.0.0.1"], 60_000);
  const { names } = follow(dns, { ...TIMES, most: 60_000 });
  const rows = rowsOf("a.test");
  names.want(rows.values());
  names.refresh(); // it is being asked
  await names.ready();
  expect(dns.asked.get("a.test")).toBe(1);
  dns.set("a.test", ["10.0.0.2"], 60_000);
  names.refresh();
  await waitFor("the change", () => serversOf(names, rows)[0] === "10.0.0.2:1883");
  expect(dns.asked.get("a.test")).toBe(2);
});
