// The messages in the tables of docs/client-errors.md are those of real clients, in the cases that the page names.

import { describe, expect, test } from "bun:test";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Authority, type Pair } from "../support/certs.ts";
import { place } from "../support/place.ts";
import { ROOT, SLUICE } from "../support/sluice.ts";
import { cleanup, exec, waitFor } from "../support/tools.ts";

const PAGE = readFileSync(join(ROOT, "docs/client-errors.md"), "utf8");
const PROGRAMS = join(ROOT, "test/fixtures/clients");
const MQTT_JS = join(ROOT, "node_modules/mqtt/build/index.js");

/** In front of .example.com. */
const NAMES = ["good", "self-signed", "other-name", "expired", "mutual", "locked", "gone", "unknown"];
/** What the router of this name has for a middleware, and its service where it is not the broker. Each reads CONNECT. */
const GATED: Readonly<Record<string, { readonly middleware: string; readonly service?: string }>> = {
  version: { middleware: 'mqttConnect: { versions: ["3.1"] }' },
  "client-id": { middleware: 'mqttConnect: { clientId: { pattern: "dev-[0-9]+" } }' },
  "keep-alive": { middleware: "mqttConnect: { maxKeepAlive: 5s }" },
  large: { middleware: "mqttConnect: { maxSize: 16 }" },
  users: { middleware: "mqttAuth: { passwordFile: passwords }" },
  strict: { middleware: "mqttAuth: { passwordFile: passwords, strictCodes: true }" },
  away: { middleware: "mqttConnect: {}", service: "gone" },
};
const hosts = `127.0.0.1 localhost ${[...NAMES, ...Object.keys(GATED)].map((name) => `${name}.example.com`).join(" ")}\n`;
const { directory, within, listens } = await place(SLUICE, hosts);

const authority = await Authority.create();
const other = await Authority.create("Other CA");
const devices = await Authority.create("Device CA");
const issue = (...names: string[]) => authority.issue({ names: names.map((name) => `${name}.example.com`) });
const expired = await authority.issue({ names: ["expired.example.com"], notAfter: "20210101000000Z" });
const stranger = await other.issue({ names: ["device"], usage: "clientAuth" });
const late = await devices.issue({ names: ["device"], usage: "clientAuth", notAfter: "20210101000000Z" });
const selfSigned = (await await Authority.create("self-signed.example.com", "p256", [
  ...["-subj", "/CN=self-signed.example.com", "-addext", "subjectAltName=DNS:self-signed.example.com"],
])) satisfies Pair;

/** `tls` is not 8883, where mosquitto_pub would speak TLS without being asked to. */
const PORTS = { tls: 8886, plain: 1884, http: 8080, nobody: 9 } as const;
for (const name of ["config", "dynamic"]) rmSync(join(directory, name)); // links to what npm start uses
writeFileSync(
  join(directory, "sluice.yml"),
  `
entryPoints: { mqtts: { address: ":${PORTS.tls}" }, mqtt: { address: ":${PORTS.plain}" } }
providers: { file: { filename: dynamic.yml } }
workers: 1
ping: {}
`,
);
const router = (name: string, service: string, options = "{}", middlewares = "") =>
  `    ${name}: { entryPoints: [mqtts], rule: "HostSNI(\`${name}.example.com\`)", service: ${service}, tls: ${options}, middlewares: [${middlewares}] }\n`;
