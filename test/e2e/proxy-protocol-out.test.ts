// PROXY headers that go out: a broker is told whose connection it is before anything else, in one write, and never something wrong.

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { parseProxyHeader, TLV } from "../../src/wire/proxy-protocol.ts";
import { Authority } from "../support/certs.ts";
import { tcpClient, tlsClient } from "../support/clients.ts";
import { connectPacket } from "../support/connect-packet.ts";
import { der, dottedOid, sequence, set } from "../support/der.ts";
import { HostileCertificates } from "../support/hostile-certificates.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient } from "../support/mqtt.ts";
import { haproxy, nginx } from "../support/neighbours.ts";
import { sClient } from "../support/openssl.ts";
import { random } from "../support/random.ts";
import { Recorder } from "../support/recorder.ts";
import { Sluice } from "../support/sluice.ts";
import { cleanup, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost", "*.test"] });
const device = await authority.issue({ names: ["device-7"], usage: "clientAuth" });
const recorder = await Recorder.start();
const broker = await Mosquitto.start();
const [nobody, plainPort, haproxyPort, nginxPort] = [
  ...[await freePort(), await freePort(), await freePort(), await freePort()],
] as [number, number, number, number];
const balancing = await haproxy(
  `listen mqtt
  bind 127.0.0.1:${haproxyPort} accept-proxy
  log-format "%ci %cp"
  server broker 127.0.0.1:${broker.port}`,
  [haproxyPort],
);
const passing = await nginx(
  `server { listen 127.0.0.1:${nginxPort} proxy_protocol; proxy_pass 127.0.0.1:${broker.port}; }`,
  [nginxPort],
  "$proxy_protocol_addr $proxy_protocol_port",
);
/** A name as long as one can be: 253 characters. */
const LONG = `${["a", "b", "c"].map((letter) => letter.repeat(63)).join(".")}.${"d".repeat(56)}.test`;
const router = (name: string, tls: string, service = name, sni = `${name}.test`) =>
  `    ${name}: { entryPoints: [mqtts], rule: "HostSNI(\`${sni}\`)", service: ${service}, tls: ${tls} }\n`;
const service = (name: string, by: string, ports = [recorder.port]) =>
  `    ${name}: { loadBalancer: { ${by}, servers: [${ports.map((port) => `{ port: ${port} }`).join(", ")}] } }\n`;
const by = (name: string) => `serversTransport: ${name}`;
const sluice = await Sluice.start({
  env: { SLUICE_ENTRYPOINTS_PLAIN_ADDRESS: `127.0.0.1:${plainPort}` },
  dynamic: `
tcp:
  routers:
    plain: { entryPoints: [plain], rule: "HostSNI(\`*\`)", service: all }
    gated: { rule: "HostSNI(\`gated.test\`)", service: all, middlewares: [gate, named], tls: { options: strict } }
    asked: { rule: "HostSNI(\`asked.test\`)", service: all, middlewares: [gate], tls: { options: strict } }
    passed: { entryPoints: [plain], rule: "HostSNI(\`passed.test\`)", service: all, tls: { passthrough: true } }
${router("long", "{ passthrough: true }", "all", LONG)}${router("line", "{}")}${router("next", "{}")}${router("old", "{}")}
${router("strict", "{ options: strict }", "all")}${router("untold", "{ options: strict }", "addresses")}
${router("haproxy1", "{}")}${router("haproxy2", "{ options: strict }")}${router("nginx1", "{}")}${router("nginx2", "{}")}
  middlewares:
    gate: { mqttConnect: {} }
    named: { mqttIdentity: { username: "{cert.cn}" } }
  services:
${service("all", by("all"))}${service("addresses", by("addresses"))}${service("line", by("line"))}
${service("next", by("line"), [nobody, recorder.port])}${service("old", "proxyProtocol: { tlvs: [authority] }")}
${service("both", `proxyProtocol: {}, ${by("line")}`)}
${service("haproxy1", by("line"), [haproxyPort])}${service("haproxy2", by("all"), [haproxyPort])}
${service("nginx1", by("line"), [nginxPort])}${service("nginx2", by("addresses"), [nginxPort])}
  serversTransports:
    line: { proxyProtocol: { version: 1 } }
    addresses: { proxyProtocol: {} }
    all: { proxyProtocol: { tlvs: [alpn, authority, ssl, uniqueId, crc32c] } }
tls:
  certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }]
  stores: { default: { defaultCertificate: { certFile: ${pair.cert}, keyFile: ${pair.key} } } }
  options: { strict: { clientAuth: { caFiles: [${authority.cert}] } } }`,
});

/** The access-log line of the connection that `client` makes. */
async function accessOf(client: () => Promise<unknown>) {
  const before = sluice.accesses.length;
  await client();
  return waitFor("an access-log line", () => sluice.accesses[before] ?? null);
}

/** Sends a hello, and goes when the server has it. */
async function hello(port: number, servername: string, alpn: string): Promise<Buffer> {
  const number = recorder.connections.length;
  const client = connect({ host: "127.0.0.1", port, servername, ALPNProtocols: [alpn] });
  client.on("error", () => {});
  const sent = await recorder.sent(number);
  client.destroy();
  return sent;
}

/** A client of version 1 on a router that terminates. @returns the line that its server must get. */
async function lineClient(name: string) {
  const client = await tlsClient(sluice.port, { servername: `${name}.test` });
  return { client, line: `PROXY TCP4 127.0.0.1 127.0.0.1 ${client.localPort} ${sluice.port}\r\n` };
}

test("version 1 names both ends of the client's connection, before CONNECT, and counts as nobody's stream", async () => {
  const packet = connectPacket("one");
  const access = await accessOf(async () => {
    const number = recorder.connections.length;
    const { client, line } = await lineClient("line");
    client.write(packet);
    await waitFor("CONNECT", async () => (await recorder.sent(number)).includes(packet));
    expect((await recorder.sent(number)).toString("latin1")).toBe(line + packet.toString("latin1"));
    client.destroy();
  });
  expect(access.bytesIn).toBe(packet.length);
});

test("the server that is tried next gets the header first, too", async () => {
  for (let turn = 0; turn < 2; turn++)
    await accessOf(async () => {
      const number = recorder.connections.length;
      const { client, line } = await lineClient("next");
      expect((await recorder.sent(number)).toString()).toBe(line);
      client.destroy();
    });
});

test("Traefik's old place on the load balancer sends version 2, and a transport beside it is a warning", async () => {
  await accessOf(async () => {
    const number = recorder.connections.length;
    const { client } = await lineClient("old");
    const start = (await recorder.sent(number)).subarray(0, 16);
    expect(start.toString("hex")).toBe("0d0a0d0a000d0a515549540a21110017");
    client.destroy();
  });
  await sluice.logged("proxyProtocol is ignored beside serversTransport");
});

test("what does not fit into 500 bytes leaves in the order that the docs have, and an id that has left is not logged", async () => {
  const typesWith = async (alpn: string) => {
    let types: number[] = [];
    const access = await accessOf(async () => {
      const header = parseProxyHeader(await hello(sluice.port, LONG, alpn));
      if (header.kind !== "ok") throw new Error(header.kind);
      expect(header.length).toBeLessThanOrEqual(16 + 500);
      types = header.tlvs.map(([type]) => type);
    });
    expect("uniqueId" in access).toBe(types.includes(TLV.uniqueId));
    return types;
  };
  expect(await typesWith("mqtt")).toEqual([TLV.alpn, TLV.authority, TLV.crc32c, TLV.uniqueId]);
  expect(await typesWith("a".repeat(205))).toEqual([TLV.alpn, TLV.authority, TLV.crc32c]);
  expect(await typesWith("a".repeat(250))).toEqual([TLV.authority, TLV.crc32c]);
  // RFC 8701: two newlines are no protocol's name, and nothing to tell anybody.
  expect(await typesWith("\n\n")).toEqual([TLV.authority, TLV.crc32c, TLV.uniqueId]);
});

describe("one write takes", async () => {
  const packet = connectPacket("one-write");
  const trace = join(temporaryDirectory(), "trace");
  const [worker] = sluice.workers;
  const calls = "trace=sendto,sendmsg,write,writev";
  const strace = Bun.spawn(["strace", "-f", "-xx", "-s", "4000", "-e", calls, "-o", trace, "-p", String(worker)], {
    stdio: ["ignore", "ignore", "ignore"],
  });
  cleanup(() => strace.kill("SIGKILL"));
  const isTraced = () => !/^TracerPid:\s+0$/m.test(readFileSync(`/proc/${worker}/status`, "utf8"));
  await waitFor("strace to be attached", isTraced);
  await accessOf(async () => {
    const client = await tcpClient(plainPort);
    client.write(packet);
    await new Promise((heard) => client.once("data", heard));
    client.destroy();
  });
  await accessOf(() => hello(plainPort, "passed.test", "mqtt"));
  await accessOf(async () => {
    const [cert, key] = [readFileSync(device.cert, "utf8"), readFileSync(device.key, "utf8")];
    const client = await tlsClient(sluice.port, { servername: "gated.test", cert, key });
    client.setNoDelay(true);
    // In pieces, so that there is something to wait for.
    for (const byte of packet) await new Promise((sent) => client.write(Uint8Array.of(byte), sent));
    await new Promise((heard) => client.once("data", heard));
    client.destroy();
  });
  strace.kill("SIGINT");
  await strace.exited;
  const writes = readFileSync(trace, "utf8")
    .split("\n")
    .flatMap((line) => /"((?:\\x[0-9a-f]{2})+)"/.exec(line)?.[1] ?? [])
    .map((escaped) => Buffer.from(escaped.replaceAll("\\x", ""), "hex"));
  /** What stands behind a header, write by write. */
  const behind = writes.flatMap((bytes) => {
    const header = parseProxyHeader(bytes);
    return header.kind === "ok" ? [bytes.subarray(header.length)] : [];
  });

  test("header and CONNECT", () => {
    expect(behind.filter((rest) => rest.equals(packet))).toHaveLength(1);
    expect(writes.filter((bytes) => bytes.includes(packet))).toHaveLength(1);
  });

  test("header and a CONNECT that was read and written again", () => {
    const told = behind.filter((rest) => rest[0] === 0x10 && rest.includes("device-7"));
    expect(told).toHaveLength(1);
    expect(told[0]!.includes("one-write")).toBe(true);
  });

  test("header and hello", () => expect(behind.filter((rest) => rest[0] === 0x16)).toHaveLength(1));
});

describe("a common name", async () => {
  const hostile = new HostileCertificates(authority, random(1));
  const [UTF8, PRINTABLE, T61, UNIVERSAL, BMP] = [0x0c, 0x13, 0x14, 0x1c, 0x1e];
  const wide = (text: string) => Buffer.from(text, "utf16le").swap16();
  type Name = readonly [tag: number, value: string | Buffer];

  /** A client whose subject has these common names. */
  function clientOf(names: readonly Name[]) {
    const parts = names.map(([tag, value]) => set(sequence(dottedOid("2.5.4.3"), der(tag, Buffer.from(value)))));
    const { cert, key } = hostile.made({ subject: sequence(...parts) });
    const file = join(temporaryDirectory(), "client.pem");
    writeFileSync(file, cert + key);
    return (name: string) => sClient(sluice.port, name, ["-tls1_2", "-cert", file, "-key", file]);
  }

  function toldNames(sent: Buffer): string[] {
    const header = parseProxyHeader(sent);
    const ssl = header.kind === "ok" ? header.tlvs.find(([type]) => type === TLV.ssl)?.[1] : undefined;
    if (ssl === undefined) throw new Error("no TLV of SSL");
    const [bytes, names] = [Buffer.from(ssl), [] as string[]];
    for (let at = 5; at < bytes.length; at += 3 + bytes.readUInt16BE(at + 1))
      if (bytes[at] === TLV.sslCn) names.push(bytes.subarray(at + 3, at + 3 + bytes.readUInt16BE(at + 1)).toString());
    return names;
  }

  test.each<[string, readonly Name[], readonly string[]]>([
    ["of ASCII", [[PRINTABLE, "device-1"]], ["device-1"]],
    ["of UTF-8", [[UTF8, "Żółw"]], ["Żółw"]],
    ["of Latin-1 goes as UTF-8", [[T61, Buffer.from("Müller", "latin1")]], ["Müller"]],
    ["of two bytes a character goes as UTF-8", [[BMP, wide("Żółw")]], ["Żółw"]],
    ["of four goes as UTF-8", [[UNIVERSAL, Buffer.from("0000017b00000077", "hex")]], ["Żw"]],
    [
      "is one, the first",
      [
        [UTF8, "first"],
        [UTF8, "second"],
      ],
      ["first"],
    ],
    ["that is not there is not made up", [], []],
  ])("%s", async (_, names, expected) => {
    const client = clientOf(names);
    const number = recorder.connections.length;
    await accessOf(async () => expect(await client("strict.test")).toMatchObject({ reached: "recorder" }));
    expect(toldNames(await recorder.sent(number))).toEqual([...expected]);
  });

  test.each<[string, Name, string]>([
    ["with a NUL", [UTF8, "admin\0.evil"], "common-name-unusable"],
    ["with a newline", [UTF8, "a\nNew client connected"], "common-name-unusable"],
    ["with DEL", [UTF8, "a\x7f"], "common-name-unusable"],
    ["with a control character beyond ASCII", [T61, Buffer.from([0x61, 0x85, 0x62])], "common-name-unusable"],
    ["that is no text of its type", [PRINTABLE, Buffer.from("Müller", "latin1")], "common-name-unusable"],
    ["that does not fit", [UTF8, "h".repeat(480)], "common-name-too-long"],
  ])("%s: the client is refused and nothing is dialled, but where nobody is told it", async (_, name, reason) => {
    const client = clientOf([name]);
    const before = recorder.connections.length;
    const access = await accessOf(() => client("strict.test"));
    expect(access).toMatchObject({ reason, bytesIn: 0 });
    expect(access).not.toHaveProperty("uniqueId");
    expect(recorder.connections.length).toBe(before);
    await accessOf(async () => expect(await client("untold.test")).toMatchObject({ reached: "recorder" }));
    expect(sluice.lines.filter(({ level }) => level === "error")).toEqual([]);
  });
});

test("a client whose CONNECT is there is told by CONNACK that it must not come in", async () => {
  const subject = sequence(set(sequence(dottedOid("2.5.4.3"), der(0x0c, Buffer.from("admin\0.evil")))));
  const { cert, key } = new HostileCertificates(authority, random(1)).made({ subject });
  const access = await accessOf(async () => {
    const client = await tlsClient(sluice.port, { servername: "asked.test", cert, key });
    client.write(connectPacket("evil"));
    const connack = await new Promise<Buffer>((heard) => client.once("data", heard));
    expect(connack.toString("hex")).toBe("20020005");
    client.destroy();
  });
  expect(access).toMatchObject({ reason: "common-name-unusable" });
});

describe("believes the header, and passes MQTT on to Mosquitto:", () => {
  test.each([
    ["HAProxy, version 1", "haproxy1", balancing],
    ["HAProxy, version 2 with everything", "haproxy2", balancing],
    ["nginx, version 1", "nginx1", passing],
    ["nginx, version 2", "nginx2", passing],
  ] as const)("%s", async (_, name, neighbour) => {
    let localPort = 0;
    const stream = { servername: `${name}.test`, checkServerIdentity: () => undefined };
    await accessOf(async () => {
      const { mqtt } = await mqttClient({ port: sluice.port, ca: authority.cert, identity: device }, stream);
      ({ localPort } = mqtt.stream as unknown as { localPort: number });
      await mqtt.publishAsync("t", "m", { qos: 1 });
      await mqtt.endAsync();
    });
    await waitFor("the client's address in its log", () => neighbour.log().includes(`127.0.0.1 ${localPort}\n`));
  });
});
