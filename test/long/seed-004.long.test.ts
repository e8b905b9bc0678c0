// A page of 2014 on Mosquitto with TLS: keys under a pass phrase (`openssl genrsa -des3`, in the form of that time and in today's),
// certificates of a publisher and a subscriber, and a password file. All of it is at the edge, and their message goes through.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient, received } from "../support/mqtt.ts";
import { Sluice } from "../support/sluice.ts";
import { exec, temporaryDirectory, waitFor } from "../support/tools.ts";

const directory = temporaryDirectory();
const at = (name: string) => join(directory, name);
const run = async (command: string) => {
  const { code, stderr } = await exec(["sh", "-ec", command], { cwd: directory });
  if (code !== 0) throw new Error(stderr);
};
const FORMS = { today: "", traditional: "-traditional" };
const BEGINS = { today: "BEGIN ENCRYPTED PRIVATE KEY", traditional: "DEK-Info: DES-EDE3-CBC" };

await run(
  'openssl req -new -x509 -days 3650 -keyout ca.key -out ca.crt -subj "/CN=m2mqtt CA" -passout pass:secret -newkey rsa:2048',
);
for (const [form, option] of Object.entries(FORMS))
  for (const [part, subject] of Object.entries({ srv: `${form}.test`, pub: "publisher", sub: "subscriber" }))
    await run(`
openssl genrsa -des3 ${option} -passout pass:secret -out ${form}_${part}.key 2048
openssl req -out request -key ${form}_${part}.key -passin pass:secret -new -subj /CN=${subject}
openssl x509 -req -in request -CA ca.crt -CAkey ca.key -passin pass:secret -CAcreateserial -out ${form}_${part}.crt -days 3650`);
await run("mosquitto_passwd -c -b passfile subscriber hears; mosquitto_passwd -b passfile publisher speaks");

const broker = await Mosquitto.start({ lines: [`log_dest file ${at("log")}`, "log_type all"] });
const router = (form: string) =>
  `    ${form}: { rule: "HostSNI(\`${form}.test\`)", middlewares: [users, own], service: broker, tls: {} }\n`;
const certificate = (form: string) =>
  `    - { certFile: ${at(`${form}_srv.crt`)}, keyFile: ${at(`${form}_srv.key`)}, keyPassword: secret }\n`;
const sluice = await Sluice.start({
  dynamic: `
tcp:
  middlewares:
    users: { mqttAuth: { passwordFile: ${at("passfile")}, stripPassword: true } }
    own: { mqttIdentity: { require: [{ value: "{mqtt.username}", equals: "{cert.cn}" }] } }
  routers:
${Object.keys(FORMS).map(router).join("")}
  services:
    broker: { loadBalancer: { servers: [{ port: ${broker.port} }] } }
tls:
  options:
    default: { clientAuth: { caFiles: [${at("ca.crt")}] } }
  certificates:
${Object.keys(FORMS).map(certificate).join("")}`,
});

/** The keys go to the client as they are, with their pass phrase. */
function connected(form: string, part: "pub" | "sub", username?: string, password?: string) {
  return mqttClient(
    {
      port: sluice.port,
      ca: at("ca.crt"),
      identity: { cert: at(`${form}_${part}.crt`), key: at(`${form}_${part}.key`) },
    },
    {
      ...{
        clientId: `${form}-${part}`,
        servername: `${form}.test`,
        passphrase: "secret",
        checkServerIdentity: () => undefined,
      },
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
    },
  );
}

for (const form of Object.keys(FORMS) as (keyof typeof FORMS)[]) {
  test(`keys in the form of ${form}: the publisher's message comes to the subscriber, and the broker knows both`, async () => {
    expect(readFileSync(at(`${form}_srv.key`), "utf8")).toContain(BEGINS[form]);
    const subscriber = await connected(form, "sub", "subscriber", "hears");
    await subscriber.mqtt.subscribeAsync("hello", { qos: 1 });
    const publisher = await connected(form, "pub", "publisher", "speaks");
    await publisher.mqtt.publishAsync("hello", form, { qos: 1 });
    expect((await received(subscriber, "hello")).payload.toString()).toBe(form);
    for (const { mqtt } of [subscriber, publisher]) await mqtt.endAsync();
    for (const [part, name] of [
      ["sub", "subscriber"],
      ["pub", "publisher"],
    ])
      await waitFor(`${name} in the broker's log`, () =>
        new RegExp(`as ${form}-${part} .*u'${name}'`).test(readFileSync(at("log"), "utf8")),
      );
  });

  test.each([
    ["a wrong password", "sub", "subscriber", "speaks", "bad-credentials"],
    ["no user", "pub", undefined, undefined, "no-credentials"],
    ["the user and password of another", "sub", "publisher", "speaks", "identity-mismatch"],
  ] as const)(
    `${form}: %s is refused as Mosquitto refuses it, with code 5`,
    async (_, part, user, password, reason) => {
      await expect(connected(form, part, user, password)).rejects.toMatchObject({
        message: "Connection refused: Not authorized",
        code: 5,
      });
      await sluice.access((each) => each.reason === reason && each.sni === `${form}.test`);
    },
  );
}
