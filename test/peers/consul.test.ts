// Routes in a real Consul: one answer is of one moment, and what happens to it is heard.

import { describe, expect, test } from "bun:test";
import { ConsulEngine } from "../../src/providers/consul/engine.ts";
import { Authority } from "../support/certs.ts";
import { Consul } from "../support/consul.ts";
import { Followed } from "../support/followed.ts";
import { keyStore } from "../support/key-store.ts";
import { kvSuite } from "../support/kv-suite.ts";
import { providerSuite } from "../support/provider-suite.ts";
import { freePort, waitFor } from "../support/tools.ts";

const engineOf = (consul: Consul, more: object = {}) =>
  new ConsulEngine({ endpoints: [consul.endpoint], rootKey: "sluice", ...more });
const never = new AbortController().signal;
const reasonOf = async (engine: ConsulEngine): Promise<string> =>
  engine.read(never).then(
    ({ content }) => `${(content as readonly unknown[]).length} entries`,
    (error) => (error as Error).message,
  );

const consul = await Consul.start();

kvSuite({
  name: "consul",
  server: consul,
  config: { endpoints: [consul.endpoint] },
  engine: (rootKey) => engineOf(consul, { rootKey }),
  routers: 50,
});

providerSuite("Consul, as a provider", async () =>
  keyStore("consul", consul, (rootKey) => engineOf(consul, { rootKey }), false),
);

describe("Consul", () => {
  let roots = 0;
  /** A part of the store that no other test has. */
  const rootOf = async (keys: Readonly<Record<string, string>>) => {
    const root = `teams/a b/root${++roots}`;
    const change = (changes: Readonly<Record<string, string | null>>) =>
      consul.change(Object.fromEntries(Object.entries(changes).map(([key, value]) => [`${root}/${key}`, value])));
    await change(keys);
    return { root, change, engine: engineOf(consul, { rootKey: root }) };
  };

  test("what is below the root is read, with the place of each key, and nothing beside it", async () => {
    const { root, change, engine } = await rootOf({ "tcp/routers/x/rule": "HostSNI(`*`)", "tcp/routers/x/tls": "" });
    await change({ "tcp/routers/": "" });
    await consul.change({ [`${root}2/tcp/routers/y/rule`]: "another root", [root]: "the root itself" });
    expect((await engine.read(never)).content).toEqual([
      { path: "tcp/routers/x/rule", value: "HostSNI(`*`)", place: `consul ${root}/tcp/routers/x/rule` },
      { path: "tcp/routers/x/tls", value: "", place: `consul ${root}/tcp/routers/x/tls` },
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

  test("what is refused or does not answer is said", async () => {
    const away = `127.0.0.1:${await freePort()}`;
    expect(await reasonOf(engineOf(consul, { endpoints: [away] }))).toBe(`${away}: the connection is refused`);
    expect(await reasonOf(engineOf(consul, { namespace: "team" }))).toContain("Consul Enterprise");
    const web = Bun.serve({ port: 0, fetch: () => new Response("nothing here", { status: 404 }) });
    const other = `127.0.0.1:${web.port}`;
    expect(await reasonOf(engineOf(consul, { endpoints: [other] }))).toBe(
      `${other} answers with status 404: nothing here`,
    );
    await web.stop(true);
  });

  test("a change is heard after kill -9, restart and loss of everything", async () => {
    const { change, engine } = await rootOf({ a: "1" });
    const followed = Followed.start(engine);
    await followed.until("the beginning", { a: "1" });
    await consul.kill();
    await waitFor("the failure", () => followed.failures.some((each) => each.includes("refused")));
    expect(followed.now).toEqual({ a: "1" });
    await consul.run();
    await change({ b: "2" });
    await followed.until("a change after the restart", { a: "1", b: "2" });
    await consul.kill();
    await consul.run(true);
    await followed.until("nothing in an emptied store", {});
    await change({ a: "3" });
    await followed.until("a change in the emptied store", { a: "3" });
  });
});

test("TLS with a client certificate, and tokens: what is wrong is said, without the token", async () => {
  const authority = await Authority.create("consul");
  const [server, client] = await Promise.all([
    authority.issue({ names: ["127.0.0.1", "localhost"] }),
    authority.issue({ names: ["sluice"], usage: "clientAuth" }),
  ]);
  const master = "11111111-2222-3333-4444-555555555555";
  const consul = await Consul.start({ masterToken: master, tls: { ...server, ca: authority.cert, client } });
  await consul.change({ "sluice/a": "1" });
  const tokenOf = async (name: string, rules: string): Promise<string> => {
    await consul.ask("acl/policy", { Name: name, Rules: rules });
    return (await consul.ask("acl/token", { Policies: [{ Name: name }] })).SecretID;
  };
  const token = await tokenOf("routes", 'key_prefix "sluice/" { policy = "read" }');
  const tls = { ca: authority.cert, ...client };
  const followed = Followed.start(engineOf(consul, { tls, token }));
  await followed.until("what is there", { a: "1" });
  await consul.change({ "sluice/a": "2" });
  await followed.until("a change", { a: "2" });
  const wrong = "99999999-2222-3333-4444-555555555555";
  const reasons = {
    wrongToken: await reasonOf(engineOf(consul, { tls, token: wrong })),
    withoutToken: await reasonOf(engineOf(consul, { tls })),
    otherRoot: await reasonOf(engineOf(consul, { tls, token, rootKey: "traefik" })),
    withoutTls: await reasonOf(engineOf(consul, { token })),
    withoutCertificate: await reasonOf(engineOf(consul, { tls: { ca: authority.cert }, token })),
    otherAuthority: await reasonOf(engineOf(consul, { tls: { ...tls, ca: client.cert }, token })),
    noFile: await reasonOf(engineOf(consul, { tls: { ca: "/nowhere/ca.crt" } })),
  };
  const said = Object.fromEntries(
    Object.entries(reasons).map(([name, reason]) => [name, reason.replace(`${consul.endpoint}: `, "")]),
  );
  const right = (root: string) => `the token must be allowed to read: key_prefix "${root}/" { policy = "read" }`;
  expect(said).toEqual({
    wrongToken: `${right("sluice")} (ACL not found)`,
    withoutToken: `${right("sluice")} (Permission denied)`,
    otherRoot: `${right("traefik")} (Permission denied)`,
    withoutTls: `${consul.endpoint} answers with status 400: Client sent an HTTP request to an HTTPS server.`,
    withoutCertificate: "the TLS handshake fails: does it want a client certificate?",
    otherAuthority: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    noFile: "/nowhere/ca.crt: no such file",
  });
});
