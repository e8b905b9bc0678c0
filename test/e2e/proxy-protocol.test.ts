// PROXY protocol: what a balancer says of its client is believed from those who may say it, and the broker is told whose connection it is.

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { connect as connectTls, createSecureContext, type TLSSocket, TLSSocket as Upgraded } from "node:tls";
import { parseProxyHeader, TLV } from "../../src/wire/proxy-protocol.ts";
import { Authority } from "../support/certs.ts";
import { tcpServer, tlsClient } from "../support/clients.ts";
import { connectPacket } from "../support/connect-packet.ts";
import { canConnect, Mosquitto } from "../support/mosquitto.ts";
import { mqttClient } from "../support/mqtt.ts";
import { RawClient } from "../support/raw.ts";
import { type Access, Sluice } from "../support/sluice.ts";
import { cleanup, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });
const certificates = `certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }]`;
const V1 = Buffer.from("PROXY TCP4 192.0.2.10 198.51.100.7 49152 8883\r\n");
const V2 = Buffer.from("0d0a0d0a000d0a515549540a2111000cc000020ac6336407c00022b3", "hex");
const LOCAL = Buffer.from("0d0a0d0a000d0a515549540a20000000", "hex");

/** HAProxy with these sections. */
async function haproxy(sections: string): Promise<void> {
  const file = join(temporaryDirectory(), "haproxy.cfg");
  writeFileSync(
    file,
    `defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n  timeout server 1m\n${sections}`,
  );
  const child = Bun.spawn(["/usr/sbin/haproxy", "-db", "-f", file], { stdio: ["ignore", "ignore", "ignore"] });
  cleanup(async () => {
    child.kill("SIGKILL");
    await child.exited;
  });
}

