// A real Docker daemon, or Podman's service, of the test's own: with storage, sockets and networks that are gone afterwards. Both speak the
// same API, so containers are made by it. Their image has Debian's Mosquitto and nothing else, put together from this machine's files.

import { describe } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Subprocess } from "bun";
import { cleanup, exec, waitFor } from "./tools.ts";

const PROGRAMS = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto_pub", "/usr/bin/mosquitto_sub"];
export const IMAGE = "localhost/broker";
/** There is nothing in it: containers of it are made in no time, and never started. */
const EMPTY_IMAGE = "localhost/empty";

/** A network of each daemon, as its containers know it. */
export const BRIDGE = "brokers";

export interface NewContainer {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** A network's name, `none`, `host` or `container:NAME`; otherwise BRIDGE. */
  readonly network?: string;
  /** A health check that publishes a message, so often in milliseconds. */
  readonly healthEveryMs?: number;
  readonly published?: Readonly<Record<string, { readonly HostIp: string; readonly HostPort: string }>>;
  /** Instead of the broker. */
  readonly command?: readonly string[];
  /** It is created and not started. */
  readonly isIdle?: boolean;
}

/**
 * A daemon, and `describe` for tests with it. On a machine that has the programs and cannot run containers, as within some containers, these
 * tests are left out, and it is said why.
 */
export async function daemonFor<T extends ContainerDaemon>(
  start: () => Promise<T>,
): Promise<{ readonly daemon: T; readonly withContainers: typeof describe | typeof describe.skip }> {
  try {
    const daemon = await start();
    await daemon.run({ name: "probe" });
    await daemon.remove("probe");
    return { daemon, withContainers: describe };
  } catch (error) {
    // A program that is not installed is a mistake, and not a property of the machine.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw error;
    console.error(
      `LEFT OUT: this machine cannot run containers, so nothing is tested with them: ${(error as Error).message}`,
    );
    return { daemon: null as never, withContainers: describe.skip };
  }
}

export abstract class ContainerDaemon {
  readonly directory: string;
  readonly socket: string;
  /** `docker` and `podman` have their own words and ways here and there. */
  abstract readonly kind: "docker" | "podman";
  #process: Subprocess | null = null;

  protected constructor() {
    // Not below TMPDIR, which may be memory.
    this.directory = mkdtempSync("/var/tmp/sluice-containers-");
    this.socket = join(this.directory, "run/docker.sock");
    mkdirSync(dirname(this.socket));
    cleanup(() => this.#clean());
  }

  get endpoint(): string {
    return `unix://${this.socket}`;
  }

  protected abstract command(): { readonly command: readonly string[]; readonly env: Readonly<Record<string, string>> };

  /** Starts it, with the image and the network in it. @throws with its log when it does not come up. */
  async start(): Promise<void> {
    await this.resume();
    await this.#import();
    await this.post("/networks/create", { Name: BRIDGE });
  }

  /** Starts it again, with what it had. */
  async resume(): Promise<void> {
    const { command, env } = this.command();
    const log = Bun.file(join(this.directory, "log"));
    const child = Bun.spawn([...command], { stdio: ["ignore", log, log], env: { ...process.env, ...env } });
    this.#process = child;
    await waitFor(
      "the daemon to answer",
      async () => {
        if (child.exitCode !== null)
          throw new Error(`${command[0]} ended:\n${readFileSync(join(this.directory, "log"), "utf8").slice(-2000)}`);
        return existsSync(this.socket) && (await this.get("/_ping").catch(() => null)) !== null;
      },
      60_000,
    );
  }

  /** Ends it; containers may go on. */
  async suspend(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    this.#process?.kill(signal);
    await this.#process?.exited;
    this.#process = null;
  }

  async ask(method: string, path: string, body?: object | Uint8Array): Promise<Response> {
    const isBytes = body instanceof Uint8Array;
    return fetch(`http://daemon${path === "/_ping" ? "" : "/v1.41"}${path}`, {
      method,
      unix: this.socket,
      keepalive: false,
      ...(body === undefined ? {} : { body: isBytes ? body : JSON.stringify(body) }),
      headers: { "Content-Type": isBytes ? "application/x-tar" : "application/json" },
    } as RequestInit);
  }

  /** @throws when it refuses. */
  async #answer(method: string, path: string, body?: object | Uint8Array): Promise<string> {
    const response = await this.ask(method, path, body);
    const text = await response.text();
    // What is so already: 304.
    if (!response.ok && response.status !== 304) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text;
  }

