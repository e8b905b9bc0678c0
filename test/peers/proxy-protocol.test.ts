// PROXY headers between Sluice and the newest Mosquitto, HAProxy and nginx, which Debian stable does not have yet: npm run test:peers.

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import type { IClientOptions } from "mqtt";
import { Authority, type Pair } from "../support/certs.ts";
import { tlsClient } from "../support/clients.ts";
import { connectPacket } from "../support/connect-packet.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient, received } from "../support/mqtt.ts";
import { haproxy, nginx } from "../support/neighbours.ts";
import { PEERS, peer } from "../support/peers.ts";
import { Sluice } from "../support/sluice.ts";
import { freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost", "*.test"] });
const device = await authority.issue({ names: ["device-7"], usage: "clientAuth" });
const nameless = await authority.issue({ names: ["device-8"], subject: "/O=Example", usage: "clientAuth" });
const stranger = await (await Authority.create("Other CA")).issue({ names: ["device-7"], usage: "clientAuth" });

const directory = temporaryDirectory();
const [acl, brokerLog] = [join(directory, "acl"), join(directory, "mosquitto.log")];
writeFileSync(acl, "user device-7\ntopic readwrite devices/device-7/#\n");
const mosquitto = await Mosquitto.start({
  command: peer("sbin/mosquitto"),
  lines: [
    ...["enable_proxy_protocol 2", "require_certificate true", "use_identity_as_username true"],
    ...[`acl_file ${acl}`, `log_dest file ${brokerLog}`, "log_type all"],
  ],
});
const lines = await Mosquitto.start({ command: peer("sbin/mosquitto"), lines: ["enable_proxy_protocol 1"] });
const open = await Mosquitto.start();
const [haproxyIn, nginxIn] = [await freePort(), await freePort()];
const balancing = await haproxy(
  `listen mqtt
  bind 127.0.0.1:${haproxyIn} accept-proxy
  log-format "%ci %cp %[fc_pp_authority] %[fc_pp_tlv(0x01)] %[fc_pp_unique_id,hex,lower] %[fc_pp_tlv(0x20),hex,lower]"
  server broker 127.0.0.1:${open.port}`,
  [haproxyIn],
  PEERS,
);
const told = ["addr", "port", "tlv_authority", "tlv_alpn", "tlv_ssl_verify", "tlv_ssl_version", "tlv_ssl_cn"];
const passing = await nginx(
  `server { listen 127.0.0.1:${nginxIn} proxy_protocol; proxy_pass 127.0.0.1:${open.port}; }`,
  [nginxIn],
  told.map((name) => `$proxy_protocol_${name}`).join(" "),
  PEERS,
);

const router = (name: string, tls: string, service = name) =>
  `    ${name}: { rule: "HostSNI(\`${name}.test\`)", service: ${service}, tls: ${tls} }\n`;
const service = (name: string, by: string, port: number) =>
  `    ${name}: { loadBalancer: { serversTransport: ${by}, servers: [{ port: ${port} }] } }\n`;
const sluice = await Sluice.start({
  entryPoint: "    proxyProtocol: { trustedIPs: [127.0.0.1] }",
  dynamic: `
tcp:
  routers:
${router("strict", "{ options: strict }", "mosquitto")}${router("any", "{ options: any }", "mosquitto")}
${router("open", "{}", "mosquitto")}${router("lines", "{}")}${router("balanced", "{}", "plain")}
${router("haproxy", "{ options: strict }")}${router("nginx", "{ options: strict }")}
  services:
${service("mosquitto", "all", mosquitto.port)}${service("lines", "line", lines.port)}
${service("haproxy", "all", haproxyIn)}${service("nginx", "all", nginxIn)}
    plain: { loadBalancer: { servers: [{ port: ${open.port} }] } }
  serversTransports:
    line: { proxyProtocol: { version: 1 } }
    all: { proxyProtocol: { tlvs: [alpn, authority, ssl, uniqueId, crc32c] } }
tls:
  certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }]
  options:
    strict: { clientAuth: { caFiles: [${authority.cert}] } }
    any: { clientAuth: { clientAuthType: RequireAnyClientCert } }`,
});

const named = (name: string, more: IClientOptions = {}): IClientOptions => ({
  ...{ servername: `${name}.test`, checkServerIdentity: () => undefined, ALPNProtocols: ["mqtt"] },
  ...more,
});
const at = (identity?: Pair) => ({ port: sluice.port, ca: authority.cert, identity });

describe("Mosquitto with require_certificate and use_identity_as_username", () => {
  test.each([
    ["3.1.1", 4],
    ["5", 5],
  ] as const)(
    "%s: its ACL goes by the name in the certificate, whatever user name CONNECT has",
    async (_, protocolVersion) => {
      const options = named("strict", { protocolVersion, username: "admin", password: "x" });
      const client = await mqttClient(at(device), options);
      await client.mqtt.subscribeAsync("#", { qos: 1 });
      await client.mqtt.publishAsync("devices/other/state", "forbidden", { qos: 1 }).catch(() => {});
      await client.mqtt.publishAsync("devices/device-7/state", "on", { qos: 1 });
      expect((await received(client, "devices/device-7/state")).payload.toString()).toBe("on");
      expect(client.messages.map(({ topic }) => topic)).toEqual(["devices/device-7/state"]);
      const { localPort } = client.mqtt.stream as unknown as { localPort: number };
      await client.mqtt.endAsync();
      const log = readFileSync(brokerLog, "utf8");
      expect(log).toMatch(new RegExp(`New client connected from 127\\.0\\.0\\.1:${localPort} .*u'device-7'`));
      expect(log).not.toContain("u'admin'");
    },
  );

  test.each(["TLSv1.2", "TLSv1.3"] as const)(
    "%s: in a session that is resumed it is the same device",
    async (version) => {
      const [minVersion, maxVersion] = [version, version];
      const [cert, key] = [readFileSync(device.cert), readFileSync(device.key)];
      const options = { host: "127.0.0.1", port: sluice.port, servername: "strict.test", rejectUnauthorized: false };
      let session: Buffer | undefined;
      for (const isResumed of [false, true]) {
        const client = connect({ ...options, cert, key, minVersion, maxVersion, session: session! });
        client.on("session", (latest) => {
          session = latest;
        });
        client.write(connectPacket(`resumed-${version}`));
        const connack = await new Promise<Buffer>((heard, failed) => client.once("data", heard).once("error", failed));
        expect(connack.toString("hex")).toBe("20020000");
        expect(client.isSessionReused()).toBe(isResumed);
        await waitFor("a ticket", () => session !== undefined);
        client.destroy();
      }
      const seen = readFileSync(brokerLog, "utf8").match(new RegExp(`as resumed-${version} .*u'device-7'`, "g"));
      expect(seen).toHaveLength(2);
    },
  );

  test.each([
    ["a certificate without a common name", "strict", nameless],
    ["a certificate that Sluice has not verified", "any", stranger],
    ["no certificate", "open", undefined],
  ])("%s does not come in", async (_, name, identity) => {
    await expect(mqttClient(at(identity), named(name))).rejects.toThrow();
  });
});

test("Mosquitto takes version 1", async () => {
  const client = await mqttClient(at(), named("lines"));
  await client.mqtt.publishAsync("t", "m", { qos: 1 });
  await client.mqtt.endAsync();
});

describe("Sluice tells", () => {
  const visit = async (name: string) => {
    const client = await mqttClient(at(device), named(name));
    const { localPort } = client.mqtt.stream as unknown as { localPort: number };
    await client.mqtt.publishAsync("t", "m", { qos: 1 });
    await client.mqtt.endAsync();
    const access = await sluice.access(({ sni }) => sni === `${name}.test`);
    return { localPort, uniqueId: (access as unknown as { uniqueId: string }).uniqueId };
  };

  test("HAProxy 3", async () => {
    const { localPort, uniqueId } = await visit("haproxy");
    // Flags, verification, version of TLS, common name.
    const ssl = `0700000000210007${hex("TLSv1.3")}220008${hex("device-7")}23`;
    const line = await waitFor(
      "its log",
      () =>
        balancing
          .log()
          .split("\n")
          .find((each) => each.includes(uniqueId)) ?? null,
    );
    expect(line).toStartWith(`127.0.0.1 ${localPort} haproxy.test mqtt ${uniqueId} `);
    expect(line).toContain(ssl);
  });

  test("nginx 1.30", async () => {
    const { localPort } = await visit("nginx");
    const line = `127.0.0.1 ${localPort} nginx.test mqtt 0 TLSv1.3 device-7`;
    await waitFor("its log", () => passing.log().split("\n").includes(line));
  });
});

describe("Sluice believes", async () => {
  const [one, two, three, four] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const ends = `server s 127.0.0.1:${sluice.port}`;
  await haproxy(
    `
listen v1
  bind 127.0.0.1:${one}
  ${ends} send-proxy
listen v2
  bind 127.0.0.1:${two}
  unique-id-format %[uuid]
  ${ends} send-proxy-v2 proxy-v2-options crc32c,unique-id,authority set-proxy-v2-tlv-fmt(0xE1) %[src]
listen tls
  bind 127.0.0.1:${three}
  ${ends} send-proxy-v2-ssl-cn`,
    [one, two, three],
    PEERS,
  );
  await nginx(
    `server { listen 127.0.0.1:${four}; proxy_pass 127.0.0.1:${sluice.port}; proxy_protocol on; }`,
    [four],
    "$remote_addr",
    PEERS,
  );
  test.each([
    ["HAProxy 3, version 1", one],
    ["HAProxy 3, version 2 with a checksum and more", two],
    ["HAProxy 3, version 2 with SSL", three],
    ["nginx 1.30", four],
  ])("%s", async (_, port) => {
    const client = await tlsClient(port, { servername: "balanced.test" });
    client.write(connectPacket("balanced"));
    const connack = await new Promise<Buffer>((heard) => client.once("data", heard));
    expect(connack.toString("hex")).toBe("20020000");
    const { localPort } = client;
    client.destroy();
    const access = await sluice.access((each) => (each as unknown as { clientPort: number }).clientPort === localPort);
    expect(access).toMatchObject({ router: "balanced@file", client: "127.0.0.1", balancer: "127.0.0.1" });
  });
});

test("a check with MQTT finds Mosquitto 2.1 well behind both versions of the header, and finds out that it hangs", async () => {
  const two = await Mosquitto.start({ command: peer("sbin/mosquitto"), lines: ["enable_proxy_protocol 2"] });
  const checked = await Sluice.start({
    dynamic: `
tcp:
  routers:
${router("two", "{}")}${router("one", "{}")}
  services:
    two: { loadBalancer: { serversTransport: all, healthCheck: &check { interval: 100ms, timeout: 1s, mqtt: {} }, servers: [{ port: ${two.port} }] } }
    one: { loadBalancer: { serversTransport: line, healthCheck: *check, servers: [{ port: ${lines.port} }] } }
  serversTransports:
    line: { proxyProtocol: { version: 1 } }
    all: { proxyProtocol: { tlvs: [authority, ssl] } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }`,
  });
  for (const port of [two.port, lines.port])
    await waitFor("three good checks", async () => {
      const labels = { server: `127.0.0.1:${port}`, result: "good" };
      return (await checked.metric("sluice_server_checks_total", labels)) >= 3;
    });
  expect(checked.lines.filter(({ msg }) => msg === "a server is down")).toEqual([]);
  two.process.kill("SIGSTOP");
  expect(await checked.logged("a server is down")).toMatchObject({ server: `127.0.0.1:${two.port}` });
});

function hex(text: string): string {
  return Buffer.from(text).toString("hex");
}
