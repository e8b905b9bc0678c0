// A reload that comes between a client's hello and the end of its handshake: the rules in force decide, not those it began under.

import { expect, test } from "bun:test";
import { connect, createServer, type Socket } from "node:net";
import { Authority } from "../support/certs.ts";
import { tcpServer, tlsClient } from "../support/clients.ts";
import { Sluice } from "../support/sluice.ts";
import { cleanup, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });

/** In front of `port`: lets the hello through, and what the client answers to the server's flight only when it is told to. */
async function halfway(port: number): Promise<{ port: number; answered: () => boolean; letGo: () => void }> {
  let held: { socket: Socket; chunks: Buffer[] } | null = null;
  const server = createServer((client) => {
    const upstream = connect({ host: "127.0.0.1", port });
    let first = true;
    client.on("data", (chunk: Buffer) => {
      if (first) upstream.write(chunk);
      else if (held === null) held = { socket: upstream, chunks: [chunk] };
      else held.chunks.push(chunk);
      first = false;
    });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on("error", () => to.destroy());
      from.on("close", () => to.end());
    }
    upstream.on("data", (chunk) => client.write(chunk));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  cleanup(() => server.close());
  const address = server.address();
  return {
    port: typeof address === "object" ? address!.port : 0,
    answered: () => held !== null,
    letGo: () => {
      for (const chunk of held!.chunks) held!.socket.write(chunk);
    },
  };
}

const dynamic = (port: number, router = 'rule: "HostSNI(`localhost`)", service: s, tls: {}', more = "") => `
tcp:
  routers: { r: { ${router} } }
  services: { s: { loadBalancer: { servers: [{ port: ${port} }] } } }
  ${more.startsWith("middlewares") ? more : ""}
tls:
  certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }]
  ${more.startsWith("options") ? more : ""}`;

/** The one of all tests. */
const sluice = await Sluice.start({ dynamic: "{}\n" });

/** A client that is held halfway through its handshake while the configuration becomes `after`. The servers are those of this client. */
async function scene(after: (ports: { old: number; other: number }) => string, meanwhile = async () => {}) {
  const greet = (text: string) => tcpServer((socket) => socket.write(text));
  const [old, other] = [await greet("old"), await greet("new")];
  await sluice.reload(() => sluice.replace("dynamic.yml", dynamic(old.port)));
  const proxy = await halfway(sluice.port);
  const client = tlsClient(proxy.port);
  let heard = "";
  void client.then(
    (socket) => socket.on("data", (chunk) => (heard += chunk)),
    () => {},
  );
  await waitFor("the client to answer the server's flight", proxy.answered);
  await meanwhile();
  await sluice.reload(() => sluice.replace("dynamic.yml", after({ old: old.port, other: other.port })));
  proxy.letGo();
  return { old, other, heard: () => heard };
}

test("a router that asks for a client certificate by now refuses who was not asked for one", async () => {
  const { old } = await scene(({ old: port }) =>
    dynamic(
      port,
      'rule: "HostSNI(`localhost`)", service: s, tls: { options: strict }',
      `options: { strict: { clientAuth: { caFiles: [${authority.cert}] } } }`,
    ),
  );
  await sluice.access(({ reason }) => reason === "rules-changed");
  expect(old.accepted()).toBe(0);
});

test("a service that is another by now gets the client, and the former one does not", async () => {
  const { old, other, heard } = await scene(({ other: port }) => dynamic(port));
  await waitFor("the new server's greeting", () => heard() === "new");
  expect([old.accepted(), other.accepted()]).toEqual([0, 1]);
});

test("a router that the client does not stay with has never counted it: a counter does not go down", async () => {
  const counted = (router: string) => sluice.metric("sluice_router_connections_total", { router });
  const open = (router: string) => sluice.metric("sluice_router_open_connections", { router });
  const [before, others] = [await counted("r@file"), await open("r@file")];
  const router = 'rule: "HostSNI(`localhost`)", service: s, tls: {}';
  const { heard } = await scene(
    ({ other }) => dynamic(other, `${router} }, nearer: { priority: 1000, ${router}`),
    async () => {
      expect([await open("r@file"), await counted("r@file")]).toEqual([others + 1, before]);
    },
  );
  await waitFor("the new router's greeting", () => heard() === "new");
  expect([await open("r@file"), await counted("r@file")]).toEqual([others, before]);
  expect([await open("nearer@file"), await counted("nearer@file")]).toEqual([1, 1]);
});

test("a router that is off by now refuses", async () => {
  const { old } = await scene(({ old: port }) =>
    dynamic(port, 'rule: "HostSNI(`localhost`)", service: unknown, tls: {}'),
  );
  await sluice.access(({ reason }) => reason === "router-off");
  expect(old.accepted()).toBe(0);
});

test("an allow list that is there by now refuses who is not in it", async () => {
  const { old } = await scene(({ old: port }) =>
    dynamic(
      port,
      'rule: "HostSNI(`localhost`)", service: s, middlewares: [office], tls: {}',
      "middlewares: { office: { ipAllowList: { sourceRange: [192.0.2.0/24] } } }",
    ),
  );
  await sluice.access(({ reason }) => reason === "address-not-allowed");
  expect(old.accepted()).toBe(0);
});
