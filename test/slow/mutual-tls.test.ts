// Each router asks for client certificates by its own rule: who does not satisfy it fails at the client, for a reason that the
// access log names, it is told the reason by the alert that OpenSSL has for it, and no server was dialled.

import { describe, expect, test } from "bun:test";
import { Backend } from "../support/backend.ts";
import { Authority, type Pair } from "../support/certs.ts";
import { sClient } from "../support/openssl.ts";
import { Sluice } from "../support/sluice.ts";
import { tlsHandshake } from "../support/tls-client.ts";
import { waitFor } from "../support/tools.ts";

const [authority, clients, strangers] = await Promise.all([
  Authority.create(),
  Authority.create("Clients"),
  Authority.create("Strangers"),
]);
const server = await authority.issue({ names: ["*.test"] });
const PRESENTED: Record<string, Pair | null> = {
  valid: await clients.issue({ usage: "clientAuth", subject: "/CN=valid" }),
  none: null,
  "wrong-ca": await strangers.issue({ usage: "clientAuth", subject: "/CN=wrong-ca" }),
  expired: await clients.issue({ usage: "clientAuth", subject: "/CN=expired", notAfter: "20210101000000Z" }),
  "not-yet-valid": await clients.issue({
    usage: "clientAuth",
    subject: "/CN=not-yet-valid",
    notBefore: "20480101000000Z",
    notAfter: "20490101000000Z",
  }),
  "wrong-purpose": await clients.issue({ usage: "serverAuth", subject: "/CN=wrong-purpose" }),
};
/** What the log says of each that is refused. */
const REFUSED: Record<string, string> = {
  none: "client-certificate-missing",
  "wrong-ca": "client-certificate-untrusted",
  expired: "client-certificate-expired",
  "not-yet-valid": "client-certificate-not-yet-valid",
  "wrong-purpose": "client-certificate-wrong-purpose",
};
/** The alert that each gets, as OpenSSL and so Mosquitto have it; of those without, the version decides. */
const ALERTS: Record<string, number> = { "wrong-ca": 48, expired: 45, "not-yet-valid": 42, "wrong-purpose": 43 };
const MISSING: Record<string, number> = { "-tls1_2": 40, "-tls1_3": 116 };
const EVERYONE = Object.keys(PRESENTED);
/** Whom each type lets in (Go's crypto/tls, which Traefik uses, names them). */
const ADMITS: Record<string, readonly string[]> = {
  NoClientCert: EVERYONE,
  RequestClientCert: EVERYONE,
  RequireAnyClientCert: EVERYONE.filter((each) => each !== "none"),
  VerifyClientCertIfGiven: ["valid", "none"],
  RequireAndVerifyClientCert: ["valid"],
  // caFiles without a type.
  unspecified: ["valid"],
};
const TYPES = Object.keys(ADMITS);

const backend = await Backend.start("broker");
const sluice = await Sluice.start({
  dynamic: `
tcp:
  routers:
${TYPES.map((type) => `    ${type}: { rule: "HostSNI(\`${type}.test\`)", service: broker, tls: { options: ${type} } }`).join("\n")}
  services:
    broker: { loadBalancer: { servers: [{ port: ${backend.port} }] } }
tls:
  certificates: [{ certFile: ${server.cert}, keyFile: ${server.key} }]
  options:
${TYPES.map((type) => {
  const named = type === "unspecified" ? "" : `, clientAuthType: ${type}`;
  return `    ${type}: { clientAuth: { caFiles: [${clients.cert}]${named} } }`;
}).join("\n")}
`,
});

for (const version of ["-tls1_2", "-tls1_3"])
  for (const type of TYPES) {
    // The alerts are those that openssl itself understands; what differs by type is who gets one.
    const connect = type === "RequireAndVerifyClientCert" ? sClient : tlsHandshake;
    describe(`${version} ${type}`, () => {
      for (const who of EVERYONE) {
        const admitted = ADMITS[type]!.includes(who);
        test(`${who} is ${admitted ? "admitted" : "refused, and nothing is dialled"}`, async () => {
          const pair = PRESENTED[who]!;
          const args = pair === null ? [] : ["-cert", pair.cert, "-key", pair.key];
          const [dialled, seen] = [backend.connections, sluice.accesses.length];
          const result = await connect(sluice.port, `${type.toLowerCase()}.test`, [version, ...args]);
          const line = await waitFor("the access-log line", () => sluice.accesses[seen] ?? null);
          expect(line.router).toBe(`${type}@file`);
          // Who is not asked for a certificate does not show one.
          const shown = pair === null || type === "NoClientCert" ? undefined : `CN=${who}`;
          if (admitted) {
            expect(result.reached).toBe("broker");
            expect(backend.connections).toBe(dialled + 1);
            expect(line).toMatchObject({ reason: "client-closed" });
          } else {
            expect(result.reached).toBeNull();
            expect(backend.connections).toBe(dialled);
            expect(line).toMatchObject({ reason: REFUSED[who], bytesIn: 0, bytesOut: 0 });
            expect(result.alert).toBe(ALERTS[who] ?? MISSING[version]!);
          }
          expect(line.clientSubject).toBe(shown);
        });
      }
    });
  }

test("a client of TLS 1.3 is told by whichever suite was agreed on", async () => {
  const suites = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
  for (const [index, who] of Object.keys(ALERTS).entries()) {
    const { cert, key } = PRESENTED[who]!;
    const suite = suites[index % suites.length]!;
    const args = ["-tls1_3", "-ciphersuites", suite, "-cert", cert, "-key", key];
    const result = await sClient(sluice.port, "requireandverifyclientcert.test", args);
    expect(result).toMatchObject({ cipher: suite, alert: ALERTS[who]! });
  }
});

test("every refusal is counted under its reason", async () => {
  for (const reason of new Set(Object.values(REFUSED))) {
    const logged = () => sluice.accesses.filter((line) => line.reason === reason).length;
    const counted = () => sluice.metric("sluice_connections_total", { result: reason });
    await waitFor(`the log and the metric to agree on ${reason}`, async () => (await counted()) === logged() || null);
    expect(logged()).toBeGreaterThan(0);
  }
});
