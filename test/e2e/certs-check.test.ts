// sluice certs check says of a server what its clients see, whether they get in, and what small devices choke on. test/long has the many
// servers with which something is wrong.

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { Backend } from "../support/backend.ts";
import { Authority, type Pair } from "../support/certs.ts";
import { checkReport } from "../support/check-report.ts";
import { sluiceCli } from "../support/cli.ts";
import { tcpServer } from "../support/clients.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { opensslServer } from "../support/openssl-server.ts";
import { Sluice } from "../support/sluice.ts";
import { freePort, temporaryDirectory } from "../support/tools.ts";

const directory = temporaryDirectory();
const [authority, stranger] = await Promise.all([Authority.create("Root"), Authority.create("Stranger")]);
const below = await authority.intermediate("Below");
const [client, unknownClient] = await Promise.all([
  authority.issue({ names: ["dev-1"], usage: "clientAuth" }),
  stranger.issue({ names: ["dev-1"], usage: "clientAuth" }),
]);

const check = (server: string, args: readonly string[] = ["--ca", authority.cert]) =>
  checkReport(server, args, directory);

/** The files of `pairs` in one, as a server's certificate file has them. */
function together(name: string, first: Pair, ...others: readonly string[]): Pair {
  const file = join(directory, `${name}.crt`);
  writeFileSync(file, [first.cert, ...others].map((each) => readFileSync(each, "utf8")).join(""));
  return { cert: file, key: first.key };
}

describe("Sluice", async () => {
  const broker = await Backend.start("broker");
  const pair = together("chain", await below.issue({ names: ["localhost", "closed.test", "down.test"] }), below.cert);
  const sluice = await Sluice.start({
    dynamic: `
tcp:
  routers:
    open: { rule: "HostSNI(\`localhost\`)", service: broker, tls: { options: open } }
    closed: { rule: "HostSNI(\`closed.test\`)", service: broker, tls: { options: closed } }
    down: { rule: "HostSNI(\`down.test\`)", service: down, tls: {} }
  services:
    broker: { loadBalancer: { servers: [{ port: ${broker.port} }] } }
    down: { loadBalancer: { servers: [{ port: ${await freePort()} }] } }
tls:
  certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }]
  options: { open: { alpnProtocols: [mqtt] }, closed: { clientAuth: { caFiles: [${authority.cert}] } } }
`,
  });
  const server = `localhost:${sluice.port}`;

  test("as it comes, it lets clients in and keeps to short records", async () => {
    const { tls, problemCodes, noteCodes, address } = await check(server);
    expect(problemCodes).toEqual([]);
    expect(noteCodes).toEqual(["expires-soon", "expires-soon", "needs-server-name"]);
    expect(["127.0.0.1", "::1"]).toContain(address!);
    expect(tls.versions.map(({ version, accepted }) => `${version} ${accepted}`)).toEqual([
      ...["1.3 yes", "1.2 yes", "1.1 no", "1.0 no"],
    ]);
    expect(tls.versions[0]).toMatchObject({ cipher: "TLS_AES_128_GCM_SHA256", group: "X25519" });
    expect(tls.versions[1]!.cipher).toStartWith("TLS_ECDHE_ECDSA_WITH_");
    expect(tls.alpn).toBe("mqtt");
    expect(tls.trustedBy).toBe("CN=Root");
    expect(tls.certificates.map(({ commonName }) => commonName)).toEqual(["localhost", "Below"]);
    expect(tls.certificates[0]).toMatchObject({ signature: "ecdsa-with-SHA256", daysLeft: 19 });
    expect(tls.certificateBytes).toBeGreaterThan(800);
    expect(tls.shortRecords).toEqual({ maxFragmentLength: "yes", recordSizeLimit: "yes" });
    expect(tls.client).toEqual({ asked: false, authorities: [], letIn: true, reason: null });
  });

  test("it names the authorities of clients, refuses who is none of theirs, and lets in who is", async () => {
    const trust = ["--sni", "closed.test", "--ca", authority.cert];
    const without = await check(server, trust);
    expect(without.problemCodes).toEqual([]);
    expect(without.noteCodes).toContain("client-required");
    expect(without.tls.client).toMatchObject({ asked: true, letIn: false });
    const own = await check(server, [...trust, "--cert", client.cert, "--key", client.key]);
    expect(own.problemCodes).toEqual([]);
    expect(own.tls.client.letIn).toBe(true);
    const other = await check(server, [...trust, "--cert", unknownClient.cert, "--key", unknownClient.key]);
    expect(other.problemCodes).toEqual(["client-refused"]);
    expect(other.problems[0]!.message).toContain("UNKNOWN_CA");
  });

  test("a broker that is down is not taken for a refused client", async () => {
    const { problemCodes, noteCodes, tls } = await check(server, ["--sni", "down.test", "--ca", authority.cert]);
    expect(problemCodes).toEqual([]);
    expect(noteCodes).toContain("closes-after-handshake");
    expect(tls.client.letIn).toBe(true);
  });
});

