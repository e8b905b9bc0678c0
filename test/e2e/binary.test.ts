// What `npm run build:binary` makes is all of Sluice in one file: it does everything in an empty directory, with no Bun, Node or
// repository within reach.

import { describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BUN_VERSION, VERSION } from "../../src/version.ts";
import { Command } from "../support/command.ts";
import { builtExecutable } from "../support/executable.ts";
import { Pebble } from "../support/pebble.ts";
import { childrenOf } from "../support/proc.ts";
import { exec, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

/** What our code, its bytecode and its maps may add to the size of the runtime: 25 MB when this was written. */
const MAX_ADDED_BYTES = 30_000_000;

/** scripts/run-tests has built one already. */
const built = await builtExecutable();

/** The executable alone in a directory, and what a user of it types there; no program is on its PATH. */
function installed() {
  const directory = temporaryDirectory();
  const program = join(directory, "sluice");
  copyFileSync(built, program);
  const start = (...args: string[]) =>
    new Command(args, {
      cwd: directory,
      program,
      before: "PATH=/nonexistent; export PATH; unset NODE_PATH BUN_OPTIONS",
    });
  return { directory, program, start, sluice: (...args: string[]) => start(...args).ended() };
}

async function configured(text: string) {
  const [port, adminPort] = [await freePort(), await freePort()];
  const here = installed();
  mkdirSync(join(here.directory, "config"));
  mkdirSync(join(here.directory, "dynamic"));
  writeFileSync(
    join(here.directory, "config/sluice.yml"),
    `entryPoints:
  mqtts: { address: "127.0.0.1:${port}" }
  traefik: { address: "127.0.0.1:${adminPort}" }
providers: { providersThrottleDuration: 100ms, file: { directory: dynamic } }
ping: {}
${text}`,
  );
  return { ...here, port, adminPort };
}

function route(host: string, brokerPort: number, tls = "{}"): string {
  return `tcp:
  routers: { mqtt: { rule: "HostSNI(\`${host}\`)", service: broker, tls: ${tls} } }
  services: { broker: { loadBalancer: { servers: [{ address: "127.0.0.1:${brokerPort}" }] } } }
`;
}
const DEVELOPMENT_PAIR = "tls: { certificates: [{ certFile: data/localhost.crt, keyFile: data/localhost.key }] }\n";

const roleOf = (pid: number) =>
  /SLUICE_ROLE=(\w+)/.exec(readFileSync(`/proc/${pid}/environ`, "utf8").replaceAll("\0", "\n"))?.[1];

describe("the executable", () => {
  test("is one file, not much larger than Bun, and leaves nothing else beside it", () => {
    const names = Array.from(new Bun.Glob("**/*").scanSync({ cwd: join(built, ".."), dot: true }));
    expect(names).toEqual(["sluice"]);
    expect(Bun.file(built).size - Bun.file(process.execPath).size).toBeLessThan(MAX_ADDED_BYTES);
  });

  test("says its version", async () => {
    expect(await installed().sluice("version")).toEqual({
      code: 0,
      stdout: `sluice ${VERSION} (Bun ${BUN_VERSION}, tested with ${BUN_VERSION})\n`,
      stderr: "",
    });
  });

  test("every command that --help lists is in it", async () => {
    const { sluice } = installed();
    const { stdout } = await sluice("--help");
    const commands = Array.from(
      stdout.slice(stdout.indexOf("Commands:")).matchAll(/^ {2}([a-z]+)/gm),
      ([, name]) => name!,
    );
    expect(commands).toContain("check");
    for (const command of commands.filter((name) => name !== "help"))
      expect(await sluice(command, "--help")).toMatchObject({ code: 0, stderr: "" });
  });

  test("checks a configuration: sound, or wrong with file, line and column", async () => {
    const { directory, sluice } = await configured("developmentCertificate: { directory: data }\n");
    const file = join(directory, "dynamic/mqtt.yml");
    writeFileSync(file, route("localhost", 1883) + DEVELOPMENT_PAIR);
    expect(await sluice("check")).toEqual({ code: 0, stdout: "The configuration is sound.\n", stderr: "" });
    writeFileSync(file, "tcp:\n  router: {}\n");
    const wrong = await sluice("check");
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain('dynamic/mqtt.yml:2:3: unknown field "router" in tcp');
  });

  test("takes nothing from .env, bunfig.toml, package.json or tsconfig.json of the directory it is started in", async () => {
    const { directory, sluice } = installed();
    // The first would make a worker of it, the others run a file.
    writeFileSync(join(directory, ".env"), "SLUICE_ROLE=worker\nBUN_OPTIONS=--preload=./evil.ts\n");
    writeFileSync(join(directory, "bunfig.toml"), 'preload = ["./evil.ts"]\n');
    writeFileSync(join(directory, "package.json"), '{ "imports": { "commander": "./evil.ts" }, "type": "commonjs" }');
    writeFileSync(join(directory, "tsconfig.json"), '{ "compilerOptions": { "paths": { "*": ["./evil.ts"] } } }');
    writeFileSync(join(directory, "evil.ts"), 'require("node:fs").writeFileSync("evil.txt", "");\n');
    expect(await sluice("version")).toMatchObject({ code: 0, stdout: expect.stringContaining(VERSION), stderr: "" });
    expect(existsSync(join(directory, "evil.txt"))).toBe(false);
  });
});

test("it runs: a message through TLS, a worker replaced by one of the same build, a reload, a drain that leaves no process", async () => {
  const brokerPort = await freePort();
  const here = await configured(
    `embeddedBroker: { address: "127.0.0.1:${brokerPort}" }
developmentCertificate: { directory: data }
workers: 2
log: { format: json, level: debug }
accessLog: {}
`,
  );
  const dynamic = join(here.directory, "dynamic/mqtt.yml");
  writeFileSync(dynamic, route("localhost", brokerPort) + DEVELOPMENT_PAIR);
  const running = here.start("run");
  const well = async () => (await here.sluice("healthcheck")).code === 0;
  await waitFor(`healthcheck to say that it is well: ${running.stderr}`, well);
  const inForce = (version: number) =>
    running.stdout
      .split("\n")
      .filter((line) => line.includes('"snapshot in force"') && line.includes(`"version":${version}`));
  await waitFor("both workers to serve", () => inForce(1).length === 2);

  const ca = join(here.directory, "data/ca.crt");
  const client = ["-h", "localhost", "-p", String(here.port), "--cafile", ca, "-t", "greeting"];
  const send = () => exec(["mosquitto_pub", ...client, "-m", "hello", "-r", "-q", "1"]);
  expect(await send()).toMatchObject({ code: 0, stderr: "" });
  const received = await exec(["mosquitto_sub", ...client, "-C", "1", "-W", "10"]);
  expect(received).toEqual({ code: 0, stdout: "hello\n", stderr: "" });

  expect(await here.sluice("certs", "show", "data/localhost.crt")).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("localhost"),
  });
  const list = await here.sluice("certs", "list", "--json");
  expect(list).toMatchObject({ code: 0, stdout: expect.stringContaining("localhost"), stderr: "" });

  // An upgrade puts another file in its place.
  const next = join(here.directory, "next");
  writeFileSync(next, "#!/bin/sh\n: >started-the-new-one\n");
  chmodSync(next, 0o755);
  renameSync(next, here.program);
  const children = childrenOf(running.process.pid);
  const workers = children.filter((pid) => roleOf(pid) === "worker");
  expect(children.map(roleOf).sort()).toEqual(["broker", "worker", "worker"]);
  for (const pid of children) expect(readFileSync(`/proc/${pid}/comm`, "utf8")).toBe("sluice\n");
  process.kill(workers[0]!, "SIGKILL");
  await running.printed("a worker died and is replaced");
  await waitFor("the new worker to serve", () => inForce(1).length === 3);
  expect(childrenOf(running.process.pid).filter((pid) => roleOf(pid) === "worker")).toHaveLength(2);
  expect(existsSync(join(here.directory, "started-the-new-one"))).toBe(false);

  writeFileSync(dynamic, route("elsewhere.test", brokerPort) + DEVELOPMENT_PAIR);
  await waitFor("both workers to have reloaded", () => inForce(2).length === 2);
  expect((await send()).code).not.toBe(0);
  writeFileSync(dynamic, route("localhost", brokerPort) + DEVELOPMENT_PAIR);
  await waitFor("both workers to have reloaded", () => inForce(3).length === 2);
  expect(await send()).toMatchObject({ code: 0, stderr: "" });

  expect(await running.stop()).toBe(0);
  await running.gone();
  expect(running.stdout).toContain('"msg":"stopped"');
  expect(running.stderr).toBe("");
});

test("it obtains a certificate from an authority, and logs readable lines", async () => {
  const tlsPort = await freePort();
  const pebble = await Pebble.start({ tlsPort });
  const here = await configured(
    `workers: 1
log: { format: common }
certificatesResolvers:
  le:
    acme:
      email: admin@example.com
      caServer: ${pebble.directory}
      caCertificates: [${pebble.ca}]
      storage: acme.json
      tlsChallenge: {}
`,
  );
  const file = join(here.directory, "config/sluice.yml");
  writeFileSync(file, readFileSync(file, "utf8").replace(`127.0.0.1:${here.port}`, `127.0.0.1:${tlsPort}`));
  writeFileSync(join(here.directory, "dynamic/mqtt.yml"), route("binary.acme.test", 1883, "{ certResolver: le }"));
  const running = here.start();
  await running.printed("is ready.");
  await running.printed("the certificate has come");
  expect(running.stdout).toMatch(/^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] INFO/m);
  expect(await running.stop()).toBe(0);
  await running.gone();
  expect(running.stderr).toBe("");
});
