// What Sluice tells servers in PROXY headers is what Wireshark reads in them: on every kind of router and in both versions.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { connect } from "node:tls";
import { parseProxyHeader } from "../../src/wire/proxy-protocol.ts";
import { Authority, type Pair } from "../support/certs.ts";
import { tcpClient } from "../support/clients.ts";
import { connectPacket } from "../support/connect-packet.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient } from "../support/mqtt.ts";
import { Recorder } from "../support/recorder.ts";
import { Sluice } from "../support/sluice.ts";
import { tlsHandshake } from "../support/tls-client.ts";
import { freePort, temporaryDirectory, waitFor } from "../support/tools.ts";
import { dissect } from "../support/wireshark.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost", "*.test"] });
const device = await authority.issue({ names: ["device-7"], usage: "clientAuth" });
const stranger = await (await Authority.create("Other CA")).issue({ names: ["stranger"], usage: "clientAuth" });
const broker = await Mosquitto.start({ lines: [`certfile ${pair.cert}`, `keyfile ${pair.key}`] });
const [recorder, secured] = [await Recorder.start(), await Recorder.before(broker.port)];
const points = { plain1: await freePort(), plain2: await freePort(), six: await freePort() };
const router = (name: string, tls: string) =>
  `    ${name}: { entryPoints: [mqtts], rule: "HostSNI(\`${name}.test\`)", service: ${name}, tls: ${tls} }\n`;
const plainRouter = (name: string) =>
  `    ${name}: { entryPoints: [${name}], rule: "HostSNI(\`*\`)", service: ${name} }\n`;
const service = (name: string, by: string, server = `port: ${recorder.port}`) =>
  `    ${name}: { loadBalancer: { serversTransport: ${by}, servers: [{ ${server} }] } }\n`;
const withTls = `port: ${secured.port}, tls: true`;
const ALL = "[alpn, authority, ssl, uniqueId, crc32c]";
const verified = `tls: { serverName: localhost, rootCAs: [${authority.cert}] }`;
const sluice = await Sluice.start({
  env: {
    SLUICE_ENTRYPOINTS_PLAIN1_ADDRESS: `127.0.0.1:${points.plain1}`,
    SLUICE_ENTRYPOINTS_PLAIN2_ADDRESS: `127.0.0.1:${points.plain2}`,
    SLUICE_ENTRYPOINTS_SIX_ADDRESS: `[::1]:${points.six}`,
  },
  dynamic: `
tcp:
  routers:
${Object.keys(points).map(plainRouter).join("")}${router("passed1", "{ passthrough: true }")}${router("passed2", "{ passthrough: true }")}
${router("ended1", "{}")}${router("ended2", "{}")}${router("strict", "{ options: strict }")}${router("any", "{ options: any }")}
${router("secured1", "{}")}${router("secured2", "{ options: strict }")}
  services:
${["plain1", "passed1", "ended1"].map((name) => service(name, "one")).join("")}
${["plain2", "six", "passed2", "ended2", "strict", "any"].map((name) => service(name, "two")).join("")}
${service("secured1", "tls1", withTls)}${service("secured2", "tls2", withTls)}
  serversTransports:
    one: { proxyProtocol: { version: 1 } }
    two: { proxyProtocol: { tlvs: ${ALL} } }
    tls1: { proxyProtocol: { version: 1 }, ${verified} }
    tls2: { proxyProtocol: { tlvs: ${ALL} }, ${verified} }
tls:
  certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }]
  options:
    strict: { clientAuth: { caFiles: [${authority.cert}] } }
    any: { clientAuth: { clientAuthType: RequireAnyClientCert } }`,
});

/** Sends CONNECT without TLS, and hears the server's greeting. */
async function bare(port: number, host?: string): Promise<void> {
  const client = await tcpClient(port, host);
  client.write(connectPacket("bare"));
  await new Promise((heard) => client.once("data", heard));
  client.destroy();
}

