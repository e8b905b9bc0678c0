// The gate: a client's CONNECT is read before a broker sees anything. Who is refused is told by the protocol's own means, nothing is
// dialled for it, and who comes in comes in with every byte.

import { expect, test } from "bun:test";
import { Authority } from "../support/certs.ts";
import { anyConnect, type ConnectSays } from "../support/connect-packet.ts";
import { opening, recordingBroker } from "../support/first-packet.ts";
import { RawClient } from "../support/raw.ts";
import { Sluice } from "../support/sluice.ts";
import { freePort, waitFor } from "../support/tools.ts";

const CONNACK = Buffer.from("20020000", "hex");
const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });
const broker = await recordingBroker(CONNACK);
/** MQTT 5's, with Server Keep Alive 1. */
const strict = await recordingBroker(Buffer.from("2006000003130001", "hex"));
const nobody = await freePort();

const router = (name: string, middlewares: string, service = "broker") =>
  `    ${name}: { rule: "HostSNI(\`${name}.test\`)", service: ${service}, tls: {}, middlewares: [${middlewares}] }`;
const service = (name: string, port: number) => `    ${name}: { loadBalancer: { servers: [{ port: ${port} }] } }`;

const sluice = await Sluice.start({
  dynamic: `
tcp:
  middlewares:
    any: { mqttConnect: {} }
    quick: { mqttConnect: { timeout: 300ms } }
    small: { mqttConnect: { maxSize: 40 } }
    new: { mqttConnect: { versions: ["5"] } }
    old: { mqttConnect: { versions: ["3.1", "3.1.1"] } }
    ids: { mqttConnect: { clientId: { pattern: "dev-[0-9]+", maxLength: 8 } } }
    named: { mqttConnect: { clientId: { allowEmpty: false } } }
    lively: { mqttConnect: { maxKeepAlive: 60s } }
    clean: { mqttConnect: { cleanOnly: true } }
    immortal: { mqttConnect: { allowWill: false } }
    bridgeless: { mqttConnect: { bridges: refuse } }
    idle: { mqttConnect: { idleTimeout: keepAlive, keepAliveZero: 1s } }
    none: { inFlightConn: { amount: 0 } }
  routers:
${["any", "quick", "small", "new", "old", "ids", "named", "lively", "clean", "immortal", "bridgeless", "idle"]
  .map((name) => router(name, name))
  .join("\n")}
${router("strict", "idle", "strict")}
${router("stranger", "any")}
${router("dead", "any", "dead")}
${router("empty", "any", "empty")}
    open: { rule: "HostSNI(\`open.test\`)", service: dead, tls: {} }
    plain: { rule: "HostSNI(\`*\`) && !MQTTClientID(\`dead\`)", service: broker, middlewares: [any] }
    doomed: { rule: "HostSNI(\`*\`)", service: dead, middlewares: [any] }
  services:
${service("broker", broker.port)}
${service("strict", strict.port)}
${service("dead", nobody)}
    empty: { loadBalancer: { servers: [] } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }`,
});

/** Connects and sends `bytes`; gives what the client is told until it is closed, the reason, and the cause. Nothing is dialled. */
async function refusal(name: string, bytes: Uint8Array) {
  const dialled = broker.accepted();
  const ended = () => sluice.accesses.filter((each) => each.sni === `${name}.test`);
  const before = ended().length;
  const told = await (await opening(sluice.port, `${name}.test`, bytes)).closed();
  const access = await waitFor("its line in the access log", () => ended()[before] ?? null);
  expect(broker.accepted()).toBe(dialled);
  return [told, access.reason, ...(access.cause === undefined ? [] : [access.cause])];
}

