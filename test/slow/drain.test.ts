// A broker is taken out without a storm: a drained one gets nobody new, what is open there stays or goes as the configuration says, and a
// reload closes only what it has really removed.

import { beforeEach, expect, test } from "bun:test";
import { Authority } from "../support/certs.ts";
import { anyConnect } from "../support/connect-packet.ts";
import { opening } from "../support/first-packet.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { type Client, mqttClient, received } from "../support/mqtt.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });
const brokers = { a: await Mosquitto.start(), b: await Mosquitto.start() };

/** Each broker says by a retained message which one it is. */
for (const [name, { port }] of Object.entries(brokers)) {
  const { mqtt } = await mqttClient({ port });
  await mqtt.publishAsync("which", name, { retain: true, qos: 1 });
  await mqtt.endAsync();
}

let marks = 0;
interface Parts {
  readonly a?: string | null;
  readonly b?: string | null;
  readonly service?: string;
  readonly router?: string | null;
  readonly more?: string;
}

/** `a` and `b`: further fields of the servers; null: the server is not there. `router`: null: it is not there. */
function text({ a = "", b = "", service = "", router = "", more = "" }: Parts = {}): string {
  const server = (name: "a" | "b", fields: string | null) =>
    fields === null ? [] : [`{ address: "127.0.0.1:${brokers[name].port}"${fields} }`];
  const servers = [...server("a", a), ...server("b", b)].join(", ");
  const devices = `devices: { rule: "HostSNI(\`localhost\`)", service: brokers, tls: {}, middlewares: [gate]${router} }`;
  return `
tcp:
  middlewares: { gate: { mqttConnect: {} } }
  routers:
    ${router === null ? "" : devices}
    mark${++marks}: { rule: "HostSNI(\`mark${marks}.test\`)", service: brokers, tls: {} }
    ${more}
  services:
    brokers: { loadBalancer: { servers: [${servers}]${service} } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }`;
}

const sluice = await Sluice.start({ dynamic: text(), workers: 2 });

/** Makes it the configuration, and waits until it is in force, or refused. */
async function configure(config: string, outcome = "configuration loaded"): Promise<void> {
  const before = sluice.lines.filter(({ msg }) => msg.startsWith(outcome)).length;
  sluice.replace("dynamic.yml", config);
  await waitFor(outcome, () => sluice.lines.filter(({ msg }) => msg.startsWith(outcome)).length > before);
  if (outcome !== "configuration loaded") return;
  const version = sluice.lines.findLast(({ msg }) => msg === outcome)!.version;
  const inForce = () =>
    sluice.lines.filter(({ msg, ...each }) => msg === "snapshot in force" && each.version === version);
  await waitFor("both workers to have it", () => inForce().length === 2);
}

interface Device extends Client {
  readonly id: string;
  readonly broker: "a" | "b";
  readonly isClosed: boolean;
}

let devices = 0;
const all: Device[] = [];
const endpoint = { port: sluice.port, ca: authority.cert };

async function device(): Promise<Device> {
  const id = `device-${++devices}`;
  const client = await mqttClient(endpoint, { clientId: id });
  let isClosed = false;
  client.mqtt.on("close", () => (isClosed = true));
  await client.mqtt.subscribeAsync(["which", `to/${id}`], { qos: 1 });
  const broker = (await received(client, "which")).payload.toString() as "a" | "b";
  const made = Object.defineProperty({ ...client, id, broker }, "isClosed", {
    get: () => isClosed,
  }) as unknown as Device;
  all.push(made);
  return made;
}

/** As many as it takes until so many are with that broker. */
async function crowd(count: number, broker: "a" | "b"): Promise<Device[]> {
  const made: Device[] = [];
  for (let tries = 0; made.length < count; tries++) {
    if (tries > count * 20) throw new Error(`nobody comes to ${broker}`);
    const one = await device();
    if (one.broker === broker) made.push(one);
  }
  return made;
}

/** It sends, and gets back what it has sent. */
async function isAlive({ mqtt, id, messages, isClosed }: Device): Promise<boolean> {
  if (isClosed) return false;
  const count = messages.length;
  await mqtt.publishAsync(`to/${id}`, "x", { qos: 1 });
  await waitFor("its own message", () => messages.length > count);
  return true;
}

const reasonsOf = (some: readonly Device[]) =>
  some.map(({ id }) => sluice.accesses.find(({ clientId }) => clientId === id)?.reason ?? null);
const closedOf = (some: readonly Device[]) => some.filter(({ isClosed }) => isClosed);
const on = (broker: "a" | "b") => all.filter((each) => each.broker === broker && !each.isClosed);
const left = () => sluice.metric("sluice_drain_connections", { server: `127.0.0.1:${brokers.a.port}` });

beforeEach(async () => {
  await Promise.all(all.splice(0).map(({ mqtt }) => mqtt.endAsync(true)));
  await configure(text());
});

