// sluice clients, servers, close and the other commands for operators, against a running Sluice: over its Unix socket, and over the
// entry point with a token.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Authority } from "../support/certs.ts";
import { sluiceCli } from "../support/cli.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient } from "../support/mqtt.ts";
import { Sluice } from "../support/sluice.ts";
import { temporaryDirectory, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });

let sluice: Sluice;
let broker: Mosquitto;
let token: string;
const DYNAMIC = () => `
tcp:
  routers:
    mqtt: { rule: "HostSNI(\`localhost\`)", service: brokers, tls: {}, middlewares: [read] }
    wrong: { rule: "HostSNI(\`wrong.test\`)", service: missing, tls: { passthrough: true } }
  services: { brokers: { loadBalancer: { servers: [ { address: "127.0.0.1:${broker.port}" } ] } } }
  middlewares: { read: { mqttConnect: { clientId: { pattern: "dev-.*" } } } }
tls: { certificates: [ { certFile: ${pair.cert}, keyFile: ${pair.key} } ] }
`;
beforeAll(async () => {
  broker = await Mosquitto.start();
  const made = JSON.parse((await sluiceCli(["token", "--json"], { cwd: temporaryDirectory() })).stdout);
  token = made.token;
  sluice = await Sluice.start({
    dynamic: DYNAMIC(),
    entryPoint: "    ban: {}",
    extra: `api: { socket: api.sock, tokens: { script: { sha256: ${made.sha256} } } }`,
  });
});
afterAll(() => sluice.kill());

const cli = (...args: string[]) =>
  sluiceCli([...args, `--configFile=${sluice.directory}/sluice.yml`], { cwd: sluice.directory });
const come = async (clientId: string) =>
  (await mqttClient({ port: sluice.port, ca: authority.cert }, { clientId, reconnectPeriod: 0 })).mqtt;

test("clients are listed and closed, and what is to be closed must be said", async () => {
  const client = await come("dev-1");
  const closed = new Promise<void>((done) => client.once("close", () => done()));
  const listed = await waitFor("it", async () => {
    const { stdout } = await cli("clients", "--search=dev-1");
    return stdout.includes("dev-1") ? stdout : null;
  });
  expect(listed.split("\n")[0]).toMatch(/^ID +CLIENT ID +USER +ADDRESS/);
  expect(listed).toContain("mqtt@file");
  const { connections } = JSON.parse((await cli("clients", "--clientId=dev-1", "--json")).stdout);
  expect(connections).toHaveLength(1);
  expect((await cli("close")).stderr).toContain("say which");
  expect(await cli("close", "--clientId=nobody")).toMatchObject({ code: 1, stdout: "no client is so\n" });
  expect(await cli("close", connections[0].id, "--reason=a test")).toMatchObject({
    code: 0,
    stdout: "1 connection closed\n",
  });
  await closed;
  expect((await cli("clients")).stdout).toBe("no client\n");
});

test("routes, servers, refusals and events say what is wrong", async () => {
  expect((await cli("routes")).stdout).toMatch(/disabled +wrong@file .* the service "missing" does not exist/);
  expect((await cli("servers")).stdout).toMatch(new RegExp(`brokers@file +127.0.0.1:${broker.port}`));
  await come("wrong").catch(() => {});
  await waitFor("the refusal", async () =>
    /client-id-not-allowed .*wrong/.test((await cli("refusals", "--search=wrong")).stdout),
  );
  expect(JSON.parse((await cli("refusals", "--json")).stdout).refusals[0].reason).toBe("client-id-not-allowed");
  await cli("undrain", "x", "y", "--reason=none there");
  expect((await cli("events", "--search=none there")).stdout).toContain("asked for by the API");
});

test("a server is drained until it is empty, and put back; an address is banned and let in", async () => {
  const [service, server] = ["brokers@file", `127.0.0.1:${broker.port}`];
  expect((await cli("drain", service, server, "--close", "--wait")).stdout).toContain("0 connections left");
  expect((await cli("servers")).stdout).toContain("0 left");
  expect(await cli("undrain", service, server)).toMatchObject({ code: 0 });
  expect(await cli("undrain", service, server)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("not drained by hand"),
  });
  expect((await cli("ban", "192.0.2.1", "--time=5m")).stdout).toBe("192.0.2.1 is banned on mqtts\n");
  expect((await cli("unban", "192.0.2.1")).stdout).toBe("192.0.2.1 is banned no more on mqtts\n");
  expect((await cli("unban", "192.0.2.1")).stderr).toContain("is not banned");
});

test("reload waits for the load and says what came of it", async () => {
  const { code, stderr } = await cli("reload");
  expect(code).toBe(1); // one router is wrong
  expect(stderr).toContain("[service-unknown]");
  writeFileSync(join(sluice.dynamicDirectory, "dynamic.yml"), DYNAMIC().replace(/^.*wrong:.*$/m, ""));
  expect(await cli("reload", "--reason=mended")).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^loaded: \d+ changes?\n$/),
  });
});

test("over the entry point a token says who asks; without one, or with a wrong one, it is said what is missing", async () => {
  const api = `--api=http://127.0.0.1:${sluice.adminPort}`;
  const tokenFile = join(sluice.directory, "token");
  writeFileSync(tokenFile, `${token}\n`);
  expect(await sluiceCli(["routes", api, `--tokenFile=${tokenFile}`], { cwd: sluice.directory })).toMatchObject({
    code: 0,
  });
  expect((await sluiceCli(["reload", api, `--tokenFile=${tokenFile}`], { cwd: sluice.directory })).stderr).toContain(
    "script is viewer, and this needs admin",
  );
  expect((await sluiceCli(["routes", api], { cwd: sluice.directory })).stderr).toContain("give --tokenFile");
  expect((await sluiceCli(["routes", api, "--tokenEnv=NO_SUCH_VARIABLE"], { cwd: sluice.directory })).stderr).toContain(
    "is not set",
  );
  expect((await sluiceCli(["routes", "--api=/nowhere/api.sock"], { cwd: sluice.directory })).stderr).toContain(
    "nothing listens there",
  );
});
