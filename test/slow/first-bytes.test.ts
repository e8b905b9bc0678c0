// What a client sends first decides what becomes of it: a hello is routed however it is cut, everything else is closed for its own
// reason, and who keeps silent is closed at the deadline. Nothing is dialled for any of those.

import { describe, expect, test } from "bun:test";
import { type Alert, fatalAlert } from "../../src/wire/alert.ts";
import { recordedHellos } from "../fixtures/hello/hellos.ts";
import { Backend } from "../support/backend.ts";
import { Authority } from "../support/certs.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient, received } from "../support/mqtt.ts";
import { sClient } from "../support/openssl.ts";
import { drippingProxy, RawClient } from "../support/raw.ts";
import { Sluice } from "../support/sluice.ts";
import { freePort, waitFor } from "../support/tools.ts";

const READ_TIMEOUT_MS = 1000;

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost", "mqtt.example.com", "through.example.com"] });
const backend = await Backend.start("backend");
const broker = await Mosquitto.start();
const [mixedPort, plainPort, innerPort] = [await freePort(), await freePort(), await freePort()];
const timeouts = `transport: { respondingTimeouts: { readTimeout: ${READ_TIMEOUT_MS}ms } }`;
const sluice = await Sluice.start({
  entryPoint: `    ${timeouts}
  mixed: { address: "127.0.0.1:${mixedPort}", ${timeouts} }
  plain: { address: "127.0.0.1:${plainPort}", ${timeouts} }
  inner: { address: "127.0.0.1:${innerPort}" }`,
  dynamic: `
tcp:
  routers:
    tls: { rule: "HostSNI(\`mqtt.example.com\`)", service: backend, tls: {}, entryPoints: [mqtts] }
    through: { rule: "HostSNI(\`through.example.com\`)", service: inner, tls: { passthrough: true }, entryPoints: [mqtts] }
    inner: { rule: "HostSNI(\`*\`)", service: backend, tls: {}, entryPoints: [inner] }
    mixed-tls: { rule: "HostSNI(\`localhost\`)", service: broker, tls: {}, entryPoints: [mixed] }
    mixed-plain: { rule: "HostSNI(\`*\`)", service: broker, entryPoints: [mixed] }
    plain: { rule: "HostSNI(\`*\`)", service: backend, entryPoints: [plain] }
  services:
    backend: { loadBalancer: { servers: [{ port: ${backend.port} }] } }
    broker: { loadBalancer: { servers: [{ port: ${broker.port} }] } }
    inner: { loadBalancer: { servers: [{ port: ${innerPort} }] } }
tls:
  certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }]
`,
});

const hello = (name: string) => recordedHellos().find((each) => each.name === name)!.bytes;
const text = (value: string) => Buffer.from(value, "latin1");
const counted = (result: string, entrypoint = "mqtts") =>
  sluice.metric("sluice_connections_total", { result, entrypoint });

/** `act` ends exactly one connection, for `reason`, and dials nobody. */
async function endsAs(reason: string, act: () => Promise<unknown>, entryPoint = "mqtts"): Promise<void> {
  const lines = () => sluice.accesses.filter((line) => line.entryPoint === entryPoint);
  const [before, dialled, seen] = [await counted(reason, entryPoint), backend.connections, lines().length];
  await act();
  const line = await waitFor("the access-log line", () => lines()[seen] ?? null);
  expect(line).toMatchObject({ reason, entryPoint, bytesIn: 0, bytesOut: 0 });
  expect(await counted(reason, entryPoint)).toBe(before + 1);
  expect(backend.connections).toBe(dialled);
}

const MQTT_CONNECT = text("\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a");
const PROXY_V2 = text("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\x12\x34\x22\xb3");

