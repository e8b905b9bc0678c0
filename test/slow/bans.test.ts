// An address that fails too often is refused at accept, by all workers and after a restart; others are served meanwhile, and nobody is
// banned for what a balancer, a friend or our own certificate has done.

import { expect, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { Authority } from "../support/certs.ts";
import { anyConnect } from "../support/connect-packet.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { Sluice } from "../support/sluice.ts";
import { cleanup, exec, temporaryDirectory, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });
const broker = await Mosquitto.start();
const directory = temporaryDirectory();
const passwords = join(directory, "passwords");
writeFileSync(passwords, "anna:tea\n");
await exec(["mosquitto_passwd", "-U", passwords]);

const dynamic = `
tcp:
  middlewares: { auth: { mqttAuth: { passwordFile: ${passwords} } } }
  routers: { tls: { rule: "HostSNI(\`*\`)", service: broker, tls: {}, middlewares: [auth] } }
  services: { broker: { loadBalancer: { servers: [{ port: ${broker.port} }] } } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }`;

const start = (more: string, proxy = "", workers = 1) =>
  Sluice.start({ dynamic, workers, entryPoint: `    ban: { failures: 3, time: 1h, ${more} }${proxy}` });

/** Sends this from an address of this machine, and resolves once the other side has closed. */
function attempt(port: number, from: string, bytes: string | Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket: Socket = connect({ host: "127.0.0.1", port, localAddress: from });
    cleanup(() => socket.destroy());
    socket.on("error", () => {});
    socket.on("connect", () => socket.write(bytes));
    socket.resume().on("end", () => socket.end());
    socket.on("close", () => resolve());
  });
}

/** Whether a client of this address gets a TLS handshake. */
function comesIn(port: number, from: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTls({ host: "127.0.0.1", port, localAddress: from, rejectUnauthorized: false } as never);
    cleanup(() => socket.destroy());
    const say = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.on("secureConnect", () => say(true));
    socket.on("error", () => say(false));
    socket.on("close", () => say(false));
  });
}

/** The answer to a CONNECT of anna's with this password, in hexadecimal; "" where there is none. */
function guess(port: number, from: string, password: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connectTls({ host: "127.0.0.1", port, localAddress: from, rejectUnauthorized: false } as never);
    cleanup(() => socket.destroy());
    const say = (answer: string) => {
      socket.destroy();
      resolve(answer);
    };
    socket.on("secureConnect", () => socket.write(anyConnect("guess", { username: "anna", password })));
    socket.on("data", (chunk: Buffer) => say(chunk.toString("hex")));
    socket.on("error", () => say("")).on("close", () => say(""));
  });
}

async function fail(port: number, from: string, bytes: string | Buffer = "SSH-2.0-scan\r\n", times = 3): Promise<void> {
  for (let n = 0; n < times; n++) await attempt(port, from, bytes);
}

const banned = (sluice: Sluice) => sluice.metric("sluice_banned_addresses", { entrypoint: "mqtts" });
const isRefused = (sluice: Sluice, from: string) =>
  waitFor(`${from} to be refused`, async () => !(await comesIn(sluice.port, from)));

/** So many connections come to every worker. */
const everybodyRefuses = (sluice: Sluice, from: string) =>
  waitFor(`${from} to be refused by every worker`, async () => {
    for (let n = 0; n < 12; n++) if (await comesIn(sluice.port, from)) return false;
    return true;
  });

