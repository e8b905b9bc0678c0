// Whatever stands in a client's certificate: Sluice goes on, says what it is about in the access log on one line of visible characters, and
// writes no error, which nobody outside may cause.

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Backend } from "../support/backend.ts";
import { showByHand, showToTls } from "../support/certificate-fuzz.ts";
import { Authority } from "../support/certs.ts";
import { HostileCertificates } from "../support/hostile-certificates.ts";
import { sClient } from "../support/openssl.ts";
import { random } from "../support/random.ts";
import { Sluice } from "../support/sluice.ts";
import { temporaryDirectory, waitFor } from "../support/tools.ts";

const ROUNDS = Number(process.env.FUZZ_CERTIFICATES ?? 60);
const seed = Number(process.env.FUZZ_SEED ?? 20261125);

const authority = await Authority.create();
const backend = await Backend.start("broker");
const server = await authority.issue({ names: ["*.test", "mqtt.example.com"] });
const crl = join(temporaryDirectory(), "crl.pem");
writeFileSync(crl, await authority.crl());
const sluice = await Sluice.start({
  dynamic: `
tcp:
  routers:
    strict: { rule: "HostSNI(\`strict.test\`) || HostSNI(\`mqtt.example.com\`)", service: broker, tls: { options: strict } }
    named: { rule: "HostSNI(\`named.test\`)", service: broker, tls: { options: named } }
    any: { rule: "HostSNI(\`any.test\`)", service: broker, tls: { options: any } }
  services: { broker: { loadBalancer: { servers: [{ port: ${backend.port} }] } } }
tls:
  certificates: [{ certFile: ${server.cert}, keyFile: ${server.key} }]
  options:
    strict: { clientAuth: { caFiles: [${authority.cert}], crlFiles: [${crl}] } }
    named: { clientAuth: { caFiles: [${authority.cert}], allowedNames: ["URI:spiffe://example.com/*", "CN:device"] } }
    any: { clientAuth: { clientAuthType: RequireAnyClientCert } }
`,
});

const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;
const errors = () => sluice.lines.filter(({ level }) => level === "error" || level === "fatal");
/** What a reader of a log must not be shown (src/text/printable.ts). */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

for (const version of VERSIONS)
  test(`${version}: a client with an empty subject and a URI, as SPIFFE has them, is served and named by its URI`, async () => {
    const made = new HostileCertificates(authority, random(seed)).nameless("spiffe://example.com/device-1");
    const directory = temporaryDirectory();
    writeFileSync(join(directory, "client.pem"), made.cert + made.key);
    const args = [version === "TLSv1.2" ? "-tls1_2" : "-tls1_3", "-cert", join(directory, "client.pem")];
    for (const name of ["strict.test", "named.test", "any.test"]) {
      const seen = sluice.accesses.length;
      expect(await sClient(sluice.port, name, args)).toMatchObject({ reached: "broker" });
      const line = await waitFor("the access-log line", () => sluice.accesses[seen] ?? null);
      expect(line).toMatchObject({ reason: "client-closed", clientSubject: "URI:spiffe://example.com/device-1" });
    }
    expect(errors()).toEqual([]);
  });

test(`nothing in a client's certificate causes an error or hides in the log (seed ${seed})`, async () => {
  const dice = random(seed);
  const certificates = new HostileCertificates(authority, dice);
  const outcomes: Record<string, number> = {};
  let ended = sluice.accesses.length;
  for (let round = 0; round < ROUNDS; round++) {
    const made = certificates.next();
    const name = dice.pick(["strict.test", "named.test", "any.test"]);
    const version = dice.pick(VERSIONS);
    const outcome = await showToTls(sluice.port, name, made, { minVersion: version, maxVersion: version });
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    if (outcome !== "not-loaded") ended++;
    const chain = dice.chance(0.3) ? [made.der, certificates.next().der, readAuthority] : [made.der];
    await showByHand(sluice.port, chain, dice.pick([16_000, 5000, 1 + dice.below(2000)]));
    ended++;
    if (errors().length > 0) throw new Error(`round ${round}: ${JSON.stringify(errors()[0])}\n${made.cert}`);
  }
  await waitFor("a line for each", () => sluice.accesses.length === ended || null);
  // Both ways lead somewhere: some are let in, some are refused, and the client loads enough of them.
  expect(outcomes.served).toBeGreaterThan(0);
  expect(outcomes.refused).toBeGreaterThan(0);
  for (const { clientSubject } of sluice.accesses) {
    if (clientSubject === undefined) continue;
    expect(clientSubject).not.toMatch(INVISIBLE);
    expect(String(clientSubject).length).toBeLessThan(2000);
  }
  // All that was seen are reasons that there are for clients.
  const reasons = new Set(sluice.accesses.map(({ reason }) => reason));
  for (const reason of reasons)
    expect(reason).toMatch(/^(client-closed|client-reset|handshake-failed|client-certificate-.*)$/);
  expect(errors()).toEqual([]);
}, 600_000);

const readAuthority = Buffer.from(
  readFileSync(authority.cert, "latin1").replace(/-----[A-Z ]+-----|\s/g, ""),
  "base64",
);