const THREE = { level: 3 };
const FOUR = { level: 4 };
const FIVE = { level: 5 };
type Refused = [name: string, clientId: string, says: ConnectSays, told: string, reason: string];
const REFUSED: Refused[] = [
  ["new", "a", THREE, "20020001", "connect-not-allowed"],
  ["new", "a", FOUR, "20020001", "connect-not-allowed"],
  ["old", "a", FIVE, "2003008400", "connect-not-allowed"],
  ["ids", "dev-x", FOUR, "20020002", "client-id-not-allowed"],
  ["ids", "xdev-1", FOUR, "20020002", "client-id-not-allowed"],
  ["ids", "dev-1x", FIVE, "2003008500", "client-id-not-allowed"],
  ["ids", "dev-12345", FIVE, "2003008500", "client-id-not-allowed"],
  ["ids", "", FIVE, "2003008500", "client-id-not-allowed"],
  ["named", "", FOUR, "20020002", "client-id-not-allowed"],
  ["lively", "a", { ...FOUR, keepAlive: 61 }, "20020002", "connect-not-allowed"],
  ["lively", "a", { ...FIVE, keepAlive: 0 }, "2003008300", "connect-not-allowed"],
  ["clean", "a", { ...FOUR, clean: false }, "20020005", "connect-not-allowed"],
  ["clean", "a", { ...FIVE, clean: false }, "2003008300", "connect-not-allowed"],
  // A clean start, and a session expiry interval of 60 seconds.
  ["clean", "a", { ...FIVE, properties: Buffer.from("110000003c", "hex") }, "2003008300", "connect-not-allowed"],
  ["immortal", "a", { ...FOUR, will: true }, "20020005", "connect-not-allowed"],
  ["immortal", "a", { ...FIVE, will: true }, "2003008700", "connect-not-allowed"],
  ["bridgeless", "a", { level: 0x84 }, "20020001", "connect-not-allowed"],
  ["small", "an-id-that-is-longer-than-forty-bytes", FIVE, "2003009500", "connect-too-large"],
  ["small", "an-id-that-is-longer-than-forty-bytes", FOUR, "", "connect-too-large"],
  ["dead", "a", THREE, "20020003", "dial-failed"],
  ["dead", "a", FIVE, "2003008800", "dial-failed"],
  ["empty", "a", FOUR, "20020003", "no-server"],
];

test.each(REFUSED)(
  "%s.test refuses client id '%s' with %o: CONNACK %s, %s",
  async (name, clientId, says, told, reason) => {
    const [connack, ended] = await refusal(name, anyConnect(clientId, says));
    // Who comes right after one whose dial has failed is not dialled for.
    expect([connack, ended === "service-down" ? "dial-failed" : ended]).toEqual([told, reason]);
  },
);

test("a client of 5 that takes no packet of five bytes gets none", async () => {
  const properties = Buffer.from("2700000004", "hex");
  expect(await refusal("old", anyConnect("a", { level: 5, properties }))).toEqual(["", "connect-not-allowed"]);
});

test("a refused client that goes on sending reads its CONNACK all the same", async () => {
  for (let round = 0; round < 20; round++) {
    const client = await RawClient.open(sluice.port);
    client.socket.write(anyConnect("dead"));
    for (let chunk = 0; chunk < 20; chunk++) client.socket.write(Buffer.alloc(20_000));
    await client.untilClosed();
    expect(client.received.toString("hex")).toBe("20020003");
  }
});

const ADMITTED: [name: string, clientId: string, says: ConnectSays][] = [
  ["new", "a", FIVE],
  ["old", "a", THREE],
  ["ids", "dev-1234", FOUR],
  ["named", "x", FOUR],
  ["lively", "a", { ...FOUR, keepAlive: 60 }],
  ["clean", "a", FIVE],
  ["immortal", "a", FIVE],
  ["any", "a", { level: 0x84 }],
  ["any", "", FOUR],
];

test.each(ADMITTED)(
  "%s.test lets in client id '%s' with %o, byte for byte, with what comes behind",
  async (name, clientId, says) => {
    const sent = Buffer.concat([anyConnect(clientId, says), Buffer.from("c000c000", "hex")]);
    const count = broker.streams.length;
    const client = await opening(sluice.port, `${name}.test`, sent);
    await client.until("20020000");
    const stream = broker.streams[count]!;
    await waitFor("all of it to arrive", () => stream.bytes.length === sent.length || null);
    expect(stream.bytes.equals(sent)).toBe(true);
    client.socket.end();
    await client.closed();
  },
);

