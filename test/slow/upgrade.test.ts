// New processes follow the old ones on the same sockets: nobody is refused, connections of before go on, and what cannot start changes nothing.

import { expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Authority } from "../support/certs.ts";
import { tlsClient } from "../support/clients.ts";
import { echoEdge } from "../support/echo.ts";
import { mosquittoArguments, mosquittoPub } from "../support/mqtt.ts";
import { isAlive } from "../support/proc.ts";
import { SLUICE, Sluice, type SluiceOptions } from "../support/sluice.ts";
import { cleanup, exec, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

const { dynamic } = await echoEdge();

type Client = Awaited<ReturnType<typeof tlsClient>>;

/** Echoes one byte, which proves that the connection lives. */
function echoes(socket: Client): Promise<boolean> {
  return new Promise((resolve) => {
    socket.once("data", () => resolve(true));
    for (const event of ["close", "end", "error"]) socket.once(event, () => resolve(false));
    socket.write("x");
  });
}

async function served(port: number): Promise<boolean> {
  const socket = await tlsClient(port);
  const good = await echoes(socket);
  socket.destroy();
  return good;
}

const generation = (sluice: Sluice) => sluice.metric("sluice_generation");
const failures = (sluice: Sluice) =>
  sluice.lines.filter(({ msg }) => msg.startsWith("new processes could not be started")).map(({ why }) => String(why));

/** Signals go to the process that was started; the newest gets them. */
async function upgrade(sluice: Sluice, signal: "SIGUSR2" | "SIGHUP" = "SIGUSR2"): Promise<void> {
  const before = await generation(sluice);
  process.kill(sluice.masterPid, signal);
  await waitFor("new processes", async () => (await generation(sluice).catch(() => 0)) === before + 1, 90_000);
}

async function fails(sluice: Sluice, signal: "SIGUSR2" | "SIGHUP" = "SIGUSR2"): Promise<string> {
  const before = failures(sluice).length;
  process.kill(sluice.masterPid, signal);
  await waitFor("the failure", () => failures(sluice).length > before, 90_000);
  return failures(sluice).at(-1)!;
}

const edit = (sluice: Sluice, change: (text: string) => string) => {
  const file = join(sluice.directory, "sluice.yml");
  writeFileSync(file, change(readFileSync(file, "utf8")));
};

test("an executable that cannot start changes nothing and the log says why; the next one, and the former one again, are followed", async () => {
  const program = join(temporaryDirectory(), "sluice");
  const put = (make: (path: string) => void) => {
    make(`${program}.next`);
    renameSync(`${program}.next`, program);
  };
  const script = (text: string) =>
    put((path) => {
      writeFileSync(path, `#!/bin/sh\n${text}\n`);
      chmodSync(path, 0o755);
    });
  const good = () => put((path) => symlinkSync(SLUICE, path));
  good();
  const sluice = await Sluice.start({ dynamic, program, extra: "lifeCycle: { startTimeout: 20s }" });
  const first = await tlsClient(sluice.port);
  expect(await echoes(first)).toBe(true);

  script("exit 3");
  expect(await fails(sluice)).toContain("exit code 3");
  script("kill -9 $$");
  expect(await fails(sluice)).toContain("SIGKILL");
  rmSync(program);
  expect(await fails(sluice)).toMatch(/cannot be started: .*(not exist|ENOENT|no such file)/i);
  put((path) => writeFileSync(path, "no program"));
  expect(await fails(sluice)).toContain("cannot be started");
  // The configuration is wrong: the new processes say it as they would at any start.
  good();
  const file = join(sluice.directory, "sluice.yml");
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace("workers: 1", "workers: many"));
  expect(await fails(sluice)).toContain("workers must be a number from 1 to 999, or auto [field-value]");
  writeFileSync(file, text);
  sluice.write("broken.yml", "tcp: [");
  expect(await fails(sluice)).toContain("broken.yml:1");
  rmSync(join(sluice.dynamicDirectory, "broken.yml"));

  expect(await generation(sluice)).toBe(1);
  expect(await sluice.metric("sluice_upgrades_total", { result: "failure" })).toBe(6);
  expect([await echoes(first), await served(sluice.port)]).toEqual([true, true]);

  await upgrade(sluice);
  const second = await tlsClient(sluice.port);
  expect(await echoes(second)).toBe(true);
  await upgrade(sluice);
  expect([await echoes(first), await echoes(second), await served(sluice.port)]).toEqual([true, true, true]);
  // Whatever generation counted it: 4 clients came, 2 are here, 2 upgrades were good and 6 were not.
  await waitFor("all to be counted", async () => (await sluice.metric("sluice_entrypoint_open_connections")) === 2);
  expect(await sluice.metric("sluice_tls_handshake_duration_seconds_count")).toBe(4);
  expect(await sluice.metric("sluice_upgrades_total", { result: "success" })).toBe(2);
  expect(await sluice.metric("sluice_upgrades_total", { result: "failure" })).toBe(6);
  expect(await sluice.metric("sluice_old_generations")).toBe(2);

  // Who is not needed any more goes; the process that was started stays for whoever waits for it.
  second.destroy();
  await waitFor("the second generation to end", async () => (await sluice.metric("sluice_old_generations")) === 1);
  first.destroy();
  await waitFor("the first generation to end", async () => (await sluice.metric("sluice_old_generations")) === 0);
  expect(await sluice.metric("sluice_tls_handshake_duration_seconds_count")).toBe(4);
  expect(sluice.process.exitCode).toBe(null);
  expect(await sluice.stop()).toBe(0);
  // The mistake in the dynamic configuration was seen by those that serve, too.
  const errors = sluice.lines.filter(
    ({ level, msg }) => level === "error" && !msg.startsWith("new processes could not"),
  );
  expect(
    errors.filter(({ msg }) => !msg.includes("broken.yml") && !msg.startsWith("the configuration is not")),
  ).toEqual([]);
}, 180_000);

