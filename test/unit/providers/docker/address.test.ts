// Where a container is reached: network, address and port are chosen by rules, never by chance, and a choice that may be wrong is said.

import { describe, expect, test } from "bun:test";
import { boundTo, chooseAddress, choosePort, type Surroundings } from "../../../../src/providers/docker/address.ts";
import { type Container, readContainer, readList } from "../../../../src/providers/docker/container.ts";

const ON_HOST: Surroundings = { networks: null, host: "127.0.0.1" };
const within = (...names: string[]): Surroundings => ({ networks: new Set(names), host: "192.168.65.2" });

function container(networks: Record<string, [string, string?]>, more: Partial<Container> = {}): Container {
  return {
    id: "1",
    name: "c",
    labels: {},
    state: "running",
    health: null,
    created: "",
    networkMode: "bridge",
    networks: Object.entries(networks).map(([name, [ipv4, ipv6 = ""]]) => ({ name, ipv4, ipv6 })),
    ports: [],
    bindings: [],
    ...more,
  };
}

const choose = (
  of: Container,
  wanted: string | null = null,
  around: Surroundings = ON_HOST,
  others: Record<string, Container> = {},
) => {
  const chosen = chooseAddress(of, wanted, around, (id) => others[id] ?? null);
  return chosen.kind === "none" ? chosen.why : [chosen.host, chosen.remark?.code ?? null];
};

describe("the address", () => {
  test("is that in the network that is named, also by Compose's short name", () => {
    const both = container(
      { app_back: ["10.1.0.2"], front: ["10.2.0.2"] },
      { labels: { "com.docker.compose.project": "app" } },
    );
    expect(choose(both, "front")).toEqual(["10.2.0.2", null]);
    expect(choose(both, "app_back")).toEqual(["10.1.0.2", null]);
    expect(choose(both, "back")).toEqual(["10.1.0.2", null]);
  });

  test("of one that is named and not there is the first by name, with a warning", () => {
    expect(choose(container({ a: ["10.1.0.2"], b: ["10.2.0.2"] }), "c")).toEqual(["10.1.0.2", "network-unknown"]);
  });

  test("is that in a network which Sluice is in too", () => {
    const both = container({ a: ["10.1.0.2"], b: ["10.2.0.2"] });
    expect(choose(both, null, within("b", "z"))).toEqual(["10.2.0.2", null]);
    expect(choose(both, null, within("a", "b"))).toEqual(["10.1.0.2", "network-ambiguous"]);
    expect(choose(both, null, within("z"))).toEqual(["10.1.0.2", "network-not-shared"]);
  });

  test("of several is always the first by name, with a warning", () => {
    expect(choose(container({ b: ["10.2.0.2"], a: ["10.1.0.2"] }, {}), null)).toBeArray();
    expect(choose(container({ a: ["10.1.0.2"], b: ["10.2.0.2"] }))).toEqual(["10.1.0.2", "network-ambiguous"]);
  });

  test("is IPv6 where there is no IPv4", () => {
    expect(choose(container({ a: ["", "fd00::2"] }))).toEqual(["fd00::2", null]);
  });

  test("of the host's network is the host, and of another container's network the other's", () => {
    const host = container({ host: [""] }, { networkMode: "host" });
    expect(choose(host)).toEqual(["127.0.0.1", null]);
    expect(choose(host, null, within("a"))).toEqual(["192.168.65.2", null]);
    const other = container({ a: ["10.1.0.9"] });
    expect(choose(container({}, { networkMode: "container:9" }), null, ON_HOST, { 9: other })).toEqual([
      "10.1.0.9",
      null,
    ]);
  });

  test("cannot be had of what has none", () => {
    expect(choose(container({ none: [""] }, { networkMode: "none" }))).toBe("it has no network");
    expect(choose(container({ a: [""] }))).toBe("it has no address in any network");
    const loop = container({}, { networkMode: "container:1" });
    expect(choose(loop, null, ON_HOST, { 1: loop })).toContain("which is not there");
  });
});

