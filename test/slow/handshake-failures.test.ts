// A handshake that fails leaves its cause in the access log and in the metric: what the client said, or what there was not in common.

import { describe, expect, test } from "bun:test";
import { recordedHellos } from "../fixtures/hello/hellos.ts";
import { Backend } from "../support/backend.ts";
import { Authority } from "../support/certs.ts";
import { mqttClient } from "../support/mqtt.ts";
import { sClient } from "../support/openssl.ts";
import { RawClient } from "../support/raw.ts";
import { Sluice } from "../support/sluice.ts";
import { exec, waitFor } from "../support/tools.ts";

const [authority, strangers] = await Promise.all([Authority.create(), Authority.create("Strangers")]);
const backend = await Backend.start("broker");
const server = await authority.issue({ names: ["*.test", "mqtt.example.com", "localhost"] });
const rsa = await authority.issue({ names: ["rsa.example", "old.rsa.example"], keyType: "rsa" });
const expired = await authority.issue({ names: ["expired.example"], notAfter: "20210101000000Z" });
const OPTIONS = {
  only13: "{ minVersion: VersionTLS13 }",
  only12: "{ maxVersion: VersionTLS12 }",
  aes: "{ maxVersion: VersionTLS12, cipherSuites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256] }",
  p256: "{ curvePreferences: [CurveP256] }",
  alpn: "{ alpnProtocols: [mqtt] }",
  old: "{ minVersion: VersionTLS10, cipherSuites: [TLS_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256] }",
};
const names = Object.keys(OPTIONS);
const sluice = await Sluice.start({
  dynamic: `
tcp:
  routers:
    all: { rule: "HostSNI(\`*\`)", service: broker, tls: {} }
${names.map((name) => `    ${name}: { rule: "HostSNI(\`${name}.test\`) || HostSNI(\`${name}.rsa.example\`)", service: broker, tls: { options: ${name} } }`).join("\n")}
  services: { broker: { loadBalancer: { servers: [{ port: ${backend.port} }] } } }
tls:
  certificates:
    - { certFile: ${server.cert}, keyFile: ${server.key} }
    - { certFile: ${rsa.cert}, keyFile: ${rsa.key} }
    - { certFile: ${expired.cert}, keyFile: ${expired.key} }
  options:
${Object.entries(OPTIONS)
  .map(([name, options]) => `    ${name}: ${options}`)
  .join("\n")}
`,
});

/** `act` ends one handshake for this cause. */
async function failsBy(cause: string, act: () => Promise<unknown>): Promise<void> {
  const counted = () => sluice.metric("sluice_tls_handshake_failures_total", { cause });
  const [before, seen, dialled] = [await counted(), sluice.accesses.length, backend.connections];
  await act();
  const line = await waitFor("the access-log line", () => sluice.accesses[seen] ?? null);
  expect(line).toMatchObject({ reason: "handshake-failed", cause });
  expect(await counted()).toBe(before + 1);
  expect(backend.connections).toBe(dialled);
}

const strict = ["-verify_return_error"];

for (const version of ["-tls1_2", "-tls1_3"])
  describe(`${version}: OpenSSL says`, () => {
    test.each([
      ["alert-unknown-ca", "a.test", ["-CAfile", strangers.cert]],
      ["alert-bad-certificate", "a.test", ["-CAfile", authority.cert, "-verify_hostname", "other.example"]],
      ["alert-certificate-expired", "expired.example", ["-CAfile", authority.cert]],
    ])("%s", async (cause, name, args) => {
      await failsBy(cause, () => sClient(sluice.port, name, [version, ...strict, ...args]));
    });

    test.each([
      ["no-shared-protocol", "alpn", ["-alpn", "h2"]],
      ["no-shared-group", "p256", ["-groups", "X448"]],
    ])("and there is %s", async (cause, name, args) => {
      await failsBy(cause, () => sClient(sluice.port, `${name}.test`, [version, ...args]));
    });
  });

describe("there is nothing in common", () => {
  test.each([
    ["no-shared-version", "only13", ["-tls1_2"]],
    ["no-shared-version", "only12", ["-tls1_3"]],
    ["no-shared-version", "a", ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]],
    ["no-shared-cipher", "aes", ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"]],
    ["no-shared-signature", "a", ["-tls1_3", "-sigalgs", "RSA-PSS+SHA256"]],
  ])("%s at %s", async (cause, name, args) => {
    await failsBy(cause, () => sClient(sluice.port, `${name}.test`, args));
  });
});

