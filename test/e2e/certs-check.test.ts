// sluice certs check says of a server what its clients see, whether they get in, and what small devices choke on. test/long has the many
// servers with which something is wrong.

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { Authority, type Pair } from "../support/certs.ts";
import { checkReport } from "../support/check-report.ts";
import { sluiceCli } from "../support/cli.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { opensslServer } from "../support/openssl-server.ts";
import { Sluice } from "../support/sluice.ts";
import { cleanup, freePort, temporaryDirectory } from "../support/tools.ts";

const directory = temporaryDirectory();
const [authority, stranger] = await Promise.all([Authority.create("Root"), Authority.create("Stranger")]);
const below = await authority.intermediate("Below");
const good = await authority.issue();
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

describe("Sluice", () => {
  const start = async (options: string, pair = good) =>
    await Sluice.start({
      dynamic: `
tcp:
  routers: { mqtt: { rule: "HostSNI(\`localhost\`)", service: broker, tls: { options: it } } }
  services: { broker: { loadBalancer: { servers: [{ port: 1 }] } } }
tls:
  certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }]
  options: { it: ${options} }
`,
    });

  test("as it comes, it lets clients in and keeps to short records", async () => {
    const chain = together("chain", await below.issue(), below.cert);
    const sluice = await start("{ alpnProtocols: [mqtt] }", chain);
    const { tls, problemCodes, noteCodes, address } = await check(`localhost:${sluice.port}`);
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
    const sluice = await start(`{ clientAuth: { caFiles: [${authority.cert}] } }`);
    const server = `localhost:${sluice.port}`;
    const without = await check(server);
    expect(without.problemCodes).toEqual([]);
    expect(without.noteCodes).toContain("client-required");
    expect(without.tls.client).toMatchObject({ asked: true, letIn: false });
    const trust = ["--ca", authority.cert];
    const own = await check(server, [...trust, "--cert", client.cert, "--key", client.key]);
    expect(own.problemCodes).toEqual([]);
    expect(own.tls.client.letIn).toBe(true);
    const other = await check(server, [...trust, "--cert", unknownClient.cert, "--key", unknownClient.key]);
    expect(other.problemCodes).toEqual(["client-refused"]);
    expect(other.problems[0]!.message).toContain("UNKNOWN_CA");
  });
});

describe("where no TLS is spoken", () => {
  const serve = async (behave: (socket: Socket) => void): Promise<number> => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      behave(socket);
    });
    await new Promise<void>((next) => server.listen(0, "127.0.0.1", next));
    cleanup(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return (server.address() as { port: number }).port;
  };
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