describe("in", async () => {
  const POINTS = {
    optional: { trustedIPs: "127.0.0.1" },
    elsewhere: { trustedIPs: "192.0.2.1" },
    elsewhereOnly: { trustedIPs: "192.0.2.1", required: "true" },
    everybody: { insecure: "true" },
    hasty: { trustedIPs: "127.0.0.1" },
  };
  type Point = keyof typeof POINTS;
  const ports = new Map<string, number>();
  const env: Record<string, string> = { SLUICE_ENTRYPOINTS_HASTY_TRANSPORT_RESPONDINGTIMEOUTS_READTIMEOUT: "300ms" };
  for (const [name, fields] of Object.entries(POINTS)) {
    ports.set(name, await freePort());
    const variable = `SLUICE_ENTRYPOINTS_${name.toUpperCase()}`;
    env[`${variable}_ADDRESS`] = `127.0.0.1:${ports.get(name)}`;
    for (const [field, value] of Object.entries(fields))
      env[`${variable}_PROXYPROTOCOL_${field.toUpperCase()}`] = value;
  }
  const server = await tcpServer((socket) => socket.write("hello"));
  const sluice = await Sluice.start({
    env,
    entryPoint: "    proxyProtocol: { trustedIPs: [127.0.0.0/8], required: true }",
    dynamic: `
tcp:
  routers:
    named: { entryPoints: [mqtts], rule: "HostSNI(\`localhost\`) && ClientIP(\`192.0.2.0/24\`)", service: s, tls: {} }
    balanced: { entryPoints: [mqtts], rule: "HostSNI(\`balanced.test\`)", service: s, tls: {} }
    other: { entryPoints: [optional, elsewhere, elsewhereonly, everybody, hasty], rule: "HostSNI(\`*\`)", service: s, tls: {} }
  services: { s: { loadBalancer: { servers: [{ port: ${server.port} }] } } }
tls: { ${certificates}, stores: { default: { defaultCertificate: { certFile: ${pair.cert}, keyFile: ${pair.key} } } } }`,
  });
  const portOf = (point: Point) => ports.get(point)!;
  /** The line of the connection that `client` makes. */
  async function accessOf(client: () => Promise<unknown>, matches: (access: Access) => boolean = () => true) {
    const before = sluice.accesses.length;
    await client();
    return waitFor("an access-log line", () => sluice.accesses.slice(before).find(matches) ?? null);
  }
  /** A TLS client whose bytes begin with `header`; it leaves when the server has greeted it. */
  async function greeted(port: number, header: Uint8Array): Promise<void> {
    const socket = connect({ host: "127.0.0.1", port });
    await new Promise((open, failed) => socket.once("connect", open).once("error", failed));
    socket.write(header);
    const tls: TLSSocket = connectTls({ socket, servername: "localhost", rejectUnauthorized: false });
    await new Promise((heard, failed) => tls.once("data", heard).once("error", failed));
    tls.on("error", () => {});
    tls.destroy();
  }

  for (const [what, header] of [
    ["version 1", V1],
    ["version 2", V2],
  ] as const)
    test(`the address in a header of ${what} is the client's, for rules and for the log`, async () => {
      expect(await accessOf(() => greeted(sluice.port, header))).toMatchObject({
        ...{ client: "192.0.2.10", clientPort: 49152, balancer: "127.0.0.1", router: "named@file" },
      });
    });

  test("a header may come in any pieces, with something else right behind it", async () => {
    const access = await accessOf(async () => {
      const client = await RawClient.open(sluice.port);
      await client.drip(V2);
      client.socket.write(Buffer.from("GET / HTTP/1.1\r\n\r\n"));
      await client.untilClosed();
    });
    expect(access).toMatchObject({ reason: "http", client: "192.0.2.10" });
  });

  test.each([
    ["LOCAL", LOCAL],
    ["no header, where none is required,", Buffer.alloc(0)],
  ])("%s leaves the real address", async (_, header) => {
    expect((await accessOf(() => greeted(portOf("optional"), header))).client).toBe("127.0.0.1");
  });

  test.each<[string, Point, Buffer, string]>([
    ["from an untrusted address", "elsewhere", V1, "proxy-header"],
    ["from an untrusted address, where one is required,", "elsewhereOnly", V1, "proxy-header-missing"],
    ["that is wrong", "everybody", Buffer.from("PROXY TCP4 192.0.2.300 1.1.1.1 1 1\r\n"), "proxy-header-bad"],
  ])("a header %s is never believed", async (_, point, bytes, reason) => {
    const before = server.accepted();
    const access = await accessOf(() => RawClient.exchange(portOf(point), bytes));
    expect(access).toMatchObject({ reason, client: "127.0.0.1" });
    expect(server.accepted()).toBe(before);
  });

  test("a connection without a header is closed where one is required", async () => {
    const access = await accessOf(() => RawClient.exchange(sluice.port, connectPacket("c")));
    expect(access.reason).toBe("proxy-header-missing");
  });

  test("who never finishes a header is let go", async () => {
    const access = await accessOf(() => RawClient.exchange(portOf("hasty"), V1.subarray(0, 20)));
    expect(access.reason).toBe("proxy-header-timeout");
  });

  test("HAProxy sends both versions, and Sluice believes them", async () => {
    const [one, two] = [await freePort(), await freePort()];
    await haproxy(`
listen v1
  bind 127.0.0.1:${one}
  server s 127.0.0.1:${sluice.port} send-proxy
listen v2
  bind 127.0.0.1:${two}
  server s 127.0.0.1:${sluice.port} send-proxy-v2 proxy-v2-options crc32c,unique-id
`);
    for (const port of [one, two]) {
      await waitFor("HAProxy to listen", () => canConnect("127.0.0.1", port));
      let localPort = 0;
      const access = await accessOf(
        async () => {
          const client = await tlsClient(port, { servername: "balanced.test" });
          await new Promise((heard) => client.once("data", heard));
          localPort = client.localPort!;
          client.destroy();
        },
        ({ sni }) => sni === "balanced.test",
      );
      expect(access).toMatchObject({ clientPort: localPort, router: "balanced@file" });
    }
  });
});

