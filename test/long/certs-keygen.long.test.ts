// keytool opens the key stores of sluice certs client and server --thingsboard with the passwords of keygen.properties, finds the aliases of
// it, and can use the keys. The file is that of Tempus's page on MQTT over SSL.

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { sluiceCli } from "../support/cli.ts";
import { exec, temporaryDirectory } from "../support/tools.ts";

const cwd = temporaryDirectory();
const TEMPUS = `
    DOMAIN_SUFFIX="$(hostname)"
    ORGANIZATIONAL_UNIT=Tempus
    ORGANIZATION=Tempus
    CITY=Roswell
    STATE_OR_PROVINCE=GA
    TWO_LETTER_COUNTRY_CODE=US

    SERVER_KEYSTORE_PASSWORD=server_ks_password
    SERVER_KEY_PASSWORD=server_key_password

    SERVER_KEY_ALIAS="serveralias"
    SERVER_FILE_PREFIX="mqttserver"
    SERVER_KEYSTORE_DIR="/etc/tempus/conf/"

    CLIENT_KEYSTORE_PASSWORD=client_ks_password
    CLIENT_KEY_PASSWORD=client_key_password

    CLIENT_TRUSTSTORE="client_truststore"
    CLIENT_KEY_ALIAS="clientalias"
    CLIENT_FILE_PREFIX="mqttclient"
`;
writeFileSync(join(cwd, "keygen.properties"), TEMPUS);
for (const args of [
  ["init"],
  ["client", "--thingsboard=keygen.properties"],
  ["server", "--thingsboard=keygen.properties"],
]) {
  const { code, stderr } = await sluiceCli(["certs", ...args], { cwd });
  if (code !== 0) throw new Error(stderr);
}

const keytool = (...args: string[]) => exec(["keytool", ...args], { cwd, env: { LC_ALL: "C.UTF-8" } });
const OWNER = `CN=${hostname()}, OU=Tempus, O=Tempus, L=Roswell, ST=GA, C=US`;

test.each([
  ["mqttclient.jks", "client_ks_password", "client_key_password", "clientalias"],
  ["mqttclient.p12", "client_key_password", "client_key_password", "clientalias"],
  ["mqttserver.jks", "server_ks_password", "server_key_password", "serveralias"],
  ["mqttserver.p12", "server_key_password", "server_key_password", "serveralias"],
])("%s", async (file, storePassword, keyPassword, alias) => {
  const store = ["-keystore", file, "-storepass", storePassword];
  const list = await keytool("-list", "-v", ...store, "-alias", alias);
  expect(list.stdout).toContain("Entry type: PrivateKeyEntry");
  expect(list.stdout).toContain(`Owner: ${OWNER}\n`);
  expect(list.stdout).toContain("2048-bit RSA key");
  // A request is signed with the key, so this opens it.
  const key = file.endsWith(".jks") ? ["-keypass", keyPassword] : [];
  const request = await keytool("-certreq", ...store, ...key, "-alias", alias);
  expect(request.stdout).toContain("-----BEGIN NEW CERTIFICATE REQUEST-----");
  const wrong = await keytool("-certreq", "-keystore", file, "-storepass", "wrong password", "-alias", alias);
  expect(wrong.code).not.toBe(0);
});

test("the client's store trusts the authority under the server's alias", async () => {
  const store = ["-keystore", "mqttclient.jks", "-storepass", "client_ks_password"];
  const list = await keytool("-list", "-v", ...store, "-alias", "serveralias");
  expect(list.stdout).toContain("Entry type: trustedCertEntry");
  const exported = await keytool("-exportcert", "-rfc", ...store, "-alias", "serveralias");
  writeFileSync(join(cwd, "trusted.pem"), exported.stdout);
  const verified = await exec(["openssl", "verify", "-CAfile", "trusted.pem", "mqttserver.pub.pem"], { cwd });
  expect(verified.stdout).toBe("mqttserver.pub.pem: OK\n");
});