describe("on a TLS port", () => {
  const openssl13 = hello("openssl-tls13");
  const lying = Buffer.from(openssl13);
  // The length of the session id runs over the end of the message.
  lying[5 + 4 + 2 + 32] = 0xff;
  const cases: [what: string, bytes: Uint8Array, reason: string, alert?: Alert][] = [
    ...(
      [
        ["an SSLv2 hello", text("\x80\x2e\x01\0\x02\0\x15\0\0\0\x10\x01\0\x80\x02\0\x80\x03\0\x80")],
        ["an SSLv2-compatible hello for TLS 1.0", text("\x80\x2e\x01\x03\x01\0\x15\0\0\0\x10\x01\0\x80")],
      ] as const
    ).map(([what, bytes]) => [what, bytes, "sslv2", "protocol_version"] as (typeof cases)[number]),
    ["a plain MQTT 3.1.1 CONNECT", MQTT_CONNECT, "plain-mqtt"],
    ["a plain MQTT 3.1 CONNECT", text("\x10\x0f\0\x06MQIsdp\x03\x02\0\x3c\0\x01a"), "plain-mqtt"],
    ["an HTTP request", text("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), "http"],
    ["a PROXY v1 header", text("PROXY TCP4 127.0.0.1 127.0.0.1 4660 8883\r\n"), "proxy-header"],
    ["a PROXY v2 header", PROXY_V2, "proxy-header"],
    ["an SSH client", text("SSH-2.0-OpenSSH_9.2\r\n"), "not-tls"],
    ["zeros", new Uint8Array(64), "not-tls"],
    ["a TLS record that is no hello", text("\x16\x03\x01\0\x04\x02\0\0\0"), "bad-hello", "unexpected_message"],
    ["a hello whose lengths lie", lying, "bad-hello", "decode_error"],
    [
      "a hello that announces more than 64 kB",
      text("\x16\x03\x01\x40\0\x01\x01\0\0\x03\x03"),
      "hello-too-large",
      "illegal_parameter",
    ],
    ["a record of more than 16 kB", text("\x16\x03\x01\x40\x01"), "hello-too-large", "record_overflow"],
  ];
  for (const [what, bytes, reason, alert] of cases)
    test(`${what} is closed at once as ${reason}, ${alert ? `with the alert ${alert}` : "without a word"}`, async () => {
      await endsAs(reason, async () => {
        const client = await RawClient.exchange(sluice.port, bytes);
        expect(client.received).toEqual(Buffer.from(alert === undefined ? [] : fatalAlert(alert)));
      });
    });

  test("a real MQTT client without TLS is closed as plain-mqtt", async () => {
    await endsAs("plain-mqtt", async () => {
      await expect(mqttClient({ port: sluice.port })).rejects.toThrow();
    });
  });

  test("a real HTTP client is closed as http", async () => {
    await endsAs("http", async () => {
      await expect(fetch(`http://127.0.0.1:${sluice.port}/`)).rejects.toThrow();
    });
  });

  test("a client that closes without a word is counted as client-gone", async () => {
    await endsAs("client-gone", async () => {
      const client = await RawClient.open(sluice.port);
      client.socket.end();
      await client.untilClosed();
    });
  });
});

describe("however it is cut", () => {
  const manyProtocols = Array.from({ length: 60 }, (_, index) => `protocol-${index}`).join(",");
  const names = ["mqtt.example.com", "through.example.com"];
  for (const name of names)
    for (const version of ["-tls1_2", "-tls1_3"]) {
      test(`${version}: a hello for ${name} in one-byte segments is served`, async () => {
        const port = await drippingProxy(sluice.port);
        expect(await sClient(port, name, [version])).toMatchObject({ reached: "backend" });
      });

      test(`${version}: a hello for ${name} over several TLS records is served`, async () => {
        const args = [version, "-alpn", manyProtocols, "-max_send_frag", "512"];
        expect(await sClient(sluice.port, name, args)).toMatchObject({ reached: "backend" });
      });
    }

  test("each recorded hello of a real client is answered with a ServerHello where it is routed", async () => {
    let answered = 0;
    for (const { bytes } of recordedHellos()) {
      const client = await RawClient.open(innerPort);
      client.socket.write(bytes);
      await waitFor("an answer", () => client.received.length >= 6 || client.closed || null);
      client.socket.destroy();
      // A handshake record that begins with a ServerHello; hellos for TLS 1.0 get an alert, and ACME is answered elsewhere.
      if (client.received[0] === 22 && client.received[5] === 2) answered++;
    }
    expect(answered).toBeGreaterThanOrEqual(recordedHellos().length - 2);
  });
});

describe("deadlines", () => {
  const inTime = (client: RawClient) => {
    expect(client.closedAfter).toBeGreaterThanOrEqual(READ_TIMEOUT_MS - 5);
  };
  const half = hello("openssl-tls13").subarray(0, 100);

  test("a client that says nothing is closed at readTimeout as hello-timeout", async () => {
    await endsAs("hello-timeout", async () => inTime(await RawClient.exchange(sluice.port, new Uint8Array())));
  });

  test("a client that sends half a hello is closed at readTimeout as hello-timeout", async () => {
    await endsAs("hello-timeout", async () => inTime(await RawClient.exchange(sluice.port, half)));
  });

  test("a client that drips its hello does not move the deadline", async () => {
    await endsAs("hello-timeout", async () => {
      const client = await RawClient.open(sluice.port);
      let at = 0;
      const drip = setInterval(() => client.socket.write(half.subarray(at, ++at)), 50);
      await client.untilClosed();
      clearInterval(drip);
      inTime(client);
      expect(at).toBeGreaterThan(5);
    });
  });

  for (const name of ["openssl-tls12", "openssl-tls13"])
    test(`a client that stalls after its hello is closed at readTimeout as handshake-timeout (${name})`, async () => {
      await endsAs("handshake-timeout", async () => {
        const client = await RawClient.exchange(sluice.port, hello(name));
        // It was answered with a ServerHello and waited for.
        expect([client.received[0], client.received[5]]).toEqual([22, 2]);
        inTime(client);
      });
    });
});

describe("with a plain router beside TLS routers", () => {
  const endpoints = { plain: { port: mixedPort }, tls: { port: mixedPort, ca: authority.cert } };

  test("plain and TLS clients are told apart and meet at the broker", async () => {
    for (const protocolVersion of [3, 4, 5] as const) {
      const options =
        protocolVersion === 3
          ? { protocolVersion, protocolId: "MQIsdp" as const, clientId: "old" }
          : { protocolVersion };
      const topic = `mixed/${protocolVersion}`;
      const plain = await mqttClient(endpoints.plain, options);
      const tls = await mqttClient(endpoints.tls);
      await plain.mqtt.subscribeAsync(topic, { qos: 1 });
      await tls.mqtt.publishAsync(topic, "from tls", { qos: 1 });
      expect(String((await received(plain, topic)).payload)).toBe("from tls");
      await Promise.all([plain.mqtt.endAsync(), tls.mqtt.endAsync()]);
    }
    for (const router of ["mixed-plain@file", "mixed-tls@file"]) {
      const line = await sluice.access((each) => each.router === router && each.bytesOut > 4);
      expect(line.tlsVersion).toBe(router === "mixed-tls@file" ? "TLSv1.3" : undefined);
    }
  });

  test("a plain CONNECT in one-byte segments is recognised", async () => {
    const client = await RawClient.open(mixedPort);
    await client.drip(MQTT_CONNECT);
    // CONNACK, accepted
    await client.until("\x20\x02\0\0");
    client.socket.destroy();
    await sluice.access((line) => line.router === "mixed-plain@file" && line.bytesIn === MQTT_CONNECT.length);
  });

  test("what is neither TLS nor MQTT does not reach the plain router", async () => {
    const before = await sluice.metric("sluice_router_connections_total", { router: "mixed-plain@file" });
    await endsAs("http", () => RawClient.exchange(mixedPort, text("GET / HTTP/1.1\r\n\r\n")), "mixed");
    await endsAs("not-tls", () => RawClient.exchange(mixedPort, text("SSH-2.0-x\r\n")), "mixed");
    await endsAs("unknown-sni", () => sClient(mixedPort, "who.test"), "mixed");
    expect(await sluice.metric("sluice_router_connections_total", { router: "mixed-plain@file" })).toBe(before);
  });

  test("a silent client is closed at readTimeout as hello-timeout", async () => {
    await endsAs("hello-timeout", () => RawClient.exchange(mixedPort, new Uint8Array()), "mixed");
  });
});

describe("with plain routers alone", () => {
  test("the server may speak first, and a client may keep silent longer than readTimeout", async () => {
    const client = await RawClient.open(plainPort);
    await client.until("hello from backend\n");
    // The deadline passes for one who owes a hello; this one owes nothing.
    await RawClient.exchange(sluice.port, new Uint8Array());
    expect(client.closed).toBe(false);
    client.socket.write("still here");
    await client.until("still here");
    client.socket.destroy();
  });

  test("bytes of any protocol pass, in one-byte segments too", async () => {
    const client = await RawClient.open(plainPort);
    await client.drip(text("GET \x16\x03\x01\xff"));
    await waitFor("the echo", () => client.received.includes(text("GET \x16\x03\x01\xff")) || null);
    client.socket.destroy();
  });
});