test("a CONNECT in single bytes is one in a piece", async () => {
  const sent = anyConnect("dripping", { level: 5, username: "u", password: "p" });
  const count = broker.streams.length;
  const client = await RawClient.open(sluice.port);
  await client.drip(sent);
  await waitFor("the answer", () => client.received.equals(CONNACK) || null);
  expect(broker.streams[count]!.bytes.equals(sent)).toBe(true);
  client.socket.end();
});

const STRANGERS: [what: string, bytes: Uint8Array, reason: string, ...cause: string[]][] = [
  ["an HTTP request", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "not-mqtt", "http"],
  ["SSH", Buffer.from("SSH-2.0-OpenSSH_9.2\r\n"), "not-mqtt", "ssh"],
  ["TLS in TLS", Buffer.from("16030100050100000100", "hex"), "not-mqtt", "tls-in-tls"],
  ["a PROXY line", Buffer.from("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n"), "not-mqtt", "proxy-line"],
  ["a PINGREQ", Buffer.from("c000", "hex"), "connect-protocol-error"],
  ["a reserved flag of CONNECT", Buffer.from("100d00044d5154540403003c000161", "hex"), "connect-malformed"],
];

test.each(STRANGERS)("%s is closed without an answer, and named", async (_, bytes, reason, ...cause) => {
  expect(await refusal("stranger", bytes)).toEqual(["", reason, ...cause]);
  expect(await sluice.metric("sluice_mqtt_connects_total", { result: reason })).toBeGreaterThan(0);
});

test("a client that sends nothing, or half a CONNECT, is closed after the timeout", async () => {
  for (const bytes of [new Uint8Array(0), anyConnect("a").subarray(0, 9)]) {
    expect(await refusal("quick", bytes)).toEqual(["", "connect-timeout"]);
  }
});

test("the access log says who it was, and the metrics which version", async () => {
  const client = await opening(
    sluice.port,
    "any.test",
    anyConnect("log-me", { level: 5, username: "anna", will: true }),
  );
  await client.until("20020000");
  client.socket.end();
  const access = await sluice.access((each) => each.clientId === "log-me");
  expect(access).toMatchObject({ mqttVersion: "5", username: "anna", keepAlive: 60, clean: true, will: true });
  expect(await sluice.metric("sluice_mqtt_connects_total", { result: "accepted", version: "5" })).toBeGreaterThan(0);
  expect(await sluice.metric("sluice_mqtt_connect_wait_seconds_count")).toBeGreaterThan(0);
});

test("without a gate a client without broker is closed as before, and its CONNECT is not read", async () => {
  expect(await refusal("open", anyConnect("a"))).toEqual(["", "dial-failed"]);
});

test("a silent client is closed after its keep alive, or the limit for none; one that pings stays", async () => {
  const lively = await opening(sluice.port, "idle.test", anyConnect("lively", { keepAlive: 1 }));
  const ping = setInterval(() => lively.socket.write(Buffer.from("c000", "hex")), 200);
  const silent = await opening(sluice.port, "idle.test", anyConnect("silent", { keepAlive: 1 }));
  const careless = await opening(sluice.port, "idle.test", anyConnect("careless", { keepAlive: 0 }));
  // What the broker says of the keep alive counts, in 5.
  const overruled = await opening(sluice.port, "strict.test", anyConnect("overruled", { level: 5, keepAlive: 600 }));
  await Promise.all([silent.closed(), careless.closed(), overruled.closed()]);
  for (const id of ["silent", "careless", "overruled"])
    expect((await sluice.access((each) => each.clientId === id)).reason).toBe("keep-alive-timeout");
  expect(overruled.received()).toBe("2006000003130001");
  expect(lively.isClosed()).toBe(false);
  clearInterval(ping);
  lively.socket.end();
  expect((await sluice.access((each) => each.clientId === "lively")).reason).toBe("client-closed");
});
