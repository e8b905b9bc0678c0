// Starting Sluice: it serves what it prints, and where it cannot start it says why in one line, fails, and leaves nothing behind.

import { describe, expect, test } from "bun:test";
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { BUN_VERSION, VERSION } from "../../src/version.ts";
import { Command } from "../support/command.ts";
import { canConnect } from "../support/mosquitto.ts";
import { childrenOf } from "../support/proc.ts";
import { BIN_SLUICE, ROOT, SLUICE } from "../support/sluice.ts";
import { cleanup, exec, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

/** A dynamic configuration that gives no warning. */
const SOUND = `tcp:
  routers: { all: { rule: "HostSNI(\`*\`)", service: broker } }
  services: { broker: { loadBalancer: { servers: [{ port: 1883 }] } } }
`;

/** A directory with a configuration that starts; `text` replaces parts of it. */
async function configured(change: (text: string) => string = (text) => text, dynamic = SOUND) {
  const directory = temporaryDirectory();
  const [port, adminPort] = [await freePort(), await freePort()];
  const text = `entryPoints:
  mqtts:
    address: "127.0.0.1:${port}"
  traefik:
    address: "127.0.0.1:${adminPort}"
providers:
  file:
    directory: dynamic
ping: {}
workers: 1
`;
  mkdirSync(join(directory, "config"));
  mkdirSync(join(directory, "dynamic"));
  writeFileSync(join(directory, "config/sluice.yml"), change(text));
  writeFileSync(join(directory, "dynamic/mqtt.yml"), dynamic);
  return { directory, port, adminPort };
}

/** What the process of these tests is called. */
const OWN_NAME = readFileSync("/proc/self/comm", "utf8").trim();

/** Takes a port until the file is over. */
async function taken(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  cleanup(() => server.close());
  return (server.address() as { port: number }).port;
}

async function refused(cwd: string, args: string[] = [], before?: string): Promise<string> {
  const command = new Command(args, before === undefined ? { cwd } : { cwd, before });
  const { code, stderr, stdout } = await command.ended();
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  await command.gone();
  const [line, ...rest] = stderr.split("\n");
  expect(rest).toEqual(["sluice: not started", ""]);
  return line!;
}

describe("what cannot start says why in one line and that it is not started, exits with 1 and leaves no process", () => {
  test("the port of an entry point is taken", async () => {
    const port = await taken();
    const { directory } = await configured((text) =>
      text.replace(/mqtts:\n.*\n/, `mqtts:\n    address: "127.0.0.1:${port}"\n`),
    );
    expect(await refused(directory)).toBe(
      `entry point mqtts: cannot listen on 127.0.0.1:${port}: the address is already in use, by process ${process.pid} (${OWN_NAME}): stop that, or change entryPoints.mqtts.address`,
    );
  });

  test("the port of /ping is taken", async () => {
    const port = await taken();
    const { directory } = await configured((text) =>
      text.replace(/traefik:\n.*\n/, `traefik:\n    address: "127.0.0.1:${port}"\n`),
    );
    expect(await refused(directory)).toBe(
      `entry point traefik: cannot listen on 127.0.0.1:${port}: the address is already in use, by process ${process.pid} (${OWN_NAME}): stop that, or change entryPoints.traefik.address`,
    );
  });

  test("the port of the embedded broker is taken", async () => {
    const port = await taken();
    const { directory } = await configured((text) => `${text}embeddedBroker: { address: "127.0.0.1:${port}" }\n`);
    expect(await refused(directory)).toBe(
      `embeddedBroker: cannot listen on 127.0.0.1:${port}: the address is already in use, by process ${process.pid} (${OWN_NAME}): stop that, or change embeddedBroker.address, or take embeddedBroker out if that is your broker`,
    );
  });

  test("an address that this machine does not have", async () => {
    const { directory } = await configured((text) => text.replace(/address: "127.0.0.1/, 'address: "192.0.2.1'));
    expect(await refused(directory)).toMatch(/^entry point mqtts: cannot listen on 192\.0\.2\.1:\d+: .+/);
  });

  test("another Sluice has the port, although both would share it, and that one goes on", async () => {
    const { directory, port, adminPort } = await configured();
    const first = new Command([], { cwd: directory });
    await waitFor("the first Sluice", () => healthy(adminPort));
    const other = await configured((text) =>
      text.replace(/mqtts:\n.*\n/, `mqtts:\n    address: "127.0.0.1:${port}"\n`),
    );
    expect(await refused(other.directory)).toMatch(
      new RegExp(
        `^entry point mqtts: cannot listen on 127.0.0.1:${port}: the address is already in use, by process \\d+ \\(\\S+\\): stop that,`,
      ),
    );
    expect(await healthy(adminPort)).toBe(true);
    expect(await first.stop()).toBe(0);
    await first.gone();
  });

  test("the port of an entry point has an orphan: a stopped worker whose master was killed", async () => {
    const { directory, port, adminPort } = await configured();
    const first = new Command([], { cwd: directory });
    await waitFor("the first Sluice", () => healthy(adminPort));
    const [worker] = childrenOf(first.process.pid);
    process.kill(worker!, "SIGSTOP");
    first.process.kill("SIGKILL");
    await first.process.exited;
    expect(await refused(directory)).toBe(
      `entry point mqtts: cannot listen on 127.0.0.1:${port}: the address is already in use, by process ${worker}, a worker of a Sluice whose master is gone: end it with  kill -9 ${worker}`,
    );
    process.kill(worker!, "SIGKILL");
    await first.gone();
  });

  test("a low port without the right to it", async () => {
    const { directory } = await configured((text) =>
      text.replace(/mqtts:\n.*\n/, 'mqtts:\n    address: "127.0.0.1:83"\n'),
    );
    const drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"];
    const line = await refused(directory, [], `${drop.join(" ")} true && set -- ${drop.join(" ")} "$@"`);
    expect(line).toStartWith(
      "entry point mqtts: cannot listen on 127.0.0.1:83: permission denied: a port below 1024 needs a right: ",
    );
    for (const remedy of ["AmbientCapabilities", "setcap", "ip_unprivileged_port_start=83", "docker run -p 83:"])
      expect(line).toContain(remedy);
  });

  test("a log file cannot be written, or is a pipe that nobody reads", async () => {
    const { directory } = await configured((text) => `${text}log: { filePath: /proc/none/x.log }\n`);
    expect(await refused(directory)).toBe("log.filePath: cannot write to /proc/none/x.log: no such file");
    const other = await configured((text) => `${text}accessLog: { filePath: pipe }\n`);
    expect((await exec(["mkfifo", join(other.directory, "pipe")])).code).toBe(0);
    expect(await refused(other.directory)).toBe("accessLog.filePath: cannot write to pipe: nobody reads it");
  });

  test("there is no configuration", async () => {
    expect(await refused(temporaryDirectory())).toBe(
      "sluice: no configuration: neither ./config/sluice.yml nor /etc/sluice/sluice.yml exists; give one with --configFile=FILE, or the broker's address with --sidecar=HOST:PORT [configuration-missing]",
    );
  });

  test("the configuration does not exist, is a directory, or is too large", async () => {
    const directory = temporaryDirectory();
    expect(await refused(directory, ["--configFile=x.yml"])).toBe(
      `x.yml: ${directory}/x.yml: no such file [file-unreadable]`,
    );
    expect(await refused(directory, ["run", "--configFile", "."])).toBe(
      `.: ${directory} is a directory, not a file [file-unreadable]`,
    );
    writeFileSync(join(directory, "large.yml"), Buffer.alloc(17 * 1024 * 1024, "#"));
    expect(await refused(directory, ["--configFile=large.yml"])).toContain("at most 16777216 are read");
  });

  test("the configuration has a mistake", async () => {
    const { directory } = await configured((text) => text.replace("providers", "provider"));
    expect(await refused(directory)).toBe(
      './config/sluice.yml:6:1: unknown field "provider" (did you mean "providers"?) [unknown-field]',
    );
  });

  test("a dynamic file has a mistake", async () => {
    const { directory } = await configured(undefined, "tcp:\n  router: {}\n");
    expect(await refused(directory)).toBe(
      'dynamic/mqtt.yml:2:3: unknown field "router" in tcp (did you mean "routers"?) [unknown-field]',
    );
  });

  test("a certificate is missing", async () => {
    const { directory } = await configured(undefined, "tls: { certificates: [{ certFile: x.crt, keyFile: x.key }] }\n");
    expect(await refused(directory)).toBe(
      `dynamic/mqtt.yml:1:25: the certificate: ${directory}/x.crt: no such file [file-unreadable]`,
    );
  });

  test("the development certificate cannot be written", async () => {
    const { directory } = await configured((text) => `${text}developmentCertificate: { directory: /proc/none }\n`);
    expect(await refused(directory)).toBe("developmentCertificate: cannot write to /proc/none: no such file");
  });

  test("more connections are wanted than there are descriptors", async () => {
    const { directory } = await configured((text) => `${text}limits: { maxConnections: 1000 }\n`);
    expect(await refused(directory, [], "ulimit -n 1024")).toBe(
      "limits.maxConnections is 1000, but the descriptor limit (ulimit -n 1024) allows 412: each connection takes two",
    );
  });
});

function healthy(adminPort: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${adminPort}/ping`).then(
    (response) => response.ok,
    () => false,
  );
}

describe("the command line", () => {
  const sluice = (args: string[], cwd = temporaryDirectory(), env: Record<string, string> = {}) =>
    exec([SLUICE, ...args], { cwd, env });

  test("version", async () => {
    expect(await sluice(["version"])).toEqual({
      code: 0,
      stdout: `sluice ${VERSION} (Bun ${Bun.version}, tested with ${BUN_VERSION})\n`,
      stderr: "",
    });
  });

  test("--help lists every command with what it does", async () => {
    const { code, stdout, stderr } = await sluice(["--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const command of ["run", "check", "healthcheck", "version"])
      expect(stdout).toMatch(new RegExp(`^  ${command} .*\\w`, "m"));
  });

  test.each([
    [["chekc"], 'unknown command "chekc" (did you mean "check"?)'],
    [["run", "--config=x"], "--config"],
    [["check", "one.yml", "two.yml"], "too many arguments"],
  ])("%j is refused with a line that names it", async (args, name) => {
    const { code, stdout, stderr } = await sluice(args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr.split("\n")[0]).toStartWith("error: ");
    expect(stderr).toContain(name);
  });

  test("every command has help of its own", async () => {
    expect((await sluice(["check", "--help"])).stdout).toContain("--configFile <file>");
  });

  test("healthcheck asks the Sluice that runs, and fails when none does or ping is not configured", async () => {
    const { directory, adminPort } = await configured();
    const stopped = await sluice(["healthcheck"], directory);
    expect({ code: stopped.code, stdout: stopped.stdout }).toEqual({ code: 1, stdout: "" });
    expect(stopped.stderr).toMatch(
      new RegExp(`^http://127.0.0.1:${adminPort}/ping: nothing listens there: is Sluice running\\?\n$`),
    );

    const running = new Command([], { cwd: directory });
    await waitFor("Sluice", () => healthy(adminPort));
    expect(await sluice(["healthcheck"], directory)).toEqual({
      code: 0,
      stdout: `OK: http://127.0.0.1:${adminPort}/ping\n`,
      stderr: "",
    });
    await running.stop();

    const without = await configured((text) => text.replace("ping: {}\n", ""));
    expect(await sluice(["healthcheck"], without.directory)).toEqual({
      code: 1,
      stdout: "",
      stderr: "./config/sluice.yml: ping is not configured: add  ping: {}  or set SLUICE_PING=true\n",
    });
  });

  test("what lies in the directory that it is started in does not configure its runtime", async () => {
    const { directory, adminPort } = await configured();
    writeFileSync(join(directory, ".env"), "SLUICE_ROLE=worker\nSLUICE_LOG_LEVEL=nonsense\n");
    writeFileSync(join(directory, "bunfig.toml"), 'preload = ["./preload.ts"]\n');
    writeFileSync(join(directory, "preload.ts"), 'require("node:fs").appendFileSync("ran", "x")\n');
    writeFileSync(
      join(directory, "tsconfig.json"),
      '{ "compilerOptions": { "paths": { "yaml": ["./preload.ts"] } } }\n',
    );
    const running = new Command([], { cwd: directory, program: BIN_SLUICE });
    await waitFor("Sluice", () => healthy(adminPort));
    await running.stop();
    expect(existsSync(join(directory, "ran"))).toBe(false);
  });

  test("works through a symbolic link, from any directory", async () => {
    const { directory } = await configured();
    symlinkSync(BIN_SLUICE, join(directory, "sluice"));
    symlinkSync("sluice", join(directory, "again"));
    expect(await exec([join(directory, "again"), "check"], { cwd: directory })).toMatchObject({
      code: 0,
      stdout: "The configuration is sound.\n",
    });
    expect(await exec([SLUICE, "check", `--configFile=${directory}/config/sluice.yml`], { cwd: "/" })).toMatchObject({
      code: 1,
      stderr:
        "dynamic: /dynamic: cannot be read: no such file; relative paths start at the working directory, / [directory-unreadable]\n",
    });
  });
});

