// PROXY headers that come in: what a load balancer says of its client is believed from those who may say it, and then counts everywhere.

import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { parseProxyHeader } from "../../src/wire/proxy-protocol.ts";
import { Authority } from "../support/certs.ts";
import { tcpServer, tlsClient } from "../support/clients.ts";
import { connectPacket } from "../support/connect-packet.ts";
import { haproxy, nginx, stunnel } from "../support/neighbours.ts";
import { drippingProxy, RawClient } from "../support/raw.ts";
import { type Access, Sluice } from "../support/sluice.ts";
import { freePort, waitFor } from "../support/tools.ts";

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");
const SIGNATURE = "0d0a0d0a000d0a515549540a";
const V1 = Buffer.from("PROXY TCP4 192.0.2.10 198.51.100.7 49152 8883\r\n");
const V2 = hex(`${SIGNATURE} 2111000c c000020a c6336407 c000 22b3`);
/** From 2001:db8::10, with the name that the client asks for behind the addresses. */
const SIX = hex(
  `${SIGNATURE} 2121002f 20010db8000000000000000000000010 20010db8000000000001000000000007 c000 22b3 020008 6c6f63616c686f73`,
);
const LOCAL = hex(`${SIGNATURE} 20000000`);
const NONE = Buffer.alloc(0);

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });
const byAddress = await authority.issue({ names: ["198.51.100.7"], subject: "/CN=by-address" });

const POINTS = {
  optional: { trustedIPs: "127.0.0.1" },
  elsewhere: { trustedIPs: "192.0.2.1" },
  elsewhereOnly: { trustedIPs: "192.0.2.1", required: "true" },
  everybody: { insecure: "true" },
  hasty: { trustedIPs: "127.0.0.1" },
  plain: { trustedIPs: "127.0.0.1" },
  plainElsewhere: { trustedIPs: "192.0.2.1" },
  networks: { trustedIPs: "2001:db8::/32,127.0.0.0/8" },
};
type Point = keyof typeof POINTS;
const ports = new Map<string, number>();
const env: Record<string, string> = { SLUICE_ENTRYPOINTS_HASTY_TRANSPORT_RESPONDINGTIMEOUTS_READTIMEOUT: "300ms" };
for (const [name, fields] of Object.entries(POINTS)) {
  ports.set(name, await freePort());
  const variable = `SLUICE_ENTRYPOINTS_${name.toUpperCase()}`;
  env[`${variable}_ADDRESS`] = `127.0.0.1:${ports.get(name)}`;
  for (const [field, value] of Object.entries(fields)) env[`${variable}_PROXYPROTOCOL_${field.toUpperCase()}`] = value;
}
/** What each connection to the server has sent. */
const sent: Buffer[] = [];
const server = await tcpServer((socket) => {
  const at = sent.push(NONE) - 1;
  socket.on("data", (chunk: Buffer) => {
    sent[at] = Buffer.concat([sent[at]!, chunk]);
  });
  socket.write("hello");
});
const sluice = await Sluice.start({
  env,
  entryPoint: "    proxyProtocol: { trustedIPs: [127.0.0.0/8], required: true }",
  dynamic: `
tcp:
  routers:
    named: { entryPoints: [mqtts], rule: "HostSNI(\`localhost\`) && (ClientIP(\`192.0.2.0/24\`) || ClientIP(\`2001:db8::/32\`))", service: s, tls: {} }
    balanced: { entryPoints: [mqtts], rule: "HostSNI(\`balanced.test\`)", service: s, tls: {} }
    listed: { entryPoints: [mqtts], rule: "HostSNI(\`listed.test\`)", middlewares: [listed], service: s, tls: {} }
    single: { entryPoints: [mqtts], rule: "HostSNI(\`single.test\`)", middlewares: [single], service: s, tls: {} }
    written: { entryPoints: [mqtts], rule: "HostSNI(\`written.test\`)", middlewares: [written], service: s, tls: {} }
    told: { entryPoints: [mqtts], rule: "HostSNI(\`told.test\`)", service: told, tls: {} }
    other: { entryPoints: [optional, elsewhere, elsewhereonly, everybody, hasty, networks], rule: "HostSNI(\`*\`)", service: s, tls: {} }
    plain: { entryPoints: [plain, plainelsewhere], rule: "HostSNI(\`*\`)", service: s }
  middlewares:
    listed: { ipAllowList: { sourceRange: [192.0.2.10] } }
    single: { inFlightConn: { amount: 1 } }
    written: { mqttIdentity: { username: "{client.ip}" } }
  services:
    s: { loadBalancer: { servers: [{ port: ${server.port} }] } }
    told: { loadBalancer: { proxyProtocol: { version: 2 }, servers: [{ port: ${server.port} }] } }
tls:
  certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }, { certFile: ${byAddress.cert}, keyFile: ${byAddress.key} }]
  stores: { default: { defaultCertificate: { certFile: ${pair.cert}, keyFile: ${pair.key} } } }`,
});
const portOf = (point: Point) => ports.get(point)!;