describe("other clients say", () => {
  test("mosquitto_pub: alert-unknown-ca", async () => {
    await failsBy("alert-unknown-ca", () =>
      exec([
        "mosquitto_pub",
        "-h",
        "localhost",
        "-p",
        String(sluice.port),
        "--cafile",
        strangers.cert,
        "-t",
        "a",
        "-m",
        "b",
      ]),
    );
  });

  test("MQTT.js on Bun says nothing, and closes: client-gone", async () => {
    await failsBy("client-gone", async () => {
      await expect(mqttClient({ port: sluice.port, ca: strangers.cert })).rejects.toThrow();
    });
  });

  test("Python: alert-unknown-ca", async () => {
    const script = `import ssl,socket,sys
c=ssl.create_default_context(cafile=sys.argv[2])
s=socket.create_connection(("127.0.0.1",int(sys.argv[1])))
c.wrap_socket(s,server_hostname="localhost")`;
    await failsBy("alert-unknown-ca", () => exec(["python3", "-c", script, String(sluice.port), strangers.cert]));
  });

  test("GnuTLS: alert-certificate-unknown or alert-bad-certificate", async () => {
    const seen = sluice.accesses.length;
    await exec([
      ...["gnutls-cli", "--x509cafile", strangers.cert, "--sni-hostname", "a.test", "--verify-hostname", "a.test"],
      ...["-p", String(sluice.port), "127.0.0.1"],
    ]);
    const line = await waitFor("the access-log line", () => sluice.accesses[seen] ?? null);
    expect(line).toMatchObject({
      reason: "handshake-failed",
      cause: expect.stringMatching(/^alert-(certificate-unknown|bad-certificate|unknown-ca)$/),
    });
  });
});

describe("the client", () => {
  const hello = recordedHellos().find(({ name }) => name === "openssl-tls12")!.bytes;
  /** Sends what it is given when the server has answered. */
  const then = async (end: (client: RawClient) => void) => {
    const client = await RawClient.open(sluice.port);
    client.socket.write(hello);
    await waitFor("the server's flight", () => client.received.length > 500 || null);
    end(client);
    await client.untilClosed();
  };

  test.each([
    ["client-gone", "closes", (client: RawClient) => client.socket.end()],
    ["client-gone", "resets", (client: RawClient) => client.socket.resetAndDestroy()],
    ["client-gone", "says close_notify", (client: RawClient) => client.socket.write("\x15\x03\x03\0\x02\x01\0")],
    ["bad-record", "speaks HTTP", (client: RawClient) => client.socket.write("GET / HTTP/1.1\r\n\r\n")],
    ["bad-message", "sends a second hello", (client: RawClient) => client.socket.write(hello)],
    [
      "alert-other",
      "sends an alert that nobody knows",
      (client: RawClient) => client.socket.write("\x15\x03\x03\0\x02\x02\x6d"),
    ],
  ])("%s: it %s", async (cause, _, end) => {
    await failsBy(cause, () => then(end));
  });
});

describe("without forward secrecy", () => {
  const [cbc, gcm] = ["AES128-SHA", "AES128-GCM-SHA256"];
  test("a client finds no suite", async () => {
    const args = ["-tls1_2", "-cipher", `${cbc}:${gcm}:DES-CBC3-SHA:@SECLEVEL=0`];
    await failsBy("no-shared-cipher", () => sClient(sluice.port, "rsa.example", args));
  });

  test("it finds the one that the options name, and who has a better one gets that", async () => {
    const [old, both] = [`${cbc}:@SECLEVEL=0`, `${cbc}:ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0`];
    for (const [args, cipher] of [
      [["-tls1", "-cipher", old], cbc],
      [["-tls1_2", "-cipher", old], cbc],
      [["-tls1_2", "-cipher", both], "ECDHE-RSA-AES128-GCM-SHA256"],
    ] as const)
      expect(await sClient(sluice.port, "old.rsa.example", args)).toMatchObject({ reached: "broker", cipher });
  });
});

test("a client that lists CBC before AEAD gets AEAD, and CBC when it has nothing better", async () => {
  const [aead, cbc] = ["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-SHA"];
  const got = async (ciphers: string) =>
    (await sClient(sluice.port, "rsa.example", ["-tls1_2", "-cipher", ciphers])).cipher;
  expect(await got(`${cbc}:${aead}`)).toBe(aead);
  expect(await got(cbc)).toBe(cbc);
});
