// What a handshake agrees on is what the router's tls.options say: versions, ciphers, curves, ALPN, and the certificate for the name.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect } from "node:tls";
import { Backend } from "../support/backend.ts";
import { Authority } from "../support/certs.ts";
import { sClient } from "../support/openssl.ts";
import { Sluice } from "../support/sluice.ts";
import { tlsHandshake } from "../support/tls-client.ts";

const authority = await Authority.create();
const [exact, wildcard, rsa, fallback] = await Promise.all(
  (
    [
      [["exact.example.com"], "CN=exact"],
      [["*.example.com", "*.legacy.test"], "CN=wildcard"],
      [["*.rsa.test"], "CN=rsa", "rsa"],
      [["fallback.test"], "CN=fallback"],
    ] as const
  ).map(([names, subject, keyType]) => authority.issue({ names, subject: `/${subject}`, keyType: keyType ?? "ec" })),
);
const backend = await Backend.start("broker");

const OPTIONS: Record<string, string> = {
  "only-12": "{ maxVersion: VersionTLS12 }",
  "only-13": "{ minVersion: VersionTLS13 }",
  "from-10": "{ minVersion: VersionTLS10 }",
  "cipher-chacha": "{ maxVersion: VersionTLS12, cipherSuites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256] }",
  "cipher-aes256": "{ maxVersion: VersionTLS12, cipherSuites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384] }",
  "curve-p384": "{ curvePreferences: [CurveP384] }",
  "curve-two": "{ curvePreferences: [CurveP521, X25519] }",
  "curve-mlkem": "{ curvePreferences: [X25519MLKEM768] }",
  "alpn-mqtt": "{ alpnProtocols: [mqtt] }",
  "alpn-two": "{ alpnProtocols: [x-amzn-mqtt-ca, mqtt] }",
  strict: "{ sniStrict: true }",
};
const routers = Object.keys(OPTIONS)
  .map(
    (name) => `    ${name}: { rule: "HostSNI(\`${name}.example.com\`)", service: broker, tls: { options: ${name} } }\n`,
  )
  .join("");
const certificates = (...pairs: (typeof exact)[]) =>
  `[${pairs.map((pair) => `{ certFile: ${pair!.cert}, keyFile: ${pair!.key} }`).join(", ")}]`;
const common = `
  services:
    broker: { loadBalancer: { servers: [{ port: ${backend.port} }] } }
tls:
  certificates: ${certificates(wildcard, exact, rsa)}
  stores: { default: { defaultCertificate: { certFile: ${fallback!.cert}, keyFile: ${fallback!.key} } } }
  options:
${Object.entries(OPTIONS)
  .map(([name, value]) => `    ${name}: ${value}\n`)
  .join("")}`;

const sluice = await Sluice.start({
  dynamic: `
tcp:
  routers:
${routers}
    plain-options: { rule: "HostSNI(\`exact.example.com\`) || HostSNI(\`other.example.com\`) || HostSNI(\`a.rsa.test\`)", service: broker, tls: {} }
    nameless: { rule: "HostSNI(\`unlisted.test\`)", service: broker, tls: {} }
    strict-nameless: { rule: "HostSNI(\`strict.test\`)", service: broker, tls: { options: strict } }
    old: { rule: "HostSNI(\`old.rsa.test\`)", service: broker, tls: { options: from-10 } }
${common}`,
});
const catchAll = await Sluice.start({
  dynamic: `
tcp:
  routers:
    all: { rule: "HostSNI(\`*\`)", service: broker, tls: {} }
${common}`,
});

/** s_client of today refuses TLS below 1.2 with its default security level. */
const LEGACY = ["-cipher", "DEFAULT@SECLEVEL=0"];