describe("the Bun that runs it", () => {
  /** A copy of Sluice without node_modules, and a `bun` on PATH that says it is this version. */
  function copy(version: string | null) {
    const directory = temporaryDirectory();
    for (const part of ["bin", "package.json"]) cpSync(join(ROOT, part), join(directory, part), { recursive: true });
    const path = join(directory, "path");
    mkdirSync(path);
    if (version !== null) {
      writeFileSync(join(path, "bun"), `#!/bin/sh\n[ "$1" = --version ] && echo ${version} || echo "ran $*"\n`);
      chmodSync(join(path, "bun"), 0o755);
    }
    const run = () => exec([join(directory, "bin/sluice"), "check", "a b"], { env: { PATH: `${path}:/usr/bin:/bin` } });
    return { directory, path, run };
  }

  test("of the tested version on PATH is taken where npm installed none, with the arguments as they are", async () => {
    const { directory, run } = copy(BUN_VERSION);
    expect(await run()).toEqual({
      code: 0,
      stdout: expect.stringMatching(new RegExp(`^ran .* ${directory}/src/main.ts check a b\n$`)) as unknown as string,
      stderr: "",
    });
  });

  test("of another version is refused with one line", async () => {
    const { directory, path, run } = copy("1.0.0");
    expect(await run()).toEqual({
      code: 1,
      stdout: "",
      stderr: `sluice: needs Bun ${BUN_VERSION}, found 1.0.0 (${path}/bun): run npm install in ${directory}\n`,
    });
  });

  test("that is nowhere is said with one line", async () => {
    const { directory, run } = copy(null);
    expect(await run()).toEqual({
      code: 1,
      stdout: "",
      stderr: `sluice: needs Bun ${BUN_VERSION}, found none: run npm install in ${directory}\n`,
    });
  });

  test("is the one that package.json pins", () => {
    expect(JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).dependencies.bun).toBe(BUN_VERSION);
    expect(Bun.version).toBe(BUN_VERSION);
  });
});

