// Real containers: the image built from the Dockerfile, stand-ins for the images that cannot be pulled, and what runs in them.
// `scripts/run-image-tests` makes the podman that is used here, and takes it away again.

import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "./sluice.ts";
import { cleanup, exec, type Finished, temporaryDirectory, waitFor } from "./tools.ts";

const CACHE = join(ROOT, ".cache/image-tests");
export const COMPOSE_SCHEMA = join(CACHE, "compose.schema.json");
const BUILD_TIMEOUT_MS = 300_000;

/** Runs podman to its end, whatever comes of it. */
export function tryPodman(args: readonly string[], timeoutMs = 60_000): Promise<Finished> {
  const podman = process.env.TEST_PODMAN;
  if (podman === undefined) throw new Error("these tests are run by: npm run test:image");
  return exec([podman, ...args], { timeoutMs });
}

/** What podman prints; it has to succeed. */
export async function podman(args: readonly string[], timeoutMs?: number): Promise<string> {
  const { code, stdout, stderr } = await tryPodman(args, timeoutMs);
  if (code !== 0) throw new Error(`podman ${args.join(" ")}: ${stderr}${stdout}`);
  return stdout.trim();
}

export const IMAGE = "localhost/sluice:test";
let built: Promise<void> | null = null;

/** Builds the Dockerfile, once for all test files. */
export function buildImage(): Promise<void> {
  built ??= (async () => {
    const dockerfile = readFileSync(join(ROOT, "Dockerfile"), "utf8");
    const base = /^FROM (\S+) AS build$/m.exec(dockerfile)?.[1];
    await podman(["import", join(CACHE, "node.tar"), `docker.io/library/${base}`], BUILD_TIMEOUT_MS);
    const settings = (process.env.TEST_PODMAN_BUILD ?? "").split(" ").filter(Boolean);
    await podman(
      ["build", "--isolation=chroot", "--format=docker", "--network=host", ...settings, `--tag=${IMAGE}`, ROOT],
      BUILD_TIMEOUT_MS,
    );
  })();
  return built;
}

const changes = [
  "WORKDIR /",
  "EXPOSE 1883",
  'ENTRYPOINT ["/usr/sbin/mosquitto"]',
  'CMD ["-c", "/mosquitto/config/mosquitto.conf"]',
];
const imported = new Map<string, Promise<unknown>>();

/** Debian's Mosquitto under the name of the image that it stands for: same directories, same user, same default command. */
export function mosquittoImage(name: string): Promise<unknown> {
  const options = changes.flatMap((change) => ["--change", change]);
  const full = `docker.io/library/${name}`;
  if (!imported.has(full))
    imported.set(full, podman(["import", ...options, join(CACHE, "mosquitto.tar"), full], BUILD_TIMEOUT_MS));
  return imported.get(full)!;
}

/**
 * Debian's HAProxy under the name of a socket proxy: it lets through what that one's variables name, and GET alone. Its API is the same; what
 * else is in the other one's image is not tested here.
 */
export async function socketProxyImage(name: string): Promise<void> {
  const tree = temporaryDirectory();
  const libraries = await exec(["ldd", "/usr/sbin/haproxy"]);
  for (const file of ["/usr/sbin/haproxy", ...(libraries.stdout.match(/\/\S+\.so\S*/g) ?? [])]) {
    const path = join(tree, file);
    mkdirSync(dirname(path), { recursive: true });
    copyFileSync(file, path);
  }
  const allowed = ["containers", "events", "_ping", "version"].map((section) => {
    const variable = section.replace("_", "").toUpperCase();
    return `  http-request allow if { path -m reg ^(/v[0-9.]+)?/${section} } { env(${variable}) -m bool }`;
  });
  mkdirSync(join(tree, "etc"), { recursive: true });
  writeFileSync(
    join(tree, "etc/haproxy.cfg"),
    `defaults
  mode http
  timeout connect 10s
  timeout client 10m
  timeout server 10m
frontend proxy
  bind :2375
  http-request deny unless METH_GET
${allowed.join("\n")}
  http-request deny
  default_backend daemon
backend daemon
  server daemon unix@/var/run/docker.sock
`,
  );
  const tar = join(temporaryDirectory(), "proxy.tar");
  await exec(["tar", "-C", tree, "-cf", tar, "."]);
  const command = 'ENTRYPOINT ["/usr/sbin/haproxy", "-db", "-f", "/etc/haproxy.cfg"]';
  const options = [command, "ENV EVENTS=1", "ENV PING=1", "ENV VERSION=1"].flatMap((change) => ["--change", change]);
  await podman(["import", ...options, tar, `docker.io/${name}`], BUILD_TIMEOUT_MS);
}

/** The API of the podman that is used here, at a socket. @returns its path */
export async function podmanSocket(): Promise<string> {
  const socket = join(temporaryDirectory(), "docker.sock");
  const command = [process.env.TEST_PODMAN!, "system", "service", "--time=0", `unix://${socket}`];
  const service = Bun.spawn(command, { stdio: ["ignore", "ignore", "ignore"] });
  cleanup(() => service.kill());
  await waitFor("podman's API", () => existsSync(socket));
  return socket;
}

/** A bridge with DNS for the names of its containers. */
export async function network(name: string, options: readonly string[] = []): Promise<string> {
  await podman(["network", "create", ...options, name]);
  cleanup(() => tryPodman(["network", "rm", "--force", name]));
  return name;
}

export class Container {
  readonly name: string;

  private constructor(name: string) {
    this.name = name;
  }

  /** @param args what follows `podman run --detach`, the image and its arguments included. */
  static async run(name: string, args: readonly string[]): Promise<Container> {
    const container = new Container(name);
    cleanup(() => container.remove());
    await podman(["run", "--detach", `--name=${name}`, ...args]);
    return container;
  }

  inspect(format: string): Promise<string> {
    return podman(["inspect", `--format=${format}`, this.name]);
  }

  /** In its network. */
  address(): Promise<string> {
    return this.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}");
  }

  pid(): Promise<number> {
    return this.inspect("{{.State.Pid}}").then(Number);
  }

  /** Standard output and error so far. */
  async logs(): Promise<string> {
    const { stdout, stderr } = await tryPodman(["logs", this.name]);
    return stdout + stderr;
  }

  async logged(text: string): Promise<void> {
    await waitFor(`"${text}" in the log of ${this.name}`, async () => {
      const log = await this.logs();
      if (!log.includes(text) && (await this.inspect("{{.State.Status}}")) === "exited") throw new Error(log);
      return log.includes(text);
    });
  }

  /** The image's health check, as an engine runs it. */
  healthy(): Promise<boolean> {
    return tryPodman(["healthcheck", "run", this.name]).then(({ code }) => code === 0);
  }

  async untilHealthy(): Promise<void> {
    await waitFor(`${this.name} to be healthy`, async () => {
      if ((await this.inspect("{{.State.Status}}")) !== "running") throw new Error(await this.logs());
      return this.healthy();
    });
  }

  signal(name: string): Promise<string> {
    return podman(["kill", `--signal=${name}`, this.name]);
  }

  /** Waits for its end; the exit code. */
  ended(): Promise<number> {
    return podman(["wait", this.name]).then(Number);
  }

  remove(): Promise<unknown> {
    return tryPodman(["rm", "--force", "--time=0", this.name]);
  }
}
