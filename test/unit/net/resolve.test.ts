// Names of brokers: asked once for many dials, and an answer that gets lost holds nobody up for long. What is asked is a parameter here:
// no real DNS server loses its answers when it is told to.

import { expect, test } from "bun:test";
import { type Ask, HostLookup } from "../../../src/net/resolve.ts";

const PATIENCE = { again: 20, former: 40, none: 80 };
const never: Ask = () => {};
const known =
  (...addresses: string[]): Ask =>
  (_, answer) =>
    setImmediate(() => answer(addresses));
const unknown: Ask = (_, answer) => setImmediate(() => answer(null));

const resolved = (resolver: HostLookup, host = "broker.test") =>
  new Promise<readonly string[]>((answer) => resolver.resolve(host, answer));

test("the system answers for localhost and for addresses", async () => {
  const resolver = new HostLookup();
  expect(await resolved(resolver, "localhost")).toContain("127.0.0.1");
  expect(await resolved(resolver, "192.0.2.1")).toEqual(["192.0.2.1"]);
});

test("many dials at once are one question, and its answer serves for a while", async () => {
  let asked = 0;
  let now = 0;
  const count: Ask = (host, answer) => {
    asked++;
    known("192.0.2.1", "192.0.2.1", "192.0.2.2")(host, answer);
  };
  const resolver = new HostLookup(() => now, [count, never], PATIENCE);
  const answers = await Promise.all([resolved(resolver), resolved(resolver), resolved(resolver)]);
  for (const answer of answers) expect(answer).toEqual(["192.0.2.1", "192.0.2.2"]);
  await resolved(resolver);
  expect(asked).toBe(1);
  now = 3000;
  await resolved(resolver);
  expect(asked).toBe(2);
});

test("a question that gets no answer is asked in another way, and that answer counts", async () => {
  expect(await resolved(new HostLookup(undefined, [never, known("192.0.2.1")], PATIENCE))).toEqual(["192.0.2.1"]);
});

test("while nobody answers, dials go on with the addresses that the name had", async () => {
  let now = 0;
  let answers = true;
  const sometimes: Ask = (host, answer) => (answers ? known("192.0.2.1")(host, answer) : undefined);
  const resolver = new HostLookup(() => now, [sometimes, never], PATIENCE);
  await resolved(resolver);
  answers = false;
  now = 10_000;
  expect(await resolved(resolver)).toEqual(["192.0.2.1"]);
});

test("a name that nobody answers for has no address in the end, and one that does not exist at once", async () => {
  expect(await resolved(new HostLookup(undefined, [never, never], PATIENCE))).toEqual([]);
  expect(await resolved(new HostLookup(undefined, [unknown, never], { again: 1e6, former: 2e6, none: 3e6 }))).toEqual(
    [],
  );
});

test("an answer that comes too late changes nothing and reaches nobody twice", async () => {
  const late: ((addresses: readonly string[] | null) => void)[] = [];
  const slow: Ask = (_, answer) => void late.push(answer);
  const resolver = new HostLookup(undefined, [slow, known("192.0.2.1")], PATIENCE);
  let times = 0;
  const answer = await new Promise<readonly string[]>((done) =>
    resolver.resolve("broker.test", (addresses) => {
      times++;
      done(addresses);
    }),
  );
  late[0]!(["192.0.2.9"]);
  expect(answer).toEqual(["192.0.2.1"]);
  expect(times).toBe(1);
  expect(await resolved(resolver)).toEqual(["192.0.2.1"]);
});

test("IPv6 and IPv4 come in turn, and the system's first is the first", async () => {
  const order = (...addresses: string[]) => resolved(new HostLookup(undefined, [known(...addresses), never], PATIENCE));
  expect(await order("2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1")).toEqual([
    "2001:db8::1",
    "192.0.2.1",
    "2001:db8::2",
    "2001:db8::3",
  ]);
  expect(await order("192.0.2.1", "192.0.2.2", "2001:db8::1")).toEqual(["192.0.2.1", "2001:db8::1", "192.0.2.2"]);
});
