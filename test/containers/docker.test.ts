// The provider docker with a real Docker daemon and containers that run: brokers that come, go, fall ill and move.

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatDiagnostic } from "../../src/config/diagnostics.ts";
import type { DockerConfig } from "../../src/config/providers/docker.ts";
import { dockerEngine } from "../../src/providers/docker/make.ts";
import { RemoteProvider } from "../../src/providers/remote.ts";
import { Authority } from "../support/certs.ts";
import { sluiceCli } from "../support/cli.ts";
import { BRIDGE, Dockerd, daemonFor } from "../support/container-daemon.ts";
import { containerStore, DEFAULTS } from "../support/container-store.ts";
import { canConnect } from "../support/mosquitto.ts";
import { mqttClient } from "../support/mqtt.ts";
import { providerSuite } from "../support/provider-suite.ts";
import { Sluice } from "../support/sluice.ts";
import { cleanup, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost", "127.0.0.1"] });
const identity = await authority.issue({ subject: "/CN=sluice", usage: "clientAuth" });
const tls = { port: await freePort(), ca: authority.cert, cert: pair.cert, key: pair.key };
const { daemon, withContainers } = await daemonFor(() => Dockerd.start(tls));

withContainers("with a Docker daemon", () => providerSuite("containers of Docker", () => containerStore(daemon)));

const LABELS = {
  "sluice.enable": "true",
  "sluice.tcp.routers.mqtt.rule": "HostSNI(`localhost`)",
  "sluice.tcp.routers.mqtt.entrypoints": "mqtts",
  "sluice.tcp.routers.mqtt.tls": "true",
  "sluice.tcp.services.mqtt.loadbalancer.server.port": "1883",
};

/** A provider that follows the daemon; what it offers, and what it says. */
async function followed(config: Partial<DockerConfig> = {}) {
  const engine = dockerEngine({ ...DEFAULTS, endpoint: daemon.endpoint, ...config });
  const provider = new RemoteProvider(engine, { entryPoints: new Set(["mqtts"]), cache: null, once: false });
  await provider.start(() => {});
  cleanup(() => provider.close());
  const value = () => provider.current().offer?.[0]?.value;
  return {
    close: () => provider.close(),
    servers: (service: string) =>
      (value()?.tcp.services[service]?.loadBalancer?.servers ?? []).map(({ address }) => address!),
    routers: () => Object.keys(value()?.tcp.routers ?? {}),
    said: () => provider.current().diagnostics.list.map(formatDiagnostic),
  };
}

/** Containers of one test, which go with it. */
async function within(run: (start: typeof daemon.run) => Promise<void>): Promise<void> {
  const names = new Set<string>();
  try {
    await run((container) => {
      names.add(container.name);
      return daemon.run(container);
    });
  } finally {
    // What has failed before is what is to be seen.
    for (const name of names) await daemon.remove(name).catch(() => {});
  }
}

withContainers("brokers in containers", () => {
  const started = () =>
    Sluice.start({
      dynamic: `tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }`,
      env: { SLUICE_PROVIDERS_DOCKER_ENDPOINT: daemon.endpoint, SLUICE_PROVIDERS_DOCKER_EXPOSEDBYDEFAULT: "false" },
    });

  /** Connects until it is told to end, one client after another. */
  function clientsOf(sluice: Sluice) {
    const endpoint = { port: sluice.port, ca: authority.cert };
    const failures: string[] = [];
    let served = 0;
    let isOver = false;
    const loop = (async () => {
      while (!isOver)
        try {
          await (await mqttClient(endpoint)).mqtt.endAsync();
          served++;
        } catch (error) {
          failures.push((error as Error).message);
        }
    })();
    return {
      failures,
      more: async (count: number) => {
        const wanted = served + count;
        await waitFor(`${count} more clients`, () => served >= wanted || failures.length > 0);
      },
      end: async () => {
        isOver = true;
        await loop;
      },
    };
  }

  test("one with five labels is served at once", () =>
    within(async (start) => {
      const sluice = await started();
      await start({ name: "mosquitto", labels: LABELS });
      const client = await waitFor("a client to be served", () =>
        mqttClient({ port: sluice.port, ca: authority.cert }).catch(() => null),
      );
      await client.mqtt.endAsync();
      const server = `${await daemon.address("mosquitto")}:1883`;
      expect(await sluice.access((each) => each.server === server)).toMatchObject({
        router: "mqtt@docker",
        service: "mqtt@docker",
      });
      await sluice.stop();
    }));

  test("replicas are made anew with other addresses, and no client fails meanwhile", () =>
    within(async (start) => {
      const sluice = await started();
      await start({ name: "mosquitto-1", labels: LABELS });
      await waitFor("the first one to be served", () =>
        mqttClient({ port: sluice.port, ca: authority.cert }).catch(() => null),
      );
      const clients = clientsOf(sluice);
      const seen = new Set([await daemon.address("mosquitto-1")]);
      for (const [fresh, old] of [
        ["mosquitto-2", "mosquitto-1"],
        ["mosquitto-3", "mosquitto-2"],
      ] as const) {
        await start({ name: fresh, labels: LABELS });
        const address = await daemon.address(fresh);
        seen.add(address);
        // An address is used again: only what comes from now on is the new one's.
        const before = sluice.accesses.length;
        await waitFor(
          `a client at ${address}`,
          () => sluice.accesses.slice(before).some(({ server }) => server === `${address}:1883`),
          60_000,
        );
        await daemon.remove(old);
        await clients.more(10);
      }
      await clients.end();
      expect(clients.failures).toEqual([]);
      expect(seen.size).toBeGreaterThan(1);
      await sluice.stop();
    }));

  test("go on while the daemon is away, which is said once, and are followed again when it is back", () =>
    within(async (start) => {
      const sluice = await started();
      const endpoint = { port: sluice.port, ca: authority.cert };
      await start({ name: "mosquitto", labels: LABELS });
      await waitFor("it to be served", () => mqttClient(endpoint).catch(() => null));
      await daemon.suspend("SIGKILL");
      await waitFor(
        "it to be away",
        async () => (await sluice.metric("sluice_provider_up", { provider: "docker" })) === 0,
      );
      await (await mqttClient(endpoint)).mqtt.endAsync();
      expect((await fetch(`http://127.0.0.1:${sluice.adminPort}/ping`)).status).toBe(200);
      await daemon.resume();
      await waitFor(
        "it to be back",
        async () => (await sluice.metric("sluice_provider_up", { provider: "docker" })) === 1,
      );
      const away = sluice.lines.filter(({ msg }) => msg.includes("cannot be read"));
      expect(away).toHaveLength(1);
      // The daemon has ended what it did not know any more. In its place comes another one.
      await daemon.remove("mosquitto");
      await start({ name: "successor", labels: LABELS });
      const server = `${await daemon.address("successor")}:1883`;
      await waitFor("the successor to be served", async () => {
        await mqttClient(endpoint).then(
          ({ mqtt }) => mqtt.endAsync(),
          () => {},
        );
        return sluice.accesses.some((access) => access.server === server);
      });
      await sluice.stop();
    }));
});

withContainers("the provider", () => {
  test("takes an unhealthy broker out of the balancer, and back when it is well", () =>
    within(async (start) => {
      const { servers, said, routers } = await followed();
      await start({ name: "well", labels: LABELS });
      await start({ name: "checked", labels: LABELS, healthEveryMs: 300 });
      const [well, checked] = [`${await daemon.address("well")}:1883`, `${await daemon.address("checked")}:1883`];
      await waitFor("both", () => servers("mqtt").length === 2);
      await daemon.signal("checked", "SIGSTOP");
      await waitFor("the ill one to leave", () => servers("mqtt").join() === well);
      expect(said()).toEqual([expect.stringContaining("container checked: warning: is unhealthy")]);
      await daemon.remove("well");
      await waitFor("the well one to go", () => routers().length === 0);
      const keeping = await followed({ allowEmptyServices: true });
      expect([keeping.routers(), keeping.servers("mqtt")]).toEqual([["mqtt"], []]);
      await daemon.signal("checked", "SIGCONT");
      await waitFor("it to be back", () => servers("mqtt").join() === checked);
      expect(said()).toEqual([]);
    }));

  test("hears of pauses, other names, and networks that come and go", () =>
    within(async (start) => {
      const { servers, said } = await followed();
      await start({ name: "mosquitto", labels: LABELS });
      await waitFor("it", () => servers("mqtt").length === 1);
      await daemon.post("/containers/mosquitto/pause");
      await waitFor("the pause", () => servers("mqtt").length === 0);
      await daemon.post("/containers/mosquitto/unpause");
      await waitFor("the end of the pause", () => servers("mqtt").length === 1);
      await daemon.post("/networks/create", { Name: "another" });
      await daemon.post("/networks/another/connect", { Container: "mosquitto" });
      await waitFor("the second network", () => said().length === 1);
      expect(said()[0]).toContain("container mosquitto: warning: is in several networks");
      expect(servers("mqtt")).toEqual([`${await daemon.address("mosquitto", "another")}:1883`]);
      const named = await followed({ network: BRIDGE });
      expect(named.servers("mqtt")).toEqual([`${await daemon.address("mosquitto")}:1883`]);
      expect(named.said()).toEqual([]);
      await daemon.post("/containers/mosquitto/rename?name=renamed");
      await waitFor("the name", () => said()[0]?.includes("container renamed:"));
      await daemon.post("/networks/another/disconnect", { Container: "renamed", Force: true });
      await waitFor("the network to go", () => servers("mqtt").join() === `${named.servers("mqtt")}`);
      await daemon.delete("/networks/another");
      await daemon.remove("renamed");
      await waitFor("the end", () => servers("mqtt").length === 0);
    }));

  test("finds containers in the host's network, in another one's, in none, and at a port of the host", () =>
    within(async (start) => {
      const labels = (name: string) => ({ [`sluice.tcp.services.${name}.loadbalancer.server.port`]: "1883" });
      const binding = { HostIp: "127.0.0.1", HostPort: String(await freePort()) };
      await start({ name: "bridged", labels: labels("bridged"), published: { "1883/tcp": binding } });
      const bridged = await daemon.address("bridged");
      // Each has a connection to the broker, and so runs on.
      const listens = (host: string) => ["/usr/bin/mosquitto_sub", "-h", host, "-t", "nothing"];
      await start({ name: "hosted", labels: labels("hosted"), network: "host", command: listens(bridged) });
      const network = "container:bridged";
      await start({ name: "sharing", labels: labels("sharing"), network, command: listens("127.0.0.1") });
      await start({ name: "lonely", labels: labels("lonely"), network: "none" });
      const { servers, said } = await followed();
      expect(servers("bridged")).toEqual([`${bridged}:1883`]);
      expect(servers("hosted")).toEqual(["127.0.0.1:1883"]);
      expect(servers("sharing")).toEqual([`${bridged}:1883`]);
      expect(servers("lonely")).toEqual([]);
      expect(said()).toEqual([
        expect.stringContaining('container lonely: the service "lonely" has no server here: it has no network'),
      ]);
      const bound = await followed({ useBindPortIP: true });
      expect(bound.servers("bridged")).toEqual([`127.0.0.1:${binding.HostPort}`]);
    }));

  test("asks a daemon over TLS, with a certificate of its own", () =>
    within(async (start) => {
      const endpoint = `tcp://127.0.0.1:${tls.port}`;
      await start({ name: "mosquitto", labels: LABELS });
      const material = { ca: authority.cert, cert: identity.cert, key: identity.key, insecureSkipVerify: false };
      const { servers } = await followed({ endpoint, tls: material });
      await waitFor("the container", () => servers("mqtt").length === 1);
      const stranger = await followed({ endpoint, tls: { ca: authority.cert, insecureSkipVerify: false } });
      expect(stranger.said().join()).toContain("[provider-away]");
      const distrustful = await followed({ endpoint, tls: { ...material, ca: pair.cert } });
      expect(distrustful.said().join()).toContain("[provider-away]");
    }));
});

withContainers("a socket proxy", () => {
  test("through a socket proxy it needs no more than the requests that the docs name, and a wrong password is said", () =>
    within(async (start) => {
      const port = await freePort();
      const file = join(temporaryDirectory(), "haproxy.cfg");
      const allowed = "^(/v[0-9.]+)?/(_ping|containers/json|containers/[a-zA-Z0-9_.-]+/json|events)$";
      writeFileSync(
        file,
        `defaults
  mode http
  timeout connect 5s
  timeout client 10m
  timeout server 10m
userlist users
  user sluice insecure-password secret
frontend way
  bind 127.0.0.1:${port}
  http-request auth unless { http_auth(users) }
  http-request deny unless METH_GET { path -m reg ${allowed} }
  default_backend daemon
backend daemon
  server daemon unix@${daemon.socket}
`,
      );
      const proxy = Bun.spawn(["haproxy", "-db", "-f", file], { stdio: ["ignore", "ignore", "ignore"] });
      cleanup(() => proxy.kill("SIGKILL"));
      await waitFor("the proxy", () => canConnect("127.0.0.1", port));
      const endpoint = `tcp://127.0.0.1:${port}`;
      const { servers, said } = await followed({ endpoint, username: "sluice", password: "secret" });
      await start({ name: "mosquitto", labels: LABELS });
      await waitFor("the container", () => servers("mqtt").length === 1);
      expect(said()).toEqual([]);
      const stranger = await followed({ endpoint, username: "sluice", password: "wrong" });
      expect(stranger.said().join()).toContain("wants another  username  and  password");
      expect(stranger.said().join()).not.toContain("wrong");
    }));
});

withContainers("check and explain", () => {
  const config = (endpoint: string) => {
    const directory = temporaryDirectory();
    writeFileSync(
      join(directory, "sluice.yml"),
      `entryPoints: { mqtts: { address: ":8883" } }
providers: { docker: { endpoint: "${endpoint}" }, file: { directory: "${directory}/dynamic" } }
`,
    );
    return directory;
  };

  test("name the container and the label", () =>
    within(async (start) => {
      const cwd = config(daemon.endpoint);
      await start({
        name: "mosquitto",
        labels: { ...LABELS, "sluice.tcp.routers.mqtt.tls.otpions": "x" },
        isIdle: true,
      });
      await start({ name: "good", labels: LABELS });
      await start({ name: "bad", labels: { "sluice.tcp.routers.bad.ruel": "x" } });
      const { code, stderr } = await sluiceCli(["check", "--configFile=sluice.yml", "--provider", "docker"], { cwd });
      expect(code).toBe(1);
      expect(stderr).toContain("container bad, label sluice.tcp.routers.bad.ruel: ");
      expect(stderr).toContain('did you mean "rule"');
      const explained = await sluiceCli(["explain", "localhost", "--configFile=sluice.yml", "--provider", "docker"], {
        cwd,
      });
      expect(explained.stdout).toContain("mqtt@docker");
      expect(explained.stdout).toContain(await daemon.address("good"));
    }));

  test("a daemon that is away is a warning", async () => {
    const { stderr } = await sluiceCli(["check", "--configFile=sluice.yml", "--provider", "docker"], {
      cwd: config("unix:///nowhere/docker.sock"),
    });
    expect(stderr).toContain("docker unix:///nowhere/docker.sock: warning: cannot be read");
    expect(stderr).toContain("no such file");
  });
});