/** The lines of the connections that `client` makes: each test waits for all of its own. */
async function accessesOf(count: number, client: () => Promise<unknown>): Promise<Access[]> {
  const before = sluice.accesses.length;
  await client();
  return waitFor("the access-log lines", () => {
    const lines = sluice.accesses.slice(before);
    return lines.length < count ? null : lines;
  });
}

/** The same for one. */
async function accessOf(client: () => Promise<unknown>): Promise<Access> {
  return (await accessesOf(1, client))[0]!;
}

/** A TLS client whose bytes begin with `header`; it is connected when the server has greeted it. */
async function greet(port: number, header: Uint8Array, servername = "localhost"): Promise<TLSSocket> {
  const socket = connect({ host: "127.0.0.1", port });
  await new Promise((open, failed) => socket.once("connect", open).once("error", failed));
  if (header.length > 0) socket.write(header);
  const tls: TLSSocket = connectTls({ socket, servername, rejectUnauthorized: false });
  await new Promise((heard, failed) => {
    tls.once("data", heard).once("error", failed);
    tls.once("close", () => failed(new Error("closed")));
  });
  tls.on("error", () => {});
  return tls;
}

/** The same, and it leaves at once. */
async function greeted(port: number, header: Uint8Array, servername?: string): Promise<void> {
  (await greet(port, header, servername)).destroy();
}

