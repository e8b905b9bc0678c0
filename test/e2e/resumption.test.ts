// A session ticket opens again only the door it was made at: it resumes under the same rules about clients and under no others.

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Backend } from "../support/backend.ts";
import { Authority, type Pair } from "../support/certs.ts";
import { sClient } from "../support/openssl.ts";
import { Sluice } from "../support/sluice.ts";
import { tlsHandshake } from "../support/tls-client.ts";
import { temporaryDirectory, waitFor } from "../support/tools.ts";

const [authority, clients, strangers] = await Promise.all([
  Authority.create(),
  Authority.create("Clients"),
  Authority.create("Strangers"),
]);
const [server, client] = await Promise.all([
  authority.issue({ names: ["*.test"] }),
  clients.issue({ usage: "clientAuth", subject: "/CN=sensor-7" }),
]);
const backend = await Backend.start("broker");
const sessions = temporaryDirectory();

const sluice = await Sluice.start({
  workers: 1,
  dynamic: `
tcp:
  routers:
    open: { rule: "HostSNI(\`open.test\`)", service: broker, tls: {} }
    open-too: { rule: "HostSNI(\`open-too.test\`)", service: broker, tls: {} }
    any: { rule: "HostSNI(\`any.test\`)", service: broker, tls: { options: any } }
    given: { rule: "HostSNI(\`given.test\`)", service: broker, tls: { options: given } }
    verified: { rule: "HostSNI(\`verified.test\`)", service: broker, tls: { options: verified } }
    strangers: { rule: "HostSNI(\`strangers.test\`)", service: broker, tls: { options: strangers } }
    touched: { rule: "HostSNI(\`touched.test\`)", service: broker, tls: { options: touched@file } }
  services:
    broker: { loadBalancer: { servers: [{ port: ${backend.port} }] } }
tls:
  certificates: [{ certFile: ${server.cert}, keyFile: ${server.key} }]
  options:
    any: { clientAuth: { clientAuthType: RequireAnyClientCert } }
    given: { clientAuth: { caFiles: [${clients.cert}], clientAuthType: VerifyClientCertIfGiven } }
    verified: { clientAuth: { caFiles: [${clients.cert}] } }
    strangers: { clientAuth: { caFiles: [${strangers.cert}] } }
`,
});
const touched = (curve: string) => `tls: { options: { touched: { curvePreferences: [${curve}] } } }\n`;
await sluice.reload(() => sluice.write("touched.yml", touched("X25519")));

type Client = typeof sClient;
let made = 0;
const withCertificate = (pair: Pair) => ["-cert", pair.cert, "-key", pair.key];

/** Makes a full handshake and returns the file with its session. */
async function session(
  name: string,
  version: string,
  args: readonly string[] = [],
  connect: Client = tlsHandshake,
): Promise<string> {
  const file = join(sessions, `session-${++made}`);
  const result = await connect(sluice.port, name, [version, "-sess_out", file, ...args]);
  expect(result).toMatchObject({ reached: "broker", reused: false });
  expect(existsSync(file)).toBe(true);
  return file;
}

const again = (
  name: string,
  version: string,
  file: string,
  args: readonly string[] = [],
  connect: Client = tlsHandshake,
) => connect(sluice.port, name, [version, "-sess_in", file, ...args]);

const resumed = (version: string) =>
  sluice.metric("sluice_tls_handshake_duration_seconds_count", {
    version: version === "-tls1_2" ? "TLSv1.2" : "TLSv1.3",
    resumed: "true",
  });

/** The authority's name for it, and so its certificate and the tickets that hold it, have 20 kB and more. */
const huge = await clients.issue({
  usage: "clientAuth",
  subject: "/CN=huge",
  sans: Array.from({ length: 600 }, (_, index) => `DNS:device-${index}.example.com-${"x".repeat(10)}`),
});

