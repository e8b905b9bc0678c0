// Why a router is off: its own diagnostics, and those of the parts that it blames, by what diagnostics are about and never by their words.

import { expect, test } from "bun:test";
import { NO_ACME } from "../../../src/acme/facts.ts";
import { CertificateFiles } from "../../../src/certs/files.ts";
import { compile } from "../../../src/compile/compile.ts";
import { merge } from "../../../src/compile/merge.ts";
import { Diagnostics } from "../../../src/config/diagnostics.ts";
import { parseDynamic } from "../../../src/config/dynamic.ts";
import { parseStatic } from "../../../src/config/static.ts";
import { readClient } from "../../../src/explain/client.ts";
import { Explainer } from "../../../src/explain/explainer.ts";

/** The problems that a client for `sni` is told of, without their places. */
function problemsFor(sni: string, dynamic: string, more = ""): string[] {
  const diagnostics = new Diagnostics();
  const config = parseStatic("s.yml", `entryPoints: { mqtts: { address: ":8883" } }\n${more}`, diagnostics)!;
  const merged = merge([parseDynamic("d.yml", dynamic, diagnostics)!], diagnostics);
  const compiled = compile(
    {
      merged,
      files: new CertificateFiles(),
      entryPoints: config.entryPoints,
      defaultTransport: { value: config.tcpServersTransport!, at: config.at },
      selfSigned: null,
      acme: NO_ACME,
      rankOf: () => 0,
      staticAt: config.at,
      former: new Map(),
      formerDefault: null,
      now: Date.UTC(2026, 0, 15),
    },
    diagnostics,
  );
  const client = readClient({ sni });
  if (typeof client === "string") throw new Error(client);
  const [explanation] = new Explainer(compiled, merged, diagnostics).explain(config.entryPoints.get("mqtts")!, client);
  return explanation!.verdict.problems.map((line) => line.replace(/^\S+ /, ""));
}

const TRANSPORT = "tcpServersTransport: {}\n";

test("a transport is followed from the service that uses it, and the service from the router", () => {
  const problems = problemsFor(
    "a.test",
    `
tcp:
  routers:
    r: { rule: "HostSNI(\`a.test\`)", service: all@file, tls: { passthrough: true } }
    other: { rule: "HostSNI(\`b.test\`)", service: none, tls: {} }
  services:
    all: { loadBalancer: { serversTransport: t@file, servers: [{ address: "h:1" }] } }
  serversTransports:
    t: { tls: { rootCAs: [/nowhere/ca.pem] } }
    u: { tls: { rootCAs: [/nowhere/other.pem] } }
`,
    TRANSPORT,
  );
  expect(problems).toEqual([
    'the router "r" is off: the service "all@file" is off [service-off]',
    'the service "all": its serversTransport is off [transport-off]',
    'the serversTransport "t": /nowhere/ca.pem: no such file [file-unreadable]',
  ]);
});

test("so is the transport of the static file, and TLS options", () => {
  const dynamic = `
tcp:
  routers:
    r: { rule: "HostSNI(\`a.test\`)", service: s, tls: { options: strict } }
  services:
    s: { loadBalancer: { servers: [{ address: "h:1" }] } }
tls: { options: { strict: { minVersion: VersionTLS13, maxVersion: VersionTLS12 } } }
`;
  expect(problemsFor("a.test", dynamic, "tcpServersTransport: { tls: { rootCAs: [/nowhere/ca.pem] } }\n")).toEqual([
    'the router "r" is off: the service "s" is off [service-off]',
    'the router "r" is off: the TLS option "strict" is broken [options-off]',
    'the service "s": its serversTransport is off [transport-off]',
    "tcpServersTransport: /nowhere/ca.pem: no such file [file-unreadable]",
    'the TLS option "strict": maxVersion VersionTLS12 is below minVersion VersionTLS13: no client could connect [tls-version]',
  ]);
});

test("and what is off because Sluice lacks one of its fields", () => {
  const problems = problemsFor(
    "a.test",
    `
tcp:
  routers:
    r: { rule: "HostSNI(\`a.test\`)", service: s, tls: {} }
  services:
    s: { loadBalancer: { serversTransport: t, servers: [{ address: "h:1" }] } }
  serversTransports:
    t: { tls: { spiffe: { ids: [a] } } }
`,
    TRANSPORT,
  );
  expect(problems.at(-1)).toMatch(/^tcp\.serversTransports\.t\.tls\.spiffe .* is off \[field-unsupported\]$/);
});

test("a name that is part of another one's message blames nobody", () => {
  // The words of the second router's message name the first one, as an attacker or chance may have it.
  const problems = problemsFor(
    "a.test",
    `
tcp:
  routers:
    r: { rule: "HostSNI(\`a.test\`)", service: gone, tls: {} }
    x: { rule: "HostSNI(\`b.test\`)", service: 'the router "r"', tls: {} }
`,
    TRANSPORT,
  );
  expect(problems).toEqual(['the router "r" is off: the service "gone" does not exist [service-unknown]']);
});
