// Routes in a real ZooKeeper: changes at any depth are heard, what is read is the store of one moment, and only what changed is read.

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { ZooKeeperEngine } from "../../src/providers/zookeeper/engine.ts";
import { multi } from "../../src/providers/zookeeper/requests.ts";
import { Authority } from "../support/certs.ts";
import { Followed } from "../support/followed.ts";
import { keyStore } from "../support/key-store.ts";
import { kvSuite } from "../support/kv-suite.ts";
import { providerSuite } from "../support/provider-suite.ts";
import { cleanup, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";
import { ZooKeeper } from "../support/zookeeper.ts";

const engineOf = (zooKeeper: ZooKeeper, more: object = {}) =>
  new ZooKeeperEngine({ endpoints: [zooKeeper.endpoint], rootKey: "sluice", ...more });
const never = new AbortController().signal;
/** Reads once. */
const reasonOf = async (engine: ZooKeeperEngine): Promise<string> => {
  try {
    const { content } = await engine.read(never);
    return `${(content as readonly unknown[]).length} entries`;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await engine.close();
  }
};

const authority = await Authority.create("zookeeper");
const [server, client] = await Promise.all([
  authority.issue({ names: ["127.0.0.1", "localhost"] }),
  authority.issue({ names: ["sluice"], usage: "clientAuth" }),
]);
const pem = join(temporaryDirectory(), "server.pem");
writeFileSync(pem, readFileSync(server.cert, "utf8") + readFileSync(server.key, "utf8"));
const zooKeeper = await ZooKeeper.start({ ca: authority.cert, pem });
/** As `deleteall` does it: nothing is left of a service whose nodes are deleted. */
const pruned = {
  port: zooKeeper.port,
  change: (changes: Readonly<Record<string, string | null>>) => zooKeeper.change(changes, true),
  kill: () => zooKeeper.kill(),
  run: (emptied?: boolean) => zooKeeper.run(emptied),
};

kvSuite({
  name: "zooKeeper",
  server: pruned,
  config: { endpoints: [zooKeeper.endpoint] },
  engine: (rootKey) => engineOf(zooKeeper, { rootKey }),
  routers: 300,
});

providerSuite("ZooKeeper, as a provider", async () =>
  keyStore("zookeeper", pruned, (rootKey) => engineOf(zooKeeper, { rootKey }), true),
);

describe("ZooKeeper", () => {
  let roots = 0;
  /** A part of the store that no other test has. */
  const rootOf = async (keys: Readonly<Record<string, string>>) => {
    const root = `teams/root${++roots}`;
    const change = (changes: Readonly<Record<string, string | null>>) =>
      zooKeeper.change(Object.fromEntries(Object.entries(changes).map(([key, value]) => [`${root}/${key}`, value])));
    if (Object.keys(keys).length > 0) await change(keys);
    return { root, change, engine: engineOf(zooKeeper, { rootKey: root }) };
  };

  test("what is below the root is read, with the place of each key, and nodes that only hold others say nothing", async () => {
    const { root, change, engine } = await rootOf({
      "tcp/routers/x/rule": "HostSNI(`*`)",
      "tcp/routers/x/tls": "true",
    });
    await change({ "tcp/routers/x/tls/options": "mtls", "tcp/routers/gone/rule": "1", "tcp/routers/y/tls": "" });
    await change({ "tcp/routers/gone/rule": null });
    await zooKeeper.change({ [`${root}2/tcp/routers/y/rule`]: "another root" });
    const { content } = await engine.read(never);
    await engine.close();
    const place = `zookeeper ${root}/tcp/routers`;
    expect(content).toHaveLength(4);
    expect(content).toEqual(
      expect.arrayContaining([
        { path: "tcp/routers/x/rule", value: "HostSNI(`*`)", place: `${place}/x/rule` },
        { path: "tcp/routers/x/tls", value: "true", place: `${place}/x/tls` },
        { path: "tcp/routers/x/tls/options", value: "mtls", place: `${place}/x/tls/options` },
        { path: "tcp/routers/y/tls", value: "", place: `${place}/y/tls` },
      ]),
    );
  });

  test("changes at any depth are heard, also of a root that is not there yet, and the last key's deletion", async () => {
    const { change, engine } = await rootOf({});
    const followed = Followed.start(engine);
    await followed.until("nothing", {});
    await change({ "a/b/c/d/e": "1", "a/b/c/d/f": "2" });
    await followed.until("the first keys", { "a/b/c/d/e": "1", "a/b/c/d/f": "2" });
    await change({ "a/b/c/d/e": "3" });
    await followed.until("a change", { "a/b/c/d/e": "3", "a/b/c/d/f": "2" });
    await change({ "a/b/c/d/e": null, "a/b/c/d/f": null, "a/b/c/d": null, "a/b/c": null });
    await followed.until("nothing again", {});
    expect(followed.failures).toEqual([]);
  });

  test("nodes that change in one transaction are seen as one, and what has not changed is the same object", async () => {
    const keys = { "k/l/m/a": "0", "k/l/m/b": "0", "k/l/m/kept": "0" };
    const { change, engine } = await rootOf(keys);
    const followed = Followed.start(engine);
    await followed.until("the beginning", keys);
    const kept = followed.entries.find(({ path }) => path === "k/l/m/kept");
    for (let n = 1; n <= 50; n++) await change({ "k/l/m/a": String(n), "k/l/m/b": String(n) });
    await followed.until("the last", { "k/l/m/a": "50", "k/l/m/b": "50", "k/l/m/kept": "0" });
    expect(followed.states.filter((state) => state["k/l/m/a"] !== state["k/l/m/b"])).toEqual([]);
    expect(followed.entries.find(({ path }) => path === "k/l/m/kept")).toBe(kept!);
  });

  test("a tree that is read while it changes is that of one moment", async () => {
    const names = Array.from({ length: 400 }, (_, n) => `k/l/m/n${n}`);
    const all = (value: string) => Object.fromEntries(names.map((name) => [name, value]));
    const { change } = await rootOf(all("0"));
    let isOver = false;
    const changes = (async () => {
      for (let n = 1; !isOver; n++) await change(all(String(n)));
    })();
    const seen: number[] = [];
    for (let n = 0; n < 10; n++) {
      const engine = engineOf(zooKeeper, { rootKey: `teams/root${roots}` });
      const { content } = await engine.read(never);
      await engine.close();
      seen.push(new Set((content as readonly { value: string }[]).map(({ value }) => value)).size);
    }
    isOver = true;
    await changes;
    expect(seen).toEqual(Array(10).fill(1));
  });

  test("TLS, users and their rights: what is wrong is said, without the password", async () => {
    const { root } = await rootOf({ "x/y/z/a": "1" });
    const user = { username: "sluice", password: "secret-of-sluice" };
    await zooKeeper.with(
      (session) => multi(session, [{ kind: "create", path: `/${root}/x/y/z/owned`, data: "2" }], true),
      user,
    );
    const tls = { ca: authority.cert, ...client };
    const secure = { endpoints: [`127.0.0.1:${zooKeeper.securePort}`], rootKey: root };
    const away = `127.0.0.1:${await freePort()}`;
    const followed = Followed.start(engineOf(zooKeeper, { ...secure, tls, ...user }));
    await followed.until("what is there", { "x/y/z/a": "1", "x/y/z/owned": "2" });
    const reasons = {
      anotherEndpoint: await reasonOf(
        engineOf(zooKeeper, { ...user, rootKey: root, endpoints: [away, zooKeeper.endpoint] }),
      ),
      noEndpoint: await reasonOf(engineOf(zooKeeper, { endpoints: [away] })),
      withoutUser: await reasonOf(engineOf(zooKeeper, { rootKey: root })),
      otherPassword: await reasonOf(engineOf(zooKeeper, { ...user, password: "secret-and-wrong", rootKey: root })),
      withoutTls: await reasonOf(engineOf(zooKeeper, { ...secure, ...user })),
      withoutCertificate: await reasonOf(engineOf(zooKeeper, { ...secure, ...user, tls: { ca: authority.cert } })),
      otherAuthority: await reasonOf(engineOf(zooKeeper, { ...secure, ...user, tls: { ...tls, ca: client.cert } })),
      noFile: await reasonOf(engineOf(zooKeeper, { ...secure, tls: { ca: "/nowhere/ca.crt" } })),
    };
    expect(Object.values(reasons).join()).not.toContain("secret-");
    const secureEndpoint = secure.endpoints[0]!;
    const said = Object.fromEntries(
      Object.entries(reasons).map(([name, reason]) => [
        name,
        reason.replace(`${secureEndpoint}: `, "").replace(`${zooKeeper.endpoint}: `, ""),
      ]),
    );
    const right = `the user may not read all of /${root}: give it the right "r" on each node`;
    expect(said).toEqual({
      anotherEndpoint: "2 entries",
      noEndpoint: `${away}: the connection is refused`,
      withoutUser: right,
      otherPassword: right,
      withoutTls: "the connection has ended: does it want TLS (providers.zooKeeper.tls)?",
      withoutCertificate: "the TLS handshake fails: does it want a client certificate?",
      otherAuthority: "unable to verify the first certificate",
      noFile: "/nowhere/ca.crt: no such file",
    });
  });

  test("a server that cannot watch a tree is polled, and that is said", async () => {
    const { root, change } = await rootOf({ "k/l/m/a": "1" });
    // What this server does not know it answers like an old one what that does not know.
    const port = await freePort();
    const old = createServer((near) => {
      const far = connect(zooKeeper.port, "127.0.0.1");
      near.on("data", (bytes) => {
        const sent = Buffer.from(bytes as Buffer);
        if (sent.length > 12 && sent.readInt32BE(8) === 106) sent.writeInt32BE(1106, 8);
        far.write(sent);
      });
      far.pipe(near);
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const)
        one.on("close", () => other.destroy()).on("error", () => {});
    }).listen(port);
    cleanup(() => old.close());
    const engine = new ZooKeeperEngine({ rootKey: root, endpoints: [`127.0.0.1:${port}`] }, 100);
    const { content, remarks } = await engine.read(never);
    expect(content).toMatchObject([{ value: "1" }]);
    expect(remarks).toMatchObject([{ code: "provider-deaf", message: expect.stringContaining("3.6") }]);
    const followed = Followed.start(engine);
    await followed.until("the beginning", { "k/l/m/a": "1" });
    await change({ "k/l/m/a": "2" });
    await followed.until("the change", { "k/l/m/a": "2" });
  });

  test("a change is heard after kill -9, restart and loss of everything", async () => {
    const { change, engine } = await rootOf({ "k/l/m/a": "1" });
    const followed = Followed.start(engine);
    await followed.until("the beginning", { "k/l/m/a": "1" });
    await zooKeeper.kill();
    await waitFor("the failure", () => followed.failures.some((each) => each.includes("refused")));
    expect(followed.now).toEqual({ "k/l/m/a": "1" });
    await zooKeeper.run();
    await change({ "k/l/m/b": "2" });
    await followed.until("a change after the restart", { "k/l/m/a": "1", "k/l/m/b": "2" });
    await zooKeeper.kill();
    await zooKeeper.run(true);
    await followed.until("nothing in an emptied store", {});
    await change({ "k/l/m/a": "3" });
    await followed.until("a change in the emptied store", { "k/l/m/a": "3" });
  });
});
