// What is certain about a client's certificate before TLS has judged it: only what must be refused in any case.

import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { CertificateFiles } from "../../../src/certs/files.ts";
import { Diagnostics } from "../../../src/config/diagnostics.ts";
import { parseDynamic } from "../../../src/config/dynamic.ts";
import { foresee } from "../../../src/tls/foresee.ts";
import { compileOptions, DEFAULT_OPTIONS, type ServerTlsOptions } from "../../../src/tls/options.ts";
import { Authority, type Pair } from "../../support/certs.ts";
import { HostileCertificates } from "../../support/hostile-certificates.ts";
import { random } from "../../support/random.ts";

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