describe("versions", () => {
  const cases: [options: string, client: string[], version: string | null][] = [
    ["exact", ["-tls1_2"], "TLSv1.2"],
    ["exact", ["-tls1_3"], "TLSv1.3"],
    ["exact", [], "TLSv1.3"],
    ["exact", ["-tls1_1", ...LEGACY], null],
    ["exact", ["-tls1", ...LEGACY], null],
    ["only-12", [], "TLSv1.2"],
    ["only-12", ["-tls1_3"], null],
    ["only-13", [], "TLSv1.3"],
    ["only-13", ["-tls1_2"], null],
    ["from-10", ["-tls1", ...LEGACY], "TLSv1"],
    ["from-10", ["-tls1_1", ...LEGACY], "TLSv1.1"],
    ["from-10", [], "TLSv1.3"],
  ];
  for (const [name, client, version] of cases)
    test(`${name}: a client with "${client.join(" ")}" gets ${version ?? "an alert"}`, async () => {
      const result = await sClient(sluice.port, `${name}.example.com`, client);
      expect(result).toMatchObject({ version, reached: version === null ? null : "broker" });
      // protocol_version
      expect(result.alert).toBe(version === null ? 70 : null);
    });

  test("TLS 1.0 with an RSA certificate works when it is configured", async () => {
    const result = await sClient(sluice.port, "old.rsa.test", ["-tls1", ...LEGACY]);
    expect(result).toMatchObject({ version: "TLSv1", reached: "broker", certificate: "rsa" });
  });

  test("the access log and the metric name the version", async () => {
    await sClient(sluice.port, "only-12.example.com");
    const line = await sluice.access((each) => each.sni === "only-12.example.com" && each.tlsVersion !== undefined);
    expect(line).toMatchObject({ tlsVersion: "TLSv1.2", tlsCipher: expect.stringMatching(/^TLS_ECDHE_ECDSA_WITH_/) });
    expect(await sluice.metric("sluice_tls_handshake_duration_seconds_count", { version: "TLSv1.2" })).toBeGreaterThan(
      0,
    );
  });
});

describe("cipher suites", () => {
  test("the configured suite is used although the client prefers others", async () => {
    const chacha = await sClient(sluice.port, "cipher-chacha.example.com");
    expect(chacha).toMatchObject({ cipher: "ECDHE-ECDSA-CHACHA20-POLY1305", reached: "broker" });
    const aes = await sClient(sluice.port, "cipher-aes256.example.com");
    expect(aes).toMatchObject({ cipher: "ECDHE-ECDSA-AES256-GCM-SHA384", reached: "broker" });
  });

  test("a client without the configured suite is refused with handshake_failure", async () => {
    const result = await sClient(sluice.port, "cipher-chacha.example.com", [
      "-cipher",
      "ECDHE-ECDSA-AES128-GCM-SHA256",
    ]);
    expect(result).toMatchObject({ cipher: null, reached: null, alert: 40 });
  });
});

describe("curves", () => {
  test("the configured curve is used although the client prefers another", async () => {
    expect(await sClient(sluice.port, "curve-p384.example.com")).toMatchObject({
      group: "secp384r1",
      reached: "broker",
    });
  });

  test("any of several configured curves is accepted", async () => {
    const first = await sClient(sluice.port, "curve-two.example.com", ["-groups", "P-521"]);
    expect(first).toMatchObject({ group: "secp521r1", reached: "broker" });
    const second = await sClient(sluice.port, "curve-two.example.com", ["-groups", "X25519"]);
    expect(second).toMatchObject({ group: "X25519", reached: "broker" });
  });

  test("a client without a configured curve is refused with handshake_failure", async () => {
    const result = await sClient(sluice.port, "curve-p384.example.com", ["-groups", "X25519"]);
    expect(result).toMatchObject({ reached: null, alert: 40 });
  });

  for (const name of ["curve-mlkem.example.com", "exact.example.com"])
    test(`a post-quantum hello with X25519MLKEM768 is served on ${name}`, async () => {
      expect(await bunClient(sluice.port, name, "X25519MLKEM768")).toBe("hello from broker\n");
    });

  test("a route that wants X25519MLKEM768 refuses a client without it", async () => {
    expect(await sClient(sluice.port, "curve-mlkem.example.com")).toMatchObject({ reached: null, alert: 40 });
  });
});