  get(path: string): Promise<string> {
    return this.#answer("GET", path);
  }

  post(path: string, body?: object | Uint8Array): Promise<string> {
    return this.#answer("POST", path, body);
  }

  async delete(path: string): Promise<void> {
    const response = await this.ask("DELETE", path);
    await response.text();
    if (!response.ok && response.status !== 404) throw new Error(`DELETE ${path}: ${response.status}`);
  }

  /** Makes a container and starts it. @returns its id. */
  async run({
    name,
    labels = {},
    network = BRIDGE,
    healthEveryMs,
    published = {},
    command,
    isIdle = false,
  }: NewContainer): Promise<string> {
    const interval = (healthEveryMs ?? 0) * 1e6;
    const made = await this.post(`/containers/create?name=${name}`, {
      Image: isIdle ? EMPTY_IMAGE : IMAGE,
      Labels: labels,
      ...(command !== undefined && { Entrypoint: command }),
      ...(!network.startsWith("container:") && { ExposedPorts: { "1883/tcp": {} } }),
      ...(healthEveryMs !== undefined && {
        Healthcheck: {
          Test: ["CMD", "/usr/bin/mosquitto_pub", "-t", "health", "-m", "", "-q", "1"],
          Interval: interval,
          Timeout: 1e9,
          Retries: 1,
          StartPeriod: 0,
        },
      }),
      HostConfig: {
        NetworkMode: network,
        PortBindings: Object.fromEntries(Object.entries(published).map(([port, binding]) => [port, [binding]])),
      },
    });
    const { Id } = JSON.parse(made) as { Id: string };
    if (!isIdle) await this.post(`/containers/${Id}/start`);
    return Id;
  }

  /** The process of a container, as this machine sees it. */
  async signal(name: string, signal: NodeJS.Signals): Promise<void> {
    process.kill((await this.inspect(name)).State.Pid, signal);
  }

  async remove(name: string): Promise<void> {
    await this.delete(`/containers/${name}?force=true&v=true`);
  }

  /** What is known of it by its own API, as JSON. */
  async json<T>(path: string): Promise<T> {
    return JSON.parse(await this.get(path)) as T;
  }

  async inspect(name: string): Promise<{
    State: { Pid: number; Health?: { Status: string } };
    NetworkSettings: { Networks: Record<string, { IPAddress: string }> };
  }> {
    return JSON.parse(await this.get(`/containers/${name}/json`));
  }

  async address(name: string, network = BRIDGE): Promise<string> {
    return (await this.inspect(name)).NetworkSettings.Networks[network]!.IPAddress;
  }

