// An authority that answers nonsense costs an order and nothing else. No real authority can be made to, so this one is a stand-in that
// speaks just enough of the protocol.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { AcmeClient } from "../../src/acme/client.ts";
import { AcmeManager } from "../../src/acme/manager.ts";
import { obtain } from "../../src/acme/obtain.ts";
import type { Resolver } from "../../src/acme/resolver.ts";
import { AcmeStorage } from "../../src/acme/storage.ts";
import { Authority } from "../support/certs.ts";
import { saveAccount, smallAccountKey } from "../support/pebble.ts";
import { cleanup, temporaryDirectory, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });

/** What it answers to an order, and how often it was asked for one. */
let answerOrder: () => Response = () => new Response("", { status: 500 });
let answerCertificate = "";
let orders = 0;
/** What each order said it replaces. */
let replaced: unknown[] = [];
/** The window that it suggests for renewals, and how often it was asked for one. */
let answerRenewal: () => Response = () => new Response("", { status: 404 });
let asked = 0;
const server: { port?: number | undefined; stop(now: boolean): unknown } = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  tls: { cert: readFileSync(pair.cert, "utf8"), key: readFileSync(pair.key, "utf8") },
  async fetch(request): Promise<Response> {
    const base = `https://localhost:${server.port}`;
    const headers = { "replay-nonce": String(Math.random()) };
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/renewal/")) {
      asked++;
      return answerRenewal();
    }
    switch (pathname) {
      case "/dir":
        return Response.json({
          ...{ newNonce: `${base}/nonce`, newAccount: `${base}/account`, newOrder: `${base}/order` },
          renewalInfo: `${base}/renewal`,
        });
      case "/nonce":
        return new Response(null, { headers });
      case "/account":
        return Response.json({}, { status: 201, headers: { ...headers, location: `${base}/account/1` } });
      case "/order": {
        orders++;
        const { payload } = (await request.json()) as { payload: string };
        replaced.push(JSON.parse(Buffer.from(payload, "base64url").toString()).replaces);
        const response = answerOrder();
        response.headers.set("replay-nonce", headers["replay-nonce"]);
        return response;
      }
      case "/order/1":
        return Response.json(order("valid"), { headers });
      case "/certificate":
        return new Response(answerCertificate, { headers });
      default:
        return new Response("{}", { headers });
    }
  },
});
cleanup(() => server.stop(true));

const order = (status: string, more: object = {}): object => {
  const base = `https://localhost:${server.port}`;
  return { status, authorizations: [], finalize: `${base}/finalize`, certificate: `${base}/certificate`, ...more };
};
const taken = (more: object = {}) =>
  Response.json(order("ready", more), {
    status: 201,
    headers: { location: `https://localhost:${server.port}/order/1` },
  });

const ACCOUNT = `https://localhost:${server.port}/account/1`;

function resolverWith(storage = join(temporaryDirectory(), "acme.json")): Resolver {
  saveAccount(storage, "le", ACCOUNT);
  return {
    ...{ name: "le", storage, email: "", keyType: "EC256", profile: null },
    ...{ preferredChain: null, externalAccount: null, responders: [] },
    endpoint: {
      directory: `https://localhost:${server.port}/dir`,
      ...{ ca: readFileSync(authority.cert, "utf8"), serverName: null, timeoutMs: 5000, userAgent: "test" },
    },
  };
}

/** What comes after a failure at once would come within this: a loop without a pause orders again and again meanwhile. */
async function moment(): Promise<void> {
  const until = performance.now() + 300;
  await waitFor("a moment", () => performance.now() > until || null);
}

/** Orders once and gives the log line of the failure; whatever comes after it within a moment is counted too. */
async function failure(): Promise<Record<string, unknown>> {
  orders = 0;
  const lines: Record<string, unknown>[] = [];
  const resolver = resolverWith();
  const manager = new AcmeManager([resolver], {
    onObtained: () => {},
    onResult: () => {},
    log: (level, message, fields) => void (level === "error" && lines.push({ message, ...fields })),
  });
  manager.want([{ resolver: "le", names: ["hostile.test"], router: "r", asDefault: false }]);
  const line = await waitFor("the failure", () => lines[0] ?? null, 20_000);
  await moment();
  manager.close();
  expect(lines).toHaveLength(1);
  return line;
}

for (const [what, value] of [
  ["a date that no clock can show", "Sat, 13 Sep 275760 00:00:00 GMT"],
  ["thirty years", "999999999"],
] as const)
  test(`Retry-After of ${what} is a week at most`, async () => {
    answerOrder = () =>
      Response.json(
        { type: "urn:ietf:params:acme:error:rateLimited", detail: "later" },
        { status: 429, headers: { "retry-after": value } },
      );
    const line = await failure();
    expect(line).toMatchObject({ message: "no certificate from the authority", reason: "rateLimited: later" });
    const wait = Date.parse(line.nextTry as string) - Date.now();
    expect(wait).toBeGreaterThan(6.9 * 86_400_000);
    expect(wait).toBeLessThan(7.1 * 86_400_000);
    expect(orders).toBe(1);
  });

