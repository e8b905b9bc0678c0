// Routes in a real etcd: what is read is one revision of it, and what happens to it and to its connections is heard.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Entry } from "../../src/providers/engine.ts";
import { EtcdEngine } from "../../src/providers/etcd/engine.ts";
import { Authority } from "../support/certs.ts";
import { Etcd } from "../support/etcd.ts";
import { Followed } from "../support/followed.ts";
import { keyStore } from "../support/key-store.ts";
import { kvSuite } from "../support/kv-suite.ts";
import { providerSuite } from "../support/provider-suite.ts";
import { freePort, waitFor } from "../support/tools.ts";

const engineOf = (etcd: Etcd, more: object = {}) =>
  new EtcdEngine({ endpoints: [etcd.endpoint], rootKey: "sluice", ...more });
const never = new AbortController().signal;
const reasonOf = async (engine: EtcdEngine): Promise<string> =>
  engine.read(never).then(
    () => "read",
    (error) => (error as Error).message,
  );

const etcd = await Etcd.start();

kvSuite({
  name: "etcd",
  server: etcd,
  config: { endpoints: [etcd.endpoint] },
  engine: (rootKey) => engineOf(etcd, { rootKey }),
  routers: 100,
});

providerSuite("etcd, as a provider", async () =>
  keyStore("etcd", etcd, (rootKey) => engineOf(etcd, { rootKey }), true),
);

describe("etcd", () => {
  let roots = 0;
  /** A part of the store that no other test has. */
  const rootOf = async (keys: Readonly<Record<string, string>>) => {
    const root = `root${++roots}`;
    const change = (changes: Readonly<Record<string, string | null>>) =>
      etcd.change(Object.fromEntries(Object.entries(changes).map(([key, value]) => [`${root}/${key}`, value])));
    await change(keys);
    return { root, change, engine: engineOf(etcd, { rootKey: root }) };
  };

  test("what is below the root is read, with the place of each key, and nothing beside it", async () => {
    const { root, change, engine } = await rootOf({ "tcp/routers/x/rule": "HostSNI(`*`)", "tcp/routers/x/tls": "" });
    await change({ "": "root", "tcp/routers/": "a folder of a user interface" });
    await etcd.change({ [`${root}2/tcp/routers/y/rule`]: "another root", [root]: "the root itself" });
    expect((await engine.read(never)).content).toEqual([
      { path: "tcp/routers/x/rule", value: "HostSNI(`*`)", place: `etcd ${root}/tcp/routers/x/rule` },
      { path: "tcp/routers/x/tls", value: "", place: `etcd ${root}/tcp/routers/x/tls` },
    ]);
  });

  test("the last key's deletion is seen, and so is that of nested keys", async () => {
    const { change, engine } = await rootOf({ "a/b/c": "1", "a/b/d": "2" });
    const followed = Followed.start(engine);
    await followed.until("the beginning", { "a/b/c": "1", "a/b/d": "2" });
    await change({ "a/b/c": null });
    await followed.until("one key less", { "a/b/d": "2" });
    await change({ "a/b/d": null });
    await followed.until("nothing", {});
    await change({ e: "3" });
    await followed.until("the first key", { e: "3" });
    expect(followed.failures).toEqual([]);
  });

  test("keys that change in one transaction are seen as one, and what has not changed is the same object", async () => {
    const { change, engine } = await rootOf({ a: "0", b: "0", kept: "0" });
    const followed = Followed.start(engine);
    await followed.until("the beginning", { a: "0", b: "0", kept: "0" });
    const kept = followed.entries.find(({ path }) => path === "kept");
    for (let n = 1; n <= 50; n++) await change({ a: String(n), b: String(n) });
    await followed.until("the last", { a: "50", b: "50", kept: "0" });
    expect(followed.states.filter(({ a, b }) => a !== b)).toEqual([]);
    expect(followed.entries.find(({ path }) => path === "kept")).toBe(kept!);
  });

  test("more keys than one answer holds are read at one revision", async () => {
    const count = 12_000;
    const { change, engine } = await rootOf({});
    for (let at = 0; at < count; at += 120)
      await change(Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`k/${at + n}`, "old"])));
    const reading = engine.read(never);
    await change({ "k/0": "new", "k/11999": "new", "k/z": "new" });
    const values = ((await reading).content as readonly Entry[]).map(({ value }) => value);
    expect([count, count + 1]).toContain(values.length);
    expect([0, 3]).toContain(values.filter((value) => value === "new").length);
  });

  test("an endpoint that does not answer is passed over, and named when none answers", async () => {
    const { root } = await rootOf({ a: "1" });
    const away = `127.0.0.1:${await freePort()}`;
    const engine = engineOf(etcd, { endpoints: [away, etcd.endpoint], rootKey: root });
    expect((await engine.read(never)).content).toHaveLength(1);
    expect(await reasonOf(engineOf(etcd, { endpoints: [away] }))).toBe(`${away}: the connection is refused`);
  });

  test("a watch that begins behind what compaction has left reads everything again", async () => {
    const { change, engine } = await rootOf({ a: "1", b: "1" });
    await engine.read(never);
    await change({ a: "2", b: null });
    await etcd.compact();
    const end = new AbortController();
    let calls = 0;
    const watch = engine.watch(() => void calls++, end.signal);
    await waitFor("a call", () => calls > 0);
    expect((await engine.read(never)).content).toMatchObject([{ path: "a", value: "2" }]);
    end.abort();
    await watch;
  });

  test("watches that follow one another lose nothing, and read nothing twice", async () => {
    const { root, change } = await rootOf({ n: "0" });
    const followed = Followed.start(new EtcdEngine({ endpoints: [etcd.endpoint], rootKey: root }, 20));
    await followed.until("the beginning", { n: "0" });
    const [first] = followed.entries;
    await Bun.sleep(200);
    expect(followed.states).toHaveLength(1);
    expect(followed.entries[0]).toBe(first!);
    for (let n = 1; n <= 100; n++) {
      await change({ n: String(n), [`k${n % 3}`]: n % 2 === 0 ? null : "odd" });
      await Bun.sleep(3);
    }
    await followed.until("the last", { n: "100", k0: "odd" });
    expect(followed.failures).toEqual([]);
  });

  test("a change is heard after compaction, and after kill -9, restart and loss of everything", async () => {
    const { change, engine } = await rootOf({ a: "1" });
    const followed = Followed.start(engine);
    await followed.until("the beginning", { a: "1" });
    await change({ a: "2" });
    await followed.until("a change", { a: "2" });
    await etcd.compact();
    await change({ a: "3" });
    await followed.until("a change after compaction", { a: "3" });
    await etcd.kill();
    await waitFor("the failure", () => followed.failures.some((each) => each.includes("refused")));
    expect(followed.now).toEqual({ a: "3" });
    await etcd.run();
    await change({ b: "4" });
    await followed.until("a change after the restart", { a: "3", b: "4" });
    await etcd.kill();
    await etcd.run(true);
    await followed.until("nothing in an emptied store", {});
    await change({ a: "5" });
    await followed.until("a change in the emptied store", { a: "5" });
  });
});

