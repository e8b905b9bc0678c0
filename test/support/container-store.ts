// A real daemon as a store of routes, for the suite that every provider passes: an entry is a container with labels. The containers are
// made and never started, so that fifty changes take no time.

import { rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { dockerEngine } from "../../src/providers/docker/make.ts";
import { BackOff } from "../../src/providers/pause.ts";
import { RemoteProvider } from "../../src/providers/remote.ts";
import type { ContainerDaemon } from "./container-daemon.ts";
import type { Store } from "./provider-suite.ts";

export const DEFAULTS = {
  httpClientTimeout: 30_000,
  exposedByDefault: true,
  constraints: "",
  watch: true,
  allowEmptyServices: false,
  useBindPortIP: false,
} as const;

/** The way to a daemon: another socket, which can be taken away with all that is connected by it. */
export class Way {
  readonly socket: string;
  readonly #to: string;
  readonly #open = new Set<Socket>();
  #server: Server | null = null;

  constructor(daemon: ContainerDaemon) {
    this.socket = join(daemon.directory, `way-${crypto.randomUUID().slice(0, 8)}.sock`);
    this.#to = daemon.socket;
  }

  get connections(): number {
    return this.#open.size / 2;
  }

  async open(): Promise<void> {
    const server = createServer((client) => {
      const daemon = connect(this.#to);
      for (const [from, to] of [
        [client, daemon],
        [daemon, client],
      ] as const) {
        this.#open.add(from);
        from.on("error", () => to.destroy());
        from.on("close", () => {
          this.#open.delete(from);
          to.destroy();
        });
        from.pipe(to);
      }
    });
    this.#server = server;
    await new Promise<void>((done) => server.listen(this.socket, done));
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    const closed = new Promise((done) => server.close(done));
    for (const each of this.#open) each.destroy();
    await closed;
    rmSync(this.socket, { force: true });
  }
}

export async function containerStore(daemon: ContainerDaemon): Promise<Store> {
  const way = new Way(daemon);
  await way.open();
  const made = new Set<string>();
  const labelsOf = (service: string, field: string) => ({
    "sluice.docker.allownonrunning": "true",
    [`sluice.tcp.services.${service}.loadbalancer.${field}`]: "1883",
  });
  const name = (entry: string) => `entry-${entry}`;
  /** As Compose does it: the former one goes when the new one is there. */
  const replace = async (entry: string, labels: Readonly<Record<string, string>>) => {
    const next = `${name(entry)}-next`;
    await daemon.run({ name: next, labels, network: "none", isIdle: true });
    await daemon.remove(name(entry));
    await daemon.post(`/containers/${next}/rename?name=${name(entry)}`);
    made.add(name(entry));
  };
  const empty = async () => {
    for (const each of made) await daemon.remove(each);
    made.clear();
  };
  return {
    kind: "parts",
    several: true,
    provider: (cache) =>
      new RemoteProvider(dockerEngine({ ...DEFAULTS, endpoint: `unix://${way.socket}` }), {
        entryPoints: new Set(["mqtts"]),
        cache: cache ?? null,
        once: false,
        backOff: new BackOff(10),
      }),
    put: (entry, [service]) => replace(entry, labelsOf(service!, "server.port")),
    spoil: (entry) => replace(entry, labelsOf(entry, "oops")),
    remove: async (entry) => {
      await daemon.remove(name(entry));
      made.delete(name(entry));
    },
    hide: () => way.close(),
    show: () => way.open(),
    showEmpty: async () => {
      await empty();
      await way.open();
    },
    placeOf: (entry) => `container ${name(entry)}`,
    left: async () => (way.connections === 0 ? [] : [`${way.connections} connections`]),
    end: async () => {
      await way.close();
      await empty();
    },
  };
}