test.concurrent("an address that fails three times is refused by every worker, others come in, and a restart forgets nobody", async () => {
  const storage = join(directory, "bans.json");
  const sluice = await start(`storage: ${storage}`, "", 2);
  await fail(sluice.port, "127.0.0.66", undefined, 2);
  expect(await comesIn(sluice.port, "127.0.0.66")).toBe(true);
  await fail(sluice.port, "127.0.0.66", undefined, 1);
  await waitFor("the ban", async () => (await banned(sluice)) === 1);
  await everybodyRefuses(sluice, "127.0.0.66");
  expect(await comesIn(sluice.port, "127.0.0.67")).toBe(true);
  expect(await sluice.logged("an address is banned")).toMatchObject({
    ...{ entryPoint: "mqtts", client: "127.0.0.66/32", reason: "not-tls", level: 1, seconds: 3600 },
  });
  expect(await sluice.metric("sluice_bans_total", { reason: "not-tls" })).toBe(1);
  expect(await sluice.metric("sluice_connections_total", { result: "banned" })).toBeGreaterThanOrEqual(12);

  // A worker that begins anew knows him too.
  const [pid] = sluice.workers;
  process.kill(pid!, "SIGKILL");
  await waitFor("the worker to be replaced", () => sluice.workers.length === 2 && !sluice.workers.includes(pid!));
  await waitFor("it to listen", async () => (await comesIn(sluice.port, "127.0.0.67")) === true);
  for (let n = 0; n < 12; n++) expect(await comesIn(sluice.port, "127.0.0.66")).toBe(false);

  await sluice.stop();
  expect(statSync(storage).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(storage, "utf8")).bans).toMatchObject([{ network: "127.0.0.66/32", level: 1 }]);
  const next = await start(`storage: ${storage}`);
  expect(await banned(next)).toBe(1);
  expect(await comesIn(next.port, "127.0.0.66")).toBe(false);
  await next.kill();
});

test.concurrent("a broken file of bans is said, and nobody is kept out or lost by it", async () => {
  const storage = join(directory, "broken.json");
  writeFileSync(storage, '{"bans": [{"entryPoint"');
  const sluice = await start(`storage: ${storage}`);
  expect(await sluice.logged("the bans in it are not taken up")).toMatchObject({ level: "error", code: "ban-storage" });
  await fail(sluice.port, "127.0.0.66");
  await isRefused(sluice, "127.0.0.66");
  await sluice.kill();
});

test.concurrent("passwords that are guessed ban, and so does what is no MQTT behind TLS; certificates that are not believed do not", async () => {
  const sluice = await start("trustedIPs: [127.0.0.9]");
  for (let n = 0; n < 3; n++) expect(await guess(sluice.port, "127.0.0.21", `guess ${n}`)).not.toBe("20020000");
  await isRefused(sluice, "127.0.0.21");
  expect(await guess(sluice.port, "127.0.0.21", "tea")).toBe("");
  expect(await guess(sluice.port, "127.0.0.22", "tea")).toBe("20020000");
  // A client that does not trust our certificate says so by an alert.
  for (let n = 0; n < 5; n++) await comesIn(sluice.port, "127.0.0.23");
  for (let n = 0; n < 5; n++)
    await new Promise<void>((done) => {
      const socket = connectTls({ host: "127.0.0.1", port: sluice.port, localAddress: "127.0.0.24" } as never);
      socket.on("error", () => {}).on("close", () => done());
    });
  // Nor is anybody of trustedIPs.
  await fail(sluice.port, "127.0.0.9", undefined, 5);
  await fail(sluice.port, "127.0.0.25");
  await isRefused(sluice, "127.0.0.25");
  expect(await banned(sluice)).toBe(2);
  for (const friend of ["127.0.0.9", "127.0.0.23", "127.0.0.24"]) expect(await comesIn(sluice.port, friend)).toBe(true);
  await sluice.kill();
});

test.concurrent("behind a balancer the client's address counts, and never the balancer's, whatever it sends", async () => {
  const sluice = await start("ipv6Prefix: 64", "\n    proxyProtocol: { trustedIPs: [127.0.0.1] }");
  const by = (client: string, bytes = "GET / HTTP/1.1\r\n\r\n") =>
    attempt(
      sluice.port,
      "127.0.0.1",
      `PROXY ${client.includes(":") ? "TCP6" : "TCP4"} ${client} ${client} 5 6\r\n${bytes}`,
    );
  // Its health checks, and what it sends wrong.
  await fail(sluice.port, "127.0.0.1", "GET / HTTP/1.1\r\n\r\n", 5);
  await fail(sluice.port, "127.0.0.1", "PROXY nonsense\r\n", 5);
  for (let n = 0; n < 3; n++) await by(`2001:db8::${n}`);
  await waitFor("the ban of the client's network", async () => (await banned(sluice)) === 1);
  await by("2001:db8::ffff");
  expect((await sluice.access(({ reason }) => reason === "banned")).client).toBe("2001:db8::ffff");
  await by("2001:db8:0:1::1");
  expect((await sluice.access(({ client }) => client === "2001:db8:0:1::1")).reason).toBe("http");
  expect(await comesIn(sluice.port, "127.0.0.1")).toBe(true);
  await sluice.kill();
});