describe("where no TLS is spoken", () => {
  const serve = async (behave: (socket: Socket) => void) => (await tcpServer(behave)).port;
  const cases: [code: string, server: () => Promise<string>][] = [
    ["name-unknown", async () => "no-such-host.invalid:8883"],
    ["refused", async () => `127.0.0.1:${await freePort()}`],
    ["plain-mqtt", async () => `127.0.0.1:${(await Mosquitto.start()).port}`],
    ["closes", async () => `127.0.0.1:${await serve((socket) => socket.on("data", () => socket.end()))}`],
    ["not-tls", async () => `127.0.0.1:${await serve((socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"))}`],
    ["not-tls", async () => `127.0.0.1:${await serve((socket) => socket.write("220 mail.example.com\r\n"))}`],
  ];
  test.each(cases)("%s is said, within the time", async (code, server) => {
    const where = await server();
    const report = await check(where, ["--timeout", "2"]);
    expect(report.tls).toBeNull();
    expect(report.problemCodes).toEqual([code]);
    const people = await sluiceCli(["certs", "check", where, "--timeout", "2"], { cwd: directory });
    expect(people.code).toBe(1);
    expect(people.stdout).toBe("");
    expect(people.stderr).toContain(report.problems[0]!.message);
  });
});

test("what is typed wrongly is said before anything is dialled", async () => {
  const typed = async (...args: string[]) => {
    const { code, stdout, stderr } = await sluiceCli(["certs", "check", ...args], { cwd: directory });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    return stderr.trim();
  };
  expect(await typed("mqtts://localhost:8883")).toContain("write localhost:8883");
  expect(await typed(":8883")).toContain("names no host");
  expect(await typed("localhost:0")).toContain("port 0");
  expect(await typed("localhost:99999")).toContain("port");
  expect(await typed("localhost", "--timeout", "0")).toContain("--timeout is a number");
  expect(await typed("localhost", "--sni", "a b")).toContain("--sni: 'a b' is no host name");
  expect(await typed("localhost", "--key", client.key)).toContain("--cert FILE");
  expect(await typed("localhost", "--cert", client.cert)).toContain("give the key with --key FILE");
  expect(await typed("localhost", "--ca", "missing.crt")).toContain("missing.crt");
  expect(await typed("localhost", "--ca", client.key)).toContain("it holds no certificate");
});

test("what people read has everything, and no byte of a certificate that moves the cursor", async () => {
  const evil = await authority.issue({ subject: "/CN=evil\u001b[31m" });
  const port = await opensslServer(evil, ["-cert_chain", authority.cert]);
  const { code, stdout, stderr } = await sluiceCli(["certs", "check", `127.0.0.1:${port}`, "--sni", "localhost"], {
    cwd: directory,
  });
  expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
  expect(stdout).toContain(`127.0.0.1:${port}: TLS 1.2, 1.3; 2 certificates, `);
  expect(stdout).toContain("  wrong     it leads to CN=Root, and that is no public authority");
  expect(stdout).toContain("  note      the root is sent too");
  expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
});