/** A child that is gone by now, or is not yet what it is to be, is none. */
const isWorker = (pid: number) => {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").includes("SLUICE_ROLE=worker\0");
  } catch {
    return false;
  }
};

test("a signal that comes while it starts: SIGHUP is no end, SIGTERM a clean one", async () => {
  const { directory, adminPort } = await configured((text) => `${text}developmentCertificate: {}\n`);
  const sluice = new Command([], { cwd: directory });
  await sluice.printed("made a development certificate");
  sluice.process.kill("SIGHUP");
  await waitFor("Sluice, for all that", () => healthy(adminPort));
  expect(await sluice.stop()).toBe(0);
  await sluice.gone();

  const early = new Command([], { cwd: directory });
  await waitFor("a worker", () => childrenOf(early.process.pid).some(isWorker));
  expect(await early.stop()).toBe(0);
  await early.gone();
});

describe("the shipped configuration", () => {
  /** config/ and dynamic/ as they are shipped, on free ports. */
  async function shipped() {
    const directory = temporaryDirectory();
    const [mqtts, broker, admin] = [await freePort(), await freePort(), await freePort()];
    const put = (file: string, ...changes: [string, string][]) => {
      let text = readFileSync(join(ROOT, file), "utf8");
      for (const [from, to] of changes) {
        expect(text).toContain(from);
        text = text.replace(from, to);
      }
      mkdirSync(join(directory, file, ".."), { recursive: true });
      writeFileSync(join(directory, file), text);
    };
    put(
      "config/sluice.yml",
      ['address: ":8883"\n', `address: ":${mqtts}"\n  traefik: { address: "127.0.0.1:${admin}" }\n`],
      ["127.0.0.1:1883", `127.0.0.1:${broker}`],
    );
    put("dynamic/mqtt.yml", ["127.0.0.1:1883", `127.0.0.1:${broker}`]);
    return { directory, mqtts, broker, admin };
  }

  test("starts, says what listens where, the two printed commands work as they are printed, and it keeps its certificate at the next start, and its keys to itself", async () => {
    const { directory, mqtts, broker, admin } = await shipped();
    const sluice = new Command([], { cwd: directory });
    await sluice.printed("mosquitto_pub");
    await waitFor("the end of the banner", () => sluice.stdout.includes("-m world\n"));
    const line = (start: string) => sluice.stdout.split("\n").find((each) => each.trim().startsWith(start)) ?? "";
    expect(line("mqtts")).toMatch(new RegExp(`^  mqtts +\\*:${mqtts} +MQTT$`));
    expect(line("traefik")).toMatch(new RegExp(`^  traefik +127.0.0.1:${admin} +http: /metrics /ping$`));
    expect(line("broker")).toMatch(new RegExp(`^  broker +127.0.0.1:${broker} +embedded, MQTT 3\\.1 and 3\\.1\\.1`));
    expect(line("terminate")).toBe("  terminate    HostSNI(`localhost`)  on mqtts  to broker@file");
    expect(sluice.stderr).toBe("");

    const subscriber = Bun.spawn(["sh", "-c", `exec ${line("mosquitto_sub").trim()}`], {
      cwd: directory,
      stdio: ["ignore", "pipe", "pipe"],
    });
    cleanup(() => subscriber.kill("SIGKILL"));
    let received = "";
    void (async () => {
      for await (const chunk of subscriber.stdout) received += new TextDecoder().decode(chunk);
    })();
    await waitFor("the message", async () => {
      const published = await exec(["sh", "-c", line("mosquitto_pub").trim()], { cwd: directory });
      expect(published).toEqual({ code: 0, stdout: "", stderr: "" });
      return received.startsWith("world\n");
    });
    subscriber.kill();

    const metrics = await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();
    expect(metrics).toContain("sluice_");
    expect(await sluice.stop()).toBe(0);
    await sluice.gone();
    expect(await canConnect("127.0.0.1", broker)).toBe(false);

    const kept = () =>
      ["ca.crt", "ca.key", "localhost.crt", "localhost.key"].map((name) =>
        readFileSync(join(directory, "data", name), "utf8"),
      );
    const first = kept();
    const next = new Command([], { cwd: directory });
    await waitFor("Sluice", () => healthy(admin));
    await next.stop();
    expect(kept()).toEqual(first);
    for (const name of ["ca.key", "localhost.key"])
      expect(statSync(join(directory, "data", name)).mode & 0o777).toBe(0o600);
  });

  test("is sound, also before the first start has made the certificate", async () => {
    const { directory } = await shipped();
    expect(await exec([SLUICE, "check"], { cwd: directory })).toEqual({
      code: 0,
      stdout: "The configuration is sound.\n",
      stderr: "",
    });
  });
});
