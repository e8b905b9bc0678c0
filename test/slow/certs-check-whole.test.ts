// sluice certs check against everything that can be wrong with a server, made by openssl; against Mosquitto, and servers that say nothing.

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { Backend } from "../support/backend.ts";
import { Authority, type Pair } from "../support/certs.ts";
import { checkReport } from "../support/check-report.ts";
import { sluiceCli } from "../support/cli.ts";
import { tcpServer } from "../support/clients.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { opensslServer } from "../support/openssl-server.ts";
import { deafListener, RawClient } from "../support/raw.ts";
import { Sluice } from "../support/sluice.ts";
import { cleanup, exec, temporaryDirectory } from "../support/tools.ts";

const directory = temporaryDirectory();
const [authority, stranger] = await Promise.all([Authority.create("Root"), Authority.create("Stranger")]);
const below = await authority.intermediate("Below");
const good = await authority.issue();
const [client, _unknownClient] = await Promise.all([
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

async function openssl(...args: string[]): Promise<void> {
  const { code, stderr } = await exec(["openssl", ...args], { cwd: directory });
  if (code !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`);
}

/** One that Authority does not issue: another digest or key. */
async function unusual(name: string, key: readonly string[], digest: string): Promise<Pair> {
  const pair = { cert: join(directory, `${name}.crt`), key: join(directory, `${name}.key`) };
  writeFileSync(join(directory, `${name}.ext`), "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n");
  await openssl("req", "-new", ...key, "-nodes", "-keyout", pair.key, "-out", `${name}.csr`, "-subj", "/CN=localhost");
  await openssl(
    ...["x509", "-req", "-in", `${name}.csr`, "-CA", authority.cert, "-CAkey", authority.key, "-set_serial", "77"],
    ...["-days", "20", "-extfile", `${name}.ext`, digest, "-out", pair.cert],
  );
  return pair;
}

const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
/** Lets openssl load what is too weak for it, and speak what is too old. */
const WEAK = ["-cipher", "DEFAULT@SECLEVEL=0"];

const broker = await Backend.start("broker");

describe("Sluice", () => {
  const start = async (options: string, pair = good) =>
    await Sluice.start({
      dynamic: `
tcp:
  routers: { mqtt: { rule: "HostSNI(\`localhost\`)", service: broker, tls: { options: it } } }
  services: { broker: { loadBalancer: { servers: [{ port: ${broker.port} }] } } }
tls:
  certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }]
  options: { it: ${options} }
`,
    });

  test("a name that it does not serve is said, and so is the way out", async () => {
    const sluice = await start("{}");
    const report = await check(`localhost:${sluice.port}`, ["--sni", "other.test", "--ca", authority.cert]);
    expect(report.problemCodes).toEqual(["server-name-unknown"]);
    expect(report.problems[0]!.remedy).toContain("--sni");
  });

  test("an old version that it is told to take is found", async () => {
    const rsa = await authority.issue({ keyType: "rsa" });
    const sluice = await start("{ minVersion: VersionTLS10 }", rsa);
    const { tls, noteCodes } = await check(`localhost:${sluice.port}`);
    expect(tls.versions.map(({ accepted }) => accepted)).toEqual(["yes", "yes", "yes", "yes"]);
    expect(noteCodes).toContain("old-versions");
  });
});

test("Mosquitto with TLS is looked at, also by an address over IPv6", async () => {
  const six = await authority.issue({ names: ["localhost", "::1"] });
  const lines = [`certfile ${six.cert}`, `keyfile ${six.key}`, `cafile ${authority.cert}`, "require_certificate true"];
  const broker = await Mosquitto.start({ host: "::1", lines });
  const { tls, problemCodes, server, serverName } = await check(`[::1]:${broker.port}`, [
    ...["--ca", authority.cert, "--cert", client.cert, "--key", client.key],
  ]);
  expect({ server, serverName }).toEqual({ server: `[::1]:${broker.port}`, serverName: null });
  expect(problemCodes).toEqual([]);
  expect(tls.client).toMatchObject({ asked: true, letIn: true });
  expect(tls.withoutName).toBeNull();
});

describe("openssl with certificates that keep clients out", () => {
  const cases: [code: string, make: () => Promise<Pair>, args?: string[]][] = [
    ["expired", () => authority.issue({ notAfter: "20210101000000Z" })],
    ["not-yet-valid", () => authority.issue({ notBefore: "20900101000000Z", notAfter: "20910101000000Z" })],
    ["name-mismatch", () => authority.issue({ names: ["other.test"] })],
    ["without-names", () => authority.issue({ names: [], subject: "/CN=localhost" })],
    ["not-for-servers", () => authority.issue({ usage: "clientAuth" })],
    ["must-staple", () => authority.issue({ extensions: "tlsfeature=status_request" })],
    ["weak-signature", () => unusual("sha1", EC, "-sha1"), WEAK],
    ["short-rsa", () => unusual("short", ["-newkey", "rsa:1024"], "-sha256"), WEAK],
    [
      "chain-incomplete",
      () => below.issue({ extensions: "authorityInfoAccess=caIssuers;URI:http://ca.test/below.crt" }),
    ],
    ["untrusted", () => below.issue()],
    ["untrusted", () => stranger.issue()],
  ];
  test.each(cases)("%s", async (code, make, args = []) => {
    const pair = await make();
    const report = await check(`localhost:${await opensslServer(pair, args)}`);
    expect(report.problemCodes).toEqual([code]);
  });

  test("a chain out of order, and what is sent for nothing", async () => {
    const low = await below.intermediate("Low");
    const leaf = await low.issue();
    const file = together("order", { cert: below.cert, key: "" }, low.cert);
    const port = await opensslServer(leaf, ["-cert_chain", file.cert]);
    const { problemCodes, noteCodes } = await check(`localhost:${port}`);
    expect(problemCodes).toEqual(["chain-order"]);
    expect(noteCodes).not.toContain("unrelated-sent");
    const more = together("more", { cert: authority.cert, key: "" }, stranger.cert, below.cert);
    const other = await check(`localhost:${await opensslServer(good, ["-cert_chain", more.cert])}`);
    expect(other.problemCodes).toEqual([]);
    expect(other.noteCodes).toEqual(["expires-soon", "root-sent", "root-sent", "unrelated-sent"]);
  });

  test("a key that belongs to another certificate of the same authority", async () => {
    const forger = await Authority.create("Root");
    const report = await check(`localhost:${await opensslServer(await forger.issue())}`);
    expect(report.problemCodes).toEqual(["untrusted"]);
  });

  test("who is no authority and issues all the same", async () => {
    const false_ = await authority.issue({ names: ["middle"] });
    const pair = { cert: join(directory, "forged.crt"), key: good.key };
    writeFileSync(join(directory, "forged.ext"), "subjectAltName=DNS:localhost\n");
    await openssl("req", "-new", "-key", good.key, "-out", "forged.csr", "-subj", "/CN=localhost");
    await openssl(
      ...["x509", "-req", "-in", "forged.csr", "-CA", false_.cert, "-CAkey", false_.key, "-set_serial", "5"],
      ...["-days", "20", "-extfile", "forged.ext", "-out", pair.cert],
    );
    const port = await opensslServer(pair, ["-cert_chain", false_.cert]);
    const report = await check(`localhost:${port}`);
    expect(report.problemCodes).toContain("chain-refused");
  });

  test("without --ca, a private authority is none that is trusted", async () => {
    const report = await check(`localhost:${await opensslServer(good)}`, []);
    expect(report.authorities).toBe("public");
    expect(report.problemCodes).toEqual(["untrusted"]);
    expect(report.problems[0]!.remedy).toContain("--ca");
  });
});

describe("openssl with what some clients cannot do with", () => {
  const sans = Array.from({ length: 300 }, (_, index) => `DNS:device-${index}.example.com`);
  const cases: [code: string, make: () => Promise<Pair>, args?: string[]][] = [
    ["rare-key", () => unusual("ed25519", ["-newkey", "ed25519"], "-sha256")],
    ["long-chain", () => authority.issue({ sans })],
    ["large-rsa", () => unusual("large", ["-newkey", "rsa:4096"], "-sha256")],
    ["expires-soon", async () => good],
    ["long-lived", () => authority.issue({ notBefore: "20250101000000Z", notAfter: "20400101000000Z" })],
    ["old-versions", async () => good, ["-cipher", "DEFAULT@SECLEVEL=0"]],
    ["no-tls12", async () => good, ["-tls1_3"]],
    ["alpn-refused", async () => good, ["-alpn", "other"]],
    ["no-forward-secrecy", () => authority.issue({ keyType: "rsa" }), ["-cipher", "AES128-SHA"]],
    ["client-not-asked", async () => good],
    ["status-online", () => authority.issue({ extensions: "crlDistributionPoints=URI:http://ca.test/list.crl" })],
  ];
  test.each(cases)("%s", async (code, make, args = []) => {
    const pair = await make();
    const shown = ["--cert", client.cert, "--key", client.key];
    const report = await check(`localhost:${await opensslServer(pair, args)}`, ["--ca", authority.cert, ...shown]);
    expect(report.problemCodes).toEqual([]);
    expect(report.noteCodes).toContain(code);
    if (code === "no-tls12")
      expect(report.tls.versions.map(({ accepted }) => accepted)).toEqual(["yes", "no", "no", "no"]);
    if (code === "status-online") expect(report.tls.status.lists).toEqual(["http://ca.test/list.crl"]);
    if (code === "long-chain") expect(report.tls.certificateBytes).toBeGreaterThan(4096);
  });

  test("a name that fits by a wildcard, and a server that asks for certificates of others", async () => {
    const wild = await authority.issue({ names: ["*.example.com"] });
    const port = await opensslServer(wild, ["-verify", "1", "-CAfile", stranger.cert]);
    const report = await check(`localhost:${port}`, [
      ...["--sni", "a.example.com", "--ca", authority.cert, "--cert", client.cert, "--key", client.key],
    ]);
    expect(report.noteCodes).toContain("wildcard");
    expect(report.noteCodes).toContain("client-issuer-not-named");
    expect(report.tls.client.authorities).toEqual(["CN=Stranger"]);
    const deep = await check(`localhost:${port}`, ["--sni", "b.a.example.com", "--ca", authority.cert]);
    expect(deep.problemCodes).toEqual(["name-mismatch"]);
  });

  test("a suite and a group of every kind are read, with their certificates", async () => {
    for (const [args, version, cipher, group] of [
      [
        ["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384", "-groups", "P-521"],
        "1.3",
        "TLS_AES_256_GCM_SHA384",
        "P-521",
      ],
      [["-tls1_3", "-groups", "P-384"], "1.3", "TLS_AES_256_GCM_SHA384", "P-384"],
      [
        ["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305", "-groups", "P-256"],
        "1.2",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "P-256",
      ],
    ] as const) {
      const { tls } = await check(`localhost:${await opensslServer(good, args)}`);
      expect(tls.versions.find((each) => each.version === version)).toMatchObject({ accepted: "yes", group });
      if (args[0] === "-tls1_2") expect(tls.versions[1]!.cipher).toBe(cipher);
      expect(tls.certificates).toHaveLength(1);
    }
    const chacha = ["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"];
    const closed = await check(`localhost:${await opensslServer(good, chacha)}`);
    expect(closed.problemCodes).toEqual(["certificates-unreadable"]);
  });

  test("what only other TLS libraries have is no fault of the server", async () => {
    const rsa = await authority.issue({ keyType: "rsa" });
    const curve = (name: string) => ["-newkey", "ec", "-pkeyopt", `ec_paramgen_curve:${name}`];
    const servers: [Pair, string[], string | null][] = [
      [rsa, ["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"], "DH 2048"],
      [good, ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-CCM8"], "X25519"],
      [await unusual("p384", curve("P-384"), "-sha384"), [], "X25519"],
      [await unusual("p521", curve("P-521"), "-sha512"), [], "X25519"],
      [rsa, ["-tls1_1", ...WEAK], null],
    ];
    for (const [pair, args, group] of servers) {
      const { tls, problems } = await check(`localhost:${await opensslServer(pair, args)}`);
      expect(problems).toEqual([]);
      if (group !== null) expect(tls.versions.find(({ accepted }) => accepted === "yes")!.group).toBe(group);
    }
  });

  test("it keeps to max_fragment_length, and not to record_size_limit, which it does not know", async () => {
    const long = await authority.issue({ sans: sans.slice(0, 40) });
    const { tls } = await check(`localhost:${await opensslServer(long)}`);
    expect(tls.shortRecords).toEqual({ maxFragmentLength: "yes", recordSizeLimit: "no" });
  });

  test("a proof of status that comes with the certificate is seen", async () => {
    const stapled = await authority.issue({ extensions: "tlsfeature=status_request" });
    writeFileSync(join(directory, "index.txt"), "");
    await openssl("ocsp", "-issuer", authority.cert, "-cert", stapled.cert, "-reqout", "request.der");
    await openssl(
      ...["ocsp", "-index", "index.txt", "-rsigner", authority.cert, "-rkey", authority.key, "-CA", authority.cert],
      ...["-reqin", "request.der", "-respout", "response.der", "-ndays", "3"],
    );
    const port = await opensslServer(stapled, ["-status_file", join(directory, "response.der")]);
    const report = await check(`localhost:${port}`);
    expect(report.problemCodes).toEqual([]);
    expect(report.tls.status).toMatchObject({ stapled: true, mustStaple: true });
  });
});

describe("something between client and server", () => {
  /** `allows` says of the first bytes whether they may pass. */
  const between = async (port: number, allows: (hello: Buffer) => boolean, delayMs = 0): Promise<number> => {
    const server = createServer((client) => {
      client.once("data", async (hello: Buffer) => {
        if (!allows(hello)) return client.destroy();
        await new Promise((next) => setTimeout(next, delayMs));
        const upstream = connect({ host: "127.0.0.1", port });
        for (const [one, other] of [
          [client, upstream],
          [upstream, client],
        ] as const)
          one.on("error", () => other.destroy());
        upstream.write(hello);
        client.pipe(upstream).pipe(client);
      });
      client.on("error", () => {});
    });
    await new Promise<void>((next) => server.listen(0, "127.0.0.1", next));
    cleanup(() => server.close());
    return (server.address() as { port: number }).port;
  };

  test("that closes at old versions: neither taken nor refused", async () => {
    // The version of a hello stands behind the headers of its record and of the message.
    const port = await between(await opensslServer(good), (hello) => hello.readUInt16BE(9) === 0x0303);
    const { tls, problemCodes, noteCodes } = await check(`localhost:${port}`);
    expect(problemCodes).toEqual([]);
    expect(noteCodes).toContain("version-unclear");
    expect(tls.versions.map(({ accepted }) => accepted)).toEqual(["yes", "yes", "unclear", "unclear"]);
  });

  test("that is slow: what there was no time for is said", async () => {
    const port = await between(await opensslServer(good), () => true, 400);
    const report = await check(`localhost:${port}`, ["--ca", authority.cert, "--timeout", "1"]);
    expect(report.problemCodes).toEqual(["out-of-time"]);
    expect(report.tls.certificates).toHaveLength(1);
    expect(report.tls.client.letIn).toBeNull();
    const whole = await check(`localhost:${port}`, ["--ca", authority.cert, "--timeout", "60"]);
    expect(whole.problemCodes).toEqual([]);
    expect(whole.tls.client.letIn).toBe(true);
  });
});

describe("where no TLS is spoken", () => {
  const serve = async (behave: (socket: Socket) => void) => (await tcpServer(behave)).port;
  const cases: [code: string, server: () => Promise<string>][] = [
    [
      "no-answer",
      async () => {
        const port = await deafListener();
        await RawClient.open(port); // it takes one, and then no more
        return `127.0.0.1:${port}`;
      },
    ],
    ["silent", async () => `127.0.0.1:${await serve(() => {})}`],
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