const pair = ({ cert, key }: Pair) => `{ certFile: ${cert}, keyFile: ${key} }`;
writeFileSync(
  join(directory, "dynamic.yml"),
  `
tcp:
  middlewares:
${Object.entries(GATED)
  .map(([name, { middleware }]) => `    ${name}: { ${middleware} }\n`)
  .join("")}
  routers:
${Object.entries(GATED)
  .map(([name, { service = "broker" }]) => router(name, service, "{}", name))
  .join("")}
${["good", "self-signed", "other-name", "expired"].map((name) => router(name, "broker")).join("")}
${router("mutual", "broker", "{ options: mutual }")}${router("locked", "locked")}${router("gone", "gone")}
    noName: { entryPoints: [mqtts], rule: "HostSNI(\`*\`) && !HostSNI(\`unknown.example.com\`)", priority: 1, service: broker, tls: {} }
    plain: { entryPoints: [mqtt], rule: "HostSNI(\`*\`)", service: broker }
  services:
    broker: { loadBalancer: { servers: [{ port: 1883 }] } }
    locked: { loadBalancer: { servers: [{ port: 1885 }] } }
    gone: { loadBalancer: { servers: [{ port: ${PORTS.nobody} }] } }
tls:
  options: { mutual: { clientAuth: { caFiles: [${devices.cert}] } } }
  certificates: [${[await issue("good", "mutual", "locked", "gone", ...Object.keys(GATED)), selfSigned, expired].map(pair).join(", ")}]
  stores: { default: { defaultCertificate: ${pair(await issue("elsewhere"))} } }
`,
);
writeFileSync(
  join(directory, "mosquitto.conf"),
  "per_listener_settings true\nuser root\nlistener 1883 127.0.0.1\nallow_anonymous true\nlistener 1885 127.0.0.1\nallow_anonymous false\n",
);
expect(await exec(["mosquitto_passwd", "-c", "-b", "passwords", "anna", "secret"], { cwd: directory })).toMatchObject({
  code: 0,
});
copyFileSync(join(PROGRAMS, "Client.java"), join(directory, "Client.java"));
expect(await exec(["javac", "Client.java"], { cwd: directory })).toMatchObject({ code: 0 });
for (const [command, ports] of [
  ['PATH="$PATH:/usr/sbin"; exec mosquitto -c mosquitto.conf', [1883, 1885]],
  ["exec bin/sluice run sluice.yml", [PORTS.tls, PORTS.plain, PORTS.http]],
] as const) {
  const child = Bun.spawn(within(command), { stdio: ["ignore", "ignore", "ignore"] });
  cleanup(async () => {
    child.kill("SIGKILL");
    await child.exited;
  });
  await waitFor(`${command} to listen`, () => ports.every(listens));
}

interface Situation {
  /** In front of .example.com, or localhost. */
  readonly name: string;
  readonly port?: keyof typeof PORTS;
  /** What is trusted; null: no TLS. */
  readonly ca?: string | null;
  readonly identity?: Pair;
  /** A user name, with the password x. */
  readonly user?: string;
  /** Further options of openssl s_client. */
  readonly openssl?: string;
}

/** By the headings of the page. */
const SITUATIONS: Readonly<Record<string, Situation>> = {
  "The certificate's authority is not trusted": { name: "good", ca: other.cert },
  "The certificate is self-signed": { name: "self-signed" },
  "The certificate is for another name": { name: "other-name" },
  "The client asks for no name": { name: "localhost" },
  "The certificate has expired": { name: "expired" },
  "No router takes the name": { name: "unknown" },
  "The client shows no certificate": { name: "mutual" },
  "The client's certificate is of another authority": { name: "mutual", identity: stranger },
  "The client's certificate has expired": { name: "mutual", identity: late },
  "The broker refuses the client": { name: "locked" },
  "The broker does not answer": { name: "gone" },
  "The MQTT version is not allowed": { name: "version" },
  "The client id is not allowed": { name: "client-id" },
  "The keep alive is too long": { name: "keep-alive" },
  "The CONNECT is too large": { name: "large", user: "a-user-with-a-long-name" },
  "Sluice does not let the user in": { name: "users" },
  "The user name or the password is wrong": { name: "strict", user: "anna" },
  "There is no broker for now": { name: "away" },
  "TLS to a plain port": { name: "good", port: "plain" },
  "TLS to a port that speaks HTTP": { name: "good", port: "http" },
  "No TLS to a TLS port": { name: "good", ca: null },
  "The client's TLS is too old": { name: "good", openssl: "-tls1_1 -cipher DEFAULT@SECLEVEL=0" },
  "No cipher suite in common": { name: "good", openssl: "-tls1_2 -cipher AES128-SHA" },
  "Nothing listens there": { name: "good", port: "nobody" },
};

type Command = (host: string, port: number, situation: Situation) => string;

const mosquittoPub: Command = (host, port, { ca, identity, user }) =>
  [
    ...["mosquitto_pub", "-h", host, "-p", port, "-t a -m b", ca === null ? "" : `--cafile ${ca}`],
    ...[identity ? `--cert ${identity.cert} --key ${identity.key}` : "", user === undefined ? "" : `-u ${user} -P x`],
  ].join(" ");
