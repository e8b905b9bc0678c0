// The image that the Dockerfile makes, run as a cautious operator runs it: nobody's user, a root file system that cannot be written, no
// capabilities, no new privileges.

import { expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Authority, type Pair } from "../support/certs.ts";
import { tcpClient, tlsClient } from "../support/clients.ts";
import { readCompose } from "../support/compose.ts";
import { mosquittoArguments, mosquittoPub, mqttClient, received } from "../support/mqtt.ts";
import { buildImage, Container, IMAGE, mosquittoImage, network, podman, tryPodman } from "../support/podman.ts";
import { ROOT } from "../support/sluice.ts";
import { exec, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

/** Bun itself is 102 MiB of it. */
const MAX_IMAGE_BYTES = 125 * 1024 * 1024;
/** From `podman run` to a health check that succeeds. */
const MAX_START_MS = 5000;
/** `podman stop`, when no connection is open. */
const MAX_STOP_MS = 3000;
const HARDENED = ["--read-only", "--cap-drop=all", "--security-opt=no-new-privileges"];
/** As in the compose file, so that one stand-in does for both. */
const BROKER_IMAGE = readCompose(join(ROOT, "deploy/compose/compose.yml")).services.mosquitto!.image;
const NETWORK = "sluice-image";

const STATIC = `entryPoints:
  mqtts:
    address: ":8883"
providers: { file: { directory: /etc/sluice/routes } }
ping: {}
accessLog: {}
log: { level: debug }
workers: 1
`;

const routes = (rule = "HostSNI(`*`)") => `tcp:
  routers:
    mqtt: { rule: "${rule}", service: broker, tls: {} }
  services:
    broker: { loadBalancer: { servers: [ { address: "broker:1883" } ] } }
tls:
  certificates:
    - { certFile: routes/tls.crt, keyFile: routes/tls.key }
`;

await Promise.all([buildImage(), mosquittoImage(BROKER_IMAGE)]);
const authority = await Authority.create();
await network(NETWORK);
await broker();

async function broker(): Promise<void> {
  const config = temporaryDirectory();
  chmodSync(config, 0o755);
  writeFileSync(join(config, "mosquitto.conf"), "listener 1883\nallow_anonymous true\n");
  const mounted = `--volume=${config}:/mosquitto/config:ro`;
  await (await Container.run("broker", [`--network=${NETWORK}`, mounted, BROKER_IMAGE])).logged("running");
}

/** Files that any user may read: that is what a mounted secret looks like to a container that is not root. */
function put(directory: string, pair: Pair, text: string): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "routes.yml"), text);
  copyFileSync(pair.cert, join(directory, "tls.crt"));
  copyFileSync(pair.key, join(directory, "tls.key"));
  chmodSync(join(directory, "tls.key"), 0o644);
}

/** A directory to mount at /etc/sluice. */
function configuration(pair: Pair, text = routes()): string {
  const directory = temporaryDirectory();
  chmodSync(directory, 0o755);
  writeFileSync(join(directory, "sluice.yml"), STATIC);
  put(join(directory, "routes"), pair, text);
  return directory;
}

async function sluice(name: string, directory: string, args: readonly string[] = []) {
  const port = await freePort();
  const container = await Container.run(name, [
    ...HARDENED,
    `--network=${NETWORK}`,
    `--publish=127.0.0.1:${port}:8883`,
    `--volume=${directory}:/etc/sluice:ro`,
    ...args,
    IMAGE,
  ]);
  await container.untilHealthy();
  return { container, endpoint: { port, ca: authority.cert } };
}

