// Middlewares of a router: who is refused hears it by the protocol's own means, is counted as what it is, and nothing is dialled for it.

import { expect, test } from "bun:test";
import type { Socket } from "node:net";
import { Authority } from "../support/certs.ts";
import { tcpClient, tcpServer, tlsClient } from "../support/clients.ts";
import { RawClient } from "../support/raw.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });
const server = await tcpServer((socket) => socket.write("hello"));

const sluice = await Sluice.start({
  dynamic: `
tcp:
  middlewares:
    elsewhere: { ipAllowList: { sourceRange: [192.0.2.0/24] } }
    here: { ipWhiteList: { sourceRange: [127.0.0.0/8] } }
    two: { inFlightConn: { amount: 2 } }
  routers:
    closed: { rule: "HostSNI(\`closed.test\`)", service: s, tls: {}, middlewares: [here, elsewhere] }
    through: { rule: "HostSNI(\`through.test\`)", service: s, tls: { passthrough: true }, middlewares: [elsewhere] }
    few: { rule: "HostSNI(\`few.test\`)", service: s, tls: {}, middlewares: [here, two@file] }
    same: { rule: "HostSNI(\`same.test\`)", service: s, tls: {}, middlewares: [two] }
    network: { rule: "HostSNI(\`network.test\`) && ClientIP(\`192.0.2.0/24\`)", service: s, tls: {} }
    plain: { rule: "HostSNI(\`*\`)", service: s, middlewares: [elsewhere] }
  services: { s: { loadBalancer: { servers: [{ port: ${server.port} }] } } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }`,
});

const refused = (servername: string) =>
  tlsClient(sluice.port, { servername }).then(
    () => "let in",
    (error: NodeJS.ErrnoException) => error.code ?? error.message,
  );

test.each([
  ["terminates TLS", "closed.test", "closed@file"],
  ["passes TLS through", "through.test", "through@file"],
])(
  "a router that %s refuses an address that its list does not have, with the alert access_denied",
  async (_, name, router) => {
    const before = server.accepted();
    expect(await refused(name)).toContain("ACCESS_DENIED");
    const access = await sluice.access((each) => each.sni === name);
    expect(access).toMatchObject({ reason: "address-not-allowed", router, client: "127.0.0.1" });
    expect(await sluice.metric("sluice_connections_total", { result: "address-not-allowed" })).toBeGreaterThan(0);
    expect(server.accepted()).toBe(before);
  },
);

test("a plain router closes such a client without a word", async () => {
  const connect = Buffer.from("101100044d5154540402003c0005636c69656e74", "hex");
  const client = await RawClient.exchange(sluice.port, connect);
  expect(client.received.length).toBe(0);
  await sluice.access((each) => each.router === "plain@file" && each.reason === "address-not-allowed");
});

test("a name that a router has, whose address it has not, is no unknown name", async () => {
  expect(await refused("network.test")).not.toBe("let in");
  expect((await sluice.access((each) => each.sni === "network.test")).reason).toBe("no-route");
  expect(await refused("nobody.test")).not.toBe("let in");
  expect((await sluice.access((each) => each.sni === "nobody.test")).reason).toBe("unknown-sni");
});

test("an address has so many connections over all routers with the middleware, a reload keeps the count, and who goes makes room", async () => {
  const come = (servername: string) => tlsClient(sluice.port, { servername });
  const first = await come("few.test");
  const second = await come("same.test");
  expect(await refused("few.test")).toContain("ACCESS_DENIED");
  await sluice.access((each) => each.reason === "too-many-connections");
  await sluice.reload(() =>
    sluice.write("more.yml", "tcp: { middlewares: { other: { inFlightConn: { amount: 9 } } } }"),
  );
  expect(await refused("same.test")).toContain("ACCESS_DENIED");
  first.destroy();
  let third: Socket | null = null;
  await waitFor("a place to be free", async () => {
    third = await come("few.test").catch(() => null);
    return third;
  });
  (third as unknown as Socket).destroy();
  second.destroy();
});

test("an entry point with plain routers alone asks before a byte has come", async () => {
  const other = await Sluice.start({
    dynamic: `
tcp:
  middlewares: { elsewhere: { ipAllowList: { sourceRange: [192.0.2.0/24] } } }
  routers: { plain: { rule: "HostSNI(\`*\`)", service: s, middlewares: [elsewhere] } }
  services: { s: { loadBalancer: { servers: [{ port: ${server.port} }] } } }`,
  });
  const client = await tcpClient(other.port);
  client.resume();
  await new Promise((closed) => client.once("close", closed).once("end", () => client.end()));
  await other.access((each) => each.reason === "address-not-allowed");
});
