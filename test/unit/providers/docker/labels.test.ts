// What containers' labels stand for: Traefik's labels and the same under sluice., what is left out, replicas put together.

import { describe, expect, test } from "bun:test";
import { parseConstraints } from "../../../../src/config/providers/constraints.ts";
import { parseTemplate } from "../../../../src/config/providers/default-rule.ts";
import type { Surroundings } from "../../../../src/providers/docker/address.ts";
import type { Container } from "../../../../src/providers/docker/container.ts";
import { type Choices, giveOf } from "../../../../src/providers/docker/give.ts";
import { mergeParts } from "../../../../src/providers/docker/parts.ts";

const parsedRule = (text: string) => {
  const parsed = parseTemplate(text);
  if (parsed.kind === "error") throw new Error(parsed.message);
  return parsed.render;
};
const parsedConstraints = (text: string) => {
  const parsed = parseConstraints(text);
  if (parsed.kind === "error") throw new Error(parsed.message);
  return parsed.holds;
};

const CHOICES: Choices = {
  exposedByDefault: true,
  network: null,
  defaultRule: null,
  constraints: () => true,
  allowEmptyServices: false,
  useBindPortIP: false,
};
const ON_HOST: Surroundings = { networks: null, host: "127.0.0.1" };

let count = 0;
function container(labels: Record<string, string>, more: Partial<Container> = {}): Container {
  count++;
  return {
    id: String(count).padStart(64, "0"),
    name: `c${count}`,
    labels,
    state: "running",
    health: null,
    created: `2026-01-01T00:00:00.${String(count).padStart(6, "0")}Z`,
    networkMode: "app",
    networks: [{ name: "app", ipv4: "10.0.0.2", ipv6: "" }],
    ports: [1883],
    bindings: [],
    ...more,
  };
}

/** What containers give together: entries as `path: value`, what is said as `place: message`. */
function given(containers: readonly Container[], choices: Partial<Choices> = {}, around: Surroundings = ON_HOST) {
  const find = (id: string) => containers.find((each) => each.id === id) ?? null;
  const gifts = containers.map((each) => giveOf(each, { ...CHOICES, ...choices }, around, find));
  const { entries, remarks } = mergeParts(gifts.flatMap(({ given }) => (given === null ? [] : [given])));
  return {
    entries: Object.fromEntries(entries.map(({ path, value }) => [path, value])),
    places: Object.fromEntries(entries.map(({ path, place }) => [path, place])),
    said: [...gifts.flatMap((each) => each.remarks), ...remarks].map(
      ({ severity, code, place, message }) => `${severity} ${code} ${place}: ${message}`,
    ),
  };
}

const ROUTER = { "traefik.tcp.routers.mqtt.rule": "HostSNI(`a.example.com`)", "traefik.tcp.routers.mqtt.tls": "true" };

