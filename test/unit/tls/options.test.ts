// tls.options: each cipher and curve is judged alone, client authentication never becomes weaker than what was written, and equal
// options are equal by their key.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { CertificateFiles } from "../../../src/certs/files.ts";
import { Diagnostics } from "../../../src/config/diagnostics.ts";
import { parseDynamic } from "../../../src/config/dynamic.ts";
import { compileOptions } from "../../../src/tls/compile-options.ts";
import { CIPHERS, CURVES, DEFAULT_CIPHERS, inPreference } from "../../../src/tls/names.ts";
import { DEFAULT_OPTIONS, maxRecord } from "../../../src/tls/options.ts";
import { Authority } from "../../support/certs.ts";

const authority = await Authority.create();

function compile(text: string) {
  const diagnostics = new Diagnostics();
  const file = parseDynamic("f.yml", `tls: { options: { o: { ${text} } } }`, diagnostics);
  if (file === null) throw new Error(JSON.stringify(diagnostics.list));
  const { options, problems } = compileOptions(file.value.tls.options.o!, new CertificateFiles());
  return {
    options,
    problems: problems.map(({ severity, path, message }) => `${severity} ${path.join(".")}: ${message}`),
  };
}

function sound(text: string) {
  const { options, problems } = compile(text);
  expect(problems).toEqual([]);
  return options!;
}

/** Of options that can be used, but of which something is to be said. */
function warned(text: string) {
  const { options, problems } = compile(text);
  expect(problems.map((problem) => problem.split(" ")[0])).toEqual(["warning"]);
  return { options: options!, warning: problems[0]! };
}

describe("without anything written", () => {
  test("TLS 1.2 and 1.3, no client certificate: the same as the built-in default", () => {
    expect(sound("")).toEqual(DEFAULT_OPTIONS);
    expect(DEFAULT_OPTIONS).toMatchObject({
      minVersion: "TLSv1.2",
      maxVersion: "TLSv1.3",
      clientAuth: "NoClientCert",
      alpn: null,
    });
  });

  test("empty lists are as good as none", () => {
    expect(sound("cipherSuites: [], curvePreferences: [], alpnProtocols: []")).toEqual(DEFAULT_OPTIONS);
  });
});

describe("client authentication", () => {
  test("a section that has lost its authorities is no way to ask for nothing; NoClientCert is", () => {
    for (const text of ["{}", "", "{ caFiles: }", "{ caFiles: [] }", "{ caPassword: x }"])
      expect(compile(`clientAuth: ${text}`)).toEqual({
        options: null,
        problems: [
          "error clientAuth: clientAuth asks for nothing: give caFiles, or say so with  clientAuthType: NoClientCert",
        ],
      });
    expect(sound("clientAuth: { clientAuthType: NoClientCert }")).toEqual(DEFAULT_OPTIONS);
  });

  test("a list that has lost its entries lets nobody in whom it kept out", () => {
    const without = { crlFiles: "revoked certificates shall be let in", allowedNames: "any name will do" };
    for (const [field, meaning] of Object.entries(without))
      for (const empty of ["", "[]"])
        expect(compile(`clientAuth: { caFiles: [${authority.cert}], ${field}: ${empty} }`)).toEqual({
          options: null,
          problems: [
            `error clientAuth.${field}: ${field} has no entries: give some, or remove ${field}, if ${meaning}`,
          ],
        });
    expect(
      compile(`clientAuth: { caFiles: [${authority.cert}], crlFiles: , closeRevoked: true }`).problems,
    ).toHaveLength(1);
  });

  test("caFiles alone mean RequireAndVerifyClientCert", () => {
    expect(sound(`clientAuth: { caFiles: [${authority.cert}] }`)).toMatchObject({
      clientAuth: "RequireAndVerifyClientCert",
      clientCa: readFileSync(authority.cert, "utf8"),
    });
    expect(sound(`clientAuth: { caFiles: ${authority.cert} }`).clientAuth).toBe("RequireAndVerifyClientCert");
  });

  test.each([
    "NoClientCert",
    "RequestClientCert",
    "RequireAnyClientCert",
    "VerifyClientCertIfGiven",
    "RequireAndVerifyClientCert",
  ])("%s with caFiles is itself", (type) => {
    const text = `clientAuth: { caFiles: [${authority.cert}], clientAuthType: ${type} }`;
    expect(sound(text).clientAuth as string).toBe(type);
  });

  test.each(["NoClientCert", "RequestClientCert", "RequireAnyClientCert"])("%s needs no caFiles", (type) => {
    expect(sound(`clientAuth: { clientAuthType: ${type} }`).clientAuth as string).toBe(type);
  });

  test.each(["VerifyClientCertIfGiven", "RequireAndVerifyClientCert"])("%s without caFiles is an error", (type) => {
    for (const files of ["", "caFiles: [], "]) {
      const { options, problems } = compile(`clientAuth: { ${files}clientAuthType: ${type} }`);
      expect(options).toBeNull();
      expect(problems.join()).toContain("needs caFiles");
    }
  });

  test("an authority that cannot be read leaves no options, rather than ones that ask for nothing", () => {
    const { options, problems } = compile(`clientAuth: { caFiles: [${authority.cert}, /nowhere/ca.pem] }`);
    expect(options).toBeNull();
    expect(problems).toEqual(["error clientAuth.caFiles.1: /nowhere/ca.pem: no such file"]);
  });
});