test("what is no certificate is a failure with a pause, and not an order without end", async () => {
  answerOrder = () => taken();
  answerCertificate = "<html>welcome</html>";
  expect(await failure()).toMatchObject({
    reason: expect.stringContaining("what the authority issued cannot be used"),
  });
  expect(orders).toBe(1);
});

test("somebody else's certificate is not taken", async () => {
  answerOrder = () => taken();
  answerCertificate = readFileSync(pair.cert, "utf8");
  expect(await failure()).toMatchObject({ reason: expect.stringContaining("does not belong to the certificate") });
});

test("a URL that is a file on this machine is not read", async () => {
  answerOrder = () => taken({ status: "pending", authorizations: ["file:///etc/passwd"] });
  expect(await failure()).toMatchObject({ reason: "the authority names a URL that is not https" });
});

test("an answer that is not JSON, or without end, is a failure", async () => {
  answerOrder = () => new Response("<html>", { status: 201, headers: { location: "https://localhost/x" } });
  expect(await failure()).toMatchObject({ reason: expect.stringContaining("something else than JSON") });
  answerOrder = () =>
    new Response("x".repeat(2 * 1024 * 1024), { status: 201, headers: { location: "https://localhost/x" } });
  expect(await failure()).toMatchObject({ reason: expect.stringContaining("answers with more than 1048576 bytes") });
});

test("what it says reaches the log in one line, without control characters and not without end", async () => {
  const detail = `a\u001b[31m\nb${"c".repeat(5000)}`;
  answerOrder = () => Response.json({ type: "urn:ietf:params:acme:error:malformed", detail }, { status: 400 });
  const { reason } = await failure();
  expect(reason as string).toMatch(/^malformed: a \[31m bc+$/);
  expect((reason as string).length).toBeLessThan(500);
});

const refusal = (type: string, status: number) => () =>
  Response.json({ type: `urn:ietf:params:acme:error:${type}`, detail: "no" }, { status });

for (const [type, expected] of [
  ["alreadyReplaced", ["the former one", undefined]],
  // Another order would be refused as well, and make it worse.
  ["rateLimited", ["the former one"]],
] as const)
  test(`an order that is refused as ${type} because of what it replaces is made ${expected.length} times in all`, async () => {
    replaced = [];
    answerOrder = () => (replaced.at(-1) === undefined ? refusal("rejectedIdentifier", 400)() : refusal(type, 409)());
    const { endpoint } = resolverWith();
    const client = new AcmeClient(endpoint, smallAccountKey(), ACCOUNT);
    const options = { keyType: "EC256", profile: null, preferredChain: null, note: () => {} } as const;
    const order = obtain(client, ["hostile.test"], [], { ...options, replaces: "the former one" });
    expect(order).rejects.toMatchObject({ kind: expected.length === 1 ? type : "rejectedIdentifier" });
    await order.catch(() => {});
    expect(replaced).toEqual([...expected]);
  });

test("a renewal that failed is not tried again before its pause is over, whatever the authority suggests", async () => {
  const storage = join(temporaryDirectory(), "acme.json");
  // Due by its lifetime; the suggestion is asked for after the order has failed.
  const notAfter = `${new Date(Date.now() + 5 * 86_400_000).toISOString().replace(/\D/g, "").slice(0, 14)}Z`;
  const former = await authority.issue({
    ...{ names: ["hostile.test"], extensions: "authorityKeyIdentifier=keyid" },
    ...{ notBefore: "20250101000000Z", notAfter },
  });
  new AcmeStorage(storage).saveCertificate("le", {
    ...{ main: "hostile.test", sans: [], certificate: readFileSync(former.cert, "utf8") },
    key: readFileSync(former.key, "utf8"),
  });
  const past = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();
  answerOrder = refusal("serverInternal", 500);
  answerRenewal = () => Response.json({ suggestedWindow: { start: past(2), end: past(1) } });
  asked = 0;
  const results: string[] = [];
  const manager = new AcmeManager([resolverWith(storage)], {
    onObtained: () => {},
    onResult: (_, result) => void results.push(result),
    log: () => {},
  });
  cleanup(() => manager.close());
  const started = Date.now();
  manager.want([{ resolver: "le", names: ["hostile.test"], router: "r", asDefault: false }]);
  await waitFor("the failure, and the suggestion", () => results.length > 0 && asked > 0, 20_000);
  await moment();
  expect(results).toEqual(["failed"]);
  expect(manager.states()[0]!.next).toBeGreaterThan(started + 60_000);
});
