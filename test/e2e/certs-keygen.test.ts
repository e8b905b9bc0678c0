// sluice certs client --thingsboard makes of a keygen.properties the files that ThingsBoard's client.keygen.sh makes, under the same names,
// with the same passwords and aliases; the server's likewise. openssl and Sluice's own reader open them; keytool does in test/long.

import { expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Backend } from "../support/backend.ts";
import { sluiceCli } from "../support/cli.ts";
import { sClient } from "../support/openssl.ts";
import { Sluice } from "../support/sluice.ts";
import { exec, temporaryDirectory } from "../support/tools.ts";

const directory = temporaryDirectory();
const path = (name: string) => join(directory, name);
const run = (...args: string[]) => sluiceCli(["certs", ...args], { cwd: directory });

async function openssl(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await exec(["openssl", ...args], { cwd: directory });
  if (code !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`);
  return stdout;
}

const PROPERTIES = `
DOMAIN_SUFFIX=localhost
SUBJECT_ALTERNATIVE_NAMES="ip:127.0.0.1"
ORGANIZATIONAL_UNIT=ThingsBoard
ORGANIZATION=ThingsBoard
CITY="San Francisco"
STATE_OR_PROVINCE=CA
TWO_LETTER_COUNTRY_CODE=US

SERVER_KEYSTORE_PASSWORD=server_ks_password
SERVER_KEY_PASSWORD=server_key_password
SERVER_KEY_ALIAS="serveralias"
SERVER_FILE_PREFIX="mqttserver"
SERVER_KEYSTORE_DIR="/etc/thingsboard/conf/"

CLIENT_KEYSTORE_PASSWORD=client_ks_password
CLIENT_KEY_PASSWORD=client_key_password
CLIENT_KEY_ALIAS="clientalias"
CLIENT_FILE_PREFIX="mqttclient"
CLIENT_KEY_ALG="EC"
CLIENT_KEY_GROUP_NAME="secp256r1"
`;
writeFileSync(path("keygen.properties"), PROPERTIES);
writeFileSync(path("storepass"), "client_ks_password\n");
writeFileSync(path("keypass"), "client_key_password\n");
expect(await run("init", "--name=Plant")).toMatchObject({ code: 0 });
const made = await run("client", "--thingsboard=keygen.properties");
const server = await run("server", "--thingsboard=keygen.properties");

test("the files are there under the names of the scripts, and those with keys are nobody else's", () => {
  expect(made).toMatchObject({ code: 0, stdout: "" });
  const mode = (name: string) => (statSync(path(name)).mode & 0o777).toString(8);
  const names = readdirSync(directory).filter((name) => /^mqtt/.test(name));
  expect(Object.fromEntries(names.sort().map((name) => [name, mode(name)]))).toEqual({
    ...{ "mqttclient.jks": "600", "mqttclient.nopass.pem": "600", "mqttclient.p12": "600", "mqttclient.pem": "600" },
    ...{ "mqttclient.pk8.pem": "600", "mqttclient.pub.pem": "644" },
    ...{ "mqttserver.cer": "644", "mqttserver.jks": "600", "mqttserver.p12": "600", "mqttserver.pem": "600" },
    ...{ "mqttserver.pk8.pem": "600", "mqttserver.pub.pem": "644" },
  });
});

test("each opens with the password that the scripts give it, and holds the same key", async () => {
  const plain = await openssl("pkey", "-in", "mqttclient.pk8.pem");
  expect(await openssl("pkey", "-in", "mqttclient.pem", "-passin", "pass:client_key_password")).toBe(plain);
  expect(await openssl("pkey", "-in", "mqttclient.nopass.pem")).toBe(plain);
  const store = await openssl("pkcs12", "-in", "mqttclient.p12", "-nodes", "-passin", "pass:client_key_password");
  expect(store).toContain(plain);
  expect(store).toContain("friendlyName: clientalias");
  const { code, stdout } = await run(
    ...["show", "mqttclient.jks", "--json", "--passwordFile=storepass", "--keyPasswordFile=keypass"],
  );
  expect(code).toBe(0);
  const entries = JSON.parse(stdout).entries as { alias: string; privateKey: { belongs: boolean } | null }[];
  expect(entries.map(({ alias, privateKey }) => [alias, privateKey?.belongs ?? null])).toEqual([
    ["clientalias", true],
    ["serveralias", null],
  ]);
});

test("the distinguished name is in the order of the scripts, and all certificates are one", async () => {
  const subject = "CN=localhost,OU=ThingsBoard,O=ThingsBoard,L=San Francisco,ST=CA,C=US\n";
  for (const name of ["mqttclient.pub.pem", "mqttserver.pub.pem"])
    expect(await openssl("x509", "-in", name, "-noout", "-subject", "-nameopt", "RFC2253")).toBe(`subject=${subject}`);
  const certificate = new X509Certificate(readFileSync(path("mqttclient.pub.pem")));
  for (const name of ["mqttclient.pem", "mqttclient.nopass.pem"]) {
    const text = readFileSync(path(name), "utf8");
    const found = new X509Certificate(text.slice(text.indexOf("-----BEGIN CERTIFICATE")));
    expect(found.fingerprint256).toBe(certificate.fingerprint256);
  }
  await openssl("verify", "-x509_strict", "-CAfile", "authority/ca.crt", "-purpose", "sslclient", "mqttclient.pub.pem");
  const der = new X509Certificate(readFileSync(path("mqttserver.cer")));
  expect(der.subjectAltName).toBe("DNS:localhost, IP Address:127.0.0.1");
});

test("Sluice serves with the server's files as they are printed, and lets the client in", async () => {
  const backend = await Backend.start("broker");
  const lines = server.stdout.replaceAll("mqttserver", path("mqttserver"));
  const sluice = await Sluice.start({
    dynamic: `${lines}  options: { default: { clientAuth: { caFiles: [${path("authority/ca.crt")}] } } }
tcp:
  routers: { all: { rule: "HostSNI(\`localhost\`)", service: broker, tls: {} } }
  services: { broker: { loadBalancer: { servers: [{ port: ${backend.port} }] } } }
`,
  });
  const nopass = path("mqttclient.nopass.pem");
  const client = await sClient(sluice.port, "localhost", [
    ...["-cert", nopass, "-key", nopass, "-CAfile", path("authority/ca.crt"), "-verify_return_error"],
  ]);
  expect(client.reached).toBe("broker");
});

test("nothing is overwritten, and a folder can be named", async () => {
  const again = await run("client", "--thingsboard=keygen.properties");
  expect(again).toMatchObject({ code: 1, stdout: "" });
  expect(again.stderr).toContain("mqttclient.jks is there already: --force makes another one");
  const other = await run("client", "--thingsboard=keygen.properties", "--out=other", "--json");
  expect(other.code).toBe(0);
  expect((JSON.parse(other.stdout).files as string[])[0]).toBe("other/mqttclient.jks");
});

test("mistakes are said with file and line before anything is issued", async () => {
  const refused = async (properties: string | Buffer, ...args: string[]) => {
    writeFileSync(path("wrong.properties"), properties);
    const { code, stdout, stderr } = await run("client", "--thingsboard=wrong.properties", ...args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).not.toContain("client_key_password");
    return stderr.trim();
  };
  const before = readFileSync(path("authority/index.txt"), "utf8");
  expect(await refused(PROPERTIES.replace('"San Francisco"', "San Francisco"))).toContain(
    "wrong.properties:6: CITY has a space",
  );
  expect(await refused(`${PROPERTIES}CLIENT_KEYPASS=x\n`)).toContain(
    "wrong.properties:22: CLIENT_KEYPASS is no variable",
  );
  expect(await refused(PROPERTIES.replace(/^CLIENT_KEY_PASSWORD.*$/m, ""))).toContain(
    "wrong.properties: CLIENT_KEY_PASSWORD is missing",
  );
  // A password with other letters would be another one, and nobody could type it.
  expect(await refused(Buffer.from(`${PROPERTIES}CITY=Köln\n`, "latin1"))).toBe(
    "wrong.properties is not in UTF-8: save it in UTF-8 (iconv -f WINDOWS-1252 -t UTF-8 FILE > FILE.utf8)",
  );
  expect(await refused(PROPERTIES, "dev-1")).toContain("leave out 'dev-1'");
  expect(await refused(PROPERTIES, "--key=rsa")).toContain("--thingsboard and --key do not go together");
  expect((await run("client", "--thingsboard=missing.properties")).stderr).toContain("missing.properties");
  expect((await run("client")).stderr).toContain("name the clients");
  expect(readFileSync(path("authority/index.txt"), "utf8")).toBe(before);
});
