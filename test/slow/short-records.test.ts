// A client that takes short records alone gets no longer ones, in the handshake and after it, whether it says so or the options do. The
// lengths are read off the wire.

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { Authority } from "../support/certs.ts";
import { type RecordProxy, recordProxy } from "../support/record-lengths.ts";
import { Sluice } from "../support/sluice.ts";
import { cleanup, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const below = await authority.intermediate("Below");
const server = await below.issue({ names: ["*.test"] });
// A chain that is longer than the shortest records.
writeFileSync(server.cert, readFileSync(server.cert, "utf8") + readFileSync(below.cert, "utf8"));

const MESSAGE = Buffer.alloc(40_000, "0123456789abcdef");
/** Sends a long message to everyone at once, and its end behind it. */
const backend = createServer((socket) => {
  socket.on("error", () => {});
  socket.write(MESSAGE);
  socket.write("the end\n");
});
await new Promise<void>((next) => backend.listen(0, "127.0.0.1", next));
cleanup(() => backend.close());
const backendPort = (backend.address() as { port: number }).port;

const sluice = await Sluice.start({
  dynamic: `
tcp:
  routers:
    plain: { rule: "HostSNI(\`plain.test\`)", service: sender, tls: {} }
    short: { rule: "HostSNI(\`short.test\`)", service: sender, tls: { options: short } }
  services: { sender: { loadBalancer: { servers: [{ port: ${backendPort} }] } } }
tls:
  certificates: [{ certFile: ${server.cert}, keyFile: ${server.key} }]
  options: { short: { maxRecordSize: 1024 } }
`,
});

/** What a record has besides its content: in TLS 1.3 the type and the tag, before it a nonce and the tag. */
const OVERHEAD = 24;
const HANDSHAKE = 22;

/** Runs a client through the proxy until it has the whole message; all lengths of records. */
async function lengths(command: (proxy: RecordProxy) => string[]): Promise<{ all: number[]; handshake: number[] }> {
  const proxy = await recordProxy(sluice.port);
  const child = Bun.spawn(command(proxy), { stdin: "pipe", stdout: "pipe", stderr: "pipe", timeout: 20_000 });
  cleanup(() => child.kill());
  let output = Buffer.alloc(0);
  void (async () => {
    for await (const chunk of child.stdout) output = Buffer.concat([output, chunk]);
  })();
  await waitFor("the whole message", () => {
    if (child.exitCode !== null && !output.includes("the end\n"))
      throw new Error(`${child.exitCode}: ${output.subarray(0, 3000)}`);
    return output.includes("the end\n") || null;
  });
  child.kill();
  expect(output.includes(MESSAGE)).toBe(true);
  const records = proxy.records();
  return {
    all: records.map(({ length }) => length),
    handshake: records.filter(({ type }) => type === HANDSHAKE).map(({ length }) => length),
  };
}

/** OpenSSL asks for max_fragment_length, GnuTLS for record_size_limit. */
const openssl =
  (name: string, ...args: string[]) =>
  ({ port }: RecordProxy) => [
    ...["openssl", "s_client", "-quiet", "-connect", `127.0.0.1:${port}`, "-servername", name, ...args],
  ];
const gnutls =
  (name: string, size: number, versions: string) =>
  ({ port }: RecordProxy) => [
    ...["gnutls-cli", "--no-ca-verification", "--sni-hostname", name, "--recordsize", String(size), "-p", String(port)],
    ...["--priority", `NORMAL:-VERS-ALL:${versions}`, "127.0.0.1"],
  ];

for (const version of ["-tls1_2", "-tls1_3"] as const) {
  describe(`OpenSSL ${version} with max_fragment_length`, () => {
    test.each([512, 1024, 2048, 4096])("of %d", async (size) => {
      const { all } = await lengths(openssl("plain.test", version, "-maxfraglen", String(size)));
      expect(Math.max(...all)).toBeLessThanOrEqual(size + OVERHEAD);
      // And not shorter than they need be.
      expect(all.filter((length) => length > size).length).toBeGreaterThanOrEqual(
        Math.floor(MESSAGE.length / size / 2),
      );
    });
  });

  test(`OpenSSL ${version}: who asks for nothing gets long records`, async () => {
    const { all } = await lengths(openssl("plain.test", version));
    expect(Math.max(...all)).toBeGreaterThan(16_000);
  });

  test(`OpenSSL ${version}: maxRecordSize is for who asks for nothing, and for more`, async () => {
    for (const args of [[], ["-maxfraglen", "2048"]]) {
      const { all } = await lengths(openssl("short.test", version, ...args));
      expect(Math.max(...all)).toBeLessThanOrEqual(1024 + OVERHEAD);
      expect(Math.max(...all)).toBeGreaterThan(1024);
    }
    const { all } = await lengths(openssl("short.test", version, "-maxfraglen", "512"));
    expect(Math.max(...all)).toBeLessThanOrEqual(512 + OVERHEAD);
  });
}

for (const [version, priority] of [
  ["TLS 1.2", "+VERS-TLS1.2"],
  ["TLS 1.3", "+VERS-TLS1.3"],
] as const)
  test.each([600, 1500, 4096])(`GnuTLS with ${version} and record_size_limit: %d`, async (size) => {
    // It ends the connection with record_overflow when a record is longer.
    const { all } = await lengths(gnutls("plain.test", size, priority));
    expect(Math.max(...all)).toBeLessThanOrEqual(size + OVERHEAD);
    expect(all.filter((length) => length > size - 2).length).toBeGreaterThanOrEqual(
      Math.floor(MESSAGE.length / size / 2),
    );
  });

test("the certificate chain of the handshake is cut too", async () => {
  const { handshake } = await lengths(openssl("plain.test", "-tls1_2", "-maxfraglen", "512"));
  // Before TLS 1.3 it is in the clear, and so without overhead.
  expect(Math.max(...handshake.slice(0, -1))).toBe(512);
});
