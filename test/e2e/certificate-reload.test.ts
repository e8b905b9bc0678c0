// A certificate that breaks on a reload leaves its former one serving, takes nothing else of that reload down with it, and is told by
// log and metrics until it is mended. One that was never good refuses the load.

import { expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Backend } from "../support/backend.ts";
import { Authority, type Pair } from "../support/certs.ts";
import { tlsClient } from "../support/clients.ts";
import { Sluice } from "../support/sluice.ts";
import { exec, temporaryDirectory, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const backend = await Backend.start("broker");
const first = await authority.issue({ names: ["a.test"] });
const second = await authority.issue({ names: ["a.test"] });
const expired = await authority.issue({ names: ["a.test"], notAfter: "20210101000000Z" });
const other = await authority.issue({ names: ["b.test"] });

const issued = (pair: Pair) => new X509Certificate(readFileSync(pair.cert)).serialNumber;

/** The serial number of the certificate that a new client is shown; null when it is refused. */
async function serial(sluice: Sluice, servername: string): Promise<string | null> {
  const socket = await tlsClient(sluice.port, { servername }).catch(() => null);
  const shown = socket?.getPeerCertificate().serialNumber ?? null;
  socket?.destroy();
  return shown;
}

/** The one of all tests. */
const sluice = await Sluice.start({ dynamic: "{}\n" });
let configured = 0;

/**
 * Has it serve one certificate in files that no test before had, and returns the configuration with further lines. A route has a new
 * name too, which tells that it is in force.
 */
async function start(password = "") {
  const directory = temporaryDirectory();
  const mark = `mark${++configured}.test`;
  const [cert, key, secret] = ["a.crt", "a.key", "password"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  copyFileSync(first.cert, cert);
  copyFileSync(first.key, key);
  writeFileSync(secret, password);
  const fields = password === "" ? "" : `, keyPasswordFile: ${secret}`;
  const dynamic = (routers = "", certificates = "") => `
tcp:
  routers:
    a: { rule: "HostSNI(\`a.test\`)", service: broker, tls: {} }
    mark: { rule: "HostSNI(\`${mark}\`)", service: broker, tls: {} }
${routers}
  services: { broker: { loadBalancer: { servers: [{ port: ${backend.port} }] } } }
tls:
  certificates:
    - { certFile: ${cert}, keyFile: ${key}${fields} }
${certificates}
`;
  if (password !== "") await seal(first.key, key, password);
  sluice.write("dynamic.yml", dynamic());
  await waitFor("the configuration of a test to be in force", async () => (await serial(sluice, mark)) !== null);
  expect(await serial(sluice, "a.test")).toBe(issued(first));
  return { dynamic, cert, key, secret };
}

async function seal(from: string, to: string, password: string): Promise<void> {
  const { code } = await exec(["openssl", "pkcs8", "-topk8", "-in", from, "-out", to, "-passout", `pass:${password}`]);
  expect(code).toBe(0);
}

type Started = Awaited<ReturnType<typeof start>>;

/** What breaks it, the file that is named, and why. */
const cases: [string, (files: Started) => unknown, "cert" | "key", RegExp][] = [
  [
    "a key that does not belong to the certificate",
    ({ key }) => copyFileSync(other.key, key),
    "key",
    /the private key does not belong to the certificate/,
  ],
  [
    "a certificate that is cut off",
    ({ cert }) => writeFileSync(cert, readFileSync(second.cert, "utf8").slice(0, 400)),
    "cert",
    /line 1: .* is cut off/,
  ],
  ["a certificate file that is gone", ({ cert }) => rmSync(cert), "cert", /no such file/],
  ["a key file that is empty", ({ key }) => writeFileSync(key, ""), "key", /is empty/],
  [
    "an expired certificate in place of one that is valid",
    ({ cert, key }) => {
      copyFileSync(expired.cert, cert);
      copyFileSync(expired.key, key);
    },
    "cert",
    /the new certificate has expired/,
  ],
];

for (const [what, spoil, part, reason] of cases)
  test(`${what}: the former one serves, the rest of the reload is in force, and mending it is enough`, async () => {
    const files = await start();
    const { dynamic, cert, key } = files;
    const source = files[part];
    const failing = () => sluice.metric("sluice_tls_source_failing", { source });
    spoil(files);
    sluice.write(
      "dynamic.yml",
      dynamic(
        '    b: { rule: "HostSNI(`b.test`)", service: broker, tls: {} }',
        `    - { certFile: ${other.cert}, keyFile: ${other.key} }`,
      ),
    );
    await waitFor("the new router and certificate", async () => (await serial(sluice, "b.test")) === issued(other));
    expect(await serial(sluice, "a.test")).toBe(issued(first));
    await waitFor("the gauge", async () => (await failing()) === 1);
    const line = await waitFor("the log line", () =>
      sluice.lines.find((each) => reason.test(each.msg) && each.msg.includes(source)),
    );
    expect(line.level).toBe("error");
    expect(line.msg).toMatch(/dynamic\.yml:\d+:\d+: the certificate: .*; the former one goes on serving$/);
    expect(await sluice.metric("sluice_tls_source_errors_total", { source })).toBeGreaterThanOrEqual(1);

    // A reload that is refused as a whole has mended nothing.
    const failures = await sluice.metric("sluice_config_reloads_total", { result: "failure" });
    sluice.write("zzz.yml", "tcp: [");
    await waitFor(
      "the reload to be refused",
      async () => (await sluice.metric("sluice_config_reloads_total", { result: "failure" })) > failures,
    );
    expect(await failing()).toBe(1);
    rmSync(join(sluice.dynamicDirectory, "zzz.yml"));

    copyFileSync(second.key, key);
    copyFileSync(second.cert, cert);
    await waitFor("the mended one", async () => (await serial(sluice, "a.test")) === issued(second));
    await waitFor("the gauge to be cleared", async () => (await failing()) === 0);
    expect(await sluice.metric("sluice_tls_source_errors_total", { source })).toBeGreaterThanOrEqual(1);
  });

test("a key whose password is wrong: the former one serves; the password file alone mends it, and no password is told", async () => {
  const { key, secret } = await start("correct horse");
  const failing = () => sluice.metric("sluice_tls_source_failing", { source: key });
  await seal(first.key, key, "battery staple");
  const line = await sluice.logged("the password is wrong");
  expect(line.msg).toContain(key);
  expect(await serial(sluice, "a.test")).toBe(issued(first));
  await waitFor("the gauge", async () => (await failing()) === 1);
  writeFileSync(secret, "battery staple\n");
  await waitFor("the gauge to be cleared", async () => (await failing()) === 0);
  const told = `${JSON.stringify(sluice.lines)}${await sluice.metrics()}`;
  expect(told).not.toContain("correct horse");
  expect(told).not.toContain("battery staple");
});

test("a certificate that was never good refuses the load, and nothing of it is in force", async () => {
  const { dynamic } = await start();
  sluice.write(
    "dynamic.yml",
    dynamic(
      '    b: { rule: "HostSNI(`b.test`)", service: broker, tls: {} }',
      `    - { certFile: ${other.cert}, keyFile: ${first.key} }`,
    ),
  );
  const line = await waitFor("the log line", () =>
    sluice.lines.find(
      ({ msg }) => msg.includes("the private key does not belong to the certificate") && msg.includes(first.key),
    ),
  );
  expect(line.msg).not.toContain("former");
  await sluice.logged("what served before goes on serving");
  expect(await serial(sluice, "b.test")).toBeNull();
  expect(await serial(sluice, "a.test")).toBe(issued(first));
  expect(await sluice.metric("sluice_tls_source_failing", { source: first.key })).toBe(1);
});

test("a default certificate that breaks goes on as it was", async () => {
  const directory = temporaryDirectory();
  const [cert, key] = [join(directory, "a.crt"), join(directory, "a.key")];
  copyFileSync(first.cert, cert);
  copyFileSync(first.key, key);
  sluice.write(
    "dynamic.yml",
    `
tcp:
  routers: { all: { rule: "HostSNI(\`*\`)", service: broker, tls: {} } }
  services: { broker: { loadBalancer: { servers: [{ port: ${backend.port} }] } } }
tls: { stores: { default: { defaultCertificate: { certFile: ${cert}, keyFile: ${key} } } } }
`,
  );
  await waitFor("the default certificate", async () => (await serial(sluice, "whatever.test")) === issued(first));
  copyFileSync(other.key, key);
  await sluice.logged("the default certificate: ");
  expect(await serial(sluice, "whatever.test")).toBe(issued(first));
});
