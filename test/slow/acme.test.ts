// Sluice obtains its certificates from a real authority by itself: by each challenge, kept over a restart, without touching anything
// else, and with words that an operator can act on when the authority says no.

import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { Mosquitto } from "../support/mosquitto.ts";
import { Pebble } from "../support/pebble.ts";
import { type LogLine, SLUICE, Sluice } from "../support/sluice.ts";
import { exec, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

const mosquitto = await Mosquitto.start();
const [port, httpPort] = [await freePort(), await freePort()];
const pebble = await Pebble.start({ tlsPort: port, httpPort });

const router = (name: string, host: string, resolver = "le", more = "") =>
  `    ${name}: { rule: "HostSNI(\`${host}\`)", service: broker, tls: { certResolver: ${resolver}${more} } }\n`;
const dynamic = (...routers: string[]) =>
  `tcp:\n  routers:\n${routers.join("")}  services: { broker: { loadBalancer: { servers: [{ port: ${mosquitto.port} }] } } }\n`;

const acme = (storage: string, challenge: string, caServer = pebble.directory, ca = pebble.ca) =>
  `{ acme: { email: admin@example.com, caServer: "${caServer}", caCertificates: [${ca}], storage: ${storage}, ${challenge} } }`;
const resolvers = (each: Record<string, string>) =>
  `certificatesResolvers:\n${Object.entries(each)
    .map(([name, resolver]) => `  ${name}: ${resolver}\n`)
    .join("")}`;
const storageFile = () => join(temporaryDirectory(), "acme.json");
/** One with an account, for the resolvers of which that is not the point. */
async function storageWith(resolver: string, authority = pebble): Promise<string> {
  const file = storageFile();
  await authority.saveAccount(file, resolver);
  return file;
}

/** The names of the certificate that is shown for a name, and whether the authority's root vouches for it. */
function shown(name: string, ca: string): Promise<{ names: string; trusted: boolean }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, servername: name, ca, rejectUnauthorized: false }, () => {
      const certificate = socket.getPeerX509Certificate()!;
      resolve({ names: certificate.subjectAltName ?? "", trusted: socket.authorized });
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

async function message(name: string): Promise<number> {
  const ca = join(temporaryDirectory(), "root.pem");
  writeFileSync(ca, await pebble.root());
  // The name leads to this machine by a hosts file of its own.
  const hosts = join(temporaryDirectory(), "hosts");
  writeFileSync(hosts, `127.0.0.1 localhost ${name}\n`);
  const publish = `mosquitto_pub -h ${name} -p ${port} --cafile ${ca} -t t -m x -q 1`;
  const { code, stderr } = await exec(["unshare", "-m", "sh", "-c", `mount --bind ${hosts} /etc/hosts && ${publish}`]);
  expect(stderr).toBe("");
  return code;
}

const hook = join(temporaryDirectory(), "hook");
const calls = `${hook}.calls`;
writeFileSync(
  hook,
  `#!/bin/sh
echo "$1 $2" >>${calls}
case $1 in
present) exec curl -sf -d "{\\"host\\":\\"$2.\\",\\"value\\":\\"$3\\"}" ${pebble.dnsManagement}/set-txt ;;
cleanup) exec curl -sf -d "{\\"host\\":\\"$2.\\"}" ${pebble.dnsManagement}/clear-txt ;;
esac
`,
);
chmodSync(hook, 0o755);

const [storage, othersCanRead] = [storageFile(), storageFile()];
writeFileSync(othersCanRead, "{}");
chmodSync(othersCanRead, 0o644);
const gone = `https://localhost:${await freePort()}/dir`;
const ROUTERS = [
  router("tls", "tls.acme.test"),
  router("http", "http.acme.test", "http"),
  router("dns", "a.dns.acme.test", "dns", `, domains: [{ main: "*.dns.acme.test" }]`),
  router("rights", "rights.acme.test", "rights"),
  router("away", "away.acme.test", "away"),
];
/** The one of all tests that need no start of their own. */
const sluice = await Sluice.start({
  port,
  workers: 2,
  dynamic: dynamic(...ROUTERS),
  entryPoint: `  web: { address: "127.0.0.1:${httpPort}" }`,
  extra: resolvers({
    le: acme(storage, "tlsChallenge: {}"),
    http: acme(await storageWith("http"), "httpChallenge: { entryPoint: web }"),
    dns: acme(await storageWith("dns"), `dnsChallenge: { exec: ${hook} }`),
    failing: acme(await storageWith("failing"), "dnsChallenge: { exec: /bin/false }"),
    rights: acme(othersCanRead, "tlsChallenge: {}"),
    away: acme(storageFile(), "tlsChallenge: {}", gone),
  }),
});

/** Waits for what the log says of a resolver. */
const logged = (resolver: string, text: string): Promise<LogLine> =>
  waitFor(`"${text}" of ${resolver}`, () =>
    sluice.lines.find((line) => line.msg.includes(text) && line.resolver === resolver),
  );

const obtained = async (name: string) => {
  const ca = await pebble.root();
  // Until its router is in force, the name is refused.
  const look = () => shown(name, ca).catch(() => ({ trusted: false }));
  return waitFor(`a certificate for ${name}`, async () => ((await look()).trusted ? true : null), 20_000);
};

describe("a certificate comes by itself, and carries a message", () => {
  test("by tls-alpn-01, on the entry point of the clients", async () => {
    await obtained("tls.acme.test");
    expect(await message("tls.acme.test")).toBe(0);
    expect(statSync(storage).mode & 0o777).toBe(0o600);
    await logged("le", "ordering a certificate");
    const line = await logged("le", "the certificate has come");
    expect(line).toMatchObject({
      resolver: "le",
      names: ["tls.acme.test"],
      notAfter: expect.any(String),
      renewal: expect.any(String),
    });
    expect(await sluice.metric("sluice_acme_orders_total", { resolver: "le", result: "obtained" })).toBe(1);
    expect(
      await sluice.metric("sluice_acme_certificate_not_after_timestamp_seconds", { resolver: "le" }),
    ).toBeGreaterThan(Date.now() / 1000);
    // Whoever speaks the authority's protocol later gets nothing.
    const late = await new Promise((resolve) => {
      const socket = connect({
        host: "127.0.0.1",
        port,
        servername: "tls.acme.test",
        ALPNProtocols: ["acme-tls/1"],
        rejectUnauthorized: false,
      });
      socket.on("secureConnect", () => resolve("a handshake"));
      socket.on("error", (error) => resolve((error as NodeJS.ErrnoException).code));
    });
    expect(late).not.toBe("a handshake");
    await sluice.access((each) => each.reason === "acme-challenge");
  });

  test("by http-01, on an entry point that answers nothing else", async () => {
    await obtained("http.acme.test");
    expect(await message("http.acme.test")).toBe(0);
    for (const path of ["/", "/metrics", "/.well-known/acme-challenge/", "/.well-known/acme-challenge/unknown"])
      expect((await fetch(`http://127.0.0.1:${httpPort}${path}`)).status).toBe(404);
  });

  test("by dns-01 through a command, for a wildcard of tls.domains", async () => {
    await obtained("a.dns.acme.test");
    expect(await message("a.dns.acme.test")).toBe(0);
    expect(readFileSync(calls, "utf8")).toBe(
      "present _acme-challenge.dns.acme.test\ncleanup _acme-challenge.dns.acme.test\n",
    );
  });
});

test("a new certificate touches no connection, and a failing name stops no other", async () => {
  const open = connect({ host: "127.0.0.1", port, servername: "tls.acme.test", rejectUnauthorized: false });
  let closed = false;
  open.on("close", () => (closed = true));
  await new Promise((done) => open.once("secureConnect", done));
  sluice.write(
    "dynamic.yml",
    dynamic(...ROUTERS, router("bad", "bad.acme.test", "failing"), router("second", "second.acme.test", "http")),
  );
  await obtained("second.acme.test");
  const failed = await logged("failing", "no certificate from the authority");
  expect(failed).toMatchObject({
    ...{ level: "error", resolver: "failing", names: ["bad.acme.test"], router: "bad@file", failures: 1 },
    reason: "bad.acme.test, dns-01: the hook /bin/false ended with exit code 1",
    nextTry: expect.any(String),
  });
  expect(await sluice.metric("sluice_acme_orders_total", { resolver: "failing", result: "failed" })).toBe(1);
  expect((await shown("bad.acme.test", await pebble.root())).names).toContain("sluice.invalid");
  expect(closed).toBe(false);
  open.destroy();
});

test("a storage that others can read is refused with the command that mends it, and everything else serves", async () => {
  await sluice.logged(`Run: chmod 600 ${othersCanRead}`);
  expect((await shown("rights.acme.test", await pebble.root())).names).toContain("sluice.invalid");
  expect(await logged("rights", "no certificate from the authority")).toMatchObject({
    reason: expect.stringContaining("chmod 600"),
  });
  await waitFor("the lock to be free", () => !existsSync(`${othersCanRead}.lock`));
});

test("an authority that is away is said to be, and tried again; until then the default certificate serves", async () => {
  const failed = await logged("away", "no certificate from the authority");
  expect(failed).toMatchObject({
    reason: expect.stringContaining(`${gone} cannot be reached`),
    nextTry: expect.any(String),
  });
  expect((await shown("away.acme.test", await pebble.root())).names).toContain("sluice.invalid");
  const next = await sluice.metric("sluice_acme_next_order_timestamp_seconds", { resolver: "away" });
  expect(next).toBeGreaterThan(Date.now() / 1000 + 30);
  expect(await sluice.metric("sluice_acme_last_error_timestamp_seconds", { resolver: "away" })).toBeGreaterThan(0);

  const directory = temporaryDirectory();
  mkdirSync(join(directory, "dynamic"));
  writeFileSync(join(directory, "dynamic/away.yml"), dynamic(router("away", "away.acme.test", "away")));
  writeFileSync(
    join(directory, "sluice.yml"),
    `entryPoints: { mqtts: { address: ":8883" } }\nproviders: { file: { directory: ${directory}/dynamic } }\n${resolvers({ away: acme(join(directory, "acme.json"), "tlsChallenge: {}", gone) })}`,
  );
  const list = await exec([SLUICE, "certs", "list", "--json", `--configFile=${directory}/sluice.yml`]);
  expect(list.code).toBe(1);
  expect(JSON.parse(list.stdout)).toEqual([
    { source: "away", names: ["away.acme.test"], expires: "", renewal: "", state: "to be ordered" },
  ]);
});

test("a restart orders nothing anew, and another Sluice takes what the storage has", async () => {
  await sluice.stop();
  const before = readFileSync(storage, "utf8");
  const second = await Sluice.start({
    port,
    dynamic: dynamic(router("mqtt", "tls.acme.test")),
    extra: resolvers({ le: acme(storage, "tlsChallenge: {}") }),
  });
  expect((await shown("tls.acme.test", await pebble.root())).trusted).toBe(true);
  expect(await second.metric("sluice_acme_orders_total")).toBe(0);
  expect(readFileSync(storage, "utf8")).toBe(before);
  expect(JSON.parse(before).le.Account.Registration.uri).toStartWith("https://");
  const list = await exec([SLUICE, "certs", "list", `--configFile=${second.directory}/sluice.yml`]);
  expect(list).toMatchObject({ code: 0, stderr: "" });
  expect(list.stdout).toMatch(
    /^SOURCE +NAMES +EXPIRES +RENEWAL +STATE\nle +tls\.acme\.test +\d{4}-\d\d-\d\d +\d{4}-\d\d-\d\d +in use\n$/,
  );
  await second.stop();
});

test("a certificate is renewed when a third of its life is left, without a word from anybody", async () => {
  const [ownPort, seconds] = [await freePort(), 15];
  const brief = await Pebble.start({ tlsPort: ownPort, validitySeconds: seconds });
  const own = await storageWith("le", brief);
  const sluice = await Sluice.start({
    port: ownPort,
    dynamic: dynamic(router("mqtt", "brief.acme.test")),
    extra: resolvers({ le: acme(own, "tlsChallenge: {}", brief.directory, brief.ca) }),
  });
  await sluice.logged("the certificate has come");
  const first = readFileSync(own, "utf8");
  const came = () => sluice.lines.filter(({ msg }) => msg === "the certificate has come").length;
  await waitFor("the renewal", () => came() > 1);
  expect(await sluice.metric("sluice_acme_orders_total", { result: "renewed" })).toBeGreaterThan(0);
  expect(readFileSync(own, "utf8")).not.toBe(first);
  expect(JSON.parse(readFileSync(own, "utf8")).le.Certificates).toHaveLength(1);
  await sluice.stop();
}, 60_000);