/** A client whose TLS is not ended here: its hello is all that it sends. */
async function hello(name: string): Promise<void> {
  const number = recorder.connections.length;
  const client = connect({
    ...{ host: "127.0.0.1", port: sluice.port, servername: `${name}.test`, ALPNProtocols: ["mqtt"] },
  });
  client.on("error", () => {});
  await recorder.sent(number);
  client.destroy();
}

async function publish(name: string, identity?: Pair): Promise<void> {
  const options = { servername: `${name}.test`, checkServerIdentity: () => undefined, ALPNProtocols: ["mqtt"] };
  const { mqtt } = await mqttClient({ port: sluice.port, ca: authority.cert, identity }, options as never);
  await mqtt.publishAsync("t", "m", { qos: 1 });
  await mqtt.endAsync();
}

const shake = (name: string, ...args: string[]) =>
  tlsHandshake(sluice.port, `${name}.test`, ["-alpn", "mqtt", ...args]);
const show = ({ cert, key }: Pair) => ["-cert", cert, "-key", key];
const session = join(temporaryDirectory(), "session");
const keep = (version: string) => shake("strict", version, ...show(device), "-sess_out", session);
const resume = (version: string) => shake("strict", version, ...show(device), "-sess_in", session);

/** Flags and verification, version of TLS, and common name. */
type Ssl = readonly [flags: string, verify: string, version: string, cn?: string];

interface Case {
  readonly version: 1 | 2;
  readonly client: () => Promise<unknown>;
  /** What comes before it. */
  readonly first?: () => Promise<unknown>;
  /** Where the client comes in, if not by TLS. */
  readonly point?: keyof typeof points;
  readonly server?: Recorder;
  readonly authority?: string;
  readonly ssl?: Ssl;
}

const [VERIFIED, NOT_VERIFIED] = ["0x00000000", "0x00000001"];
const CASES: Readonly<Record<string, Case>> = {
  "a plain router, version 1": { version: 1, point: "plain1", client: () => bare(points.plain1) },
  "a plain router, version 2": { version: 2, point: "plain2", client: () => bare(points.plain2) },
  "a client of IPv6": { version: 2, point: "six", client: () => bare(points.six, "::1") },
  "TLS passed through, version 1": { version: 1, client: () => hello("passed1") },
  "TLS passed through, version 2": { version: 2, client: () => hello("passed2"), authority: "passed2.test" },
  "TLS that ends here, version 1": { version: 1, client: () => shake("ended1") },
  "TLS that ends here, version 2": {
    ...{ version: 2, client: () => shake("ended2"), authority: "ended2.test", ssl: ["0x01", NOT_VERIFIED, "TLSv1.3"] },
  },
  "a certificate": {
    ...{ version: 2, client: () => shake("strict", "-tls1_3", ...show(device)), authority: "strict.test" },
    ssl: ["0x07", VERIFIED, "TLSv1.3", "device-7"],
  },
  "the certificate of a session that is resumed": {
    ...{ version: 2, first: () => keep("-tls1_3"), client: () => resume("-tls1_3"), authority: "strict.test" },
    ssl: ["0x05", VERIFIED, "TLSv1.3", "device-7"],
  },
  "the same in TLS 1.2": {
    ...{ version: 2, first: () => keep("-tls1_2"), client: () => resume("-tls1_2"), authority: "strict.test" },
    ssl: ["0x05", VERIFIED, "TLSv1.2", "device-7"],
  },
  "a certificate that nobody has verified": {
    ...{ version: 2, client: () => shake("any", ...show(stranger)), authority: "any.test" },
    ssl: ["0x07", NOT_VERIFIED, "TLSv1.3", "stranger"],
  },
  "a server with TLS, version 1": { version: 1, server: secured, client: () => publish("secured1") },
  "a server with TLS, version 2": {
    ...{ version: 2, server: secured, client: () => publish("secured2", device), authority: "secured2.test" },
    ssl: ["0x07", VERIFIED, "TLSv1.3", "device-7"],
  },
};