test("new processes that hang are ended after startTimeout", async () => {
  const program = join(temporaryDirectory(), "sluice");
  symlinkSync(SLUICE, program);
  const sluice = await Sluice.start({ dynamic, program, extra: "lifeCycle: { startTimeout: 1s }" });
  rmSync(program);
  const pid = join(sluice.directory, "pid");
  writeFileSync(program, `#!/bin/sh\necho $$ >${pid}\nexec sleep 1000\n`);
  chmodSync(program, 0o755);
  expect(await fails(sluice)).toContain("did not serve within 1 s (lifeCycle.startTimeout)");
  await waitFor("its end", () => !isAlive(Number(readFileSync(pid, "utf8"))));
  expect(await served(sluice.port)).toBe(true);
  expect(await sluice.stop()).toBe(0);
}, 60_000);

test("nobody who connects during upgrades is refused or reset", async () => {
  const sluice = await Sluice.start({ dynamic, workers: 2 });
  let isOver = false;
  const outcomes = { good: 0, bad: [] as string[] };
  const callers = Array.from({ length: 2 }, async () => {
    while (!isOver) {
      try {
        if (await served(sluice.port)) outcomes.good++;
        else outcomes.bad.push("closed");
      } catch (error) {
        outcomes.bad.push((error as Error).message);
      }
    }
  });
  for (let round = 0; round < 3; round++) {
    const before = outcomes.good;
    await upgrade(sluice);
    await waitFor("clients after it", () => outcomes.good > before + 8, 90_000);
  }
  isOver = true;
  await Promise.all(callers);
  expect(outcomes.bad).toEqual([]);
  expect(await sluice.stop()).toBe(0);
}, 120_000);