for (const version of ["-tls1_2", "-tls1_3"])
  describe(version, () => {
    test("a ticket with a client certificate of 20 kB resumes, in a hello that is larger still", async () => {
      expect(readFileSync(huge.cert).length).toBeGreaterThan(20_000);
      const file = await session("verified.test", version, withCertificate(huge), sClient);
      expect(await again("verified.test", version, file, [], sClient)).toMatchObject({
        reached: "broker",
        reused: true,
      });
    });

    test("a ticket resumes on the route it was made on, and the metric says so", async () => {
      const file = await session("open.test", version, [], sClient);
      const before = await resumed(version);
      expect(await again("open.test", version, file, [], sClient)).toMatchObject({ reached: "broker", reused: true });
      expect(await resumed(version)).toBe(before + 1);
    });

    test("a ticket resumes on another route with the same options", async () => {
      const file = await session("open.test", version);
      expect(await again("open-too.test", version, file)).toMatchObject({ reached: "broker", reused: true });
    });

    for (const name of ["any.test", "verified.test"])
      test(`a ticket from a route without client certificates does not open ${name}`, async () => {
        const file = await session("open.test", version);
        const dialled = backend.connections;
        const refused = await again(name, version, file);
        expect(refused).toMatchObject({ reached: null, reused: false });
        expect(backend.connections).toBe(dialled);
        // The full handshake that is made instead asks for the certificate.
        expect(await again(name, version, file, withCertificate(client))).toMatchObject({
          reached: "broker",
          reused: false,
        });
      });

    test("a ticket made without a certificate where it may be missing does not open a route that requires it", async () => {
      const file = await session("given.test", version);
      expect(await again("given.test", version, file)).toMatchObject({ reached: "broker", reused: true });
      expect(await again("verified.test", version, file)).toMatchObject({ reached: null, reused: false });
    });

    test("a resumed session carries the client's certificate and is accepted", async () => {
      const subject = `CN=resumes${version}`;
      const resuming = await clients.issue({ usage: "clientAuth", subject: `/${subject}` });
      const file = await session("verified.test", version, withCertificate(resuming));
      expect(await again("verified.test", version, file)).toMatchObject({ reached: "broker", reused: true });
      const lines = await waitFor("both access-log lines", () => {
        const found = sluice.accesses.filter((line) => line.clientSubject === subject);
        return found.length < 2 ? null : found;
      });
      for (const line of lines) expect(line).toMatchObject({ router: "verified@file", server: expect.anything() });
    });

    test("a session with a certificate does not resume on a route with another client CA", async () => {
      const file = await session("verified.test", version, withCertificate(client));
      const dialled = backend.connections;
      expect(await again("strangers.test", version, file)).toMatchObject({ reached: null, reused: false });
      expect(await again("strangers.test", version, file, withCertificate(client))).toMatchObject({
        reached: null,
        reused: false,
      });
      expect(backend.connections).toBe(dialled);
    });

    test("a session whose client certificate has expired since is refused", async () => {
      const now = Date.now();
      // To the second, and far enough for two handshakes on a busy machine.
      const expires = new Date(Math.ceil(now / 1000) * 1000 + 5000);
      const stamp = `${expires.toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`;
      const brief = await clients.issue({ usage: "clientAuth", subject: "/CN=brief", notAfter: stamp });
      const file = await session("verified.test", version, withCertificate(brief));
      expect(await again("verified.test", version, file)).toMatchObject({ reached: "broker", reused: true });
      const dialled = backend.connections;
      await waitFor("the certificate to expire", () => Date.now() > expires.getTime());
      expect(await again("verified.test", version, file)).toMatchObject({ reached: null });
      expect(backend.connections).toBe(dialled);
      await sluice.access((line) => line.reason === "client-certificate-expired" && line.clientSubject === "CN=brief");
    });

    test("tickets survive a reload that does not touch their route, and not one that changes its options", async () => {
      const [file, mutual, changed] = [
        await session("open.test", version),
        await session("verified.test", version, withCertificate(client)),
        await session("touched.test", version),
      ];
      expect(await again("touched.test", version, changed)).toMatchObject({ reused: true });
      await sluice.reload(() =>
        sluice.write("touched.yml", touched(version === "-tls1_2" ? "CurveP256" : "CurveP384")),
      );
      expect(await again("open.test", version, file)).toMatchObject({ reached: "broker", reused: true });
      expect(await again("verified.test", version, mutual)).toMatchObject({ reached: "broker", reused: true });
      expect(await again("touched.test", version, changed)).toMatchObject({ reached: "broker", reused: false });
    });
  });
