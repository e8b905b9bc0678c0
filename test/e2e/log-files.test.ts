// What the log says of a start and of refused clients, log files, and the filters of the access log.

import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VERSION } from "../../src/version.ts";
import { tcpClient, tlsClient } from "../support/clients.ts";
import { echoEdge } from "../support/echo.ts";
import { RawClient } from "../support/raw.ts";
import { ROOT, Sluice } from "../support/sluice.ts";
import { exec, temporaryDirectory, waitFor } from "../support/tools.ts";

const { dynamic } = await echoEdge();

const http = (port: number) => RawClient.exchange(port, Buffer.from("GET / HTTP/1.1\r\n\r\n"));
const linesOf = (file: string) =>
  existsSync(file)
    ? readFileSync(file, "utf8")
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line))
    : [];

test("without an access log refused clients are summed up by reason, and those that only left are not", async () => {
  const sluice = await Sluice.start({ dynamic, env: { SLUICE_ACCESSLOG: "false" } });
  for (let i = 0; i < 3; i++) await http(sluice.port);
  for (let i = 0; i < 2; i++) await tlsClient(sluice.port, { servername: "unknown.test" }).catch(() => {});
  const left = await tcpClient(sluice.port);
  left.destroy();
  await waitFor("all to be counted", async () => (await sluice.metric("sluice_connections_total")) === 6);
  expect(await sluice.stop()).toBe(0);
  await sluice.logged("stopped");
  const summed = sluice.lines.filter(({ msg }) => msg === "connections were refused");
  expect(summed.map(({ level, entryPoint, reason, connections }) => [level, entryPoint, reason, connections])).toEqual([
    ["info", "mqtts", "http", 3],
    ["info", "mqtts", "unknown-sni", 2],
  ]);
});

test("lines for people have a date", async () => {
  const directory = temporaryDirectory();
  const file = join(directory, "sluice.log");
  const sluice = await Sluice.start({
    dynamic,
    env: { SLUICE_LOG_FILEPATH: file, SLUICE_LOG_FORMAT: "common", TZ: "UTC" },
  });
  await http(sluice.port);
  await sluice.stop();
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  const today = new Date().toISOString().slice(0, 7);
  expect(lines.filter((line) => line.includes("access"))).toEqual([
    expect.stringMatching(new RegExp(`^\\[${today}-\\d\\d \\d\\d:\\d\\d:\\d\\d\\] INFO: access `)) as unknown as string,
  ]);
});

test("log and access log go into files of their own, with mode 0640, in a directory that is made; the recipe for logrotate loses no line: master and workers open their files again on SIGUSR1", async () => {
  const directory = temporaryDirectory();
  const logs = join(directory, "var/log");
  const [log, access] = [join(logs, "sluice.log"), join(logs, "access.log")];
  const sluice = await Sluice.start({
    dynamic,
    workers: 2,
    env: { SLUICE_LOG_FILEPATH: log, SLUICE_ACCESSLOG_FILEPATH: access },
  });
  const page = readFileSync(join(ROOT, "docs/operations.md"), "utf8");
  const recipe = /```\n(\/var\/log\/sluice\/\*\.log \{\n[\s\S]*?\n\})\n```/.exec(page)![1]!;
  expect(recipe).toContain("pkill -USR1 -o -x sluice");
  const configuration = join(directory, "logrotate.conf");
  writeFileSync(
    configuration,
    recipe
      .replace("/var/log/sluice/", `${logs}/`)
      .replace("pkill -USR1 -o -x sluice", `kill -USR1 ${sluice.masterPid}`),
    { mode: 0o644 },
  );
  const rotate = () => exec(["/usr/sbin/logrotate", "--force", "--state", join(directory, "state"), configuration]);
  let sent = 0;
  for (const file of [log, access]) expect(statSync(file).mode & 0o777).toBe(0o640);
  for (let round = 1; round <= 3; round++) {
    for (let i = 0; i < 10; i++, sent++) await http(sluice.port);
    await waitFor("a line in the file", () => linesOf(access).length > 0);
    expect(await rotate()).toMatchObject({ code: 0, stderr: "" });
    await waitFor("the files to be there again", () => existsSync(access) && existsSync(log));
  }
  for (let i = 0; i < 10; i++, sent++) await http(sluice.port);
  await waitFor("lines in the new file", () => linesOf(access).length > 0);
  expect(await sluice.stop()).toBe(0);
  const all = readdirSync(logs).filter((name) => name.startsWith("access.log"));
  expect(all.length).toBe(4);
  const linesIn = (name: string) =>
    (name.endsWith(".gz")
      ? Bun.spawnSync(["zcat", join(logs, name)]).stdout.toString()
      : readFileSync(join(logs, name), "utf8")
    )
      .split("\n")
      .filter(Boolean);
  const lines = all.flatMap(linesIn);
  const parsed = lines.map((line) => JSON.parse(line));
  expect(parsed.filter(({ reason }) => reason === "http")).toHaveLength(sent);
  expect(parsed.filter(({ msg }) => msg !== "access")).toEqual([]);
  expect(linesOf(log).at(-1).msg).toBe("stopped");
  const logged = readdirSync(logs)
    .filter((name) => name.startsWith("sluice.log"))
    .flatMap(linesIn);
  expect(logged.map((line) => JSON.parse(line).msg)).toContain("ready");
  expect(logged.map((line) => JSON.parse(line).msg)).not.toContain("access");
  expect(sluice.lines).toEqual([]);
});

test("a successful start is one line with version, what listens, routers, certificates and workers; filters leave out the lines of probes, and metrics count them", async () => {
  const sluice = await Sluice.start({
    dynamic,
    workers: 2,
    env: { SLUICE_ACCESSLOG_FILTERS_REASONS: "!client-gone", SLUICE_ACCESSLOG_FILTERS_MINDURATION: "1h" },
  });
  expect(await sluice.logged("ready")).toMatchObject({
    level: "info",
    version: VERSION,
    entryPoints: { mqtts: `127.0.0.1:${sluice.port}`, traefik: `127.0.0.1:${sluice.adminPort}` },
    routers: 1,
    certificates: 1,
    workers: 2,
  });
  for (let i = 0; i < 5; i++) {
    const probe = await tcpClient(sluice.port);
    const closed = new Promise((resolve) => probe.once("close", resolve));
    probe.end().resume();
    await closed;
  }
  await http(sluice.port);
  await sluice.access(({ reason }) => reason === "http");
  expect(await sluice.metric("sluice_connections_total", { result: "client-gone" })).toBe(5);
  expect(sluice.accesses.map(({ reason }) => reason)).toEqual(["http"]);
});
