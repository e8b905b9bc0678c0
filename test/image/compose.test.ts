// The compose stack: Sluice and Mosquitto run for real, as deploy/compose/compose.yml says.

import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { allowed, mountedPaths, readCompose, runArguments } from "../support/compose.ts";
import { mosquittoArguments, mosquittoPub, mqttClient, received } from "../support/mqtt.ts";
import {
  buildImage,
  COMPOSE_SCHEMA,
  Container,
  IMAGE,
  mosquittoImage,
  network,
  podman,
  podmanSocket,
  socketProxyImage,
} from "../support/podman.ts";
import { ROOT } from "../support/sluice.ts";
import { cleanup, exec, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

const FILE = join(ROOT, "deploy/compose/compose.yml");
const PROJECT = "sluice-compose";
const compose = readCompose(FILE);
const services = compose.services as Record<"sluice" | "mosquitto" | "socket-proxy", (typeof compose.services)[string]>;
const { sluice, mosquitto } = services;
await buildImage();
await mosquittoImage(mosquitto.image);
await socketProxyImage(services["socket-proxy"].image);
for (const [name, options] of Object.entries(compose.networks))
  await network(`${PROJECT}_${name}`, options?.internal ? ["--internal"] : []);
cleanup(() => podman(["volume", "prune", "--force"]));

const port = await freePort();
const paths = new Map([["/var/run/docker.sock", await podmanSocket()]]);
const start = (name: keyof typeof services, substitutes = {}) =>
  Container.run(name, runArguments(FILE, name, services[name], { project: PROJECT, paths, ...substitutes }));
let broker = await start("mosquitto");
const proxy = await start("socket-proxy");
const edge = await start("sluice", { image: IMAGE, ports: new Map([["8883", port]]) });
await edge.untilHealthy();
const ca = join(temporaryDirectory(), "ca.crt");
await podman(["cp", "sluice:/var/lib/sluice/ca.crt", ca]);
const endpoint = { port, ca };

test("compose.yml is valid by the Compose specification", () => {
  // The one name of draft 7 that zod knows.
  const $schema = "http://json-schema.org/draft-07/schema#";
  const schema = z.fromJSONSchema({ ...JSON.parse(readFileSync(COMPOSE_SCHEMA, "utf8")), $schema });
  const { error } = schema.safeParse(compose);
  expect(error?.issues ?? []).toEqual([]);
});

test("every file that the stack mounts is in the repository", () => {
  for (const service of Object.values(compose.services))
    for (const path of mountedPaths(FILE, service))
      expect({ path, exists: existsSync(path) }).toEqual({ path, exists: true });
});

test("networks and volumes that services use are defined, and images have a version", () => {
  for (const service of Object.values(compose.services)) {
    for (const name of service.networks) expect(Object.keys(compose.networks)).toContain(name);
    for (const volume of service.volumes ?? [])
      if (/^[a-z]/.test(volume)) expect(Object.keys(compose.volumes)).toContain(volume.split(":")[0]!);
    if (service.build === undefined) expect(service.image).toMatch(/:v?\d+\.\d+\.\d+$/);
  }
});

test("only Sluice is published to others than this machine", () => {
  for (const [name, service] of Object.entries(compose.services))
    for (const published of service.ports ?? [])
      if (name === "sluice") expect(published).toBe("8883:8883");
      else expect(published).toStartWith("127.0.0.1:");
  expect(mosquitto.ports).toBeUndefined();
});

test("a message goes through the stack", async () => {
  const subscriber = exec(["mosquitto_sub", ...mosquittoArguments(endpoint), "-t", "hello", "-C", "1", "-W", "20"]);
  expect(await mosquittoPub(endpoint, "-t", "hello", "-m", "world", "-r")).toMatchObject({ code: 0 });
  expect(await subscriber).toMatchObject({ code: 0, stdout: "world\n" });
});

test("another broker is served as soon as it runs, by five labels", async () => {
  const labels = Object.entries(mosquitto.labels!).map(([label, value]) => {
    const own = label.replace(/\.mqtt\./, ".second.");
    return `--label=${own}=${value.replace("localhost", "127-0-0-1.example")}`;
  });
  expect(labels).toHaveLength(5);
  const { labels: _, ...rest } = mosquitto;
  const options = runArguments(FILE, "second", { ...rest, volumes: [rest.volumes![0]!] }, { project: PROJECT });
  await Container.run("second", [...labels, ...options]);
  const second = await waitFor("the second broker to be served", () =>
    mqttClient(endpoint, { servername: "127-0-0-1.example", rejectUnauthorized: false }).catch(() => null),
  );
  await second.mqtt.subscribeAsync("here");
  await second.mqtt.publishAsync("here", "second");
  expect(String((await received(second, "here")).payload)).toBe("second");
  await podman(["rm", "--force", "--time=0", "second"]);
});

test("the socket proxy lets Sluice ask, and nobody do anything", async () => {
  expect(await edge.logs()).not.toContain("provider-away");
  const post =
    'exec 3<>/dev/tcp/socket-proxy/2375; printf "POST /containers/sluice/stop HTTP/1.0\\r\\n\\r\\n" >&3; head -n 1 <&3';
  const answer = await podman([
    ...["run", "--rm", `--network=${PROJECT}_docker`, "--entrypoint=/bin/bash", mosquitto.image, "-c", post],
  ]);
  expect(answer).toContain("403");
  expect(compose.networks.docker).toEqual({ internal: true });
  expect(await podman(["port", proxy.name])).toBe("");
});

test("the broker is nowhere but in the network that it shares with Sluice", () => {
  const shared = Object.entries(compose.services).filter(([, { networks }]) => networks.includes("brokers"));
  expect(shared.map(([name]) => name)).toEqual(["sluice", "mosquitto"]);
  expect(mosquitto.networks).toEqual(["brokers"]);
  expect(compose.networks.brokers).toEqual({ internal: true });
});

test("Prometheus finds the figures at sluice:8080, and they are not published", async () => {
  expect(readFileSync(join(ROOT, "deploy/prometheus/prometheus.yml"), "utf8")).toContain("sluice:8080");
  const request = 'exec 3<>/dev/tcp/sluice/8080; printf "GET /metrics HTTP/1.0\\r\\n\\r\\n" >&3; cat <&3';
  const { networks } = compose.services.prometheus!;
  const answer = await podman([
    ...["run", "--rm", ...networks.map((name) => `--network=${PROJECT}_${name}`)],
    ...["--entrypoint=/bin/bash", mosquitto.image, "-c", request],
  ]);
  expect(answer).toContain('sluice_entrypoint_open_connections{entrypoint="mqtts"}');
  expect(await podman(["port", "sluice"])).toBe(`8883/tcp -> 127.0.0.1:${port}`);
});

test("Sluice may open as many descriptors as the file says", async () => {
  const limits = readFileSync(`/proc/${await edge.pid()}/limits`, "utf8");
  const { soft, hard } = sluice.ulimits!.nofile!;
  expect(limits).toMatch(new RegExp(`^Max open files +${allowed(soft)} +${allowed(hard)} `, "m"));
});

test("a broker that is recreated with another address is served there, while Sluice runs on", async () => {
  const before = await broker.address();
  const sluicePid = await edge.pid();
  const client = await mqttClient(endpoint);
  const lost = new Promise<void>((done) => client.mqtt.once("close", () => done()));
  await broker.remove();
  await lost;

  broker = await start("mosquitto");
  expect(await broker.address()).not.toBe(before);
  const started = performance.now();
  const again = await waitFor("a client to reach the new broker", () => mqttClient(endpoint).catch(() => null));
  console.log(`the broker's new address is found after ${Math.round(performance.now() - started)} ms`);
  await again.mqtt.subscribeAsync("again");
  await again.mqtt.publishAsync("again", "here");
  expect(String((await received(again, "again")).payload)).toBe("here");
  expect(await edge.pid()).toBe(sluicePid);
});