describe("a header from who may send one", () => {
  test.each([
    ["version 1", V1, { client: "192.0.2.10", clientPort: 49152 }],
    ["version 2", V2, { client: "192.0.2.10", clientPort: 49152 }],
    ["version 2 with IPv6 and more", SIX, { client: "2001:db8::10", clientPort: 49152 }],
  ])("%s: its address is the client's, for rules and for the log", async (_, header, client) => {
    const access = await accessOf(() => greeted(sluice.port, header));
    expect(access).toMatchObject({ ...client, balancer: "127.0.0.1", router: "named@file" });
  });

  test("allow lists go by its address", async () => {
    expect(await accessOf(() => greeted(sluice.port, V2, "listed.test"))).toMatchObject({ reason: "client-closed" });
    const refused = await accessOf(() => greeted(sluice.port, SIX, "listed.test").catch(() => {}));
    expect(refused).toMatchObject({ reason: "address-not-allowed", client: "2001:db8::10" });
  });

  test("limits of an address go by its address", async () => {
    const lines = await accessesOf(3, async () => {
      const first = await greet(sluice.port, V2, "single.test");
      const other = await greet(sluice.port, SIX, "single.test");
      const second = await accessOf(() => greeted(sluice.port, V1, "single.test").catch(() => {}));
      expect(second).toMatchObject({ reason: "too-many-connections", client: "192.0.2.10" });
      first.destroy();
      other.destroy();
    });
    expect(lines).toHaveLength(3);
  });

  test("a server that is told addresses gets those that the balancer has told", async () => {
    const before = sent.length;
    await accessOf(() => greeted(sluice.port, SIX, "told.test"));
    const told = await waitFor("the header", () => sent.slice(before).find((each) => each.length > 0) ?? null);
    const [theirs, ours] = [parseProxyHeader(SIX), parseProxyHeader(told)];
    if (theirs.kind !== "ok" || ours.kind !== "ok") throw new Error(ours.kind);
    expect(ours.addresses).toEqual(theirs.addresses);
  });

  test("a user name that is made of the client's address has the one in it", async () => {
    await accessOf(async () => {
      const socket = connect({ host: "127.0.0.1", port: sluice.port });
      socket.write(SIX);
      const client = connectTls({ socket, servername: "written.test", rejectUnauthorized: false });
      client.write(connectPacket("written"));
      await waitFor("CONNECT", () => sent.some((each) => each.includes("written") && each.includes("2001:db8::10")));
      client.destroy();
    });
  });

  test("a client without SNI gets the certificate for the address that it has dialled at the balancer", async () => {
    await accessOf(async () => {
      const socket = connect({ host: "127.0.0.1", port: portOf("optional") });
      socket.write(V2);
      const tls = connectTls({ socket, rejectUnauthorized: false });
      const common = await new Promise((done, failed) => {
        tls.once("secureConnect", () => done(tls.getPeerCertificate().subject.CN));
        tls.on("error", failed);
      });
      tls.destroy();
      expect(common).toBe("by-address");
    });
  });

  test.each([
    ["version 1", V1],
    ["version 2", SIX],
  ])("%s: header and hello may come in any pieces", async (_, header) => {
    const access = await accessOf(async () => greeted(await drippingProxy(sluice.port), header));
    expect(access).toMatchObject({ balancer: "127.0.0.1", router: "named@file" });
  });

  test("what is behind it in the same segment is not lost, with TLS and without", async () => {
    const access = await accessOf(() =>
      RawClient.exchange(sluice.port, Buffer.concat([V2, Buffer.from("GET / HTTP/1.1\r\n\r\n")])),
    );
    expect(access).toMatchObject({ reason: "http", client: "192.0.2.10" });
    const packet = connectPacket("behind");
    await accessOf(async () => {
      const client = await RawClient.open(portOf("plain"));
      client.socket.write(Buffer.concat([V1, packet]));
      await waitFor("the server to read", () => sent.some((each) => each.equals(packet)));
      client.socket.destroy();
    });
  });

  test.each([
    ["LOCAL", LOCAL],
    ["UNKNOWN with addresses", Buffer.from("PROXY UNKNOWN 192.0.2.10 198.51.100.7 49152 8883\r\n")],
    ["no header, where none is required,", NONE],
  ])("%s leaves the real address", async (_, header) => {
    const access = await accessOf(() => greeted(portOf("optional"), header));
    expect(access.client).toBe("127.0.0.1");
    expect(access).not.toHaveProperty("balancer");
  });

  test("networks of one family do not keep those of the other from being read", async () => {
    expect(await accessOf(() => greeted(portOf("networks"), V1))).toMatchObject({ client: "192.0.2.10" });
  });
});

describe("nothing is dialled for", () => {
  test.each<[string, Point, Buffer, string]>([
    ["a header from an untrusted address", "elsewhere", V1, "proxy-header"],
    ["one of version 2", "elsewhere", V2, "proxy-header"],
    ["one that is no client's", "elsewhere", LOCAL, "proxy-header"],
    ["one where one is required", "elsewhereOnly", V1, "proxy-header-missing"],
    ["one where all routers are plain", "plainElsewhere", V1, "proxy-header"],
    ["one of version 2 there", "plainElsewhere", V2, "proxy-header"],
    ["a wrong one there", "plainElsewhere", Buffer.from("PROXY no\r\n"), "proxy-header"],
    ["a header that is wrong", "everybody", Buffer.from("PROXY TCP4 192.0.2.300 1.1.1.1 1 1\r\n"), "proxy-header-bad"],
    [
      "a wrong checksum",
      "everybody",
      hex(`${SIGNATURE} 21110013 c000020a c6336407 c000 22b3 030004 01020304`),
      "proxy-header-bad",
    ],
    ["datagrams", "everybody", hex(`${SIGNATURE} 2112000c c000020a c6336407 c000 22b3`), "proxy-header-bad"],
    ["more than 4096 bytes", "everybody", hex(`${SIGNATURE} 21110ff1`), "proxy-header-bad"],
    ["a line without end", "everybody", Buffer.from(`PROXY TCP4 ${"1".repeat(97)}`), "proxy-header-bad"],
  ])("%s", async (_, point, bytes, reason) => {
    const before = server.accepted();
    const access = await accessOf(() => RawClient.exchange(portOf(point), bytes));
    expect(access).toMatchObject({ reason, client: "127.0.0.1" });
    expect(access).not.toHaveProperty("balancer");
    expect(server.accepted()).toBe(before);
  });

  test.each([
    ["TLS", hex("1603010005")],
    ["MQTT", connectPacket("c")],
  ])("%s without a header, where one is required", async (_, bytes) => {
    const before = server.accepted();
    const access = await accessOf(() => RawClient.exchange(sluice.port, bytes));
    expect(access.reason).toBe("proxy-header-missing");
    expect(server.accepted()).toBe(before);
  });

  test.each([
    ["a line that never ends", V1.subarray(0, 20)],
    ["half a header of version 2", V2.subarray(0, 20)],
    ["silence", NONE],
  ])("%s: after readTimeout", async (_, bytes) => {
    const before = server.accepted();
    const access = await accessOf(() => RawClient.exchange(portOf("hasty"), bytes));
    expect(access.reason).toBe("proxy-header-timeout");
    expect(server.accepted()).toBe(before);
  });
});

