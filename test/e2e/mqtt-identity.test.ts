// mqttIdentity before a real Mosquitto: its log and its ACL know each client by the certificate, whatever the client says of itself; and
// one that may not be who it says hears so, and comes to no broker.

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { IClientOptions } from "mqtt";
import { Authority, type Pair } from "../support/certs.ts";
import { anyConnect } from "../support/connect-packet.ts";
import { der, dottedOid, sequence, set } from "../support/der.ts";
import { HostileCertificates } from "../support/hostile-certificates.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { type Endpoint, mosquittoPub, mqttClient, received } from "../support/mqtt.ts";
import { random } from "../support/random.ts";
import { Sluice } from "../support/sluice.ts";
import { exec, temporaryDirectory, waitFor } from "../support/tools.ts";

const directory = temporaryDirectory();
const file = (name: string, text: string): string => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};
const ROUTERS = ["named", "both", "honest", "guarded", "maybe"];
const [authority, devices] = await Promise.all([Authority.create(), Authority.create("Devices")]);
const server = await authority.issue({ names: [...ROUTERS.map((name) => `${name}.test`), "localhost"] });
const device = (subject: string) => devices.issue({ names: [], usage: "clientAuth", subject });
const [first, second, twice] = await Promise.all([
  device("/CN=dev-1"),
  device("/CN=dev-2"),
  device("/CN=dev-1/CN=dev-2"),
]);

const log = join(directory, "mosquitto.log");
const acl = "user dev-1\ntopic readwrite dev-1/#\nuser dev-2\ntopic readwrite dev-2/#\n";
const broker = await Mosquitto.start({
  lines: [`log_dest file ${log}`, "log_type all", `acl_file ${file("acl", acl)}`],
});
// With the byte order mark of some editors, which is no part of it.
const secret = file("secret", "\uFEFFonly the edge knows\nand not this line\n");
const passwords = file("passwords", "dev-1:only the edge knows\n");
const { code } = await exec(["mosquitto_passwd", "-U", passwords]);
if (code !== 0) throw new Error("mosquitto_passwd");
const guarded = await Mosquitto.start({ lines: ["allow_anonymous false", `password_file ${passwords}`] });

const sluice = await Sluice.start({
  dynamic: `
tcp:
  middlewares:
    named: { mqttIdentity: { username: "{cert.cn}", password: strip } }
    numbered: { mqttIdentity: { clientId: "{cert.cn}-{mqtt.clientId}", username: "nobody" } }
    honest: { mqttIdentity: { require: [{ value: "{mqtt.clientId}", equals: "{cert.cn}" }] } }
    introduced: { mqttIdentity: { username: "{cert.cn}", passwordFile: ${secret} } }
  routers:
    named: { rule: "HostSNI(\`named.test\`)", service: open, middlewares: [named], tls: { options: mutual } }
    both: { rule: "HostSNI(\`both.test\`)", service: open, middlewares: [numbered, named], tls: { options: mutual } }
    honest: { rule: "HostSNI(\`honest.test\`) || HostSNI(\`localhost\`)", service: open, middlewares: [honest, named], tls: { options: mutual } }
    guarded: { rule: "HostSNI(\`guarded.test\`)", service: guarded, middlewares: [introduced], tls: { options: mutual } }
    maybe: { rule: "HostSNI(\`maybe.test\`)", service: open, middlewares: [named], tls: { options: maybe } }
  services:
    open: { loadBalancer: { servers: [{ port: ${broker.port} }] } }
    guarded: { loadBalancer: { servers: [{ port: ${guarded.port} }] } }
tls:
  certificates: [{ certFile: ${server.cert}, keyFile: ${server.key} }]
  options:
    mutual: { clientAuth: { caFiles: [${devices.cert}] } }
    maybe: { clientAuth: { caFiles: [${devices.cert}], clientAuthType: VerifyClientCertIfGiven } }
`,
});

const VERSIONS: Record<string, IClientOptions> = {
  "3.1": { protocolId: "MQIsdp", protocolVersion: 3 },
  "3.1.1": { protocolVersion: 4 },
  "5": { protocolVersion: 5 },
};
const NOT_AUTHORISED: Record<string, number> = { "3.1": 5, "3.1.1": 5, "5": 0x87 };

