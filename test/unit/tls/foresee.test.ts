// What is certain about a client's certificate before TLS has judged it: only what must be refused in any case.

import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createServer } from "node:tls";
import { CertificateFiles } from "../../../src/certs/files.ts";
import { Diagnostics } from "../../../src/config/diagnostics.ts";
import { parseDynamic } from "../../../src/config/dynamic.ts";
import { judgeClient } from "../../../src/tls/client-auth.ts";
import { compileOptions } from "../../../src/tls/compile-options.ts";
import { foresee } from "../../../src/tls/foresee.ts";
import { DEFAULT_OPTIONS, type ServerTlsOptions } from "../../../src/tls/options.ts";
import { showToTls } from "../../support/certificate-fuzz.ts";
import { Authority, type Pair } from "../../support/certs.ts";
import { HostileCertificates } from "../../support/hostile-certificates.ts";
import { random } from "../../support/random.ts";
import { cleanup, temporaryDirectory } from "../../support/tools.ts";

const [root, again, strangers] = await Promise.all([
  Authority.create("Clients"),
  // Made anew under the same name, as people do.
  Authority.create("Clients"),
  Authority.create("Strangers"),
]);
const below = await root.intermediate("Below");
const usage = "clientAuth" as const;
const client = await root.issue({ usage, subject: "/CN=client" });
const der = ({ cert }: Pair | { cert: string }) => new X509Certificate(readFileSync(cert)).raw;

function options(clientAuth: string): ServerTlsOptions {
  const diagnostics = new Diagnostics();
  const file = parseDynamic("f.yml", `tls: { options: { o: { clientAuth: { ${clientAuth} } } } }`, diagnostics);
  const compiled = compileOptions(file!.value.tls.options.o!, new CertificateFiles());
  if (compiled.options === null) throw new Error(JSON.stringify(compiled.problems));
  return compiled.options;
}

const strict = options(`caFiles: [${root.cert}]`);

async function withList(dates: object = {}): Promise<ServerTlsOptions> {
  const file = join(temporaryDirectory(), "crl.pem");
  writeFileSync(file, await root.crl(dates));
  return options(`caFiles: [${root.cert}], crlFiles: [${file}]`);
}

describe("certain", () => {
  test("no certificate where there must be one", () => {
    expect(foresee(strict, [], Date.now())).toBe("client-certificate-missing");
    expect(foresee(options("clientAuthType: RequireAnyClientCert"), [], Date.now())).toBe("client-certificate-missing");
    expect(
      foresee(options(`caFiles: [${root.cert}], clientAuthType: VerifyClientCertIfGiven`), [], Date.now()),
    ).toBeNull();
  });

  test("another authority, also one that was made anew under the same name, and a chain that leads to it", async () => {
    for (const authority of [strangers, again])
      expect(foresee(strict, [der(await authority.issue({ usage, subject: "/CN=x" }))], Date.now())).toBe(
        "client-certificate-untrusted",
      );
    const middle = await strangers.intermediate("Middle");
    const leaf = await middle.issue({ usage, subject: "/CN=x" });
    expect(foresee(strict, [der(leaf), der(middle), der(strangers)], Date.now())).toBe("client-certificate-untrusted");
  });

  test("an intermediate that the client does not send", async () => {
    const leaf = der(await below.issue({ usage, subject: "/CN=x" }));
    expect(foresee(strict, [leaf], Date.now())).toBe("client-certificate-untrusted");
    expect(foresee(strict, [leaf, der(below)], Date.now())).toBeNull();
  });

  test("dates and usage", async () => {
    const issue = async (more: object) => der(await root.issue({ usage, subject: "/CN=x", ...more }));
    expect(foresee(strict, [await issue({ notAfter: "20210101000000Z" })], Date.now())).toBe(
      "client-certificate-expired",
    );
    const later = { notBefore: "20480101000000Z", notAfter: "20490101000000Z" };
    expect(foresee(strict, [await issue(later)], Date.now())).toBe("client-certificate-not-yet-valid");
    expect(foresee(strict, [await issue({ usage: "serverAuth" })], Date.now())).toBe(
      "client-certificate-wrong-purpose",
    );
  });

  test("a revocation list that is over, for a certificate that its authority has signed", async () => {
    const listed = await withList({ lastUpdate: "20200101000000Z", nextUpdate: "20200201000000Z" });
    expect(foresee(listed, [der(client)], Date.now())).toBe("client-certificate-unchecked");
  });

  test("a name that is not allowed", () => {
    const named = options(`caFiles: [${root.cert}], allowedNames: ["CN:other"]`);
    expect(foresee(named, [der(client)], Date.now())).toBe("client-certificate-not-allowed");
  });
});

