// What an authority issues works in programs that know nothing of Sluice: Mosquitto with its clients, Python at its strictest, keytool.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { sluiceCli } from "../support/cli.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { exec, temporaryDirectory } from "../support/tools.ts";

const cwd = temporaryDirectory();
const certs = async (...args: string[]) => {
  const finished = await sluiceCli(["certs", ...args], { cwd });
  if (finished.code !== 0) throw new Error(finished.stderr);
};
await certs("init", "--name=Größe & Söhne");
await certs("server", "localhost", "127.0.0.1");
await certs("client", "dev-1", "Gerät 日本 🚀", "gone");
await certs("revoke", "gone");
const [ca, server] = [join(cwd, "authority/ca.crt"), join(cwd, "servers/localhost/server")];

test("Mosquitto serves with it, lets in its clients by name, and refuses whom its list has", async () => {
  const broker = await Mosquitto.start({
    lines: [
      ...[`cafile ${ca}`, `certfile ${server}.crt`, `keyfile ${server}.key`],
      ...[`crlfile ${join(cwd, "authority/crl.pem")}`, "require_certificate true", "use_identity_as_username true"],
    ],
  });
  const publish = (name: string) => {
    const file = (end: string) => `clients/${name}/${end}`;
    const tls = ["--cafile", file("ca.crt"), "--cert", file("client.crt"), "--key", file("client.key")];
    return exec(["mosquitto_pub", "-h", "localhost", "-p", String(broker.port), ...tls, "-t", "t", "-m", "m"], { cwd });
  };
  for (const name of ["dev-1", "Gerät 日本 🚀"]) expect(await publish(name)).toMatchObject({ code: 0, stderr: "" });
  expect((await publish("gone")).code).not.toBe(0);
});

/** VERIFY_X509_STRICT is what Python 3.13 asks for by itself. */
const STRICT = `
import socket, ssl, sys, threading
ca, server, client = sys.argv[1:4]
theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
theirs.load_cert_chain(server + ".crt", server + ".key")
theirs.load_verify_locations(ca)
theirs.verify_mode = ssl.CERT_REQUIRED
ours = ssl.create_default_context(cafile=ca)
ours.load_cert_chain(client + ".crt", client + ".key")
for each in theirs, ours: each.verify_flags |= ssl.VERIFY_X509_STRICT
a, b = socket.socketpair()
def serve():
    with theirs.wrap_socket(a, server_side=True) as tls: tls.sendall(tls.getpeercert()["subject"][0][0][1].encode())
thread = threading.Thread(target=serve)
thread.start()
with ours.wrap_socket(b, server_hostname="localhost") as tls: sys.stdout.buffer.write(tls.recv(1000))
thread.join()
`;

test("Python takes it with VERIFY_X509_STRICT, on both sides", async () => {
  for (const name of ["dev-1", "Gerät 日本 🚀"]) {
    const args = [ca, server, join(cwd, `clients/${name}/client`)];
    expect(await exec(["python3", "-c", STRICT, ...args])).toMatchObject({ code: 0, stdout: name });
  }
});

test("keytool and certtool read certificates and list", async () => {
  const env = {
    LC_ALL: "C.UTF-8",
    JAVA_TOOL_OPTIONS: "-Dsun.stdout.encoding=UTF-8 -Dsun.jnu.encoding=UTF-8 -Dfile.encoding=UTF-8",
  };
  const printed = await exec(["keytool", "-printcert", "-file", join(cwd, "clients/Gerät 日本 🚀/client.crt")], {
    env,
  });
  expect(printed.stdout).toContain("Owner: CN=Gerät 日本 🚀\n");
  expect(printed.stdout).toContain("URIName: urn:sluice:client:Ger%C3%A4t%20%E6%97%A5%E6%9C%AC%20%F0%9F%9A%80\n");
  expect((await exec(["keytool", "-printcrl", "-file", "authority/crl.pem"], { cwd, env })).stdout).toMatch(
    /Revoked Certificates: 1|SerialNumber: \[/,
  );
  const list = await exec(["certtool", "--crl-info", "--infile=authority/crl.pem"], { cwd });
  expect(list.stdout).toContain("Issuer: CN=Größe & Söhne\n");
  expect(list.stdout).toContain("Revoked certificates (1):\n");
});
