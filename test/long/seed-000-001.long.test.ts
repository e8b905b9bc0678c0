// Two pages on MQTT over TLS, Tempus's and ThingsBoard's: their devices with an access token and their X.509 devices come to the server
// under names that nobody else can take, whichever of the pages' ways the server's key is kept in. Mosquitto stands for the server, as in
// docs/guides/device-tokens.md, from which the configuration is.

import { describe, expect, test } from "bun:test";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import type { Pair } from "../support/certs.ts";
import { stepsOf } from "../support/guide.ts";
import { keytool, openssl } from "../support/key-stores.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mosquittoPub, mqttClient } from "../support/mqtt.ts";
import { Sluice } from "../support/sluice.ts";
import { temporaryDirectory, waitFor } from "../support/tools.ts";

const directory = temporaryDirectory();
const at = (name: string) => join(directory, name);
const STORE = { store: "server_ks_password", key: "server_key_password" };

/** A key pair in a key store, as the pages make one, and its certificate in PEM. */
async function keyStore(type: "JKS" | "PKCS12", file: string, subject: string, alias: string, keyPassword: string) {
  const store = ["-keystore", at(file), "-storetype", type, "-storepass", STORE.store];
  const own = type === "JKS" ? ["-keypass", keyPassword] : [];
  const named = ["-dname", subject, "-ext", "SAN=dns:localhost"];
  await keytool(
    ...["-genkeypair", "-alias", alias, "-keyalg", "RSA", "-keysize", "2048", "-validity", "9999", ...named],
    ...[...store, ...own],
  );
  await keytool("-exportcert", "-rfc", "-alias", alias, ...store, "-file", at(`${file}.pem`));
}

/** A device's own certificate, as ThingsBoard's page makes it. */
async function selfSigned(name: string): Promise<Pair> {
  const pair = { cert: at(`${name}.crt`), key: at(`${name}.key`) };
  const files = ["-keyout", pair.key, "-out", pair.cert];
  await openssl(
    ...["req", "-x509", "-newkey", "rsa:2048", ...files, "-sha256", "-days", "365", "-nodes", "-subj", `/CN=${name}`],
  );
  return pair;
}

/** A Java device's, as Tempus's scripts make it: a key store, of which the client takes the key. */
async function javaDevice(name: string): Promise<Pair> {
  await keyStore("PKCS12", `${name}.p12`, `CN=${name}, OU=Tempus, O=Tempus`, "clientalias", STORE.store);
  const pair = { cert: at(`${name}.p12.pem`), key: at(`${name}.nopass.pem`) };
  await openssl(
    ...["pkcs12", "-in", at(`${name}.p12`), "-passin", `pass:${STORE.store}`, "-nodes", "-nocerts", "-out", pair.key],
  );
  return pair;
}

const subject = "CN=localhost, OU=Tempus, O=Tempus, L=Roswell, ST=GA, C=US";
const [dev1, , , late, stranger] = await Promise.all([
  selfSigned("dev-1"),
  keyStore("JKS", "mqttserver.jks", subject, "serveralias", STORE.key),
  keyStore("PKCS12", "mqttserver.p12", subject, "serveralias", STORE.store),
  selfSigned("dev-late"),
  selfSigned("dev-3"),
  openssl(
    ...["req", "-x509", "-newkey", "rsa:2048", "-keyout", at("mqttserver_key.pem"), "-out", at("mqttserver.pem")],
    ...["-sha256", "-days", "365", "-subj", "/CN=localhost", "-passout", `pass:${STORE.key}`],
  ),
]);
const dev2 = await javaDevice("dev-2");
writeFileSync(at("devices.pem"), [dev1, dev2].map(({ cert }) => readFileSync(cert, "utf8")).join(""));

const broker = await Mosquitto.start({ lines: [`log_dest file ${at("log")}`] });

/** The guide's file, with another certificate of the server. */
function configuration(certificate: object): string {
  const { text } = stepsOf("guides/device-tokens.md").find(({ what }) => what === "dynamic.yml")!;
  const config = parse(text);
  config.tcp.services.server.loadBalancer.servers[0].port = broker.port;
  // Devices that have issued their certificates themselves have no authority with a list.
  const { clientAuthType } = config.tls.options.default.clientAuth;
  config.tls.options.default.clientAuth = { caFiles: [at("devices.pem")], clientAuthType };
  config.tls.stores.default.defaultCertificate = certificate;
  return stringify(config);
}