describe("one container", () => {
  test("a router alone gets a service, called as Traefik calls it, with the lowest port", () => {
    const { entries, places, said } = given([container(ROUTER, { name: "mosquitto", ports: [1883, 8080] })]);
    expect(entries).toEqual({
      "tcp/routers/mqtt/rule": "HostSNI(`a.example.com`)",
      "tcp/routers/mqtt/tls": "true",
      "tcp/routers/mqtt/service": "mosquitto",
      "tcp/services/mosquitto/loadbalancer/servers/0/address": "10.0.0.2:1883",
    });
    expect(places["tcp/routers/mqtt/rule"]).toBe("container mosquitto, label traefik.tcp.routers.mqtt.rule");
    expect(said).toEqual([]);
  });

  test("of Compose the service is called after service and project", () => {
    const labels = { ...ROUTER, "com.docker.compose.service": "broker", "com.docker.compose.project": "my_app" };
    expect(given([container(labels)]).entries["tcp/routers/mqtt/service"]).toBe("broker-my-app");
  });

  test("server.port, server.tls and the balancer's own fields are kept", () => {
    const labels = {
      ...ROUTER,
      "traefik.tcp.services.b.loadBalancer.server.port": "8884",
      "traefik.tcp.services.b.loadBalancer.server.tls": "true",
      "traefik.tcp.services.b.loadBalancer.proxyProtocol.version": "2",
    };
    expect(given([container(labels)]).entries).toEqual({
      "tcp/routers/mqtt/rule": "HostSNI(`a.example.com`)",
      "tcp/routers/mqtt/tls": "true",
      "tcp/routers/mqtt/service": "b",
      "tcp/services/b/loadBalancer/proxyProtocol/version": "2",
      "tcp/services/b/loadbalancer/servers/0/tls": "true",
      "tcp/services/b/loadbalancer/servers/0/address": "10.0.0.2:8884",
    });
  });

  test("an address of its own, servers written out, weighted services and failover are what they say", () => {
    const labels = {
      "sluice.tcp.services.a.loadbalancer.server.address": "far.example.com:1883",
      "sluice.tcp.services.b.loadbalancer.servers[0].address": "10.9.9.9:1883",
      "sluice.tcp.services.c.weighted.services[0].name": "a",
      "sluice.tcp.services.d.failover.service": "a",
    };
    expect(given([container(labels, { ports: [] })])).toMatchObject({
      entries: {
        "tcp/services/a/loadbalancer/servers/0/address": "far.example.com:1883",
        "tcp/services/b/loadbalancer/servers[0]/address": "10.9.9.9:1883",
        "tcp/services/c/weighted/services[0]/name": "a",
        "tcp/services/d/failover/service": "a",
      },
      said: [],
    });
  });

  test("labels under sluice. go before the same under traefik., and a difference is said", () => {
    const { entries, said } = given([
      container({ ...ROUTER, "sluice.tcp.routers.mqtt.rule": "HostSNI(`b`)", "sluice.tcp.routers.mqtt.TLS": "true" }),
    ]);
    expect(entries["tcp/routers/mqtt/rule"]).toBe("HostSNI(`b`)");
    expect(said).toHaveLength(1);
    expect(said[0]).toContain("label traefik.tcp.routers.mqtt.rule: is not used: sluice.tcp.routers.mqtt.rule");
  });

  test("enable, exposedByDefault and constraints say who counts", () => {
    expect(given([container({ ...ROUTER, "traefik.enable": "false" })]).entries).toEqual({});
    expect(given([container(ROUTER)], { exposedByDefault: false }).entries).toEqual({});
    expect(given([container({ ...ROUTER, "sluice.enable": "True" })], { exposedByDefault: false }).entries).not.toEqual(
      {},
    );
    // What another proxy is told need not be told to Sluice.
    const both = { ...ROUTER, "traefik.enable": "false", "sluice.enable": "true" };
    expect(given([container(both)]).entries).not.toEqual({});
    const constraints = parsedConstraints("Label(`edge`,`mqtt`)");
    expect(given([container(ROUTER)], { constraints }).entries).toEqual({});
    expect(given([container({ ...ROUTER, edge: "mqtt" })], { constraints }).entries).not.toEqual({});
  });

  test("yes means true, with a warning", () => {
    const { entries, said } = given([container({ ...ROUTER, "traefik.enable": "yes" })], { exposedByDefault: false });
    expect(entries).not.toEqual({});
    expect(said).toEqual([expect.stringContaining("label traefik.enable: is taken for true")]);
  });

  for (const [label, value, hint] of [
    ["traefik.enabled", "false", 'did you mean "enable"'],
    ["sluice.enable", "maybe", "must be true or false"],
  ] as const)
    test(`${label}=${value} keeps the names and serves nobody`, () => {
      const { entries, said } = given([container({ ...ROUTER, [label]: value })]);
      expect(entries["tcp/routers/mqtt/rule"]).toBeDefined();
      expect(Object.keys(entries).filter((path) => path.includes("servers"))).toEqual([]);
      expect(said.join("\n")).toContain(hint);
      expect(said.join("\n")).toContain("keep their names and refuse");
    });

  for (const [label, hint] of [
    ["sluice.tpc.routers.a.rule", 'did you mean "tcp"'],
    ["traefik.tcpp.routers.a.rule", 'did you mean "tcp"'],
    ["sluice.docker.netwrok", 'did you mean "network"'],
    ["sluice.something", "is unknown"],
    ["sluice.tcp.routers..rule", "empty part"],
    ["sluice.tcp.routers.a", "names no field"],
    ["sluice.tcp.routers.a/b.rule", "a slash"],
  ] as const)
    test(`${label} is said, and costs itself alone`, () => {
      const { entries, said } = given([container({ ...ROUTER, [label]: "x" })]);
      expect(entries["tcp/routers/mqtt/service"]).toBeDefined();
      expect(said).toHaveLength(1);
      expect(said[0]).toContain(`label ${label}: `);
      expect(said[0]).toContain(hint);
    });

  test("labels of other programs, and of Traefik's HTTP, are nobody's business here", () => {
    const labels = { ...ROUTER, "traefik.http.routers.x.rule": "Host(`x`)", "traefik.tags": "a", "com.example": "b" };
    const { entries, said } = given([container(labels)]);
    expect(Object.keys(entries)).toHaveLength(4);
    expect(said).toEqual([]);
  });

  test("a container without labels of TCP gives nothing, and needs no port", () => {
    expect(given([container({ "traefik.enable": "true" }, { ports: [] })])).toEqual({
      entries: {},
      places: {},
      said: [],
    });
  });

  test("without a port the router is there without a server, and the label that is missing is named", () => {
    const { entries, said } = given([container(ROUTER, { name: "mosquitto", ports: [] })]);
    expect(entries["tcp/services/mosquitto/loadbalancer"]).toBe("true");
    expect(said).toEqual([expect.stringContaining("traefik.tcp.services.mosquitto.loadbalancer.server.port=1883")]);
    expect(given([container({ ...ROUTER, "sluice.tcp.services.a.loadbalancer.server.port": "0" })]).said).toEqual([
      expect.stringMatching(
        /^error port-invalid container c\d+, label sluice.tcp.services.a.loadbalancer.server.port: must/,
      ),
    ]);
  });

  test("a router that names none of several services is told which there are", () => {
    const { entries, said } = given([
      container({
        ...ROUTER,
        "sluice.tcp.services.a.loadbalancer.server.port": "1",
        "sluice.tcp.services.b.loadbalancer.server.port": "2",
      }),
    ]);
    expect(entries["tcp/routers/mqtt/service"]).toBeUndefined();
    expect(said).toEqual([expect.stringContaining('the router "mqtt" names no service, and there are several: a, b')]);
  });

  test("a default rule is for routers without one, and makes one where a container is enabled by name", () => {
    const defaultRule = parsedRule("HostSNI(`{{ normalize .Name }}.example.com`)");
    const labels = { "sluice.tcp.routers.r.tls.options": "m@file" };
    expect(given([container(labels, { name: "x_y" })], { defaultRule })).toMatchObject({
      entries: { "tcp/routers/r/rule": "HostSNI(`x-y.example.com`)" },
      places: { "tcp/routers/r/rule": "container x_y, defaultRule" },
    });
    expect(given([container({ "sluice.enable": "true" }, { name: "x" })], { defaultRule }).entries).toEqual({
      "tcp/routers/x/tls": "true",
      "tcp/routers/x/rule": "HostSNI(`x.example.com`)",
      "tcp/routers/x/service": "x",
      "tcp/services/x/loadbalancer/servers/0/address": "10.0.0.2:1883",
    });
    // Nobody has asked for the others: a Prometheus beside the broker is none.
    expect(given([container({ "traefik.http.routers.x.rule": "y" })], { defaultRule }).entries).toEqual({});
  });
});