describe("the port", () => {
  test("is the lowest of TCP, as a daemon says it", () => {
    const read = readContainer({
      Id: "1",
      Name: "/c",
      State: { Status: "running" },
      HostConfig: { NetworkMode: "bridge" },
      Config: { Labels: null, ExposedPorts: { "9001/tcp": {}, "53/udp": {} } },
      NetworkSettings: { Ports: { "1883/tcp": [{ HostIp: "192.0.2.1", HostPort: "2883" }], "8080/tcp": null } },
    });
    expect(read.ports).toEqual([1883, 8080, 9001]);
    expect(choosePort(read)).toEqual({ kind: "ok", port: 1883 });
    expect(boundTo(read, 1883)).toEqual({ host: "192.0.2.1", port: 2883 });
    expect(boundTo(read, 8080)).toBeNull();
  });

  test("bound to every address is reached within", () => {
    for (const hostIp of ["", "0.0.0.0", "::"])
      expect(boundTo(container({}, { bindings: [{ port: 1883, hostIp, hostPort: 2883 }] }), 1883)).toBeNull();
  });

  test("of none is said", () => {
    expect(choosePort(container({}))).toMatchObject({ kind: "none" });
  });
});

describe("what a daemon sends", () => {
  const listed = (more: object) => readList([{ Id: "1", Names: ["/a"], Labels: {}, ...more }])[0]!;

  test("the time that a container is up does not make it another one, its health does", () => {
    const up = (text: string) => listed({ State: "running", Status: text }).mark;
    expect(up("Up 2 minutes (healthy)")).toBe(up("Up 3 minutes (healthy)"));
    expect(up("Up 2 minutes (healthy)")).not.toBe(up("Up 2 minutes (unhealthy)"));
    expect(up("Up 2 minutes")).not.toBe(listed({ State: "exited", Status: "Exited (0) 1 second ago" }).mark);
  });

  test("so does another name or another address", () => {
    const at = (address: string) =>
      listed({ State: "running", NetworkSettings: { Networks: { a: { IPAddress: address } } } }).mark;
    expect(at("10.0.0.1")).not.toBe(at("10.0.0.2"));
    expect(listed({}).mark).not.toBe(listed({ Names: ["/b"] }).mark);
  });

  test("Docker's list says all of a container, and Podman's or one without ports has it asked for", () => {
    const docker = {
      Created: 1795684895,
      State: "running",
      Status: "Up 1 second (health: starting)",
      HostConfig: { NetworkMode: "app" },
      Ports: [
        { PrivatePort: 8080, Type: "tcp" },
        { IP: "127.0.0.1", PrivatePort: 1883, PublicPort: 2883, Type: "tcp" },
        { PrivatePort: 53, Type: "udp" },
      ],
      NetworkSettings: { Networks: { app: { IPAddress: "10.0.0.2", GlobalIPv6Address: "" } } },
    };
    expect(listed({ ...docker, Names: ["/other/alias", "/a"] }).container).toEqual({
      id: "1",
      name: "a",
      labels: {},
      state: "running",
      health: "starting",
      created: "2026-11-26T09:21:35",
      networkMode: "app",
      networks: [{ name: "app", ipv4: "10.0.0.2", ipv6: "" }],
      ports: [1883, 8080],
      bindings: [{ port: 1883, hostIp: "127.0.0.1", hostPort: 2883 }],
    });
    expect(listed({ ...docker, Ports: [] }).container).toBeNull();
    expect(listed({ ...docker, HostConfig: undefined }).container).toBeNull();
    expect(listed({ ...docker, Ports: [], State: "exited" }).container).toMatchObject({ health: null, ports: [] });
  });

  test("what is no container is left out, and what is no list is an error", () => {
    expect(readList([null, 1, {}, { Id: "2", Names: null, Labels: null, NetworkSettings: null }])).toHaveLength(1);
    expect(() => readList({ message: "no" })).toThrow();
  });
});
