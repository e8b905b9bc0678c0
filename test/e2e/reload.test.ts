// Reloads: whatever way a file changes, new connections use it, established ones are untouched, and a bad file changes nothing. How long
// it takes is measured by the bench.

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Authority, type Pair } from "../support/certs.ts";
import { drainHash, sendPattern, tcpServer, tlsClient } from "../support/clients.ts";
import { echo } from "../support/echo.ts";
import { Sluice } from "../support/sluice.ts";
import { temporaryDirectory, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const names = ["a.test", "b.test", "c.test"];
const pair = await authority.issue({ names });
const second = await authority.issue({ names });
const backend = await tcpServer(echo);

const routes = (...hosts: string[]) => `
tcp:
  routers:
${hosts.map((host, index) => `    r${index}: { rule: "HostSNI(\`${host}\`)", service: echo, tls: {} }`).join("\n")}
  services: { echo: { loadBalancer: { servers: [{ port: ${backend.port} }] } } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }
`;

async function accepts(sluice: Sluice, servername: string): Promise<boolean> {
  const socket = await tlsClient(sluice.port, { servername }).catch(() => null);
  socket?.destroy();
  return socket !== null;
}

async function serial(sluice: Sluice, servername: string): Promise<string> {
  const socket = await tlsClient(sluice.port, { servername });
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

/** The one of all tests that only need one that runs. */
const sluice = await Sluice.start({ dynamic: routes("a.test") });
let configured = 0;

/** Makes this the whole dynamic configuration, and waits until it is in force: it has a route that none had before. */
async function configure(...hosts: string[]): Promise<void> {
  const mark = `configured${++configured}.test`;
  const next = join(sluice.directory, "next");
  writeFileSync(next, routes(...hosts, mark));
  for (const name of readdirSync(sluice.dynamicDirectory))
    if (name !== "dynamic.yml") rmSync(join(sluice.dynamicDirectory, name), { recursive: true });
  renameSync(next, join(sluice.dynamicDirectory, "dynamic.yml"));
  await waitFor("the configuration of a test to be in force", () => accepts(sluice, mark));
}

describe("new connections use a change", () => {
  const cases: [string, (text: string) => void][] = [
    ["a file that is written in place", (text) => sluice.write("dynamic.yml", text)],
    [
      "a file that is renamed over the old one",
      (text) => {
        writeFileSync(join(sluice.directory, "new"), text);
        renameSync(join(sluice.directory, "new"), join(sluice.dynamicDirectory, "dynamic.yml"));
      },
    ],
    [
      "an editor that writes a swap file and a backup",
      (text) => {
        sluice.write(".dynamic.yml.swp", "b0VIM 8.2");
        renameSync(join(sluice.dynamicDirectory, "dynamic.yml"), join(sluice.dynamicDirectory, "dynamic.yml~"));
        sluice.write("dynamic.yml", text);
        rmSync(join(sluice.dynamicDirectory, ".dynamic.yml.swp"));
      },
    ],
    [
      "a further file",
      () => sluice.write("more.yml", routes("b.test").replaceAll("r0", "more").replaceAll("echo", "echo2")),
    ],
    [
      "a file in a new sub-directory",
      () => {
        mkdirSync(join(sluice.dynamicDirectory, "sub"));
        writeFileSync(
          join(sluice.dynamicDirectory, "sub/more.yml"),
          routes("b.test").replaceAll("r0", "more").replaceAll("echo", "echo2"),
        );
      },
    ],
  ];
  for (const [what, change] of cases) {
    test(what, async () => {
      await configure("a.test");
      expect(await accepts(sluice, "b.test")).toBe(false);
      change(routes("a.test", "b.test"));
      await waitFor(`${what} to be in force`, () => accepts(sluice, "b.test"));
      expect(await accepts(sluice, "a.test")).toBe(true);
    });
  }

  test("a file that is removed", async () => {
    await configure("a.test");
    sluice.write("more.yml", routes("b.test").replaceAll("r0", "more").replaceAll("echo", "echo2"));
    await waitFor("its route", () => accepts(sluice, "b.test"));
    rmSync(join(sluice.dynamicDirectory, "more.yml"));
    await waitFor("its route to be gone", async () => !(await accepts(sluice, "b.test")));
  });

  test("a Kubernetes volume whose ..data link is swapped, with routes and certificate", async () => {
    const volume = temporaryDirectory();
    const fill = (version: string, text: string, from: { cert: string; key: string }) => {
      mkdirSync(join(volume, version));
      writeFileSync(join(volume, version, "dynamic.yml"), text);
      copyFileSync(from.cert, join(volume, version, "tls.crt"));
      copyFileSync(from.key, join(volume, version, "tls.key"));
      symlinkSync(version, join(volume, "..data_tmp"));
      renameSync(join(volume, "..data_tmp"), join(volume, "..data"));
    };
    const mounted = (...hosts: string[]) =>
      routes(...hosts)
        .replaceAll(pair.cert, join(volume, "tls.crt"))
        .replaceAll(pair.key, join(volume, "tls.key"));
    fill("..one", mounted("a.test", "mounted.test"), pair);
    for (const name of ["dynamic.yml", "tls.crt", "tls.key"]) symlinkSync(`..data/${name}`, join(volume, name));
    rmSync(join(sluice.dynamicDirectory, "dynamic.yml"));
    symlinkSync(join(volume, "dynamic.yml"), join(sluice.dynamicDirectory, "dynamic.yml"));
    await waitFor("the mounted routes", () => accepts(sluice, "mounted.test"));
    const before = await serial(sluice, "a.test");
    fill("..two", mounted("a.test", "swapped.test"), second);
    await waitFor("the swapped routes", () => accepts(sluice, "swapped.test"));
    expect(await serial(sluice, "a.test")).not.toBe(before);
  });

  test("a certificate file that lies elsewhere", async () => {
    const elsewhere = temporaryDirectory();
    const [cert, key] = [join(elsewhere, "x.crt"), join(elsewhere, "x.key")];
    copyFileSync(pair.cert, cert);
    copyFileSync(pair.key, key);
    sluice.write(
      "dynamic.yml",
      routes("a.test", "elsewhere.test").replaceAll(pair.cert, cert).replaceAll(pair.key, key),
    );
    await waitFor("the certificate", () => accepts(sluice, "elsewhere.test"));
    const before = await serial(sluice, "a.test");
    // Key and certificate are replaced one after the other: the half-way state must not serve, nor stop what serves.
    copyFileSync(second.key, key);
    copyFileSync(second.cert, cert);
    await waitFor("the renewed certificate", async () => (await serial(sluice, "a.test")) !== before);
  });

  test("SIGHUP, where nothing is watched", async () => {
    const sluice = await Sluice.start({ dynamic: routes("a.test"), file: "watch: false" });
    await sluice.reload(() => {
      sluice.write("dynamic.yml", routes("a.test", "b.test"));
      sluice.process.kill("SIGHUP");
    });
    expect(await accepts(sluice, "b.test")).toBe(true);
  });
});

test("a bad file keeps the old snapshot, says where, and is counted; mending it is enough", async () => {
  await configure("a.test");
  const failures = () => sluice.metric("sluice_config_reloads_total", { result: "failure" });
  const before = await failures();
  sluice.write("dynamic.yml", routes("a.test", "b.test").replace("service: echo", "sevrice: echo"));
  const line = await sluice.logged('unknown field "sevrice"');
  expect(line.msg).toMatch(
    /dynamic\.yml:4:\d+: unknown field "sevrice" in tcp\.routers\.r0 \(did you mean "service"\?\)/,
  );
  expect(line.code).toBe("unknown-field");
  expect(await accepts(sluice, "a.test")).toBe(true);
  expect(await accepts(sluice, "b.test")).toBe(false);
  expect(await failures()).toBe(before + 1);
  const wrong = { severity: "error", code: "unknown-field" };
  expect(await sluice.metric("sluice_config_diagnostics", wrong)).toBe(1);
  sluice.write("dynamic.yml", routes("a.test", "b.test"));
  await waitFor("the mended file", () => accepts(sluice, "b.test"));
  expect(await sluice.metric("sluice_config_diagnostics", wrong)).toBe(0);
});

test("established connections are untouched by a reload that takes their route away", async () => {
  await configure("a.test", "b.test");
  const socket = await tlsClient(sluice.port, { servername: "b.test" });
  const received = drainHash(socket);
  const sent = createHash("sha256");
  await sendPattern(socket, 1024 * 1024, 1, sent);
  await configure("a.test");
  expect(await accepts(sluice, "b.test")).toBe(false);
  const sha256 = await sendPattern(socket, 1024 * 1024, 2, sent);
  socket.end();
  expect(await received).toEqual({ bytes: 2 * 1024 * 1024, sha256 });
});

test("1000 routes with 100 certificates reload with traffic running, and no connection is dropped or refused", async () => {
  const many = temporaryDirectory();
  const hosts = Array.from({ length: 1000 }, (_, index) => `h${index}.many.test`);
  const pairs: Pair[] = [];
  while (pairs.length < 4) pairs.push(await authority.issue({ names: ["x.test"] }));
  for (let index = 0; index < 100; index++) {
    // A hundred files; that only four of them differ makes no difference to reading and checking them.
    copyFileSync(pairs[index % 4]!.cert, join(many, `${index}.crt`));
    copyFileSync(pairs[index % 4]!.key, join(many, `${index}.key`));
  }
  const big = (extra: string) =>
    `${routes("a.test", ...hosts, extra).replace(/\ntls: .*\n/, "\n")}
tls:
  certificates:
    - { certFile: ${pair.cert}, keyFile: ${pair.key} }
${Array.from({ length: 100 }, (_, index) => `    - { certFile: ${many}/${index}.crt, keyFile: ${many}/${index}.key }`).join("\n")}
`;
  // Not the shared one: here two workers take what is loaded.
  const sluice = await Sluice.start({ dynamic: big("e0.test"), workers: 2 });
  let failures = 0;
  let successes = 0;
  let running = true;
  const traffic = (async () => {
    while (running) {
      if (await accepts(sluice, "a.test")) successes++;
      else failures++;
    }
  })();
  const established = await tlsClient(sluice.port, { servername: "a.test" });
  const received = drainHash(established);
  for (let round = 1; round <= 2; round++) {
    sluice.write("dynamic.yml", big(`e${round}.test`));
    await waitFor(`reload ${round}`, () => accepts(sluice, `e${round}.test`));
    await sendPattern(established, 65536, round);
  }
  running = false;
  await traffic;
  established.end();
  expect((await received).bytes).toBe(2 * 65536);
  expect(failures).toBe(0);
  expect(successes).toBeGreaterThan(10);
}, 60_000);

test("after reloads with a connection in each, nothing is left of the former contexts", async () => {
  for (let round = 0; round < 4; round++) {
    // Other routes, and every second time another certificate, whose context is another one.
    const used = round % 2 === 0 ? pair : second;
    const text = routes("a.test", `r${round}.test`).replace(pair.cert, used.cert).replace(pair.key, used.key);
    sluice.write("dynamic.yml", text);
    await waitFor(`reload ${round}`, () => accepts(sluice, `r${round}.test`));
  }
  expect(await sluice.metric("sluice_tls_contexts")).toBe(1);
});

test("a working directory that is removed refuses the load, and what served before goes on serving", async () => {
  await configure("a.test");
  const refused = "the configuration is not loaded: what served before goes on serving";
  const refusals = () => sluice.lines.filter(({ msg }) => msg === refused).length;
  let before = refusals();
  rmSync(sluice.directory, { recursive: true });
  await waitFor("the load to be refused", () => refusals() > before);
  expect(await accepts(sluice, "a.test")).toBe(true);
  before = refusals();
  process.kill(sluice.masterPid, "SIGHUP");
  await waitFor("the load to be refused again", () => refusals() > before);
  expect(await accepts(sluice, "a.test")).toBe(true);
});