describe("a container that does not serve", () => {
  test("is gone when it has stopped, unless it says otherwise", () => {
    for (const state of ["created", "exited", "paused", "restarting", "dead"])
      expect(given([container(ROUTER, { state })])).toEqual({ entries: {}, places: {}, said: [] });
    const labels = { ...ROUTER, "traefik.docker.allownonrunning": "true" };
    expect(given([container(labels, { state: "exited", name: "x" })]).entries).toMatchObject({
      "tcp/routers/mqtt/service": "x",
      "tcp/services/x/loadbalancer": "true",
    });
  });

  test("is gone while it is unhealthy or starting, which is said; with allowEmptyServices its names stay", () => {
    for (const health of ["starting", "unhealthy"] as const) {
      const { entries, said } = given([container(ROUTER, { health })]);
      expect(entries).toEqual({});
      expect(said).toEqual([expect.stringContaining(`warning container-unhealthy container c${count}: is ${health}`)]);
      const kept = given([container(ROUTER, { health, name: "x" })], { allowEmptyServices: true });
      expect(kept.entries).toMatchObject({
        "tcp/routers/mqtt/service": "x",
        "tcp/services/x/loadbalancer": "true",
      });
      expect(Object.keys(kept.entries).filter((path) => path.includes("servers"))).toEqual([]);
    }
    expect(given([container(ROUTER, { health: "healthy" })]).entries).not.toEqual({});
  });
});