test("SIGHUP: a changed static configuration is in force, open connections go on, a wrong one changes nothing", async () => {
  const sluice = await Sluice.start({ dynamic });
  const client = await tlsClient(sluice.port);
  expect(await echoes(client)).toBe(true);

  // Nothing has changed: a reload of what is dynamic.
  await sluice.reload(() => process.kill(sluice.masterPid, "SIGHUP"));
  expect(await generation(sluice)).toBe(1);

  const [port, moved] = [await freePort(), await freePort()];
  edit(sluice, (text) =>
    text
      .replace("entryPoints:\n", `entryPoints:\n  more: { address: "127.0.0.1:${port}" }\n`)
      .replace("workers: 1", "workers: 2")
      .replace("level: debug", "level: info"),
  );
  await upgrade(sluice, "SIGHUP");
  const { changed } = await sluice.logged("the static configuration has changed");
  expect(changed).toEqual(["entryPoints.more", "log.level", "workers"]);
  expect(await sluice.metric("sluice_workers")).toBe(2);
  expect([await echoes(client), await served(sluice.port), await served(port)]).toEqual([true, true, true]);

  edit(sluice, (text) => text.replace("workers: 2", "workers: none"));
  process.kill(sluice.masterPid, "SIGHUP");
  await sluice.logged("the static configuration is not loaded");
  expect(sluice.lines.some(({ msg }) => msg.includes("workers must be a number"))).toBe(true);
  expect([await generation(sluice), await served(port)]).toEqual([2, true]);

  // What it cannot do, as another program has the port, it says, and goes on.
  const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  edit(sluice, (text) => text.replace("workers: none", "workers: 1").replace(`:${port}"`, `:${taken.port}"`));
  expect(await fails(sluice, "SIGHUP")).toContain(`entry point more: cannot listen on 127.0.0.1:${taken.port}`);
  taken.stop(true);
  expect([await generation(sluice), await served(port)]).toEqual([2, true]);

  edit(sluice, (text) => text.replace(`:${taken.port}"`, `:${moved}"`));
  await upgrade(sluice, "SIGHUP");
  expect([await served(moved), await served(sluice.port), await echoes(client)]).toEqual([true, true, true]);
  await expect(tlsClient(port)).rejects.toThrow();
  client.destroy();
  expect(await sluice.stop()).toBe(0);
}, 120_000);

test("the end: SIGTERM ends all generations kindly, and who dies takes no exit code with it", async () => {
  const options: SluiceOptions = {
    dynamic,
    entryPoint: "    transport: { lifeCycle: { graceTimeOut: 500ms } }",
    extra: "lifeCycle: { oldGenerations: 2 }",
  };
  const sluice = await Sluice.start(options);
  const clients: Client[] = [];
  for (let round = 0; round < 3; round++) {
    for (let count = round === 1 ? 1 : 2; count > 0; count--) {
      const client = await tlsClient(sluice.port);
      expect(await echoes(client)).toBe(true);
      clients.push(client);
    }
    await waitFor("them to be counted", async () => {
      return (await sluice.metric("sluice_entrypoint_open_connections")) === clients.length;
    });
    await upgrade(sluice);
  }
  // Of three old generations the one with the fewest connections, the second, is ended.
  await sluice.logged("more old generations than lifeCycle.oldGenerations");
  const third = clients[2]!;
  third.resume();
  await waitFor("its connection to be closed", () => third.readableEnded);
  await waitFor("two to be left", async () => (await sluice.metric("sluice_old_generations")) === 2);
  const rest = clients.filter((each) => each !== third);
  expect(await Promise.all(rest.map(echoes))).toEqual([true, true, true, true]);

  const ended = rest.map((socket) => new Promise((resolve) => socket.on("end", resolve).resume()));
  const workers = await waitFor("processes", () => sluice.lines.filter(({ msg }) => msg === "ready"));
  expect(workers).toHaveLength(4);
  expect(await sluice.stop()).toBe(0);
  await Promise.all(ended);
  await waitFor("a line for each", () => sluice.accesses.filter(({ reason }) => reason === "shutdown").length === 5);

  const other = await Sluice.start(options);
  await upgrade(other);
  const { pid } = await other.logged("new processes serve");
  process.kill(Number(pid), "SIGKILL");
  expect(await other.process.exited).toBe(1);
}, 180_000);

