// sluice certs check is total: whatever a server answers, with changed bytes, cut off or made up, it says what it saw.

import { expect, test } from "bun:test";
import { randomBytes, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { serverText } from "../../src/cli/certs-check-text.ts";
import { ask } from "../../src/net/exchange.ts";
import { checkServer } from "../../src/survey/check.ts";
import { helloRecord, writeHello } from "../../src/wire/probe-hello.ts";
import { Authority } from "../support/certs.ts";
import { opensslServer } from "../support/openssl-server.ts";
import { random } from "../support/random.ts";
import { cleanup } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({
  extensions:
    "crlDistributionPoints=URI:http://ca.test/list.crl\nauthorityInfoAccess=OCSP;URI:http://ca.test/ocsp,caIssuers;URI:http://ca.test/ca.crt",
});
const ca = { file: authority.cert, certificates: [new X509Certificate(readFileSync(authority.cert))] };

/** What openssl answers to a hello of TLS 1.2, all of it in the clear. */
async function recordedFlight(...args: string[]): Promise<Buffer> {
  const port = await opensslServer(pair, ["-tls1_2", ...args]);
  const hello = writeHello({
    ...{ version: "1.2", serverName: "localhost", alpn: [], suites: [0xc02b], groups: [29, 23], keyShares: [] },
    ...{ random: randomBytes(32), sessionId: randomBytes(32) },
  });
  let flight = Buffer.alloc(0);
  const receive = (chunk: Buffer) => {
    flight = Buffer.concat([flight, chunk]);
    return flight.subarray(-4).equals(Buffer.from("0e000000", "hex")); // ServerHelloDone
  };
  expect(await ask({ address: "127.0.0.1", port }, helloRecord(hello), receive, 5000)).toBe("done");
  return flight;
}

const flight = await recordedFlight("-verify", "1", "-CAfile", authority.cert);
let answer = flight;
const hostile = createServer((socket) => {
  socket.on("error", () => {});
  socket.once("data", () => socket.end(answer));
});
await new Promise<void>((next) => hostile.listen(0, "127.0.0.1", next));
cleanup(() => hostile.close());
const { port } = hostile.address() as { port: number };

async function check() {
  const target = { host: "127.0.0.1", port, serverName: "localhost" };
  const request = { target, server: `127.0.0.1:${port}`, name: "localhost", ca, client: null, timeoutMs: 10_000 };
  const report = await checkServer(request, Date.now());
  JSON.stringify(report);
  if (report.tls !== null) serverText(report, report.tls);
  return report;
}

test("an answer as it was recorded is read, though no handshake comes of it", async () => {
  answer = flight;
  const report = await check();
  expect(report.tls!.status).toMatchObject({ ocsp: ["http://ca.test/ocsp"], lists: ["http://ca.test/list.crl"] });
  expect(report.tls!.client).toMatchObject({ asked: true, authorities: ["CN=Test CA"], letIn: false });
  expect(report.tls!.trustedBy).toBe("CN=Test CA");
});

test("a server that answers a hello, and lets nobody in, is told from one that wants a certificate", async () => {
  answer = await recordedFlight();
  expect((await check()).problems.map(({ code }) => code)).toEqual(["handshake-failed"]);
});

test("answers with changed bytes, cut off, repeated, or of nothing but noise", async () => {
  const { below, chance } = random(13);
  const kinds = new Set<string>();
  for (let round = 0; round < 400; round++) {
    answer = Buffer.from(flight);
    if (chance(0.1)) answer = randomBytes(1 + below(2000));
    for (let changes = below(4); changes > 0 && answer.length > 0; changes--) answer[below(answer.length)] = below(256);
    if (chance(0.2)) answer = answer.subarray(0, below(answer.length));
    if (chance(0.1)) answer = Buffer.concat([answer, flight]);
    const report = await check();
    for (const { code } of report.problems) kinds.add(code);
  }
  // It got as far as the certificates in some, and not in others.
  for (const code of ["closes", "not-tls", "signature-wrong", "untrusted"]) kinds.delete(code);
  expect(kinds.size).toBeGreaterThan(2);
}, 240_000);