test("TLS with a client certificate, users and their rights: what is wrong is said, without the password", async () => {
  const authority = await Authority.create("etcd");
  const [server, client] = await Promise.all([
    authority.issue({ names: ["127.0.0.1", "localhost"] }),
    authority.issue({ names: ["sluice"], usage: "clientAuth" }),
  ]);
  const etcd = await Etcd.start({ ...server, clientCa: authority.cert, ca: authority.cert, client });
  await etcd.ctl("put", "sluice/a", "1");
  for (const line of [
    "user add root:secret-of-root",
    "user grant-role root root",
    "role add routes",
    "role grant-permission --prefix=true routes read sluice/",
    "user add reader:secret-of-reader",
    "user grant-role reader routes",
    "auth enable",
  ])
    await etcd.ctl(...line.split(" "));
  etcd.user = "root:secret-of-root";
  const tls = { ca: authority.cert, cert: client.cert, key: readFileSync(client.key, "utf8") };
  const user = { username: "reader", password: "secret-of-reader" };
  const followed = Followed.start(engineOf(etcd, { tls, ...user }));
  await followed.until("what is there", { a: "1" });
  await etcd.ctl("put", "sluice/a", "2");
  await followed.until("a change", { a: "2" });
  // The token is gone with the member that gave it.
  await etcd.kill();
  await etcd.run();
  await etcd.ctl("put", "sluice/a", "3");
  await followed.until("a change after the restart", { a: "3" });
  const reasons = {
    wrongPassword: await reasonOf(engineOf(etcd, { tls, username: "reader", password: "secret-and-wrong" })),
    otherRoot: await reasonOf(engineOf(etcd, { tls, ...user, rootKey: "traefik" })),
    withoutTls: await reasonOf(engineOf(etcd, user)),
    otherAuthority: await reasonOf(engineOf(etcd, { tls: { ...tls, ca: client.cert }, ...user })),
    noFile: await reasonOf(engineOf(etcd, { tls: { ca: "/nowhere/ca.crt" } })),
    certificateWithoutRights: await reasonOf(engineOf(etcd, { tls })),
  };
  const said = Object.fromEntries(
    Object.entries(reasons).map(([name, reason]) => [name, reason.replace(`${etcd.endpoint}: `, "")]),
  );
  expect(said).toEqual({
    wrongPassword: "etcdserver: authentication failed, invalid user ID or password",
    otherRoot: "permission denied: the user must be allowed to read traefik/",
    withoutTls: "no connection: does it want TLS (providers.etcd.tls)?",
    otherAuthority: "Error: unable to verify the first certificate",
    noFile: "/nowhere/ca.crt: no such file",
    certificateWithoutRights: "permission denied: the user must be allowed to read sluice/",
  });
  // The common name of the certificate is the user.
  await etcd.ctl("user", "add", "sluice", "--no-password");
  await etcd.ctl("user", "grant-role", "sluice", "routes");
  expect(await reasonOf(engineOf(etcd, { tls }))).toBe("read");
});
