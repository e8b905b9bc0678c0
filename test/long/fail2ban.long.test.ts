// fail2ban bans by the lines that Sluice really writes: whom deploy/fail2ban means, nobody else, and nobody whom a client has made up.

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { Authority } from "../support/certs.ts";
import { anyConnect } from "../support/connect-packet.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { ROOT, Sluice } from "../support/sluice.ts";
import { cleanup, exec, temporaryDirectory, waitFor } from "../support/tools.ts";

const FILTER = join(ROOT, "deploy/fail2ban/filter.d/sluice.conf");
const directory = temporaryDirectory();
const [log, passwords] = [join(directory, "access.log"), join(directory, "passwords")];
writeFileSync(
  passwords,
  "anna:$7$101$u47hh7ikTLQYZsxI$Luf3KO5HpJtPhOCI05dDenQX6tqqQIee+SWQqkeo9gqqJg9+drL4ir3FnzzhQOEiAvlBQTcjd5Jx7fkoksGNcQ==\n",
);

/** What a client would write, if it could, to have somebody else banned. */
const FORGED =
  '","client":"203.0.113.9","clientPort":1,"bytesIn":0,"bytesOut":0,"durationMs":1,"reason":"not-tls","msg":"access"}';

const ended = (done: () => void, socket: ReturnType<typeof connect>) => {
  cleanup(() => socket.destroy());
  socket.on("error", () => {}).on("close", done);
  socket.resume().on("end", () => socket.end());
};

test("fail2ban-regex finds who fails, each by his own address, and nobody else", async () => {
  const authority = await Authority.create();
  const pair = await authority.issue({ names: ["localhost"] });
  const broker = await Mosquitto.start();
  const sluice = await Sluice.start({
    entryPoint: `    proxyProtocol: { trustedIPs: [127.0.0.1] }`,
    env: { SLUICE_ACCESSLOG_FILEPATH: log },
    dynamic: `
tcp:
  middlewares: { auth: { mqttAuth: { passwordFile: ${passwords} } } }
  routers: { tls: { rule: "HostSNI(\`*\`)", service: broker, tls: {}, middlewares: [auth] } }
  services: { broker: { loadBalancer: { servers: [{ port: ${broker.port} }] } } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }`,
  });
  const raw = (from: string, bytes: string) =>
    new Promise<void>((done) => {
      const socket = connect({ host: "127.0.0.1", port: sluice.port, localAddress: from });
      socket.on("connect", () => socket.write(bytes));
      ended(done, socket);
    });
  const tls = (from: string, bytes: Buffer, options = {}) =>
    new Promise<void>((done) => {
      const address = { host: "127.0.0.1", port: sluice.port, localAddress: from };
      const socket = connectTls({ ...address, rejectUnauthorized: false, ...options } as never);
      socket.on("secureConnect", () => socket.write(bytes));
      ended(done, socket);
    });
  const guess = (username: string) => anyConnect("c", { username, password: "guess" });
  await raw("127.0.0.31", "GET / HTTP/1.1\r\n\r\n");
  await raw("127.0.0.32", "SSH-2.0-scan\r\n");
  await tls("127.0.0.33", guess("anna"));
  await tls("127.0.0.34", guess(FORGED));
  await tls("127.0.0.35", Buffer.from("no CONNECT at all\r\n"));
  await tls("127.0.0.36", Buffer.alloc(0), { maxVersion: "TLSv1.1", minVersion: "TLSv1" });
  await raw("127.0.0.1", "PROXY TCP6 2001:db8::5 2001:db8::1 5 6\r\nGET / HTTP/1.1\r\n\r\n");
  // Those who are to stay: one that does not trust the certificate, and one that leaves.
  await tls("127.0.0.41", Buffer.alloc(0), { rejectUnauthorized: true });
  await new Promise<void>((done) => {
    const socket = connect({ host: "127.0.0.1", port: sluice.port, localAddress: "127.0.0.42" });
    socket.on("connect", () => socket.destroy()).on("close", () => done());
  });
  const lines = () => readFileSync(log, "utf8").trim().split("\n");
  await waitFor("all lines", () => lines().length >= 9);

  const found = await exec(["fail2ban-regex", "--out", "ip", log, FILTER]);
  const addresses = [...new Set(found.stdout.trim().split("\n"))].sort();
  expect({ addresses, lines: lines().filter((line) => line.includes("127.0.0.36")) }).toEqual({
    addresses: ["127.0.0.31", "127.0.0.32", "127.0.0.33", "127.0.0.34", "127.0.0.35", "127.0.0.36", "2001:db8::5"],
    lines: [expect.stringContaining("no-shared-version")],
  });
  // Dates are read from every line.
  const summary = await exec(["fail2ban-regex", log, FILTER]);
  expect(summary.stdout).toMatch(new RegExp(`\\[${lines().length}\\] "time":"Year`));
  await sluice.kill();
});

test("the jail that goes with it is one that fail2ban accepts", async () => {
  const etc = temporaryDirectory();
  await exec(["cp", "-r", "/etc/fail2ban/.", etc]);
  await exec(["cp", "-r", `${join(ROOT, "deploy/fail2ban")}/.`, etc]);
  // Debian's own jail wants the log of a service that may not be here, and ours one of this machine.
  const jail = join(etc, "jail.d/sluice.conf");
  writeFileSync(
    jail,
    `${readFileSync(jail, "utf8").replace("/var/log/sluice/access.log", log)}\n[sshd]\nenabled = false\n`,
  );
  const { code, stdout, stderr } = await exec(["fail2ban-client", "-c", etc, "--test"]);
  expect({ code, text: stdout + stderr }).toEqual({
    code: 0,
    text: expect.stringContaining("OK: configuration test is successful"),
  });
  const dump = await exec(["fail2ban-client", "-c", etc, "-d"]);
  expect(dump.stdout).toContain("'sluice'");
});