test("lifeCycle.pidFile and sluice upgrade: it says what came of it", async () => {
  const pidFile = join(temporaryDirectory(), "run/sluice.pid");
  const program = join(temporaryDirectory(), "sluice");
  symlinkSync(SLUICE, program);
  const sluice = await Sluice.start({ dynamic, program, extra: `lifeCycle: { pidFile: ${pidFile} }` });
  const pid = () => Number(readFileSync(pidFile, "utf8"));
  expect(pid()).toBe(sluice.masterPid);
  const config = `--configFile=${join(sluice.directory, "sluice.yml")}`;
  const ask = (...args: string[]) => exec([SLUICE, "upgrade", ...args], { cwd: sluice.directory });

  const good = await ask(config);
  expect(good).toMatchObject({ code: 0, stderr: "" });
  expect(good.stdout).toBe(`process ${pid()} serves; ${sluice.masterPid} goes on with the connections that it had\n`);
  expect(pid()).not.toBe(sluice.masterPid);

  rmSync(program);
  expect(await ask(`--pidFile=${pidFile}`)).toMatchObject({
    code: 1,
    stderr: "the new processes could not be started, and the old ones go on: the log says why\n",
  });
  symlinkSync(SLUICE, program);
  const asked = await ask(`--pid=${sluice.masterPid}`);
  expect(asked).toMatchObject({ code: 0 });
  await waitFor("generation 3", async () => (await generation(sluice).catch(() => 0)) === 3, 90_000);
  expect(await sluice.stop()).toBe(0);
  expect(await ask(`--pidFile=${pidFile}`)).toMatchObject({
    code: 1,
    stderr: `${pidFile} names no process: is Sluice running?\n`,
  });
}, 120_000);