const SERVERS = {
  "a JKS with a password of its own for the key": {
    ca: at("mqttserver.jks.pem"),
    certificate: { keyStore: at("mqttserver.jks"), keyStorePassword: STORE.store, keyPassword: STORE.key },
  },
  "a PKCS#12, and key_store_type": {
    ca: at("mqttserver.p12.pem"),
    certificate: { keyStore: at("mqttserver.p12"), keyStorePassword: STORE.store, keyStoreType: "PKCS12" },
  },
  "a PEM with an encrypted key": {
    ca: at("mqttserver.pem"),
    certificate: { certFile: at("mqttserver.pem"), keyFile: at("mqttserver_key.pem"), keyPassword: STORE.key },
  },
};

const TOKEN = "A1B2C3D4E5F6G7H8I9J0";
/** As whom the server's log has the client. */
const knownAs = (clientId: string) =>
  waitFor(`the server's line about ${clientId}`, () => {
    return new RegExp(` as ${clientId} \\(.*u'(.*)'\\)`).exec(readFileSync(at("log"), "utf8"))?.[1] ?? null;
  });

const REFUSED = "5 Connection error: Connection Refused: not authorised.";

/** As whom the client comes to the server, or what it says when it is refused. */
async function comes(port: number, ca: string, clientId: string, identity?: Pair, ...more: string[]): Promise<string> {
  const args = ["-i", clientId, "-q", "1", "-t", "v1/devices/me/telemetry", "-m", '{"temperature":25}', ...more];
  const { code, stderr } = await mosquittoPub({ port, ca, identity }, ...args);
  return code === 0 ? knownAs(clientId) : `${code} ${stderr.split("\n")[0]}`;
}

for (const [index, [name, { ca, certificate }]] of Object.entries(SERVERS).entries())
  test(`the server's key in ${name}: a device with a token is the token, and one with a certificate its name`, async () => {
    const { port } = await Sluice.start({ dynamic: configuration(certificate) });
    expect(await comes(port, ca, `token-${index}`, undefined, "-u", TOKEN)).toBe(TOKEN);
    expect(await comes(port, ca, `x509-${index}`, dev1)).toBe("x509-dev-1");
  });

describe("X.509 devices", async () => {
  const { ca, certificate } = SERVERS["a JKS with a password of its own for the key"];
  const sluice = await Sluice.start({ dynamic: configuration(certificate) });
  const { port } = sluice;

  test("are known by their common names, whether OpenSSL made the certificate or keytool", async () => {
    expect(await comes(port, ca, "openssl", dev1)).toBe("x509-dev-1");
    expect(await comes(port, ca, "keytool", dev2)).toBe("x509-dev-2");
  });

  test("are themselves also when they say the name of another", async () => {
    expect(await comes(port, ca, "liar", dev1, "-u", "x509-dev-2", "-P", "x")).toBe("x509-dev-1");
  });

  test("are nobody's to be by saying so", async () => {
    expect(await comes(port, ca, "claims", undefined, "-u", "x509-dev-1")).toBe(REFUSED);
    expect(await comes(port, ca, "none")).toBe(REFUSED);
    const access = await sluice.access((each) => each.clientId === "none");
    expect(access).toMatchObject({ reason: "identity-missing", router: "certificates@file" });
  });

  test("need a certificate that is among the devices'", async () => {
    expect(await comes(port, ca, "stranger", stranger)).toBe("7 Error: The connection was lost.");
  });

  test("in MQTT 5 have the same names, and 0x87", async () => {
    const options = { protocolVersion: 5, servername: "localhost" } as const;
    await mqttClient({ port, ca, identity: dev1 }, { ...options, clientId: "five" });
    expect(await knownAs("five")).toBe("x509-dev-1");
    await expect(mqttClient({ port, ca }, options)).rejects.toMatchObject({ code: 0x87 });
  });

  test("come in without a restart once their certificate is put to the others", async () => {
    expect(await comes(port, ca, "late-0", late)).not.toBe("x509-dev-late");
    appendFileSync(at("devices.pem"), readFileSync(late.cert));
    await waitFor("it to be let in", async () => (await comes(port, ca, "late-1", late)) === "x509-dev-late");
  });
});
