// The HTTP side of the master: whatever is sent, each request has its answer, and a flood costs no more than its share.

import { expect, test } from "bun:test";
import { type Handler, serveAdmin } from "../../../src/admin/server.ts";
import { shared } from "../../../src/admin/shared.ts";
import { RawClient } from "../../support/raw.ts";
import { cleanup, waitFor } from "../../support/tools.ts";

async function served(paths: Record<string, Handler>): Promise<number> {
  const server = await serveAdmin({ host: "127.0.0.1", port: 0 }, new Map(Object.entries(paths)));
  cleanup(() => server.stop());
  return server.port;
}

const later = async (body: string) => {
  await new Promise((next) => setTimeout(next, 20));
  return { body };
};
const statuses = (client: RawClient) => client.received.toString().match(/^HTTP\/1\.1 \d+/gm) ?? [];

test("a request without a Host header, as HTTP/1.0 allows, is answered", async () => {
  const port = await served({ "/ping": () => ({ body: "OK" }), "/.well-known/acme-challenge/": () => null });
  for (const [path, status] of [
    ["/ping", 200],
    ["/.well-known/acme-challenge/unknown", 404],
    ["/.well-known/other", 404],
  ] as const) {
    const client = await RawClient.exchange(port, Buffer.from(`GET ${path} HTTP/1.0\r\n\r\n`));
    expect(client.received.toString()).toMatch(new RegExp(`^HTTP/1.[01] ${status} `));
  }
});

test("pipelined requests are answered all, in order, also where an answer takes its time", async () => {
  const port = await served({ "/slow": () => later("slow answer"), "/quick": () => ({ body: "quick answer" }) });
  const client = await RawClient.open(port);
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
  client.socket.write(get("/slow") + get("/slow") + get("/quick"));
  await client.until("quick answer");
  expect(client.received.toString().match(/\w+ answer/g)).toEqual(["slow answer", "slow answer", "quick answer"]);
});

test("no Host header makes an error of a request", async () => {
  const hosts: string[] = [];
  const port = await served({
    "/ping": ({ host }) => {
      hosts.push(host);
      return { body: "OK" };
    },
  });
  for (const host of ["[", "]", "a b", "[::1]:80", "X.Test:8080", ":", "a:b:c", "é", "x".repeat(4000)]) {
    const client = await RawClient.open(port);
    client.socket.write(`GET /ping HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    await client.untilClosed();
    expect(statuses(client)).not.toContain("HTTP/1.1 500");
  }
  expect(hosts).toContain("[::1]");
  expect(hosts).toContain("x.test");
});

test("other methods are refused, a body is not read, and a handler that fails is status 500", async () => {
  const port = await served({
    "/ping": () => ({ body: "OK" }),
    "/broken": () => {
      throw new Error("secret");
    },
  });
  const url = `http://127.0.0.1:${port}`;
  const posted = await fetch(`${url}/ping`, { method: "POST", body: "x".repeat(100_000) });
  expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  const head = await fetch(`${url}/ping`, { method: "HEAD" });
  expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "2", ""]);
  const broken = await fetch(`${url}/broken`);
  expect([broken.status, await broken.text()]).toEqual([500, "internal error\n"]);
});

test("what many ask for at the same time is made once for all of them", async () => {
  let made = 0;
  const body = "x".repeat(200_000);
  const render = shared(async () => {
    made++;
    return (await later(body)).body;
  });
  const port = await served({ "/metrics": async () => ({ body: await render() }), "/ping": () => ({ body: "OK" }) });
  const clients = await Promise.all(Array.from({ length: 200 }, () => RawClient.open(port)));
  for (const { socket } of clients) {
    socket.pause();
    socket.write("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(20));
  }
  await waitFor("/ping, beside 4000 requests whose answers nobody reads", async () => {
    const response = await fetch(`http://127.0.0.1:${port}/ping`).catch(() => null);
    return response?.status === 200;
  });
  for (const { socket } of clients) socket.destroy();
  await waitFor("room again", async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).status === 200);
  expect(made).toBeLessThan(100);
});

test.each(["/ping", "/nowhere"])(
  "a client that pipelines requests for %s without reading an answer is closed, after so many",
  async (path) => {
    let answered = 0;
    const port = await served({
      "/": () => {
        answered++;
        return { body: "x".repeat(1000) };
      },
    });
    const client = await RawClient.open(port);
    client.socket.pause();
    const request = `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(1000);
    let written = 0;
    await waitFor("the connection to be closed", async () => {
      if (written < 50) client.socket.write(request);
      written++;
      client.socket.resume();
      return client.closed;
    });
    expect(answered).toBeLessThanOrEqual(100);
  },
);

test("fact: Bun.serve answers nothing when a second request comes before the first answer, which is why it is not used", async () => {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async () => new Response((await later("x")).body),
  });
  cleanup(() => server.stop(true));
  const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  const client = await RawClient.exchange(server.port!, Buffer.from(get + get));
  expect(client.received.toString()).toBe("");
});
