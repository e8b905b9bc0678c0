// The HTTP side of the master.

import { expect, test } from "bun:test";
import { serveAdmin } from "../../../src/admin/server.ts";
import { RawClient } from "../../support/raw.ts";
import { cleanup } from "../../support/tools.ts";

test("a request without a Host header, as HTTP/1.0 allows, is answered", async () => {
  const server = serveAdmin("127.0.0.1", 0, { metrics: null, ping: () => true, challenge: () => null });
  cleanup(() => server.stop(true));
  for (const [path, status] of [
    ["/ping", 200],
    ["/.well-known/acme-challenge/unknown", 404],
  ] as const) {
    const client = await RawClient.exchange(server.port!, Buffer.from(`GET ${path} HTTP/1.0\r\n\r\n`));
    expect(client.received.toString()).toMatch(new RegExp(`^HTTP/1.[01] ${status} `));
  }
});