const edge = (identity: Pair | undefined): Endpoint => ({ port: sluice.port, ca: authority.cert, identity });
const connect = (identity: Pair | undefined, servername: string, options: IClientOptions) =>
  mqttClient(edge(identity), { servername, ...options });
/** The code of the CONNACK that refused the client. */
const refusal = (...args: Parameters<typeof connect>) =>
  connect(...args).then(
    () => "let in",
    (error: { code?: number | string; message: string }) => error.code ?? error.message,
  );
/** What Mosquitto's log says of the client with this id, as soon as it does. */
const logged = (clientId: string) =>
  waitFor(`the broker's line about ${clientId}`, () => {
    const line = readFileSync(log, "utf8")
      .split("\n")
      .find((each) => each.includes(` as ${clientId} (`));
    return line ?? null;
  });

for (const [version, options] of Object.entries(VERSIONS))
  describe(`MQTT ${version}`, () => {
    const id = (name: string) => `${name}-${version}`;

    test("the broker's log and ACL know a client by its certificate, whatever user name it says", async () => {
      const claims = { ...options, clientId: id("liar"), username: "dev-2", password: "x" };
      const client = await connect(first, "named.test", claims);
      expect(await logged(id("liar"))).toContain("u'dev-1'");
      await client.mqtt.subscribeAsync(["dev-1/#", "dev-2/#"]);
      await client.mqtt.publishAsync("dev-1/x", "mine", { qos: 1 });
      expect((await received(client, "dev-1/x")).payload.toString()).toBe("mine");
      // Last: Mosquitto 2.0.11 drops a client whose message it denies.
      await client.mqtt.publishAsync("dev-2/x", "forbidden");
      const denied = `Denied PUBLISH from ${id("liar")}`;
      await waitFor("the denied message", () => readFileSync(log, "utf8").includes(denied) || null);
      expect(client.messages.map(({ topic }) => topic)).toEqual(["dev-1/x"]);
    });

    test("a client without any user name has one at the broker", async () => {
      await connect(second, "named.test", { ...options, clientId: id("silent") });
      expect(await logged(id("silent"))).toContain("u'dev-2'");
    });

    test("of two middlewares the later one's word counts, field by field", async () => {
      await connect(first, "both.test", { ...options, clientId: id("x") });
      expect(await logged(`dev-1-${id("x")}`)).toContain("u'dev-1'");
    });

    test("a device that says another's client id is refused, and the broker does not see it", async () => {
      expect(await refusal(second, "honest.test", { ...options, clientId: "dev-1" })).toBe(NOT_AUTHORISED[version]!);
      const access = await sluice.access((each) => each.sni === "honest.test" && each.reason === "identity-mismatch");
      expect(access.server).toBeUndefined();
      const client = await connect(second, "honest.test", { ...options, clientId: "dev-2" });
      await client.mqtt.endAsync();
    });

    test("a broker that asks for a password gets the one that the edge has", async () => {
      const client = await connect(first, "guarded.test", {
        ...options,
        clientId: id("guarded"),
        password: "guess",
        username: "x",
      });
      expect(client.sessionPresent).toBe(false);
      expect(await refusal(second, "guarded.test", { ...options, clientId: id("guarded-2") })).toBe(
        NOT_AUTHORISED[version]!,
      );
    });

    test("a client whose certificate does not say who it is, or that shows none, is refused", async () => {
      expect(await refusal(twice, "named.test", { ...options, clientId: id("twice") })).toBe(NOT_AUTHORISED[version]!);
      await sluice.access((each) => each.reason === "identity-unusable");
      expect(await refusal(undefined, "maybe.test", { ...options, clientId: id("none"), username: "dev-1" })).toBe(
        NOT_AUTHORISED[version]!,
      );
      await sluice.access((each) => each.sni === "maybe.test" && each.reason === "identity-missing");
      await connect(first, "maybe.test", { ...options, clientId: id("some") });
      expect(await logged(id("some"))).toContain("u'dev-1'");
    });
  });