test("MQTT clients of before live on, with the embedded broker and its sessions, through three generations", async () => {
  const broker = await freePort();
  const authority = await Authority.create();
  const { cert, key } = await authority.issue({ names: ["localhost"] });
  const sluice = await Sluice.start({
    dynamic: `tcp:
  routers: { r: { rule: "HostSNI(\`*\`)", service: s, tls: {} } }
  services: { s: { loadBalancer: { servers: [ { address: "127.0.0.1:${broker}" } ] } } }
tls: { certificates: [ { certFile: ${cert}, keyFile: ${key} } ] }
`,
    extra: `embeddedBroker: { address: "127.0.0.1:${broker}" }`,
  });
  const endpoint = { port: sluice.port, ca: authority.cert };
  expect(await mosquittoPub(endpoint, "-r", "-t", "t", "-m", "before")).toMatchObject({ code: 0 });
  const listener = Bun.spawn(["mosquitto_sub", ...mosquittoArguments(endpoint), "-t", "t", "-q", "1", "-C", "4"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let heard = "";
  const reading = (async () => {
    for await (const chunk of listener.stdout) heard += Buffer.from(chunk).toString();
  })();
  await waitFor("its subscription", () => heard === "before\n");
  for (let round = 0; round < 3; round++) {
    await upgrade(sluice);
    expect(await mosquittoPub(endpoint, "-t", "t", "-q", "1", "-m", `after ${round + 1}`)).toMatchObject({ code: 0 });
  }
  expect(await listener.exited).toBe(0);
  await reading;
  expect(heard).toBe("before\nafter 1\nafter 2\nafter 3\n");
  // The generation that has the broker stays with it.
  await waitFor("the old ones to be empty", async () => (await sluice.metric("sluice_old_generations")) === 0);
  expect(await mosquittoPub(endpoint, "-t", "t", "-m", "late")).toMatchObject({ code: 0 });
  expect(await sluice.stop()).toBe(0);
}, 180_000);

test("limits count clients of all generations, bans go over, and old connections hear of reloads", async () => {
  const limited = dynamic
    .replace("service: echo,", "service: echo, middlewares: [few],")
    .replace("tcp:\n", "tcp:\n  middlewares: { few: { inFlightConn: { amount: 2 } } }\n");
  expect(limited).toContain("middlewares: [few]");
  const sluice = await Sluice.start({
    dynamic: limited,
    entryPoint: "    ban: { failures: 3, window: 1m, time: 10m, reasons: [http] }",
  });
  const first = await tlsClient(sluice.port);
  expect(await echoes(first)).toBe(true);
  await upgrade(sluice);
  const second = await tlsClient(sluice.port);
  expect(await echoes(second)).toBe(true);
  const third = () => served(sluice.port).catch(() => false);
  await waitFor("a third one to be too many", async () => !(await third()));
  await sluice.access(({ reason }) => reason === "too-many-connections");
  first.destroy();
  await waitFor("room for a third one", third);

  // What a reload takes away is taken from connections of before, too.
  await upgrade(sluice);
  expect(await echoes(second)).toBe(true);
  const ended = new Promise((resolve) => second.once("end", resolve).resume());
  sluice.replace("dynamic.yml", limited.replace("service: echo,", "service: echo, onRemove: close,"));
  await sluice.logged("configuration loaded");
  sluice.replace("dynamic.yml", "{}");
  await ended;

  for (let at = 0; at < 3; at++) await fetch(`http://127.0.0.1:${sluice.port}/`).catch(() => null);
  await sluice.logged("an address is banned");
  await upgrade(sluice);
  expect(await sluice.metric("sluice_banned_addresses")).toBe(1);
  expect(await sluice.metric("sluice_bans_total")).toBe(1);
  await expect(tlsClient(sluice.port)).rejects.toThrow();
  await waitFor("it to be refused", async () => {
    return (await sluice.metric("sluice_connections_total", { result: "banned" })) > 0;
  });
  expect(await sluice.stop()).toBe(0);
}, 180_000);

test("systemd hears who serves, of reloads, of the end, and that all is well; the former process goes with its last connection", async () => {
  const directory = temporaryDirectory();
  const [socket, heard] = [join(directory, "notify"), join(directory, "heard")];
  // The runtime has no Unix datagram sockets.
  const program = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1])
with open(sys.argv[2], "a") as f:
    while True: f.write(s.recv(4096).decode().replace("\\n", " ") + "\\n"); f.flush()
`;
  const listener = Bun.spawn(["python3", "-c", program, socket, heard]);
  cleanup(() => listener.kill());
  await waitFor("systemd's socket", () => existsSync(socket));
  const told = () => (existsSync(heard) ? readFileSync(heard, "utf8").split("\n") : []);
  const count = (text: string) => told().filter((line) => line.includes(text)).length;
  const sluice = await Sluice.start({ dynamic, env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "600000" } });
  await waitFor("READY", () => told().some((line) => line === "READY=1 STATUS=Serves, generation 1"));
  await waitFor("signs of life", () => count("WATCHDOG=1") > 2);
  await sluice.reload(() => process.kill(sluice.masterPid, "SIGHUP"));
  await waitFor("a reload", () => count("RELOADING=1 MONOTONIC_USEC=") === 1);
  await waitFor("its end", () => told().filter((line) => line === "READY=1").length === 1);

  const client = await tlsClient(sluice.port);
  expect(await echoes(client)).toBe(true);
  await upgrade(sluice);
  const { pid } = await sluice.logged("new processes serve");
  await waitFor("the main process", () => told().includes(`MAINPID=${pid}`));
  await waitFor("that it serves", () => told().includes("READY=1 STATUS=Serves, generation 2"));
  const signs = count("WATCHDOG=1");
  await waitFor("signs of life of the next one", () => count("WATCHDOG=1") > signs + 2);
  expect(await echoes(client)).toBe(true);
  client.destroy();
  expect(await sluice.process.exited).toBe(0);
  expect(await served(sluice.port)).toBe(true);
  process.kill(Number(pid), "SIGTERM");
  await waitFor("its end", () => !isAlive(Number(pid)));
  expect(count("STOPPING=1")).toBe(1);
}, 120_000);