describe("ALPN", () => {
  const cases: [name: string, offer: string | null, answer: string | null][] = [
    ["exact", "mqtt", "mqtt"],
    ["exact", "h2,mqtt", "mqtt"],
    ["exact", "h2", null],
    ["exact", null, null],
    ["alpn-mqtt", "mqtt", "mqtt"],
    ["alpn-mqtt", null, null],
    ["alpn-two", "mqtt", "mqtt"],
    ["alpn-two", "mqtt,x-amzn-mqtt-ca", "x-amzn-mqtt-ca"],
  ];
  for (const version of ["-tls1_2", "-tls1_3"])
    for (const [name, offer, answer] of cases)
      test(`${version} ${name}: an offer of ${offer ?? "nothing"} is answered with ${answer ?? "nothing"}`, async () => {
        const args = offer === null ? [version] : [version, "-alpn", offer];
        const result = await tlsHandshake(sluice.port, `${name}.example.com`, args);
        expect(result).toMatchObject({ alpn: answer, reached: "broker" });
      });

  for (const version of ["-tls1_2", "-tls1_3"])
    test(`${version}: with alpnProtocols, an offer of other protocols gets the alert no_application_protocol`, async () => {
      const result = await tlsHandshake(sluice.port, "alpn-mqtt.example.com", [version, "-alpn", "h2"]);
      expect(result).toMatchObject({ reached: null, alert: 120 });
    });
});

describe("the certificate for a name", () => {
  const cases: [what: string, port: number, name: string | null, certificate: string][] = [
    ["an exact name goes before a wildcard", sluice.port, "exact.example.com", "exact"],
    ["a name is compared without case", sluice.port, "EXACT.example.COM", "exact"],
    ["a wildcard serves what has no exact one", sluice.port, "other.example.com", "wildcard"],
    ["an RSA certificate serves its names", sluice.port, "a.rsa.test", "rsa"],
    ["a routed name without a certificate gets the default one", sluice.port, "unlisted.test", "fallback"],
    ["without SNI a catch-all gives the default one", catchAll.port, null, "fallback"],
    ["with an unknown SNI a catch-all gives the default one", catchAll.port, "who.test", "fallback"],
    ["a wildcard does not serve two labels", catchAll.port, "a.b.example.com", "fallback"],
    ["a wildcard does not serve the bare domain", catchAll.port, "example.com", "fallback"],
  ];
  for (const [what, port, name, certificate] of cases)
    test(what, async () => {
      expect(await tlsHandshake(port, name)).toMatchObject({ certificate, reached: "broker" });
    });

  test("sniStrict serves a name that has a certificate", async () => {
    expect(await tlsHandshake(sluice.port, "strict.example.com")).toMatchObject({
      certificate: "wildcard",
      reached: "broker",
    });
  });

  const refused: [what: string, name: string | null, reason: string][] = [
    ["an SNI that no router knows", "who.test", "unknown-sni"],
    ["no SNI without a catch-all", null, "no-route"],
    ["a name without a certificate under sniStrict", "strict.test", "no-certificate"],
  ];
  for (const version of ["-tls1_2", "-tls1_3"])
    for (const [what, name, reason] of refused)
      test(`${version}: ${what} gets the alert unrecognized_name, and the reason is ${reason}`, async () => {
        const before = [backend.connections, await sluice.metric("sluice_connections_total", { result: reason })];
        const result = await tlsHandshake(sluice.port, name, [version]);
        expect(result).toMatchObject({ alert: 112, reached: null, certificate: null });
        expect(backend.connections).toBe(before[0]!);
        expect(await sluice.metric("sluice_connections_total", { result: reason })).toBe(before[1]! + 1);
      });
});

/** Bun's own client, which has the post-quantum groups that Debian's openssl lacks; resolves to what it is greeted with. */
function bunClient(port: number, servername: string, group: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const ca = readFileSync(authority.cert, "utf8");
    const socket = connect({ host: "127.0.0.1", port, servername, ca, ecdhCurve: group });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("closed before the greeting")));
    socket.once("data", (chunk) => {
      resolve(String(chunk));
      socket.destroy();
    });
  });
}