describe("several containers", () => {
  const replica = (n: number, labels: Record<string, string> = ROUTER, more: Partial<Container> = {}) =>
    container(
      { ...labels, "com.docker.compose.service": "mqtt", "com.docker.compose.project": "app" },
      { networks: [{ name: "app", ipv4: `10.0.0.${n}`, ipv6: "" }], ...more },
    );
  const servers = ({ entries }: { entries: Record<string, string> }) =>
    Object.entries(entries).flatMap(([path, value]) => (/servers\/\d+\/address$/.test(path) ? [value] : []));

  test("replicas are one service with a server each, and an unhealthy one is not in the balancer", () => {
    const all = [replica(2), replica(3), replica(4, ROUTER, { health: "unhealthy" })];
    const merged = given(all);
    expect(servers(merged)).toEqual(["10.0.0.2:1883", "10.0.0.3:1883"]);
    expect(merged.said).toHaveLength(1);
    expect(servers(given(all, { allowEmptyServices: true }))).toEqual(["10.0.0.2:1883", "10.0.0.3:1883"]);
    expect(given(all, { allowEmptyServices: true }).said).toEqual([]);
    // The order is that of age, whoever is well.
    const first = [replica(2, ROUTER, { health: "starting" }), replica(3)];
    expect(servers(given(first, { allowEmptyServices: true }))).toEqual(["10.0.0.3:1883"]);
  });

  test("the same address twice is one server", () => {
    const host = { networkMode: "host", networks: [] };
    expect(servers(given([replica(2, ROUTER, host), replica(3, ROUTER, host)]))).toEqual(["127.0.0.1:1883"]);
  });

  test("while labels are rolled out the older container's go on, and the newer one is named", () => {
    const old = replica(2);
    const fresh = replica(3, { ...ROUTER, "traefik.tcp.routers.mqtt.rule": "HostSNI(`b`)" });
    const { entries, said } = given([old, fresh]);
    expect(entries["tcp/routers/mqtt/rule"]).toBe("HostSNI(`a.example.com`)");
    expect(servers({ entries })).toEqual(["10.0.0.2:1883", "10.0.0.3:1883"]);
    expect(said).toEqual([
      `error label-conflict container ${fresh.name}: gives the router "mqtt" another rule than container ${old.name}, which is older and goes first: give it another name, or the same labels`,
    ]);
  });

  test("nobody takes over the name of a router that leads elsewhere by starting a container", () => {
    const { entries, said } = given([container(ROUTER, { name: "one" }), container(ROUTER, { name: "other" })]);
    expect(entries["tcp/routers/mqtt/service"]).toBe("one");
    expect(said).toEqual([expect.stringContaining("label-conflict container other:")]);
  });

  test("a service that says something different gets no server of the other", () => {
    const labels = (version: string) => ({
      ...ROUTER,
      "sluice.tcp.services.s.loadbalancer.proxyprotocol.version": version,
    });
    const merged = given([replica(2, labels("1")), replica(3, labels("2"))]);
    expect(servers(merged)).toEqual(["10.0.0.2:1883"]);
    expect(merged.said.join()).toContain('the service "s" another loadbalancer/proxyprotocol/version');
  });

  test("certificates of several containers are all there", () => {
    const labels = (name: string) => ({
      "sluice.tls.certificates[0].certfile": `/certs/${name}.crt`,
      "sluice.tls.certificates[0].keyfile": `/certs/${name}.key`,
    });
    expect(given([container(labels("a")), container(labels("b"))]).entries).toEqual({
      "tls/certificates/0/certfile": "/certs/a.crt",
      "tls/certificates/0/keyfile": "/certs/a.key",
      "tls/certificates/1/certfile": "/certs/b.crt",
      "tls/certificates/1/keyfile": "/certs/b.key",
    });
  });
});