const mqttJs: Command = (host, port, { ca, identity, user }) =>
  [
    ...[user === undefined ? "" : `MQTT_USER=${user}`, "node", `${PROGRAMS}/client.mjs`, MQTT_JS, host, port, ca ?? ""],
    ...(identity ? [identity.cert, identity.key] : []),
  ].join(" ");
/** Debian's Python has Debian's paho-mqtt. */
const paho =
  (version: string): Command =>
  (host, port, { ca, user }) =>
    `${user === undefined ? "" : `MQTT_USER=${user}`} /usr/bin/python3 ${PROGRAMS}/paho_client.py ${host} ${port} ${ca} ${version}`;

/** What connects, by the words of the page. */
const CLIENTS: Readonly<Record<string, Command>> = {
  mosquitto_pub: mosquittoPub,
  "mosquitto_pub 5": (...args) => `${mosquittoPub(...args)} -V 5`,
  // It is kept open until an alert has had time to come.
  OpenSSL: (host, port, { ca, identity, openssl = "" }) =>
    `(sleep 2; echo Q) | openssl s_client -connect ${host}:${port} -servername ${host} -CAfile ${ca} -verify_return_error -verify_hostname ${host} ${openssl} ${identity ? `-cert ${identity.cert} -key ${identity.key}` : ""}`,
  "MQTT.js": mqttJs,
  "MQTT.js 5": (...args) => `MQTT_VERSION=5 ${mqttJs(...args)}`,
  "paho-mqtt": paho("3.1.1"),
  "paho-mqtt 5": paho("5"),
  Python: (host, port, { ca, identity }) =>
    `python3 ${PROGRAMS}/client.py ${host} ${port} ${ca} ${identity ? `${identity.cert} ${identity.key}` : ""}`,
  Java: (host, port, { ca }) => `java -cp . Client ${host} ${port} ${ca}`,
};

async function says(client: string, situation: Situation): Promise<string> {
  const { name, port = "tls", ca = authority.cert } = situation;
  const host = name === "localhost" ? name : `${name}.example.com`;
  const command = CLIENTS[client]!(host, PORTS[port], { ...situation, ca });
  const { stdout, stderr } = await exec(within(`${command} || true`));
  return stdout + stderr;
}

test("every client gets through where all is well", async () => {
  const good = { name: "good" };
  expect(await says("mosquitto_pub", good)).toBe("");
  expect(await says("OpenSSL", good)).toContain("Verify return code: 0 (ok)");
  expect(await says("MQTT.js", good)).toStartWith("connect\n");
  expect(await says("mosquitto_pub 5", good)).toBe("");
  expect(await says("MQTT.js 5", good)).toStartWith("connect\n");
  expect(await says("paho-mqtt", good)).toBe("Connection Accepted.\n");
  expect(await says("paho-mqtt 5", good)).toBe("Success\n");
  expect(await says("Python", good)).toBe("answer: 20020000\n");
  expect(await says("Java", good)).toBe("answer: 32\n");
}, 60_000);

describe("what the page says that a client says, it says", () => {
  const sections = PAGE.split(/^## /m).slice(1);
  const rows = sections.flatMap((text) => {
    const heading = text.slice(0, text.indexOf("\n"));
    return [...text.matchAll(/^\| `([^`]+)` \| ([^|]+) \|$/gm)].flatMap(([, message, clients]) =>
      clients!.split(",").map((client) => ({ heading, client: client.trim(), message: message! })),
    );
  });

  test("each situation is in the page, and each table of the page has one", () => {
    expect([...new Set(rows.map(({ heading }) => heading))].sort()).toEqual(Object.keys(SITUATIONS).sort());
    expect(rows.filter(({ client }) => !(client in CLIENTS))).toEqual([]);
  });

  for (const [heading, situation] of Object.entries(SITUATIONS))
    test(heading, async () => {
      const here = rows.filter((row) => row.heading === heading);
      const said = await Promise.all(here.map(async (row) => ({ ...row, said: await says(row.client, situation) })));
      expect(said.filter((row) => !row.said.toLowerCase().includes(row.message.toLowerCase()))).toEqual([]);
    }, 60_000);
});
