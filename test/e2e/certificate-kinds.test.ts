// With an ECDSA and an RSA certificate for one name each client gets the one that it can verify; a certificate for the exact name comes
// before one with a wildcard.

import { describe, expect, test } from "bun:test";
import { Backend } from "../support/backend.ts";
import { Authority } from "../support/certs.ts";
import { sClient } from "../support/openssl.ts";
import { Sluice } from "../support/sluice.ts";

const authority = await Authority.create();
const backend = await Backend.start("broker");
const ecdsa = await authority.issue({ names: ["both.test"], subject: "/CN=ecdsa" });
const rsa = await authority.issue({ names: ["both.test"], subject: "/CN=rsa", keyType: "rsa" });
const wildcard = await authority.issue({ names: ["*.wild.test"], subject: "/CN=wildcard" });
const exact = await authority.issue({ names: ["exact.wild.test"], subject: "/CN=exact", keyType: "rsa" });

// RSA first: the order in the file does not decide.
const sluice = await Sluice.start({
  dynamic: `
tcp:
  routers: { all: { rule: "HostSNI(\`*\`)", service: broker, tls: {} } }
  services: { broker: { loadBalancer: { servers: [{ port: ${backend.port} }] } } }
tls:
  certificates:
${[rsa, ecdsa, wildcard, exact].map(({ cert, key }) => `    - { certFile: ${cert}, keyFile: ${key} }`).join("\n")}
`,
});

async function shown(name: string, ...args: string[]): Promise<string | null> {
  const client = await sClient(sluice.port, name, args);
  return client.reached === "broker" ? client.certificate : `refused: alert ${client.alert}`;
}

const RSA = "RSA-PSS+SHA256:RSA+SHA256:RSA-PSS+SHA384:RSA+SHA384";
const ECDSA = "ECDSA+SHA256:ECDSA+SHA384";

for (const version of ["-tls1_2", "-tls1_3"])
  describe(`a client of ${version.slice(1)}`, () => {
    test("with RSA schemes only gets the RSA certificate", async () => {
      expect(await shown("both.test", version, "-sigalgs", RSA)).toBe("rsa");
    });
    test("with ECDSA schemes only gets the ECDSA certificate", async () => {
      expect(await shown("both.test", version, "-sigalgs", ECDSA)).toBe("ecdsa");
    });
    test("with both gets ECDSA, which is cheaper for either side", async () => {
      expect(await shown("both.test", version, "-sigalgs", `${RSA}:${ECDSA}`)).toBe("ecdsa");
    });
    test("gets the certificate for the exact name before the one with a wildcard", async () => {
      expect(await shown("exact.wild.test", version)).toBe("exact");
      expect(await shown("other.wild.test", version)).toBe("wildcard");
      expect(await shown("exact.wild.test", version, "-sigalgs", RSA)).toBe("exact");
    });
  });

describe("a client of tls1_2 that knows every scheme", () => {
  test("but has only cipher suites for RSA gets the RSA certificate", async () => {
    expect(await shown("both.test", "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")).toBe("rsa");
  });
  test("but lacks the curve of the ECDSA certificate gets the RSA certificate", async () => {
    expect(await shown("both.test", "-tls1_2", "-groups", "X25519:P-384")).toBe("rsa");
    expect(await shown("both.test", "-tls1_2", "-groups", "X25519:P-256")).toBe("ecdsa");
    // TLS 1.3 says so by the schemes.
    expect(await shown("both.test", "-tls1_3", "-groups", "X25519:P-384")).toBe("ecdsa");
  });
  test("but has only cipher suites for ECDSA gets the ECDSA certificate", async () => {
    expect(await shown("both.test", "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256")).toBe("ecdsa");
  });
});