test("drain: true gets no new client; who is there stays, loses nothing, and the log says when the last one is gone", async () => {
  const stay = await crowd(3, "a");
  const count = on("a").length;
  await configure(text({ a: ", drain: true" }));
  await waitFor("the number of those that are left", async () => (await left()) === count);
  const line = await sluice.logged("draining a server");
  expect(line).toMatchObject({
    service: "brokers@file",
    server: `127.0.0.1:${brokers.a.port}`,
    live: "keep",
    left: count,
  });
  for (let i = 0; i < 8; i++) expect((await device()).broker).toBe("b");
  for (const each of stay) expect(await isAlive(each)).toBe(true);
  expect(sluice.lines.filter(({ msg }) => msg === "the server is drained")).toEqual([]);
  for (const each of on("a")) await each.mqtt.endAsync();
  await sluice.logged("the server is drained");
  expect(await left()).toBe(0);
  await configure(text());
  await crowd(1, "a");
});

test("drain: close closes those that are there, and no others; they come again to the other broker", async () => {
  const gone = await crowd(3, "a");
  const stay = await crowd(3, "b");
  gone[0]!.mqtt.options.reconnectPeriod = 1;
  await configure(text({ a: ", drain: close" }));
  await waitFor("all of them to be closed", () => closedOf(gone).length === 3);
  await waitFor("their lines", () => !reasonsOf(gone).includes(null));
  expect(reasonsOf(gone)).toEqual(["drained", "drained", "drained"]);
  expect(await sluice.metric("sluice_connections_total", { result: "drained" })).toBeGreaterThanOrEqual(3);
  await waitFor("the first to be there again", () => gone[0]!.mqtt.connected);
  const again = gone[0]!.messages.length;
  await gone[0]!.mqtt.subscribeAsync("which");
  await waitFor("its broker", () => gone[0]!.messages.length > again);
  expect(gone[0]!.messages.at(-1)!.payload.toString()).toBe("b");
  for (const each of stay) expect(await isAlive(each)).toBe(true);
});

test("drain: { spread: N } closes N in a second at most, over both workers, until none is left", async () => {
  const gone = await crowd(10, "a");
  const stay = on("b");
  const started = performance.now();
  let over = 0;
  for (const each of gone)
    each.mqtt.on("close", () => {
      // A slow machine makes the time longer, and never the number larger; the first, and a fifth of a second's share, may come at once.
      const allowed = 1 + 4 + (20 * (performance.now() - started)) / 1000;
      over = Math.max(over, closedOf(gone).length - allowed);
    });
  await configure(text({ a: ", drain: { spread: 20 }" }));
  await waitFor("all of them to be closed", () => closedOf(gone).length === gone.length);
  expect(over).toBe(0);
  await waitFor("their lines", () => !reasonsOf(gone).includes(null));
  expect(new Set(reasonsOf(gone))).toEqual(new Set(["drained"]));
  for (const each of stay) expect(await isAlive(each)).toBe(true);
});

test("a service whose servers are all drained tells clients so, and check warns", async () => {
  await configure(text({ a: ", drain: true", b: ", drain: true" }));
  const line = await waitFor("the warning", () => sluice.lines.find(({ code }) => code === "service-drained") ?? null);
  expect(line.msg).toContain("all of its 2 servers are drained");
  for (const [level, told] of [
    [4, "20020003"],
    [5, "2003008800"],
  ] as const) {
    const client = await opening(sluice.port, "localhost", anyConnect("nobody", { level }));
    expect(await client.closed()).toBe(told);
  }
  await sluice.access(({ clientId, reason }) => clientId === "nobody" && reason === "no-server");
});

test("a server that a reload takes out of its service is closed with onRemove: close, and kept without", async () => {
  const [gone, stay] = [await crowd(2, "a"), await crowd(2, "b")];
  await configure(text({ b: null, service: ", onRemove: close" }));
  await waitFor("those of b to be closed", () => closedOf(stay).length === 2);
  for (const each of gone) expect(await isAlive(each)).toBe(true);
  await waitFor("their lines", () => !reasonsOf(stay).includes(null));
  expect(reasonsOf(stay)).toEqual(["removed", "removed"]);
  await configure(text({ a: null }));
  for (const each of gone) expect(await isAlive(each)).toBe(true);
});

test("a mistake in the configuration closes nobody, whatever onRemove says", async () => {
  const remove = { service: ", onRemove: close", router: ", onRemove: close" };
  await configure(text(remove));
  const stay = [...(await crowd(2, "a")), ...(await crowd(2, "b"))];
  await configure("tcp: [", "the configuration is not loaded");
  await configure(text({ ...remove, service: ", onRemove: close, serversTransport: nobody" }));
  await configure(text({ ...remove, a: null, b: null, service: ", servers: []" }), "the configuration is not loaded");
  await configure(text(remove).replace("middlewares: [gate]", "middlewares: [nobody]"));
  await configure(text(remove).replaceAll("service: brokers", "service: broker"));
  await configure(text(remove).replace(`:${brokers.a.port}"`, ':no port"'));
  await configure(text(remove));
  for (const each of stay) expect(await isAlive(each)).toBe(true);
});

test("a router that a reload removes takes its clients with it with onRemove: close, and leaves them without", async () => {
  const kept = await crowd(1, "a");
  await configure(text({ router: null }));
  expect(await isAlive(kept[0]!)).toBe(true);
  await configure(text({ router: ", onRemove: { spread: 1000 }" }));
  const gone = await crowd(1, "b");
  await configure(text({ router: null }));
  await waitFor("it to be closed", () => closedOf(gone).length === 1);
  await waitFor("its line", () => !reasonsOf(gone).includes(null));
  expect(reasonsOf(gone)).toEqual(["removed"]);
});
