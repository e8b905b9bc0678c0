// `explain --cert` says of a client what a running Sluice makes of it: whether its certificate is good, what the broker is told, and why
// it may be refused.

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Authority, type Pair } from "../support/certs.ts";
import { sluiceCli } from "../support/cli.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient } from "../support/mqtt.ts";
import { Sluice } from "../support/sluice.ts";
import { exec, temporaryDirectory } from "../support/tools.ts";

const NAMES = ["own.test", "made.test", "free.test", "auth.test"];
const [authority, devices, strangers] = await Promise.all([
  Authority.create(),
  Authority.create("Devices"),
  Authority.create("Strangers"),
]);
const server = await authority.issue({ names: NAMES });
const issue = (from: Authority, subject: string, more: object = {}) =>
  from.issue({ names: [], usage: "clientAuth", subject, ...more });
const CLIENTS: Record<string, Pair | null> = {
  "dev-1": await issue(devices, "/CN=dev-1"),
  several: await issue(devices, "/CN=dev-1/CN=dev-2"),
  nameless: await issue(devices, "/O=Plant"),
  stranger: await issue(strangers, "/CN=dev-1"),
  expired: await issue(devices, "/CN=dev-1", { notBefore: "20200101000000Z", notAfter: "20210101000000Z" }),
  none: null,
};
const broker = await Mosquitto.start();
const directory = temporaryDirectory();
const file = (name: string, text: string): string => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};
const dynamic = `
tcp:
  middlewares:
    auth: { mqttAuth: { passwordFile: ${file("passwords", "")}, certificateIsEnough: true } }
    own: { mqttIdentity: { require: [{ value: "{mqtt.clientId}", equals: "{cert.cn}" }] } }
    made: { mqttIdentity: { username: "{cert.cn}@{sni}", clientId: "{mqtt.clientId}-{client.ip}", password: strip } }
  routers:
    own: { rule: "HostSNI(\`own.test\`)", service: s, middlewares: [own, made], tls: { options: mutual } }
    made: { rule: "HostSNI(\`made.test\`)", service: s, middlewares: [made], tls: { options: maybe } }
    auth: { rule: "HostSNI(\`auth.test\`)", service: s, middlewares: [auth], tls: { options: maybe } }
    free: { rule: "HostSNI(\`free.test\`)", service: s, tls: { options: maybe } }
  services:
    s: { loadBalancer: { servers: [{ port: ${broker.port} }] } }
tls:
  certificates: [{ certFile: ${server.cert}, keyFile: ${server.key} }]
  options:
    mutual: { clientAuth: { caFiles: [${devices.cert}] } }
    maybe: { clientAuth: { caFiles: [${devices.cert}], clientAuthType: VerifyClientCertIfGiven } }
`;
const sluice = await Sluice.start({ dynamic });
const cli = (...args: readonly string[]) => sluiceCli(args, { cwd: directory });
const config = file(
  "sluice.yml",
  `entryPoints: { mqtts: { address: "127.0.0.1:8883" } }\nproviders: { file: { filename: ${file("dynamic.yml", dynamic)} } }\n`,
);

/** What explain says of it, as JSON. */
async function explained(sni: string, ...args: readonly string[]) {
  const { stdout } = await cli("explain", "--sni", sni, "--json", `--configFile=${config}`, ...args);
  return JSON.parse(stdout).explanations[0];
}

const certificate = (pair: Pair | null): string[] => (pair === null ? ["--no-cert"] : ["--cert", pair.cert]);

for (const [who, pair] of Object.entries(CLIENTS))
  for (const sni of NAMES)
    for (const clientId of ["dev-1", "dev-2"])
      test(`${who} at ${sni} as ${clientId}`, async () => {
        const seen = sluice.accesses.length;
        const outcome = await mqttClient(
          { port: sluice.port, ca: authority.cert, identity: pair ?? undefined },
          { servername: sni, clientId },
        ).then(
          ({ mqtt }) => mqtt.endAsync().then(() => "served"),
          () => "refused",
        );
        await sluice.access((each) => sluice.accesses.indexOf(each) >= seen && each.sni === sni);
        const { reason } = sluice.accesses[seen]!;
        const args = ["--from", "127.0.0.1", "--clientId", clientId, "--no-username", "--mqttVersion", "3.1.1"];
        const { verdict } = await explained(sni, ...certificate(pair), ...args);
        expect({ served: verdict.served, reason: verdict.reason }).toEqual({
          served: outcome === "served",
          reason: outcome === "served" ? null : reason,
        });
      });

test("what the broker is told is shown as far as it is known", async () => {
  const says = async (...args: readonly string[]) => (await explained("made.test", ...args)).middlewares[0].says;
  const cert = certificate(CLIENTS["dev-1"]!);
  expect(await says(...cert, "--from", "192.0.2.1", "--clientId", "x")).toBe(
    'tells the server user name "dev-1@made.test", client id "x-192.0.2.1", no password',
  );
  expect(await says(...cert)).toBe(
    'tells the server user name "dev-1@made.test", client id {mqtt.clientId}-{client.ip}, no password',
  );
  expect(await says()).toBe(
    "tells the server user name {cert.cn}@{sni}, client id {mqtt.clientId}-{client.ip}, no password",
  );
  expect(await says("--no-cert")).toBe("refuses it: {cert.cn} is missing");
  const own = async (...args: readonly string[]) => (await explained("own.test", ...args)).middlewares[0].says;
  expect(await own()).toBe("requires that {mqtt.clientId} equals {cert.cn}");
  expect(await own(...cert, "--clientId", "dev-1")).toBe("requires that {mqtt.clientId} equals {cert.cn}, as it does");
});

test("in words: the certificate, the reason, and what the client sees", async () => {
  const words = async (...args: readonly string[]) =>
    (await cli("explain", "--sni", "own.test", `--configFile=${config}`, ...args)).stdout;
  const cert = certificate(CLIENTS["dev-1"]!);
  expect(await words(...cert, "--clientId", "dev-1")).toContain(
    'with the certificate CN=dev-1 with client ID "dev-1": router "own@file" terminates TLS, service "s@file"',
  );
  const other = await words(...cert, "--clientId", "dev-2");
  expect(other).toContain('router "own@file" takes it, and it is refused: identity-mismatch');
  expect(other).toContain("client sees     a CONNACK that refuses it");
  expect(await words(...certificate(CLIENTS.stranger!))).toContain("client sees     the TLS alert unknown_ca (48)");
});

test("the file may be PEM with a chain, or DER; anything else is said, and so is a certificate without TLS", async () => {
  const pair = CLIENTS["dev-1"]!;
  const der = join(directory, "client.der");
  await exec(["openssl", "x509", "-in", pair.cert, "-outform", "DER", "-out", der]);
  expect((await explained("own.test", "--cert", der)).client.certificate).toBe("CN=dev-1");
  const wrong = async (...args: readonly string[]) => {
    const { code, stderr } = await cli("explain", `--configFile=${config}`, ...args);
    expect(code).toBe(1);
    return stderr;
  };
  expect(await wrong("--cert", pair.key)).toContain("give the client's certificate in PEM, or in DER");
  expect(await wrong("--cert", join(directory, "none"))).toContain("no such file");
  expect(await wrong("--cert", directory)).toContain("is a directory");
  expect(await wrong("--plain", "--cert", pair.cert)).toContain("leave --cert out");
});
