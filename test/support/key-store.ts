// A store with a key for each value, as the suite of all providers changes it.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Engine } from "../../src/providers/engine.ts";
import { BackOff } from "../../src/providers/pause.ts";
import { RemoteProvider } from "../../src/providers/remote.ts";
import type { Store } from "./provider-suite.ts";
import { waitFor } from "./tools.ts";

export interface KeyServer {
  readonly port: number;
  /** One transaction: what has a value is put, what is null is deleted. */
  change(changes: Readonly<Record<string, string | null>>): Promise<void>;
  kill(): Promise<void>;
  /** Starts it with what it had, or with nothing. */
  run(emptied?: boolean): Promise<void>;
}

let roots = 0;

/** `engine` makes one that reads below a root key. `left`: connections of the engine end when it is closed. */
export function keyStore(name: string, server: KeyServer, engine: (rootKey: string) => Engine, left: boolean): Store {
  // One that was on its way when its server was killed may come through later, and stay for a while.
  const before = left ? connectionsTo(server.port) : 0;
  const root = `suites/${name}${++roots}`;
  const services = new Map<string, string>();
  const of = (entry: string) => services.get(entry) ?? entry;
  const address = (service: string) => `${root}/tcp/services/${service}/loadbalancer/servers/0/address`;
  const oops = (service: string) => `${root}/tcp/services/${service}/oops`;
  /** What is there: a store may refuse to delete what is not. */
  const there = new Set<string>();
  const change = async (changes: Readonly<Record<string, string | null>>) => {
    const list = Object.entries(changes).filter(([key, value]) => value !== null || there.has(key));
    for (const [key, value] of list)
      if (value === null) there.delete(key);
      else there.add(key);
    await server.change(Object.fromEntries(list));
  };
  return {
    kind: "parts",
    several: true,
    provider: (cache) =>
      new RemoteProvider(engine(root), {
        entryPoints: new Set(["mqtts"]),
        cache: cache ?? null,
        once: false,
        backOff: new BackOff(20),
      }),
    put: async (entry, [service]) => {
      const former = of(entry);
      services.set(entry, service!);
      const gone = former === service ? {} : { [address(former)]: null };
      await change({ ...gone, [oops(former)]: null, [address(service!)]: "127.0.0.1:1883" });
    },
    spoil: (entry) => change({ [oops(of(entry))]: "1" }),
    remove: (entry) => change({ [address(of(entry))]: null, [oops(of(entry))]: null }),
    hide: () => server.kill(),
    show: () => server.run(),
    showEmpty: async () => {
      there.clear();
      await server.run(true);
    },
    placeOf: (entry) => `${name} ${root}/tcp/services/${of(entry)}/`,
    ...(left && {
      left: async () => {
        await waitFor("connections to end", () => connectionsTo(server.port) <= before, 5000).catch(() => {});
        return connectionsTo(server.port) <= before ? [] : ["a connection"];
      },
    }),
  };
}

/** Open TCP connections of this process to a port. */
function connectionsTo(port: number): number {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const own = new Set(readdirSync("/proc/self/fd").map(socketOf));
  return ["tcp", "tcp6"]
    .flatMap((file) => readFileSync(`/proc/net/${file}`, "utf8").split("\n"))
    .map((line) => line.trim().split(/\s+/))
    .filter((each) => each[2]?.endsWith(wanted) && each[3] === "01" && own.has(each[9]!)).length;
}

function socketOf(fd: string): string {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1] ?? "";
  } catch {
    return "";
  }
}