describe("not certain", () => {
  test("a good one, the authority itself, and whatever is not verified", async () => {
    expect(foresee(strict, [der(client)], Date.now())).toBeNull();
    expect(foresee(strict, [der(root)], Date.now())).toBeNull();
    const stranger = der(await strangers.issue({ usage, subject: "/CN=x" }));
    expect(foresee(options("clientAuthType: RequireAnyClientCert"), [stranger], Date.now())).toBeNull();
    expect(foresee(DEFAULT_OPTIONS, [stranger], Date.now())).toBeNull();
  });

  test("a forgery under the authority's name: that no list is missing for it is left to whoever verifies signatures", async () => {
    const forged = new HostileCertificates(again, random(1)).nameless("spiffe://example.com/device-1");
    expect(foresee(await withList(), [forged.der], Date.now())).toBeNull();
  });

  test("garbage, a chain without end, and anything that a fuzzer makes gives an answer", () => {
    expect(foresee(strict, [Buffer.from("garbage")], Date.now())).toBeNull();
    expect(
      foresee(
        strict,
        Array.from({ length: 17 }, () => der(strangers)),
        Date.now(),
      ),
    ).toBeNull();
    const certificates = new HostileCertificates(root, random(3));
    for (let round = 0; round < 300; round++)
      expect(String(foresee(strict, [certificates.next().der, der(root)], Date.now()))).toMatch(
        /^(null|client-certificate-.*)$/,
      );
  });
});

test("who is foreseen to be refused is refused by the verdict after the handshake too", async () => {
  const verdicts: string[] = [];
  const read = (file: string) => readFileSync(file, "utf8");
  const { cert, key } = await root.issue({ names: ["localhost"] });
  const asked = { ca: read(root.cert), requestCert: true, rejectUnauthorized: false, maxVersion: "TLSv1.2" } as const;
  const server = createServer({ cert: read(cert), key: read(key), ...asked }, (socket) => {
    const code = socket.authorized ? null : String(socket.authorizationError);
    const error = code === null ? null : { code, message: code };
    verdicts.push(judgeClient(strict, socket.getPeerX509Certificate(), error, Date.now()).kind);
    socket.on("error", () => {}).end("!");
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  cleanup(() => server.close());
  const { port } = server.address() as AddressInfo;
  const certificates = new HostileCertificates(root, random(4));
  const loaded = (pair: Pair) => ({ der: der(pair), cert: read(pair.cert), key: read(pair.key) });
  const known = [
    client,
    await strangers.issue({ usage, subject: "/CN=x" }),
    await again.issue({ usage, subject: "/CN=x" }),
    await root.issue({ usage: "serverAuth", subject: "/CN=x" }),
    await root.issue({ usage, subject: "/CN=x", notAfter: "20210101000000Z" }),
  ].map(loaded);
  let foreseen = 0;
  for (let round = 0; round < 150; round++) {
    const made = known[round] ?? certificates.next();
    const reason = foresee(strict, [made.der], Date.now());
    const before = verdicts.length;
    await showToTls(port, "localhost", made, { maxVersion: "TLSv1.2" });
    if (verdicts.length === before) continue; // the library, or the client's own, would not even read it
    if (round === 0) expect([reason, verdicts[0]]).toEqual([null, "admitted"]);
    if (reason === null) continue;
    foreseen++;
    if (verdicts.at(-1) !== "refused") throw new Error(`${reason}, and let in: ${made.cert}`);
  }
  expect(foreseen).toBeGreaterThan(5);
});