describe("out", async () => {
  interface Read {
    all: Buffer;
  }

  /** A server that notes what each connection has sent. */
  async function notingServer() {
    const reads: Read[] = [];
    const { port } = await tcpServer((socket) => {
      const read: Read = { all: Buffer.alloc(0) };
      socket.on("data", (chunk: Buffer) => {
        if (read.all.length === 0) reads.push(read);
        read.all = Buffer.concat([read.all, chunk]);
      });
    });
    return { port, reads };
  }

  /** A server that reads a line, and then speaks TLS. */
  async function tlsServer() {
    const seen: string[] = [];
    const secureContext = createSecureContext({ cert: readFileSync(pair.cert), key: readFileSync(pair.key) });
    const made = createServer((raw: Socket) => {
      raw.on("error", () => {});
      raw.once("readable", () => {
        const bytes = raw.read() as Buffer;
        const end = bytes.indexOf("\r\n") + 2;
        seen.push(bytes.subarray(0, end).toString());
        raw.unshift(bytes.subarray(end));
        const tls = new Upgraded(raw, { isServer: true, secureContext });
        tls.on("data", (chunk) => seen.push(chunk.toString("hex"))).on("error", () => {});
      });
    });
    await new Promise<void>((done) => made.listen(0, "127.0.0.1", done));
    cleanup(() => made.close());
    return { port: (made.address() as { port: number }).port, seen };
  }

  const [first, second, passed, old, secured] = [
    ...(await Promise.all([notingServer(), notingServer(), notingServer(), notingServer()])),
    await tlsServer(),
  ] as const;
  const broker = await Mosquitto.start();
  const balancer = await freePort();
  await haproxy(`listen mqtt\n  bind 127.0.0.1:${balancer} accept-proxy\n  server broker 127.0.0.1:${broker.port}\n`);
  await waitFor("HAProxy to listen", () => canConnect("127.0.0.1", balancer));
  const router = (name: string, tls = "{}") =>
    `    ${name}: { rule: "HostSNI(\`${name}.test\`)", service: ${name}, tls: ${tls} }\n`;
  const service = (name: string, port: number, more = "", transport = `serversTransport: ${name}, `) =>
    `    ${name}: { loadBalancer: { ${transport}servers: [{ port: ${port}${more} }] } }\n`;
  const sluice = await Sluice.start({
    dynamic: `
tcp:
  routers:
${router("first")}${router("second", "{ options: strict }")}${router("passed", "{ passthrough: true }")}${router("old")}${router("secured")}${router("haproxy1")}${router("haproxy2")}
  services:
${service("first", first.port)}${service("second", second.port)}${service("passed", passed.port)}${service("secured", secured.port, ", tls: true")}${service("haproxy1", balancer)}${service("haproxy2", balancer)}
${service("old", old.port, "", "proxyProtocol: {}, ")}${service("both", old.port, "", "proxyProtocol: {}, serversTransport: first, ")}
  serversTransports:
    first: { proxyProtocol: { version: 1 } }
    second: { proxyProtocol: { tlvs: [alpn, authority, ssl, uniqueId, crc32c] } }
    passed: { proxyProtocol: { tlvs: [ssl, authority] } }
    secured: { proxyProtocol: { version: 1 }, tls: { serverName: localhost, rootCAs: [${authority.cert}] } }
    haproxy1: { proxyProtocol: { version: 1 } }
    haproxy2: { proxyProtocol: { tlvs: [authority, ssl, crc32c] } }
tls:
  ${certificates}
  stores: { default: { defaultCertificate: { certFile: ${pair.cert}, keyFile: ${pair.key} } } }
  options: { strict: { clientAuth: { caFiles: [${authority.cert}] } } }`,
  });
  const ended = (sni: string) => sluice.access((each) => each.sni === sni && each.reason.startsWith("client-"));

  test("version 1 names both ends of the client's connection, before CONNECT, and counts as nobody's stream", async () => {
    const client = await tlsClient(sluice.port, { servername: "first.test" });
    const packet = connectPacket("one");
    client.write(packet);
    await waitFor("the server to read", () => first.reads[0]?.all.includes(packet));
    const line = `PROXY TCP4 127.0.0.1 127.0.0.1 ${client.localPort} ${sluice.port}\r\n`;
    expect(first.reads[0]!.all.toString("latin1")).toBe(line + packet.toString("latin1"));
    client.destroy();
    expect((await ended("first.test")).bytesIn).toBe(packet.length);
  });

  test("version 2 carries what it is asked for, and the access log has the same unique id", async () => {
    const device = await authority.issue({ names: ["device-7"], usage: "clientAuth" });
    const client = connectTls({
      ...{ host: "127.0.0.1", port: sluice.port, servername: "second.test", rejectUnauthorized: false },
      ...{ ALPNProtocols: ["mqtt"], cert: readFileSync(device.cert), key: readFileSync(device.key) },
    });
    await waitFor("the server to read", () => second.reads[0]);
    const header = parseProxyHeader(second.reads[0]!.all);
    if (header.kind !== "ok") throw new Error(header.kind);
    expect(header.addresses!.source.port).toBe(client.localPort!);
    const tlvs = new Map(header.tlvs.map(([type, value]) => [type, Buffer.from(value)]));
    expect(tlvs.get(TLV.alpn)!.toString()).toBe("mqtt");
    expect(tlvs.get(TLV.authority)!.toString()).toBe("second.test");
    const ssl = tlvs.get(TLV.ssl)!;
    expect([ssl[0], ssl.readUInt32BE(1)]).toEqual([0x07, 0]);
    expect([ssl.includes("TLSv1.3"), ssl.includes("device-7")]).toEqual([true, true]);
    client.destroy();
    expect(await ended("second.test")).toMatchObject({ uniqueId: tlvs.get(TLV.uniqueId)!.toString("hex") });
  });

  test("passed through, the header has the name and no word of the TLS that was not ended here", async () => {
    const client = connectTls({ host: "127.0.0.1", port: sluice.port, servername: "passed.test" });
    client.on("error", () => {});
    await waitFor("the server to read", () => passed.reads[0]);
    const header = parseProxyHeader(passed.reads[0]!.all);
    if (header.kind !== "ok") throw new Error(header.kind);
    expect(header.tlvs.map(([type]) => type)).toEqual([TLV.authority]);
    expect(passed.reads[0]!.all[header.length]).toBe(22); // the hello, as it came
    client.destroy();
  });

  test("a server with TLS gets the header before its handshake", async () => {
    const client = await tlsClient(sluice.port, { servername: "secured.test" });
    const packet = connectPacket("tls");
    client.write(packet);
    await waitFor("CONNECT within TLS", () => secured.seen.includes(packet.toString("hex")));
    expect(secured.seen[0]).toBe(`PROXY TCP4 127.0.0.1 127.0.0.1 ${client.localPort} ${sluice.port}\r\n`);
    client.destroy();
  });

  test.each(["haproxy1.test", "haproxy2.test"])(
    "HAProxy takes the header, and passes MQTT on to Mosquitto: %s",
    async (name) => {
      const options = { servername: name, checkServerIdentity: () => undefined };
      const client = await mqttClient({ port: sluice.port, ca: authority.cert }, options);
      await client.mqtt.publishAsync("t", "m", { qos: 1 });
      await client.mqtt.endAsync();
    },
  );

  test("Traefik's old place on the load balancer sends version 2, and a transport beside it is a warning", async () => {
    const client = await tlsClient(sluice.port, { servername: "old.test" });
    await waitFor("the server to read", () => old.reads[0]);
    expect(old.reads[0]!.all.subarray(0, 16).toString("hex")).toBe("0d0a0d0a000d0a515549540a2111000c");
    client.destroy();
    await sluice.logged("proxyProtocol is ignored beside serversTransport");
  });
});