const FIELDS = [
  ...["proxy.v1.proto", "proxy.v2.version", "proxy.v2.cmd", "proxy.src.ipv4", "proxy.dst.ipv4", "proxy.src.ipv6"],
  ...["proxy.dst.ipv6", "proxy.srcport", "proxy.dstport", "proxy.v2.tlv.type", "proxy.v2.tlv.value"],
  ...["proxy.v2.tlv.ssl.client", "proxy.v2.tlv.ssl.verify", "proxy.v2.tlv.ssl.version", "proxy.v2.tlv.ssl.cn"],
  ...["proxy.v2.tlv.ssl.cipher", "proxy.bad_format", "proxy.header.length_too_small", "_ws.malformed"],
];

/** The access-log line of the connection that `client` makes. */
async function accessOf(client: () => Promise<unknown>) {
  const before = sluice.accesses.length;
  await client();
  const access = await waitFor("an access-log line", () => sluice.accesses[before] ?? null);
  return access as typeof access & { clientPort: number; uniqueId?: string };
}

const made: { sent: Buffer[]; access: Awaited<ReturnType<typeof accessOf>> }[] = [];
for (const { first, client, server = recorder } of Object.values(CASES)) {
  if (first !== undefined) await accessOf(first);
  const access = await accessOf(client);
  made.push({ sent: server.connections.at(-1)!, access });
}
const read = await dissect(
  made.map(({ sent }) => sent),
  FIELDS,
);

for (const [index, [what, { version, point, authority: name, ssl }]] of Object.entries(CASES).entries())
  test(what, () => {
    const { sent, access } = made[index]!;
    const found = read[index]!;
    const six = point === "six";
    const [here, none] = [[six ? "::1" : "127.0.0.1"], [] as string[]];
    expect(found).toMatchObject({
      ...{ "proxy.v1.proto": version === 1 ? ["TCP4"] : none, "proxy.v2.version": version === 2 ? ["2"] : none },
      ...{ "proxy.v2.cmd": version === 2 ? ["1"] : none, "proxy.srcport": [String(access.clientPort)] },
      "proxy.dstport": [String(point === undefined ? sluice.port : points[point])],
      ...{ "proxy.src.ipv4": six ? none : here, "proxy.dst.ipv4": six ? none : here },
      ...{ "proxy.src.ipv6": six ? here : none, "proxy.dst.ipv6": six ? here : none },
      ...{ "proxy.bad_format": none, "proxy.header.length_too_small": none, "_ws.malformed": none },
    });

    const [flags, verify, tls, cn] = ssl ?? [];
    const names = name === undefined ? [] : ["0x01", "0x02"];
    const parts = ssl === undefined ? [] : ["0x20", "0x21", ...(cn === undefined ? [] : ["0x22"]), "0x23"];
    const types = version === 1 ? [] : [...names, "0x03", "0x05", ...parts];
    const list = (value: string | undefined) => (value === undefined ? [] : [value]);
    expect(found).toMatchObject({
      "proxy.v2.tlv.type": types,
      ...{ "proxy.v2.tlv.ssl.client": list(flags), "proxy.v2.tlv.ssl.verify": list(verify) },
      ...{ "proxy.v2.tlv.ssl.version": list(tls), "proxy.v2.tlv.ssl.cn": list(cn) },
      "proxy.v2.tlv.ssl.cipher": ssl === undefined ? [] : [expect.stringMatching(/^(TLS_|ECDHE-)/)],
    });
    const values = new Map(types.map((type, at) => [type, found["proxy.v2.tlv.value"]![at]!]));
    const textOf = (type: string) => Buffer.from(values.get(type) ?? "", "hex").toString();
    expect([textOf("0x01"), textOf("0x02")]).toEqual(name === undefined ? ["", ""] : ["mqtt", name]);
    expect(values.get("0x05")).toBe(access.uniqueId as string);

    // Wireshark computes no checksum. The stream behind the header begins as CONNECT or as a hello.
    const all = Buffer.concat(sent);
    const header = parseProxyHeader(all);
    if (header.kind !== "ok") throw new Error(header.kind);
    expect([undefined, 0x10, 0x16]).toContain(all[header.length]);
  });
