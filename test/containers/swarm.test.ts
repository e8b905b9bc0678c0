// The provider swarm with a real swarm of one node: services, their tasks as they come and go, their networks.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { formatDiagnostic } from "../../src/config/diagnostics.ts";
import type { SwarmConfig } from "../../src/config/providers/swarm.ts";
import { swarmEngine } from "../../src/providers/docker/make.ts";
import { BackOff } from "../../src/providers/pause.ts";
import { RemoteProvider } from "../../src/providers/remote.ts";
import { Dockerd, daemonFor, IMAGE } from "../support/container-daemon.ts";
import { cleanup, waitFor } from "../support/tools.ts";

const { daemon, withContainers } = await daemonFor(() => Dockerd.start());

async function followed(config: Partial<SwarmConfig> = {}) {
  const engine = swarmEngine({
    endpoint: daemon.endpoint,
    httpClientTimeout: 30_000,
    exposedByDefault: true,
    constraints: "",
    watch: true,
    allowEmptyServices: false,
    refreshSeconds: 1000,
    ...config,
  } as SwarmConfig);
  const options = { entryPoints: new Set(["mqtts"]), cache: null, once: false, backOff: new BackOff(10) };
  const provider = new RemoteProvider(engine, options);
  await provider.start(() => {});
  cleanup(() => provider.close());
  const value = () => provider.current().offer?.[0]?.value;
  return {
    provider,
    servers: (service: string) =>
      (value()?.tcp.services[service]?.loadBalancer?.servers ?? []).map(({ address }) => address!),
    routers: () => Object.keys(value()?.tcp.routers ?? {}),
    said: () => provider.current().diagnostics.list.map(formatDiagnostic),
  };
}

const LABELS = {
  "sluice.tcp.routers.mqtt.rule": "HostSNI(`localhost`)",
  "sluice.tcp.routers.mqtt.tls": "true",
  "sluice.tcp.services.mqtt.loadbalancer.server.port": "1883",
};

interface Spec {
  readonly labels?: Readonly<Record<string, string>>;
  readonly replicas?: number;
  readonly networks?: readonly string[];
}

const specOf = (name: string, { labels = LABELS, replicas = 1, networks = ["near"] }: Spec) => ({
  Name: name,
  Labels: labels,
  TaskTemplate: {
    ContainerSpec: { Image: IMAGE },
    RestartPolicy: { Condition: "none" },
    Networks: networks.map((Target) => ({ Target })),
  },
  Mode: { Replicated: { Replicas: replicas } },
});

const create = (name: string, spec: Spec = {}) => daemon.post("/services/create", specOf(name, spec));

async function update(name: string, spec: Spec): Promise<void> {
  const { Version } = await daemon.json<{ Version: { Index: number } }>(`/services/${name}`);
  await daemon.post(`/services/${name}/update?version=${Version.Index}`, specOf(name, spec));
}

/** The addresses of a service's running tasks in a network. */
async function tasksOf(name: string, network = "near"): Promise<string[]> {
  const filters = encodeURIComponent(JSON.stringify({ service: [name], "desired-state": ["running"] }));
  const tasks = await daemon.json<
    {
      Status: { State: string };
      NetworksAttachments: { Network: { Spec: { Name: string } }; Addresses: string[] }[];
    }[]
  >(`/tasks?filters=${filters}`);
  return tasks
    .filter(({ Status }) => Status.State === "running")
    .map(({ NetworksAttachments }) => {
      const at = NetworksAttachments.find(({ Network }) => Network.Spec.Name === network)!;
      return `${at.Addresses[0]!.replace(/\/.*/, "")}:1883`;
    })
    .sort();
}

withContainers("a daemon alone", () => {
  test("a daemon that is no manager is away, and the reason is said", async () => {
    const { said } = await followed();
    expect(said()).toEqual([expect.stringContaining("is it a manager of a swarm? Only managers know its services")]);
  });
});

withContainers("a swarm", () => {
  beforeAll(async () => {
    await daemon.post("/swarm/init", { ListenAddr: "127.0.0.1:0", AdvertiseAddr: "127.0.0.1" });
    for (const Name of ["near", "other"]) await daemon.post("/networks/create", { Name, Driver: "overlay" });
  });
  afterAll(() => daemon.post("/swarm/leave?force=true"));

  test("gives a service's running tasks as servers, and follows services by events and tasks by looking", async () => {
    const { servers, routers, said } = await followed({ refreshSeconds: 200 });
    await create("broker", { replicas: 2 });
    await waitFor("two tasks", () => servers("mqtt").length === 2, 60_000);
    expect([...servers("mqtt")].sort()).toEqual(await tasksOf("broker"));
    expect(routers()).toEqual(["mqtt"]);
    expect(said()).toEqual([]);

    await update("broker", { replicas: 1 });
    await waitFor("one task", () => servers("mqtt").length === 1, 60_000);
    expect(servers("mqtt")).toEqual(await tasksOf("broker"));

    await update("broker", { labels: { ...LABELS, "sluice.tcp.routers.second.rule": "HostSNI(`second`)" } });
    await waitFor("the second router", () => routers().length === 2);
    await daemon.delete("/services/broker");
    await waitFor("it to go", () => routers().length === 0);
  });

  test("hears of a service at once, however rarely it looks at tasks", async () => {
    const { said } = await followed({ allowEmptyServices: true, refreshSeconds: 2_000_000 });
    await create("broken", { labels: { "sluice.tcp.routers.mqtt.ruel": "x" }, replicas: 0 });
    await waitFor("the mistake", () => said().length > 0);
    expect(said().join()).toContain("service broken, label sluice.tcp.routers.mqtt.ruel");
    await daemon.delete("/services/broken");
    await waitFor("its end", () => said().length === 0);
  });

  test("dials a virtual address where a label says so, the network that is named, and needs the port", async () => {
    const names = ["virtual", "named", "portless", "several"];
    const labels = (name: string, more: Readonly<Record<string, string>> = {}) => ({
      [`sluice.tcp.services.${name}.loadbalancer.server.port`]: "1883",
      ...more,
    });
    const networks = ["near", "other"];
    await create("virtual", { labels: labels("virtual", { "sluice.swarm.lbswarm": "true" }), replicas: 2 });
    await create("named", { labels: labels("named", { "traefik.swarm.network": "other" }), networks });
    await create("portless", { labels: { "sluice.tcp.routers.portless.rule": "HostSNI(`p`)" } });
    await create("several", { labels: labels("several"), networks });
    const { servers, said } = await followed({ refreshSeconds: 200 });
    const is = async (service: string, addresses: readonly string[]) => servers(service).join() === addresses.join();
    const { Endpoint } = await daemon.json<{ Endpoint: { VirtualIPs: { Addr: string }[] } }>("/services/virtual");
    await waitFor("the virtual address", () =>
      is("virtual", [`${Endpoint.VirtualIPs[0]!.Addr.replace(/\/.*/, "")}:1883`]),
    );
    await waitFor(
      "the named network",
      async () => servers("named").length === 1 && is("named", await tasksOf("named", "other")),
    );
    await waitFor(
      "the first network",
      async () => servers("several").length === 1 && is("several", await tasksOf("several")),
    );
    await waitFor("the portless one", () => said().some((line) => line.includes("service portless")));
    expect(said().join("\n")).toContain("loadbalancer.server.port=1883");
    expect(said().join("\n")).toContain("service several: warning: is in several networks");
    for (const name of names) await daemon.delete(`/services/${name}`);
  });
});