  async #import(): Promise<void> {
    const tree = join(this.directory, "image");
    const libraries = await exec(["ldd", ...PROGRAMS]);
    const files = new Set([...PROGRAMS, ...(libraries.stdout.match(/\/\S+\.so\S*/g) ?? [])]);
    for (const file of files) {
      const path = join(tree, file.replace(/:$/, ""));
      mkdirSync(dirname(path), { recursive: true });
      copyFileSync(file.replace(/:$/, ""), path);
    }
    mkdirSync(join(tree, "etc"), { recursive: true });
    writeFileSync(join(tree, "etc/passwd"), "root:x:0:0::/:/\nmosquitto:x:1883:1883::/:/\n");
    writeFileSync(join(tree, "etc/mosquitto.conf"), "listener 1883 0.0.0.0\nallow_anonymous true\nuser root\n");
    await this.#importTree(IMAGE, tree, [
      "EXPOSE 1883",
      'ENTRYPOINT ["/usr/sbin/mosquitto","-c","/etc/mosquitto.conf"]',
    ]);
    const empty = join(this.directory, "empty");
    mkdirSync(empty);
    writeFileSync(join(empty, "nothing"), "");
    await this.#importTree(EMPTY_IMAGE, empty, ['ENTRYPOINT ["/nothing"]']);
  }

  async #importTree(image: string, tree: string, changes: readonly string[]): Promise<void> {
    const tar = Bun.spawnSync(["tar", "-C", tree, "-c", "."], { stdout: "pipe" }).stdout;
    const query = changes.map((change) => `&changes=${encodeURIComponent(change)}`).join("");
    await this.post(`/images/create?fromSrc=-&repo=${image}&tag=latest${query}`, tar);
  }

  /** Takes away whatever is left, also after a test that has failed. */
  async #clean(): Promise<void> {
    if (this.#process === null) await this.resume().catch(() => {});
    await this.takeDown().catch(() => {});
    await this.suspend();
    // What watches over containers outlives a daemon that was killed.
    const found = await exec(["pgrep", "-f", this.directory]);
    for (const pid of found.stdout.split("\n").filter(Boolean)) process.kill(Number(pid), "SIGKILL");
    const mounts = readFileSync("/proc/mounts", "utf8").split("\n");
    const own = mounts.map((line) => line.split(" ")[1] ?? "").filter((path) => path.startsWith(this.directory));
    for (const path of own.sort().reverse()) await exec(["umount", "-l", path]);
    rmSync(this.directory, { recursive: true, force: true });
  }

  protected async takeDown(): Promise<void> {
    const containers = JSON.parse(await this.get("/containers/json?all=1")) as { Id: string }[];
    await Promise.all(containers.map(({ Id }) => this.remove(Id)));
    const networks = JSON.parse(await this.get("/networks")) as { Id: string; Name: string }[];
    const own = networks.filter(({ Name }) => !["bridge", "host", "none", "podman", "ingress"].includes(Name));
    for (const { Id } of own) await this.delete(`/networks/${Id}`);
  }
}

/** What a daemon asks of its clients over TCP. */
export interface DaemonTls {
  readonly port: number;
  /** Paths. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Debian's docker.io: it needs root, and no rules of a firewall, for nothing but this machine reaches its containers. */
export class Dockerd extends ContainerDaemon {
  readonly kind = "docker";
  readonly #tls: DaemonTls | null;

  private constructor(tls: DaemonTls | null) {
    super();
    this.#tls = tls;
  }

  /** With `tls` it listens on 127.0.0.1 too. */
  static async start(tls: DaemonTls | null = null): Promise<Dockerd> {
    const daemon = new Dockerd(tls);
    await daemon.start();
    return daemon;
  }

  protected command() {
    const at = (name: string) => join(this.directory, name);
    const tls = this.#tls;
    return {
      command: [
        "/usr/sbin/dockerd",
        ...(tls === null ? [] : [`--host=tcp://127.0.0.1:${tls.port}`, "--tlsverify"]),
        ...(tls === null ? [] : [`--tlscacert=${tls.ca}`, `--tlscert=${tls.cert}`, `--tlskey=${tls.key}`]),
        ...[
          `--data-root=${at("data")}`,
          `--exec-root=${at("exec")}`,
          `--pidfile=${at("pid")}`,
          `--host=${this.endpoint}`,
        ],
        ...["--storage-driver=vfs", "--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"],
      ],
      env: {},
    };
  }

  protected override async takeDown(): Promise<void> {
    await this.post("/swarm/leave?force=true").catch(() => {});
    await super.takeDown();
  }
}

/** Podman's service with settings for a machine without systemd. */
export class PodmanService extends ContainerDaemon {
  readonly kind = "podman";

  static async start(): Promise<PodmanService> {
    const daemon = new PodmanService();
    await daemon.start();
    return daemon;
  }

  protected command() {
    const at = (name: string) => join(this.directory, name);
    writeFileSync(
      at("containers.conf"),
      `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=1000:1000"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
runtime = "runc"
[network]
network_backend = "netavark"
`,
    );
    return {
      command: [
        "/usr/bin/podman",
        ...[
          `--root=${at("data")}`,
          `--runroot=${at("exec")}`,
          `--tmpdir=${at("tmp")}`,
          `--network-config-dir=${at("net")}`,
        ],
        ...["--storage-driver=vfs", "system", "service", "--time=0", this.endpoint],
      ],
      env: { CONTAINERS_CONF: at("containers.conf") },
    };
  }
}