describe("a common name is told by its ASN.1 type", () => {
  const certificates = new HostileCertificates(devices, random(3));
  const named = (tag: number, content: Buffer) => {
    const name = sequence(set(sequence(dottedOid("2.5.4.3"), der(tag, content))));
    const { cert, key } = certificates.made({ subject: name });
    return { cert, key };
  };
  const utf16 = (text: string) => Buffer.from(text, "utf16le").swap16();
  for (const [type, tag, content, told] of [
    ["UTF8String", 0x0c, Buffer.from("Żółć"), "Żółć"],
    ["T61String", 0x14, Buffer.from("Größe", "latin1"), "Größe"],
    ["BMPString", 0x1e, utf16("Żółć 日本"), "Żółć 日本"],
    ["UniversalString", 0x1c, Buffer.from("00000061000020ac0001f600", "hex"), "a€\u{1f600}"],
  ] as const)
    test(`${type}: the broker gets it in UTF-8`, async () => {
      await connect(undefined, "named.test", { clientId: type, ...named(tag, content) });
      expect(await logged(type)).toContain(`u'${told}'`);
    });
  for (const [what, tag, content] of [
    ["a NUL", 0x0c, Buffer.from("dev-1\0x")],
    ["a line feed", 0x0c, Buffer.from("dev-1\nx")],
    ["DEL", 0x13, Buffer.from("dev-1\x7f")],
    ["a control character of Latin-1", 0x14, Buffer.from([0x64, 0x85])],
  ] as const)
    test(`with ${what} it is none, and the broker never hears of the client`, async () => {
      const clientId = what.replaceAll(" ", "-");
      expect(await refusal(undefined, "named.test", { clientId, ...named(tag, content) })).toBe(5);
      const access = await sluice.access((each) => each.clientId === clientId);
      expect(access).toMatchObject({ reason: "identity-unusable", router: "named@file" });
      expect(access.server).toBeUndefined();
      expect(readFileSync(log, "utf8")).not.toContain(clientId);
    });
});

describe("a session that is resumed is the client's who began it", () => {
  const DISCONNECT = Buffer.from([0xe0, 0]);
  for (const version of ["-tls1_2", "-tls1_3"])
    test(version, async () => {
      const session = join(directory, `session${version}`);
      const shake = async (clientId: string, ...args: readonly string[]) => {
        const stdin = Buffer.concat([anyConnect(clientId, { username: "dev-2" }), DISCONNECT]);
        const to = ["-connect", `127.0.0.1:${sluice.port}`, "-servername", "named.test", "-ign_eof", version];
        const { stdout } = await exec(["openssl", "s_client", ...to, ...args], { stdin });
        expect(await logged(clientId)).toContain("u'dev-1'");
        return stdout;
      };
      const certificate = ["-cert", first.cert, "-key", first.key];
      await shake(`new${version}`, ...certificate, "-sess_out", session);
      expect(await shake(`resumed${version}`, "-sess_in", session)).toContain("Reused, ");
    });
});

test("mosquitto_pub fails as it does at a broker that refuses it", async () => {
  const { code, stderr } = await mosquittoPub(edge(second), "-i", "dev-1", "-t", "dev-1/x", "-m", "x", "-q", "1");
  expect({ code, stderr }).toEqual({ code: 5, stderr: expect.stringContaining("Connection Refused: not authorised.") });
});

test("a new password in the file is the broker's from then on, and one that is gone leaves the former", async () => {
  writeFileSync(secret, "wrong now\n");
  await waitFor(
    "the new password",
    async () => (await refusal(first, "guarded.test", { clientId: "new" })) === 5 || null,
  );
  writeFileSync(secret, "");
  await waitFor(
    "the complaint",
    () => sluice.lines.find((line) => line.msg.includes("there is no password in it")) ?? null,
  );
  expect(await refusal(first, "guarded.test", { clientId: "empty" })).toBe(5);
  writeFileSync(secret, "only the edge knows");
  await waitFor(
    "the old password",
    async () => (await refusal(first, "guarded.test", { clientId: "old" })) === "let in" || null,
  );
  for (const line of sluice.lines) expect(JSON.stringify(line)).not.toContain("the edge knows");
});