test("who may send none is served without one, with TLS and without", async () => {
  expect(await accessOf(() => greeted(portOf("elsewhere"), NONE))).toMatchObject({
    ...{ client: "127.0.0.1", router: "other@file", reason: "client-closed" },
  });
  const packet = connectPacket("untrusted");
  await accessOf(async () => {
    const client = await RawClient.open(portOf("plainElsewhere"));
    await client.drip(packet);
    await waitFor("the server to read", () => sent.some((each) => each.equals(packet)));
    client.socket.destroy();
  });
});

test("every end of it is a count in the metrics", async () => {
  await accessOf(() => RawClient.exchange(portOf("elsewhere"), V1));
  const metrics = await sluice.metrics();
  for (const reason of ["proxy-header", "proxy-header-missing", "proxy-header-bad", "proxy-header-timeout"])
    expect(metrics).toMatch(new RegExp(`sluice_connections_total\\{[^}]*result="${reason}"[^}]*\\} [1-9]`));
});

test("nothing that anybody sends is an error in the log", () => {
  expect(sluice.lines.filter(({ level }) => level === "error" || level === "fatal")).toEqual([]);
});

test("HAProxy sends both versions and nginx the first, and Sluice believes them", async () => {
  const [one, two, three] = [await freePort(), await freePort(), await freePort()];
  await haproxy(
    `
listen v1
  bind 127.0.0.1:${one}
  server s 127.0.0.1:${sluice.port} send-proxy
listen v2
  bind 127.0.0.1:${two}
  unique-id-format %[uuid]
  server s 127.0.0.1:${sluice.port} send-proxy-v2 proxy-v2-options crc32c,unique-id`,
    [one, two],
  );
  await nginx(`server { listen 127.0.0.1:${three}; proxy_pass 127.0.0.1:${sluice.port}; proxy_protocol on; }`, [three]);
  for (const port of [one, two, three]) {
    const before = sluice.accesses.length;
    const client = await tlsClient(port, { servername: "balanced.test" });
    await new Promise((heard) => client.once("data", heard));
    const { localPort } = client;
    client.destroy();
    // The proxies' own first looks at whether they listen are connections, too.
    const access = await waitFor(
      "the access-log line",
      () => sluice.accesses.slice(before).find(({ sni }) => sni === "balanced.test") ?? null,
    );
    expect(access).toMatchObject({ clientPort: localPort, router: "balanced@file", balancer: "127.0.0.1" });
  }
});

test("stunnel says whose TLS it has ended, and Sluice believes it", async () => {
  const port = await freePort();
  await stunnel(
    `[mqtts]
accept = 127.0.0.1:${port}
connect = 127.0.0.1:${portOf("plain")}
cert = ${pair.cert}
key = ${pair.key}
protocol = proxy`,
    [port],
  );
  const before = sluice.accesses.length;
  const client = await tlsClient(port);
  const packet = connectPacket("stunnel");
  client.write(packet);
  await waitFor("the server to read", () => sent.some((each) => each.equals(packet)));
  const { localPort } = client;
  client.destroy();
  const told = (access: Access) => (access as unknown as { clientPort: number }).clientPort === localPort;
  const access = await waitFor("the access-log line", () => sluice.accesses.slice(before).find(told) ?? null);
  expect(access).toMatchObject({ router: "plain@file", balancer: "127.0.0.1" });
});
