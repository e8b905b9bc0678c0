// What answers of DNS make of servers: one for each, in an order that does not depend on DNS, with what was configured for the name.

import { describe, expect, test } from "bun:test";
import { discovered, type NameAnswers, questionsOf } from "../../../src/control/discovered.ts";
import type { Located } from "../../../src/net/name-answers.ts";
import type { Server } from "../../../src/upstream/service.ts";

const all = { kind: "addresses", families: "all" } as const;
const name = (more: Partial<Server> = {}): Server => ({
  ...{ address: "brokers.test:1883", host: "brokers.test", port: 1883, tls: false, discover: all },
  ...more,
});
const srv = (more: Partial<Server> = {}): Server => ({
  ...{ address: "srv:_mqtt._tcp.test", host: "_mqtt._tcp.test", port: 0, tls: false, name: "test" },
  discover: { kind: "srv", families: null },
  ...more,
});
const answers = (
  addresses: Record<string, readonly string[]> = {},
  located: Record<string, readonly Located[]> = {},
): NameAnswers => ({ addresses: (host) => addresses[host], located: (host) => located[host] });
const record = (host: string, priority: number, weight: number, port = 1883): Located => {
  return { host, priority, weight, port };
};
const addressesOf = (servers: readonly Server[]) => servers.map(({ address }) => address);

describe("a name", () => {
  test("is as many servers as it has addresses, each with all that was configured for it", () => {
    const made = discovered(
      [name({ tls: true, backup: true, maxConnections: 5, weight: 3 })],
      answers({ "brokers.test": ["10.0.0.1", "2001:db8::1"] }),
    );
    const rest = { port: 1883, tls: true, backup: true, maxConnections: 5, weight: 3, name: "brokers.test" };
    expect(made).toEqual([
      { address: "10.0.0.1:1883", host: "10.0.0.1", ...rest },
      { address: "[2001:db8::1]:1883", host: "2001:db8::1", ...rest },
    ]);
  });

  test("gives the addresses of one family alone where that is asked for, and none where it has none", () => {
    const known = answers({ "brokers.test": ["10.0.0.1", "2001:db8::1"], "four.test": ["10.0.0.2"] });
    const of = (families: "ipv4" | "ipv6", host = "brokers.test") =>
      addressesOf(discovered([name({ host, discover: { kind: "addresses", families } })], known));
    expect(of("ipv4")).toEqual(["10.0.0.1:1883"]);
    expect(of("ipv6")).toEqual(["[2001:db8::1]:1883"]);
    expect(of("ipv6", "four.test")).toEqual([]);
  });

  test("is dialled itself as long as nothing is known of it", () => {
    const { discover: _, ...plain } = name();
    expect(discovered([name()], answers())).toEqual([plain]);
  });

  test("gives no server that is listed beside it, or that another name has", () => {
    const listed: Server = { address: "10.0.0.2:1883", host: "10.0.0.2", port: 1883, tls: false };
    const known = answers({ "brokers.test": ["10.0.0.1", "10.0.0.2"], "more.test": ["10.0.0.1", "10.0.0.3"] });
    const made = discovered([name(), listed, name({ host: "more.test" })], known);
    expect(addressesOf(made)).toEqual(["10.0.0.1:1883", "10.0.0.2:1883", "10.0.0.3:1883"]);
  });
});

describe("SRV records", () => {
  test("give host, port and weight; the lowest priority is served first, and all others are backups", () => {
    const records = [
      record("a.test", 1, 10),
      record("b.test", 1, 30, 1884),
      record("c.test", 5, 0),
      record("d.test", 9, 7),
    ];
    expect(discovered([srv()], answers({}, { "_mqtt._tcp.test": records }))).toEqual([
      { address: "a.test:1883", host: "a.test", port: 1883, tls: false, name: "test" },
      { address: "b.test:1884", host: "b.test", port: 1884, tls: false, name: "test", weight: 3 },
      { address: "c.test:1883", host: "c.test", port: 1883, tls: false, name: "test", backup: true },
      { address: "d.test:1883", host: "d.test", port: 1883, tls: false, name: "test", backup: true },
    ]);
  });

  test("of weight 0 count as 1, and a weight of the configuration has no say but for 0", () => {
    const records = [record("a.test", 1, 0), record("b.test", 1, 4)];
    const made = discovered([srv({ weight: 9 })], answers({}, { "_mqtt._tcp.test": records }));
    expect(made.map(({ weight }) => weight)).toEqual([undefined, 4]);
    const none = discovered([srv({ weight: 0 })], answers({}, { "_mqtt._tcp.test": records }));
    expect(none.map(({ weight }) => weight)).toEqual([0, 0]);
  });

  test("with resolve are the addresses of their hosts, whose certificate is for the name that was asked", () => {
    const server = srv({ tls: true, discover: { kind: "srv", families: "all" } });
    const located = { "_mqtt._tcp.test": [record("a.test", 1, 0), record("b.test", 2, 0)] };
    expect(questionsOf([server], answers())).toEqual([{ kind: "located", name: "_mqtt._tcp.test" }]);
    expect(questionsOf([server], answers({}, located))).toEqual([
      { kind: "located", name: "_mqtt._tcp.test" },
      { kind: "addresses", name: "a.test" },
      { kind: "addresses", name: "b.test" },
    ]);
    const made = discovered([server], answers({ "a.test": ["10.0.0.1", "10.0.0.2"] }, located));
    const rest = { port: 1883, tls: true, name: "test" };
    expect(made).toEqual([
      { address: "10.0.0.1:1883", host: "10.0.0.1", ...rest },
      { address: "10.0.0.2:1883", host: "10.0.0.2", ...rest },
      { address: "b.test:1883", host: "b.test", ...rest, backup: true },
    ]);
  });

  test("that are not known, and those that say there is no service, are no server", () => {
    expect(discovered([srv()], answers())).toEqual([]);
    expect(discovered([srv()], answers({}, { "_mqtt._tcp.test": [] }))).toEqual([]);
  });
});