async function serialAt(port: number): Promise<string> {
  const socket = await tlsClient(port, { ca: readFileSync(authority.cert, "utf8") });
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

test("a message goes through the container, to a broker that it knows by name", async () => {
  const { endpoint, container } = await sluice("message", configuration(await authority.issue()));
  const subscriber = exec(["mosquitto_sub", ...mosquittoArguments(endpoint), "-t", "a", "-C", "1", "-W", "20"]);
  const routed = () => container.logs().then((log) => log.includes('"server":"broker:1883"'));
  // Retained: it does not matter who comes first.
  expect(await mosquittoPub(endpoint, "-t", "a", "-m", "through the image", "-r")).toMatchObject({ code: 0 });
  expect(await subscriber).toMatchObject({ code: 0, stdout: "through the image\n" });
  await waitFor("the access log", routed);
});

test("it runs without root, capabilities or a file system to write to", async () => {
  const { container } = await sluice("nobody", configuration(await authority.issue()));
  const master = await container.pid();
  const workers = Bun.spawnSync(["pgrep", "-P", String(master)])
    .stdout.toString()
    .trim()
    .split("\n");
  expect(workers).toHaveLength(1);
  for (const pid of [master, ...workers]) {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    expect(status).toMatch(/^Uid:\t65532\t65532\t65532\t65532$/m);
    expect(status).toMatch(/^Gid:\t65532\t65532\t65532\t65532$/m);
    expect(status).toMatch(/^CapEff:\t0+$/m);
    expect(status).toMatch(/^CapBnd:\t0+$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(readFileSync(`/proc/${pid}/mountinfo`, "utf8")).toMatch(/^\S+ \S+ \S+ \S+ \/ ro,/m);
  }
});

test("it runs as any user", async () => {
  const { container, endpoint } = await sluice("anyone", configuration(await authority.issue()), ["--user=1234"]);
  expect(readFileSync(`/proc/${await container.pid()}/status`, "utf8")).toMatch(/^Uid:\t1234\t1234\t1234\t1234$/m);
  expect(await mosquittoPub(endpoint, "-t", "b", "-m", "x")).toMatchObject({ code: 0 });
});

test("it is healthy soon after its start, and not while it stops", async () => {
  const start = performance.now();
  const { container, endpoint } = await sluice("health", configuration(await authority.issue()));
  const took = performance.now() - start;
  console.log(`from podman run to healthy: ${Math.round(took)} ms`);
  expect(took).toBeLessThan(MAX_START_MS);
  expect(await container.inspect("{{.State.Health.Status}}")).toBe("healthy");
  await mqttClient(endpoint);
  await container.signal("TERM");
  await waitFor("the health check to fail", async () => !(await container.healthy()));
});

test("a change in the mounted directory is used at once, and open connections stay", async () => {
  const [first, second] = [await authority.issue(), await authority.issue()];
  const directory = configuration(first);
  const { endpoint } = await sluice("reload", directory);
  const before = await serialAt(endpoint.port);
  const client = await mqttClient(endpoint);
  put(join(directory, "routes"), second, routes());
  await waitFor("the new certificate", async () => (await serialAt(endpoint.port)) !== before);
  await client.mqtt.subscribeAsync("still-open");
  await client.mqtt.publishAsync("still-open", "yes");
  expect(String((await received(client, "still-open")).payload)).toBe("yes");
});

test("a directory that is replaced as Kubernetes does it is used at once", async () => {
  const [first, second] = [await authority.issue(), await authority.issue()];
  const directory = configuration(first);
  const mounted = join(directory, "routes");
  rmSync(mounted, { recursive: true });
  put(join(mounted, "..1"), first, routes());
  symlinkSync("..1", join(mounted, "..data"));
  for (const name of ["routes.yml", "tls.crt", "tls.key"]) symlinkSync(`..data/${name}`, join(mounted, name));
  const { endpoint, container } = await sluice("kubernetes", directory);
  const before = await serialAt(endpoint.port);
  const swap = (name: string) => {
    symlinkSync(name, join(mounted, "..data_tmp"));
    renameSync(join(mounted, "..data_tmp"), join(mounted, "..data"));
  };

  put(join(mounted, "..2"), second, routes());
  swap("..2");
  rmSync(join(mounted, "..1"), { recursive: true });
  await waitFor("the new certificate", async () => (await serialAt(endpoint.port)) !== before);

  // And once more: what is watched now is another directory.
  put(join(mounted, "..3"), second, routes("HostSNI(`other`)"));
  swap("..3");
  rmSync(join(mounted, "..2"), { recursive: true });
  await waitFor("the new route", () =>
    serialAt(endpoint.port).then(
      () => false,
      () => true,
    ),
  );
  expect(await container.logs()).not.toContain("is not loaded");
});

test("after SIGTERM an open connection may finish, no new one begins, and the exit code is 0", async () => {
  const { container, endpoint } = await sluice("drain", configuration(await authority.issue()));
  const client = await mqttClient(endpoint);
  await client.mqtt.subscribeAsync("late");
  const ended = container.ended();
  await container.signal("TERM");
  await container.logged("stopping: no new connections");
  await waitFor("new connections to be refused", () =>
    tcpClient(endpoint.port).then(
      (socket) => void socket.destroy(),
      () => true,
    ),
  );
  await client.mqtt.publishAsync("late", "still served", { qos: 1 });
  expect(String((await received(client, "late")).payload)).toBe("still served");
  const closed = performance.now();
  await client.mqtt.endAsync();
  expect(await ended).toBe(0);
  expect(performance.now() - closed).toBeLessThan(MAX_STOP_MS);
});

test("stopping it is quick when no connection is open", async () => {
  const { container } = await sluice("stop", configuration(await authority.issue()));
  const start = performance.now();
  await podman(["stop", "--time=30", container.name]);
  const took = performance.now() - start;
  console.log(`podman stop: ${Math.round(took)} ms`);
  expect(took).toBeLessThan(MAX_STOP_MS);
  expect(await container.ended()).toBe(0);
});

test("check says whether a configuration is sound", async () => {
  const directory = configuration(await authority.issue());
  const check = () => tryPodman(["run", "--rm", ...HARDENED, `--volume=${directory}:/etc/sluice:ro`, IMAGE, "check"]);
  expect(await check()).toMatchObject({ code: 0 });
  writeFileSync(join(directory, "routes/routes.yml"), routes().replace("rule:", "rulle:"));
  const { code, stderr } = await check();
  expect(code).toBe(1);
  expect(stderr).toContain("/etc/sluice/routes/routes.yml:3:");
});

test("it has no shell and no file that it does not need", async () => {
  const { code } = await tryPodman(["run", "--rm", "--entrypoint=/bin/sh", IMAGE, "-c", "true"]);
  expect(code).toBe(127);
  await podman(["create", "--name=files", IMAGE]);
  const archive = join(temporaryDirectory(), "files.tar");
  await podman(["export", `--output=${archive}`, "files"]);
  await podman(["rm", "files"]);
  const { stdout } = await exec(["tar", "-tf", archive]);
  const files = stdout.split("\n").filter((path) => path !== "" && !path.endsWith("/"));
  // What engines put there themselves, for their mounts.
  const theirs = /^(dev|proc|sys|run)\/|^etc\/(hosts|hostname|resolv\.conf|mtab)$/;
  const names = files.filter((path) => !theirs.test(path)).map((path) => path.replace(/^lib.*\/(?=[^/]+$)/, "lib/"));
  expect(names.sort()).toEqual([
    "etc/group",
    "etc/nsswitch.conf",
    "etc/passwd",
    expect.stringMatching(/^lib\/ld-linux/),
    "lib/libc.so.6",
    "lib/libdl.so.2",
    "lib/libgcc_s.so.1",
    "lib/libm.so.6",
    "lib/libpthread.so.0",
    "licenses/LICENSE",
    "usr/bin/sluice",
  ]);
});

test("it is small, and says what it is", async () => {
  const [image] = JSON.parse(await podman(["image", "inspect", IMAGE]));
  console.log(`image: ${(image.Size / 1024 / 1024).toFixed(1)} MiB`);
  expect(image.Size).toBeLessThan(MAX_IMAGE_BYTES);
  const { version, description, license } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  expect(image.Config.Labels).toMatchObject({
    "org.opencontainers.image.title": "Sluice",
    "org.opencontainers.image.description": description,
    "org.opencontainers.image.version": version,
    "org.opencontainers.image.licenses": license,
  });
  expect(image.Config).toMatchObject({
    User: "65532:65532",
    ExposedPorts: { "8883/tcp": {} },
    StopSignal: "SIGTERM",
    Entrypoint: ["/usr/bin/sluice"],
    Cmd: ["run"],
  });
});
