// What a real DNS server and the hosts file say of names, as this machine's resolvers give it, with the time to live where there is one.

import { expect, test } from "bun:test";
import type { Located } from "../../../src/net/name-answers.ts";
import { Dns } from "../../support/dns.ts";
import { ROOT } from "../../support/sluice.ts";
import { exec } from "../../support/tools.ts";

const dns = await Dns.start({
  ttl: 7,
  addresses: {
    "four.test": ["10.0.0.1", "10.0.0.2"],
    "both.test": ["10.0.0.3", "2001:db8::3"],
    "six.test": ["2001:db8::4"],
  },
  srv: {
    "_mqtt._tcp.test": ["Broker-A.test 1883 10 60", "broker-b.test 1884 20 0"],
    "_none._tcp.test": [". 0 0 0"],
    "_bad._tcp.test": ["a.test 0 0 0"],
  },
});

/** As JSON, and of an error its code. */
type Answer = string | { values: (string | Located)[]; ttlMs: number | null };

const valuesOf = (answer: Answer | undefined) => (typeof answer === "object" ? answer.values : []);

/** What questions come to in a process of its own, which has this server in its /etc/resolv.conf. */
async function ask(kind: "addresses" | "located", ...names: string[]): Promise<Answer[]> {
  const program = `
    import { SYSTEM_ASKS } from "${ROOT}/src/net/name-answers.ts";
    const ask = (name) => SYSTEM_ASKS.${kind}(name).catch(({ code }) => code);
    console.log(JSON.stringify(await Promise.all(${JSON.stringify(names)}.map(ask))));
    process.exit(0);`;
  const { stdout, stderr } = await exec([...dns.within, process.execPath, "-e", program]);
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout);
}

test("addresses of both families come with their time to live; one of the hosts file has none, and an unknown name is an error", async () => {
  dns.hosts("10.0.0.9 hosts.test");
  const found = await ask("addresses", "four.test", "both.test", "six.test", "hosts.test", "none.test");
  for (const each of found) valuesOf(each).sort();
  expect(found).toEqual([
    { values: ["10.0.0.1", "10.0.0.2"], ttlMs: 7000 },
    { values: ["10.0.0.3", "2001:db8::3"], ttlMs: 7000 },
    { values: ["2001:db8::4"], ttlMs: 7000 },
    { values: ["10.0.0.9"], ttlMs: null },
    "ENOTFOUND",
  ]);
});

test("the hosts file goes before DNS, as for every other program", async () => {
  dns.hosts("10.0.0.8 four.test");
  expect(await ask("addresses", "four.test")).toEqual([{ values: ["10.0.0.8"], ttlMs: null }]);
});

test("a name that is found by way of a search domain has addresses, and no time to live", async () => {
  dns.hosts("");
  const [found] = await ask("addresses", "four");
  valuesOf(found).sort();
  expect(found).toEqual({ values: ["10.0.0.1", "10.0.0.2"], ttlMs: null });
});

test("SRV records come with priority, weight, port and host, the target . is none, and what names no host and port is an error", async () => {
  const [records, none, unknown, bad] = await ask(
    "located",
    ...["_mqtt._tcp.test", "_none._tcp.test", "_other._tcp.test", "_bad._tcp.test"],
  );
  const located = valuesOf(records) as Located[];
  expect(located.toSorted((a, b) => a.priority - b.priority)).toEqual([
    { priority: 10, weight: 60, port: 1883, host: "broker-a.test" },
    { priority: 20, weight: 0, port: 1884, host: "broker-b.test" },
  ]);
  expect([none, unknown, bad]).toEqual([{ values: [], ttlMs: null }, "ENOTFOUND", "EBADRESP"]);
});

test("a DNS server that is not there is an error, and soon", async () => {
  await dns.stop();
  dns.hosts("");
  const [code] = await ask("addresses", "four.test");
  expect(code).toBeString();
});
