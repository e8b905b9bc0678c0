// Routes from a real Redis: what every provider does, what Redis alone can do (transactions, keys that run out, FLUSHDB, other databases),
// and every way to hear of changes.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connectAsync } from "mqtt";
import { Diagnostics, formatDiagnostic } from "../../src/config/diagnostics.ts";
import type { RedisConfig } from "../../src/config/providers/redis.ts";
import { BackOff } from "../../src/providers/pause.ts";
import { RedisEngine } from "../../src/providers/redis/engine.ts";
import { RemoteProvider } from "../../src/providers/remote.ts";
import { Authority } from "../support/certs.ts";
import { sluiceCli } from "../support/cli.ts";
import { kvSuite } from "../support/kv-suite.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { providerSuite, type Store } from "../support/provider-suite.ts";
import { RedisServer } from "../support/redis.ts";
import { Sluice } from "../support/sluice.ts";
import { freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

const server = await RedisServer.start();

const config = (more: Partial<RedisConfig> = {}): RedisConfig => ({
  endpoints: [server.endpoint],
  rootKey: "sluice",
  db: 0,
  poll: 1000,
  ...more,
});

const provider = (settings: RedisConfig, cache: string | null = null) =>
  new RemoteProvider(new RedisEngine(settings), {
    entryPoints: new Set(["mqtts"]),
    cache,
    once: false,
    backOff: new BackOff(20),
  });

/** Each test has a root key of its own. */
let roots = 0;
const freshRoot = () => `suite*[${++roots}]`;

const address = (root: string, name: string) => `${root}/tcp/services/${name}/loadbalancer/servers/0/address`;
const oops = (root: string, name: string) => `${root}/tcp/services/${name}/oops`;

function store(more: Partial<RedisConfig> = {}): Store {
  const rootKey = freshRoot();
  const names = new Map<string, string>();
  const of = (entry: string) => names.get(entry) ?? entry;
  return {
    kind: "parts",
    several: true,
    provider: (cache) => provider(config({ rootKey, ...more }), cache ?? null),
    put: async (entry, [name]) => {
      const former = of(entry);
      names.set(entry, name!);
      await server.change({
        [address(rootKey, former)]: null,
        [oops(rootKey, former)]: null,
        [address(rootKey, name!)]: "127.0.0.1:1883",
      });
    },
    spoil: (entry) => server.change({ [oops(rootKey, of(entry))]: "1" }),
    remove: (entry) => server.change({ [address(rootKey, of(entry))]: null, [oops(rootKey, of(entry))]: null }),
    hide: () => server.kill(),
    show: () => server.run(),
    showEmpty: () => server.run(true),
    placeOf: (entry) => `redis ${rootKey}/tcp/services/${of(entry)}/`,
    left: async () => {
      // Those of the server's own test connection are called otherwise.
      const clients = String(await server.client.client("LIST"));
      return clients.split("\n").filter((line) => line.includes("name=sluice"));
    },
  };
}

providerSuite("Redis", async () => store());

kvSuite({
  name: "redis",
  server,
  config: { endpoints: [server.endpoint] },
  engine: (rootKey) => new RedisEngine(config({ rootKey })),
  routers: 500,
});

async function started(settings: RedisConfig) {
  const it = provider(settings);
  /** What was offered, one after the other. */
  const offers: Record<string, string | undefined>[] = [];
  const look = () => {
    const { offer } = it.current();
    offers.push(
      Object.fromEntries(
        offer?.flatMap(({ value }) =>
          Object.entries(value.tcp.services).map(([name, each]) => [name, each.loadBalancer?.servers[0]?.address]),
        ) ?? [],
      ),
    );
  };
  await it.start(look);
  look();
  return {
    provider: it,
    offers,
    names: () => Object.keys(offers.at(-1)!).sort().join(),
    problems: () => it.current().diagnostics.list.map(formatDiagnostic).join("\n"),
  };
}

describe("changes in Redis", () => {
  test("of one transaction are seen as one", async () => {
    const rootKey = freshRoot();
    await server.change({ [address(rootKey, "a")]: "h:1", [address(rootKey, "b")]: "h:1" });
    const { provider, offers } = await started(config({ rootKey }));
    for (let n = 2; n <= 200; n++)
      await server.change({
        [address(rootKey, "a")]: `h:${n}`,
        [address(rootKey, "b")]: `h:${n}`,
        [address(rootKey, "even")]: n % 2 === 0 ? "h:1" : null,
      });
    await waitFor("the last one", () => offers.at(-1)!.a === "h:200");
    for (const offer of offers) {
      expect(offer.a).toBe(offer.b!);
      expect(offer.even !== undefined).toBe(Number(offer.a!.slice(2)) % 2 === 0);
    }
    await provider.close();
  });

  test("of one key are read alone", async () => {
    const rootKey = freshRoot();
    await server.change(Object.fromEntries(Array.from({ length: 500 }, (_, n) => [address(rootKey, `s${n}`), "h:1"])));
    const { provider, offers } = await started(config({ rootKey }));
    const scans = await server.calls("scan");
    await server.change({ [address(rootKey, "s7")]: "h:2" });
    await waitFor("the change", () => offers.at(-1)!.s7 === "h:2");
    expect(await server.calls("scan")).toBe(scans);
    await provider.close();
  });

  test("keys that run out, nested ones, the last one, and FLUSHDB", async () => {
    const rootKey = freshRoot();
    await server.change({ [address(rootKey, "a")]: "h:1", [address(rootKey, "b")]: "h:1" }, 3);
    const { provider, names, problems } = await started(config({ rootKey, db: 3 }));
    expect(names()).toBe("a,b");
    await server.client.select(3);
    await server.client.set(address(rootKey, "c"), "h:1", "PX", 300);
    await waitFor("the one that runs out", () => names() === "a,b,c");
    await waitFor("its end", () => names() === "a,b");
    await server.client.del(address(rootKey, "a"));
    await waitFor("the deletion", () => names() === "b");
    await server.client.flushdb();
    await waitFor("nothing", () => names() === "");
    expect(problems()).toBe("");
    await server.client.select(0);
    await provider.close();
  });

  test("values that are no strings are no entries", async () => {
    const rootKey = freshRoot();
    await server.client.lpush(`${rootKey}/tcp/services/a/x`, "1");
    await server.change({ [address(rootKey, "b")]: "h:1" });
    const { provider, names, problems } = await started(config({ rootKey }));
    expect(names()).toBe("b");
    expect(problems()).toBe("");
    await provider.close();
  });
});

describe("without CLIENT TRACKING", () => {
  const user = { username: "plain", password: "good password" };
  const rights = ["~*", "&*", "+@all", "-client|tracking"];

  test("keyspace events are used where they are on", async () => {
    const rootKey = freshRoot();
    await server.client.acl("SETUSER", "plain", "on", `>${user.password}`, ...rights);
    await server.client.config("SET", "notify-keyspace-events", "K$gx");
    await server.change({ [address(rootKey, "a")]: "h:1" });
    const { provider, names, problems } = await started(config({ rootKey, ...user, poll: 3_600_000 }));
    expect(problems()).toBe("");
    const scans = await server.calls("scan");
    await server.change({ [address(rootKey, "b")]: "h:1" });
    await waitFor("the new one", () => names() === "a,b");
    await server.change({ [address(rootKey, "a")]: null });
    await waitFor("the deletion", () => names() === "b");
    expect(await server.calls("scan")).toBe(scans);
    await provider.close();
  });

  test("where they are off, a warning says so, and changes are looked for", async () => {
    const rootKey = freshRoot();
    await server.client.acl("SETUSER", "plain", "on", `>${user.password}`, ...rights);
    await server.client.config("SET", "notify-keyspace-events", "");
    await server.change({ [address(rootKey, "a")]: "h:1" });
    const { provider, names, problems } = await started(config({ rootKey, ...user }));
    expect(problems()).toMatch(
      /^redis .*: warning: changes are looked for every 1 s.*tracking.*K\$gx.*\[provider-deaf\]$/i,
    );
    await server.change({ [address(rootKey, "b")]: "h:1" });
    await waitFor("the new one", () => names() === "a,b");
    await server.client.acl("DELUSER", "plain");
    await provider.close();
  });

  test("where that cannot be known either, too", async () => {
    const rootKey = freshRoot();
    await server.client.acl("SETUSER", "plain", "on", `>${user.password}`, ...rights, "-config");
    await server.change({ [address(rootKey, "a")]: "h:1" });
    const { provider, problems } = await started(config({ rootKey, ...user }));
    expect(problems()).toContain("CONFIG GET");
    await provider.close();
  });
});

describe("who may not come in is told why", () => {
  test("a wrong password is not repeated", async () => {
    await server.client.acl("SETUSER", "plain", "on", ">good password", "~*", "&*", "+@all");
    const { provider, problems } = await started(config({ username: "plain", password: "bad password" }));
    expect(problems()).toContain("WRONGPASS");
    expect(problems()).not.toContain("bad password");
    await provider.close();
  });

  test("a port that is not Redis's, and none at all", async () => {
    const port = await freePort();
    const { provider, problems } = await started(config({ endpoints: [`127.0.0.1:${port}`] }));
    expect(problems()).toContain("[provider-away]");
    expect(problems()).toContain("ECONNREFUSED");
    await provider.close();
  });
});

test("TLS, with a certificate of one's own", async () => {
  const authority = await Authority.create();
  const { cert, key } = await authority.issue({ names: ["127.0.0.1"] });
  const client = await authority.issue({ names: ["sluice"], usage: "clientAuth" });
  const files = { ca: authority.cert, cert: client.cert, key: client.key };
  const secure = await RedisServer.start({
    lines: [
      `tls-cert-file ${cert}`,
      `tls-key-file ${key}`,
      `tls-ca-cert-file ${authority.cert}`,
      "tls-auth-clients yes",
    ],
    tls: files,
  });
  await secure.change({ [address("sluice", "a")]: "h:1" });
  const endpoints = [secure.endpoint];
  const good = await started(config({ endpoints, tls: { ...files, insecureSkipVerify: false } }));
  expect(good.problems()).toBe("");
  expect(good.names()).toBe("a");
  await secure.change({ [address("sluice", "b")]: "h:1" });
  await waitFor("the change", () => good.names() === "a,b");
  await good.provider.close();
  const asText = { ca: readFileSync(files.ca, "utf8"), insecureSkipVerify: false };
  const without = await started(config({ endpoints, tls: asText }));
  expect(without.problems()).toContain("[provider-away]");
  await without.provider.close();
  const other = await Authority.create("Another");
  const untrusted = await started(config({ endpoints, tls: { ...files, ca: other.cert, insecureSkipVerify: false } }));
  expect(untrusted.problems()).toContain("[provider-away]");
  await untrusted.provider.close();
});

test("Sentinels say where the master is, before a failover and after it", async () => {
  const first = await RedisServer.start();
  const second = await RedisServer.start({ lines: [`replicaof 127.0.0.1 ${first.port}`] });
  const sentinel = await RedisServer.start({
    lines: [
      `sentinel monitor mymaster 127.0.0.1 ${first.port} 1`,
      "sentinel down-after-milliseconds mymaster 500",
      "sentinel failover-timeout mymaster 2000",
    ],
    sentinel: true,
  });
  await first.change({ [address("sluice", "a")]: "h:1" });
  await waitFor("the replica", async () => (await second.client.get(address("sluice", "a"))) === "h:1");
  await waitFor("the Sentinel to know it", async () =>
    String(await sentinel.client.call("SENTINEL", "REPLICAS", "mymaster")).includes(String(second.port)),
  );
  const { provider, names } = await started(
    config({ endpoints: [sentinel.endpoint], sentinel: { masterName: "mymaster" } }),
  );
  expect(names()).toBe("a");
  await first.kill();
  const roleOf = (of: RedisServer) => of.client.call("ROLE").then(String, () => "");
  await waitFor("the failover", async () => (await roleOf(second)).startsWith("master"));
  await second.change({ [address("sluice", "b")]: "h:1" });
  await waitFor("what the new master has", () => names() === "a,b");
  await provider.close();
});

test("several endpoints without Sentinel, half a certificate and a wrong root key are errors of the configuration", async () => {
  const { parseStatic } = await import("../../src/config/static.ts");
  const said = (text: string) => {
    const diagnostics = new Diagnostics();
    parseStatic("s.yml", `entryPoints: { m: { address: ":1" } }\nproviders: { redis: ${text} }\n`, diagnostics);
    return diagnostics.list.map(formatDiagnostic).join("\n");
  };
  expect(said("{}")).toBe("");
  expect(said("{ password: x }")).toBe("");
  expect(said("{ endpoints: [a:1, b:1] }")).toContain("masterName must be given");
  expect(said("{ endpoints: [redis] }")).toContain("the port is missing");
  expect(said("{ tls: { cert: a.crt } }")).toContain("needs key");
  expect(said("{ rootKey: /sluice }")).toContain("rootKey");
  expect(said("{ poll: 10ms }")).toContain("at least 100ms");
});

describe("Sluice with its routes in Redis", () => {
  test("serves on while Redis is away, over a restart too, and says so", async () => {
    const rootKey = "edge";
    const broker = await Mosquitto.start();
    const authority = await Authority.create();
    const { cert, key } = await authority.issue({ names: ["a.example.com"] });
    await server.change({
      [`${rootKey}/tcp/routers/mqtt/rule`]: "HostSNI(`a.example.com`)",
      [`${rootKey}/tcp/routers/mqtt/tls`]: "true",
      [`${rootKey}/tcp/routers/mqtt/service`]: "brokers",
      [address(rootKey, "brokers")]: `127.0.0.1:${broker.port}`,
      [`${rootKey}/tls/certificates/0/certfile`]: readFileSync(cert, "utf8"),
      [`${rootKey}/tls/certificates/0/keyfile`]: readFileSync(key, "utf8"),
    });
    const env = {
      SLUICE_PROVIDERS_REDIS_ENDPOINTS: server.endpoint,
      SLUICE_PROVIDERS_REDIS_ROOTKEY: rootKey,
      SLUICE_PROVIDERS_CACHE: temporaryDirectory(),
    };
    const start = () => Sluice.start({ dynamic: "{}\n", env });
    const connects = async (sluice: Sluice) => {
      const client = await connectAsync(`mqtts://127.0.0.1:${sluice.port}`, {
        servername: "a.example.com",
        ca: readFileSync(authority.cert),
        reconnectPeriod: 0,
      });
      await client.endAsync();
    };
    const first = await start();
    await connects(first);
    expect((await first.access(({ reason }) => reason !== "")).router).toBe("mqtt@redis");
    expect(await first.metric("sluice_provider_up", { provider: "redis" })).toBe(1);
    const cli = (...args: string[]) =>
      sluiceCli([...args, `--configFile=${first.directory}/sluice.yml`], { cwd: first.directory, env });
    expect((await cli("check", "--provider", "redis")).code).toBe(0);
    expect((await cli("explain", "a.example.com", "--provider=redis")).stdout).toContain("mqtt@redis");
    expect((await cli("check", "--provider", "reddis")).stderr).toContain('did you mean "redis"');

    await server.kill();
    await first.logged("cannot be read");
    await connects(first);
    expect(await first.metric("sluice_provider_up", { provider: "redis" })).toBe(0);
    expect(await first.metric("sluice_provider_last_success_timestamp_seconds")).toBeGreaterThan(0);
    expect((await fetch(`http://127.0.0.1:${first.adminPort}/ping`)).ok).toBe(true);
    await first.stop();

    const second = await start();
    await second.logged("is served from the cache");
    await connects(second);
    const away = await cli("check", "--provider", "redis");
    expect(away.code).toBe(0);
    expect(away.stderr).toContain("[provider-away]");
    await server.run();
    await second.logged("a provider is there again");
    await server.change({
      [`${rootKey}/tcp/routers/other/rule`]: "HostSNI(",
      [`${rootKey}/tcp/routers/mqtt/priority`]: "5",
    });
    const line = await second.logged("routers/other");
    expect(line).toMatchObject({ level: "error", code: "rule-syntax" });
    await connects(second);
  });

  test("without a cache it starts while Redis is away, and takes the routes when it comes", async () => {
    const port = await freePort();
    const sluice = await Sluice.start({
      dynamic: "{}\n",
      env: { SLUICE_PROVIDERS_REDIS_ENDPOINTS: `127.0.0.1:${port}` },
    });
    await sluice.logged("cannot be read");
    expect(await sluice.metric("sluice_provider_up", { provider: "redis" })).toBe(0);
  });
});