describe("versions", () => {
  test.each([
    ["minVersion: VersionTLS13", "TLSv1.3", "TLSv1.3"],
    ["maxVersion: VersionTLS12", "TLSv1.2", "TLSv1.2"],
  ])("%s", (text, minVersion, maxVersion) => expect(sound(text)).toMatchObject({ minVersion, maxVersion } as never));

  test.each([
    ["minVersion: VersionTLS10", "TLSv1", "TLSv1.3"],
    ["minVersion: VersionTLS11", "TLSv1.1", "TLSv1.3"],
    ["minVersion: VersionTLS10, maxVersion: VersionTLS11", "TLSv1", "TLSv1.1"],
  ])("%s is for old devices, and a warning says so", (text, minVersion, maxVersion) => {
    const { options, warning } = warned(text);
    expect(options).toMatchObject({ minVersion, maxVersion } as never);
    expect(warning).toContain("lets clients in with TLS 1.0 or 1.1");
  });

  test.each(["minVersion: VersionTLS13, maxVersion: VersionTLS12", "maxVersion: VersionTLS11"])(
    "%s is an error",
    (text) => {
      expect(compile(text).options).toBeNull();
    },
  );
});

describe("ciphers and curves", () => {
  test("each name of the table is either taken alone by the library or left out with a warning", () => {
    for (const [name, openssl] of Object.entries(CIPHERS)) {
      const { options, problems } = compile(`cipherSuites: [${name}]`);
      if (name.startsWith("TLS_AES") || name.startsWith("TLS_CHACHA") || name === "TLS_FALLBACK_SCSV")
        expect(options).toMatchObject({ ciphers: null, minVersion: "TLSv1.3" });
      else if (options !== null) {
        expect(options.ciphers).toBe(openssl);
        expect(() => createSecureContext({ ciphers: openssl })).not.toThrow();
      } else {
        expect(() => createSecureContext({ ciphers: openssl })).toThrow();
        expect(problems.length).toBe(2);
        expect(problems[0]).toStartWith("warning cipherSuites.0:");
        expect(problems[1]).toStartWith("error cipherSuites: none of cipherSuites can be used");
      }
    }
    for (const [name, openssl] of Object.entries(CURVES)) {
      const { options } = compile(`curvePreferences: [${name}]`);
      expect(options?.curves ?? null).toBe(takes(openssl) ? openssl : null);
    }
  });

  const takes = (ecdhCurve: string) => {
    try {
      createSecureContext({ ecdhCurve });
      return true;
    } catch {
      return false;
    }
  };

  test("those that clients need are there", () => {
    for (const name of [
      "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
      "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
      "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
      "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
      "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
    ])
      expect(sound(`cipherSuites: [${name}]`).ciphers).toBe(CIPHERS[name]!);
    for (const name of ["CurveP256", "CurveP384", "CurveP521", "X25519", "X25519MLKEM768"])
      expect(sound(`curvePreferences: [${name}]`).curves).toBe(CURVES[name]!);
  });

  test.each([
    ["TLS_RSA_WITH_AES_128_CBC_SHA", "without forward secrecy"],
    ["TLS_RSA_WITH_AES_128_GCM_SHA256", "without forward secrecy"],
    ["TLS_RSA_WITH_3DES_EDE_CBC_SHA", "without forward secrecy"],
    ["TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "CBC with an HMAC"],
    ["TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "CBC with an HMAC"],
  ])("%s is for old devices, and a warning names it", (name, said) => {
    const { options, warning } = warned(`cipherSuites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, ${name.toLowerCase()}]`);
    expect(options.ciphers).toBe(`ECDHE-RSA-AES128-GCM-SHA256:${CIPHERS[name]}`);
    expect(warning).toContain(`cipherSuites: ${name.toLowerCase()}: ${said}`);
  });

  test("the default is forward secrecy in every suite, each of which the library has", () => {
    for (const name of DEFAULT_CIPHERS.split(":")) {
      expect(name).toStartWith("ECDHE-");
      expect(() => createSecureContext({ ciphers: name })).not.toThrow();
    }
    expect(() => createSecureContext({ ciphers: inPreference(DEFAULT_CIPHERS) })).not.toThrow();
  });

  test("the server prefers AEAD and forward secrecy, and leaves the choice among equals to the client", () => {
    const all = [...new Set(Object.values(CIPHERS))].filter((each) => takesCipher(each));
    expect(
      inPreference("AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256"),
    ).toBe("[ECDHE-RSA-CHACHA20-POLY1305|ECDHE-RSA-AES128-GCM-SHA256]:[ECDHE-RSA-AES128-SHA]:[AES128-SHA]");
    const ordered = inPreference(all.join(":"));
    expect((ordered.match(/[^[\]|:]+/g) ?? []).sort() as string[]).toEqual(all.sort());
    expect(ordered).toEndWith("[DES-CBC3-SHA]");
  });

  const takesCipher = (ciphers: string) => {
    try {
      createSecureContext({ ciphers });
      return !ciphers.startsWith("TLS_");
    } catch {
      return false;
    }
  };

  test("one that the library lacks does not take the others with it, and order is kept", () => {
    const { options, problems } = compile(
      "cipherSuites: [TLS_RSA_WITH_RC4_128_SHA, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, tls_ecdhe_rsa_with_aes_128_gcm_sha256]",
    );
    expect(options!.ciphers).toBe("ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256");
    expect(problems).toEqual([
      "warning cipherSuites.0: TLS_RSA_WITH_RC4_128_SHA does not exist in BoringSSL, Sluice's TLS library, and is left out",
    ]);
  });

  test("two names for one thing are it once", () => {
    expect(sound("curvePreferences: [secp256r1, CurveP256, x25519]").curves).toBe("P-256:X25519");
  });

  test("an unknown name is an error that says which was meant", () => {
    const { options, problems } = compile(
      "cipherSuites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA25], curvePreferences: [P256]",
    );
    expect(options).toBeNull();
    expect(problems).toEqual([
      'error cipherSuites.0: unknown name "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA25" in cipherSuites (did you mean "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"?)',
      'error curvePreferences.0: unknown name "P256" in curvePreferences',
    ]);
  });

  test("suites of TLS 1.3 alone rule TLS 1.2 out, as in Go, and never open it to every suite", () => {
    expect(sound("cipherSuites: [TLS_AES_128_GCM_SHA256]")).toMatchObject({ minVersion: "TLSv1.3", ciphers: null });
    expect(compile("cipherSuites: [TLS_AES_128_GCM_SHA256], maxVersion: VersionTLS12").options).toBeNull();
    expect(sound("cipherSuites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]")).toMatchObject({
      minVersion: "TLSv1.2",
      ciphers: "ECDHE-RSA-AES128-GCM-SHA256",
    });
  });
});

describe("the key", () => {
  test("is equal for equal options, whatever they are written as", () => {
    expect(sound("minVersion: VersionTLS12").key).toBe(DEFAULT_OPTIONS.key);
    expect(sound("curvePreferences: secp256r1").key).toBe(sound("curvePreferences: [CurveP256]").key);
  });

  test("differs as soon as anything does: contexts and tickets are kept apart by it", () => {
    const variants = [
      "",
      "minVersion: VersionTLS13",
      "maxVersion: VersionTLS12",
      "sniStrict: true",
      "alpnProtocols: [mqtt]",
      "alpnProtocols: [mqtt, x]",
      "cipherSuites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]",
      "curvePreferences: [X25519]",
      "clientAuth: { clientAuthType: RequestClientCert }",
      `clientAuth: { caFiles: [${authority.cert}] }`,
      `clientAuth: { caFiles: [${authority.cert}], clientAuthType: VerifyClientCertIfGiven }`,
    ];
    expect(new Set(variants.map((text) => sound(text).key)).size).toBe(variants.length);
  });
});

test.each([
  [0, 0, 0],
  [4096, 0, 4096],
  [0, 2048, 2048],
  [4096, 1024, 1024],
  [1024, 4096, 1024],
  [0, 100, 512],
  // What GnuTLS and NSS always send is no limit.
  [0, 16_384, 0],
  [4096, 16_384, 4096],
])("the longest record: %d configured and %d asked for make %d", (configured, asked, most) => {
  expect(maxRecord(configured, asked)).toBe(most);
});
