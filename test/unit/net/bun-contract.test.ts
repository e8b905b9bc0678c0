// What Sluice relies on in Bun's socket API, one test per fact, on Bun alone: a Bun that changes one of them fails here first.

import { afterEach, describe, expect, test } from "bun:test";
import { lookup } from "node:dns";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, connect as netConnect } from "node:net";
import { createSecureContext, connect as tlsConnect } from "node:tls";
import { Authority, type Pair } from "../../support/certs.ts";
import { deafListener } from "../../support/raw.ts";
import { cleanup, freePort, waitFor } from "../../support/tools.ts";

// biome-ignore lint/suspicious/noExplicitAny: the published types lack most of what is tested here.
type Any = any;
type Handlers = Record<string, (...args: Any[]) => void>;

const [authority, strangers] = await Promise.all([Authority.create(), Authority.create("Strangers")]);
const [server, client, expired, wrongPurpose, stranger] = await Promise.all([
  authority.issue({ names: ["localhost"] }),
  authority.issue({ usage: "clientAuth", subject: "/CN=client" }),
  authority.issue({ usage: "clientAuth", subject: "/CN=expired", notAfter: "20210101000000Z" }),
  authority.issue({ usage: "serverAuth", subject: "/CN=purpose" }),
  strangers.issue({ usage: "clientAuth", subject: "/CN=stranger" }),
]);
const read = (file: string) => readFileSync(file, "utf8");
const context = (more: object = {}) =>
  createSecureContext({ cert: read(server.cert), key: read(server.key), ca: read(authority.cert), ...more }).context;

const IDLE: Handlers = { open() {}, data() {}, drain() {}, end() {}, close() {}, error() {}, handshake() {} };
const open: { stop(now: boolean): void }[] = [];
afterEach(() => {
  for (const listener of open.splice(0)) listener.stop(true);
});

function listen(handlers: Handlers, more: object = {}): Any {
  const listener = (Bun.listen as Any)({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: { ...IDLE, ...handlers },
    ...more,
  });
  open.push(listener);
  return listener;
}

/** A listener that upgrades on the first chunk, as Sluice does. `onTls` gets the TLS socket. */
function tlsListener(
  handlers: Handlers,
  tls: object,
  more: { raw?: Handlers; onTls?: (socket: Any) => void } = {},
): Any {
  return listen({
    ...more.raw,
    data(socket: Any, chunk: Buffer) {
      if (socket.data?.upgraded) return more.raw?.data?.(socket, chunk);
      socket.data = { upgraded: true };
      const upgrade = { isServer: true, initialData: chunk, tls, data: {}, socket: { ...IDLE, ...handlers } };
      const [, upgraded] = socket.upgradeTLS(upgrade);
      more.onTls?.(upgraded);
    },
  });
}

const descriptors = () => readdirSync("/proc/self/fd").length;

interface Seen {
  readonly success: boolean;
  readonly error: Any;
  readonly certificate: string | undefined;
  readonly reused: boolean;
}

/** A client that makes a handshake, then waits for a byte or the end; resolves to its session. */
function handshake(port: number, options: object = {}): Promise<{ session: Buffer | null; error: Any; alpn: unknown }> {
  return new Promise((resolve) => {
    let session: Buffer | null = null;
    const socket = tlsConnect({
      host: "127.0.0.1",
      port,
      servername: "localhost",
      rejectUnauthorized: false,
      ...options,
    });
    const done = (error: Any) => {
      resolve({ session, error, alpn: socket.alpnProtocol });
      socket.destroy();
    };
    socket.on("session", (each) => {
      session = each;
      if (got) done(null);
    });
    let got = false;
    socket.on("data", () => {
      got = true;
      if (session !== null) done(null);
      else setTimeout(() => done(null), 300);
    });
    socket.on("error", done);
    socket.on("close", () => done(new Error("closed")));
  });
}

/** Handlers that note every handshake and answer it with a byte. */
function noting(): { seen: Seen[]; handlers: Handlers } {
  const seen: Seen[] = [];
  const handlers: Handlers = {
    handshake(socket, success, error) {
      const certificate = socket.getPeerX509Certificate?.()?.subject;
      seen.push({ success, error, certificate, reused: socket.isSessionReused() });
      if (success) socket.write("!");
    },
  };
  return { seen, handlers };
}

describe("fact 1: an accepted socket is upgraded as server", () => {
  test("with the bytes already read as initialData, also some time later", async () => {
    const { seen, handlers } = noting();
    const listener = listen({
      data(socket, chunk) {
        if (socket.data) return;
        socket.data = {};
        socket.pause();
        setTimeout(() => {
          const tls = { secureContext: context() };
          socket.upgradeTLS({ isServer: true, initialData: chunk, tls, data: {}, socket: { ...IDLE, ...handlers } });
          socket.resume();
        }, 100);
      },
    });
    expect((await handshake(listener.port)).error).toBeNull();
    expect(seen).toMatchObject([{ success: true }]);
  });

  test("and without them the handshake never succeeds", async () => {
    const { seen, handlers } = noting();
    const listener = listen({
      data(socket) {
        if (socket.data) return;
        socket.data = {};
        const tls = { secureContext: context() };
        socket.upgradeTLS({ isServer: true, tls, data: {}, socket: { ...IDLE, ...handlers } });
        setTimeout(() => socket.terminate(), 200);
      },
    });
    const socket = tlsConnect({ host: "127.0.0.1", port: listener.port, rejectUnauthorized: false });
    socket.on("error", () => {});
    cleanup(() => socket.destroy());
    await new Promise((next) => setTimeout(next, 400));
    expect(seen.some((each) => each.success)).toBe(false);
    socket.destroy();
  });

  test("the upgrade returns [raw, tls], and terminate() on the tls one cuts the connection", async () => {
    let tls: Any;
    const listener = tlsListener(
      { handshake: (socket) => socket.write("!") },
      { secureContext: context() },
      {
        onTls: (socket) => (tls = socket),
      },
    );
    const ended = Promise.withResolvers<string>();
    const socket = tlsConnect({ host: "127.0.0.1", port: listener.port, rejectUnauthorized: false });
    socket.on("data", () => tls.terminate());
    socket.on("error", () => {});
    socket.on("close", () => ended.resolve("closed"));
    expect(await ended.promise).toBe("closed");
  });
});

describe("fact 2: one context for many connections", () => {
  test("createSecureContext().context serves as secureContext, with its options", async () => {
    const { seen, handlers } = noting();
    const listener = tlsListener(handlers, { secureContext: context({ maxVersion: "TLSv1.2" }) });
    await handshake(listener.port);
    await handshake(listener.port);
    expect(seen.map((each) => each.success)).toEqual([true, true]);
    expect((await handshake(listener.port, { minVersion: "TLSv1.3" })).error).not.toBeNull();
  });

  test("a cipher that BoringSSL lacks is dropped from a list without a word, and fails alone", () => {
    expect(() => createSecureContext({ ciphers: "RC4-SHA:ECDHE-ECDSA-AES128-GCM-SHA256" })).not.toThrow();
    expect(() => createSecureContext({ ciphers: "RC4-SHA" })).toThrow();
    expect(() => createSecureContext({ ciphers: "AES128-SHA256" })).toThrow();
  });

  test("X25519MLKEM768 and P-521 are groups, SecP256r1MLKEM768 is not", () => {
    for (const ecdhCurve of ["X25519MLKEM768", "P-521", "P-256:X25519"])
      expect(() => createSecureContext({ ecdhCurve })).not.toThrow();
    for (const ecdhCurve of ["SecP256r1MLKEM768", "SecP384r1MLKEM1024"])
      expect(() => createSecureContext({ ecdhCurve })).toThrow();
  });

  test("a key that does not load throws", () => {
    expect(() => context({ key: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" })).toThrow();
  });
});

/** Against a server that requires a certificate; what the server saw. */
async function mutual(pair: Pair | null, reject: boolean, version: string): Promise<Seen> {
  const { seen, handlers } = noting();
  const listener = tlsListener(handlers, { secureContext: context(), requestCert: true, rejectUnauthorized: reject });
  const identity = pair === null ? {} : { cert: read(pair.cert), key: read(pair.key) };
  await handshake(listener.port, { ...identity, minVersion: version, maxVersion: version });
  return waitFor("the server's handshake", () => seen[0] ?? null);
}

for (const version of ["TLSv1.2", "TLSv1.3"] as const)
  describe(version, () => {
    test("fact 3: client authentication is no part of the context: its tickets pass from lax to strict", async () => {
      const shared = context();
      const { seen, handlers } = noting();
      const lax = tlsListener(handlers, { secureContext: shared });
      const strict = tlsListener(handlers, { secureContext: shared, requestCert: true, rejectUnauthorized: true });
      const { session } = await handshake(lax.port, { maxVersion: version });
      expect(session).not.toBeNull();
      await handshake(strict.port, { maxVersion: version, session });
      expect(seen.at(-1)).toMatchObject({ success: true, reused: true, certificate: undefined });
    });

    test("fact 3: two contexts with equal options refuse each other's tickets", async () => {
      const { seen, handlers } = noting();
      const one = tlsListener(handlers, { secureContext: context() });
      const other = tlsListener(handlers, { secureContext: context() });
      const { session } = await handshake(one.port, { maxVersion: version });
      await handshake(one.port, { maxVersion: version, session });
      await handshake(other.port, { maxVersion: version, session });
      expect(seen.map((each) => each.reused)).toEqual([false, true, false]);
    });

    // On the day this fails, workers can share keys: every client then resumes in every worker, and workerSelection has had its time.
    test("fact 5: ticketKeys are ignored: two contexts with the same keys refuse each other's tickets", async () => {
      const ticketKeys = Buffer.alloc(48, 7);
      const { seen, handlers } = noting();
      const one = tlsListener(handlers, { secureContext: context({ ticketKeys }), ticketKeys });
      const other = tlsListener(handlers, { secureContext: context({ ticketKeys }), ticketKeys });
      const { session } = await handshake(one.port, { maxVersion: version });
      await handshake(one.port, { maxVersion: version, session });
      await handshake(other.port, { maxVersion: version, session });
      expect(seen.map((each) => each.reused)).toEqual([false, true, false]);
    });

    test("fact 4: without requestCert `error` is set although all is well", async () => {
      const { seen, handlers } = noting();
      const listener = tlsListener(handlers, { secureContext: context() });
      await handshake(listener.port, { maxVersion: version });
      expect(seen).toMatchObject([{ success: true, error: { code: "UNABLE_TO_GET_ISSUER_CERT" } }]);
    });

    for (const reject of [true, false])
      test(`fact 4: with rejectUnauthorized ${reject}, a bad certificate is success with an error, a good one without`, async () => {
        expect(await mutual(client, reject, version)).toMatchObject({
          success: true,
          error: null,
          certificate: "CN=client",
        });
        for (const bad of [expired, wrongPurpose, stranger]) {
          const seen = await mutual(bad, reject, version);
          expect(seen).toMatchObject({ success: true, error: { code: expect.any(String) } });
          expect(seen.certificate).toBeString();
        }
      });

    test("fact 4: a missing certificate fails with rejectUnauthorized, and is success without", async () => {
      // Sluice tells it by these words from other failures: the code is EPROTO for all.
      expect(await mutual(null, true, version)).toMatchObject({
        success: false,
        error: { code: "EPROTO", message: expect.stringContaining("PEER_DID_NOT_RETURN_A_CERTIFICATE") },
        certificate: undefined,
      });
      expect(await mutual(null, false, version)).toMatchObject({ success: true, certificate: undefined });
    });

    test("fact 5: a ticket keeps the peer certificate and the verdict", async () => {
      const { seen, handlers } = noting();
      const listener = tlsListener(handlers, {
        secureContext: context(),
        requestCert: true,
        rejectUnauthorized: false,
      });
      for (const pair of [client, expired]) {
        const identity = { cert: read(pair.cert), key: read(pair.key), maxVersion: version };
        const { session } = await handshake(listener.port, identity);
        await handshake(listener.port, { ...identity, session });
      }
      expect(seen.map((each) => each.reused)).toEqual([false, true, false, true]);
      expect(seen[1]).toMatchObject({ success: true, error: null, certificate: "CN=client" });
      expect(seen[3]).toMatchObject({ success: true, certificate: "CN=expired" });
      expect(seen[3]!.error).not.toBeNull();
    });

    test("fact 12: ALPNProtocols in wire format, per upgrade: answered, refused, or not asked for", async () => {
      const { handlers } = noting();
      const ALPNProtocols = Buffer.from("\x04mqtt", "latin1");
      const listener = tlsListener(handlers, { secureContext: context(), ALPNProtocols });
      const options = { maxVersion: version };
      expect((await handshake(listener.port, { ...options, ALPNProtocols: ["h2", "mqtt"] })).alpn).toBe("mqtt");
      expect((await handshake(listener.port, options)).error).toBeNull();
      expect((await handshake(listener.port, { ...options, ALPNProtocols: ["h2"] })).error).not.toBeNull();
      const without = tlsListener(handlers, { secureContext: context() });
      expect(await handshake(without.port, { ...options, ALPNProtocols: ["h2"] })).toMatchObject({
        error: null,
        alpn: false,
      });
    });
  });

test("fact 6: the raw twin still sees the ciphertext after the upgrade", async () => {
  let ciphertext = 0;
  const plain = Promise.withResolvers<string>();
  const listener = tlsListener(
    { data: (_socket, chunk) => plain.resolve(String(chunk)) },
    { secureContext: context() },
    { raw: { data: (_socket, chunk: Buffer) => (ciphertext += chunk.length) } },
  );
  const socket = tlsConnect({ host: "127.0.0.1", port: listener.port, rejectUnauthorized: false });
  socket.on("secureConnect", () => socket.write("hello"));
  expect(await plain.promise).toBe("hello");
  expect(ciphertext).toBeGreaterThan(5);
  socket.destroy();
});

test("fact 7: write() takes what fits and keeps nothing of the rest; drain says when to go on", async () => {
  const block = Buffer.alloc(1 << 20, "x");
  let taken = 0;
  let short = false;
  let drained = 0;
  const fill = (socket: Any) => {
    for (;;) {
      const n = socket.write(block);
      if (n > 0) taken += n;
      if (n < block.length) return;
      if (taken > 64 << 20) return;
    }
  };
  const listener = listen({
    open(socket) {
      fill(socket);
      short = taken < 64 << 20;
    },
    drain(socket) {
      drained++;
      socket.end();
    },
  });
  let received = 0;
  const socket = netConnect(listener.port, "127.0.0.1");
  socket.pause();
  await waitFor("a write that is not taken whole", () => short || null);
  expect(drained).toBe(0);
  socket.on("data", (chunk) => (received += chunk.length));
  const over = new Promise((resolve) => socket.on("end", resolve));
  socket.resume();
  await over;
  expect(drained).toBeGreaterThan(0);
  // Not a byte more than was taken: the rest is not held by Bun.
  expect(received).toBe(taken);
});

test("fact 7: pause() stops the data, resume() brings all of it", async () => {
  let received = 0;
  let socket: Any;
  const listener = listen({
    open(each) {
      socket = each;
      each.pause();
    },
    data: (_socket, chunk: Buffer) => (received += chunk.length),
  });
  const total = 3 << 20;
  const writer = netConnect(listener.port, "127.0.0.1");
  writer.end(Buffer.alloc(total));
  await waitFor("the accepted socket", () => socket ?? null);
  await new Promise((next) => setTimeout(next, 100));
  expect(received).toBeLessThan(total);
  socket.resume();
  await waitFor("all of it", () => received === total || null);
});

test.each(["plain", "TLS"])(
  "fact 7: %s: after pause() comes the rest of one read and of one record, and no more",
  async (what) => {
    let [total, last, after] = [0, 0, 0];
    const data = (socket: Any, chunk: Buffer) => {
      if (last > 0) {
        after += chunk.length;
        return;
      }
      total += chunk.length;
      // While nobody reads, the system's buffer fills up.
      Bun.sleepSync(10);
      if (total < 8 << 20) return;
      last = chunk.length;
      socket.pause();
    };
    const listener = what === "plain" ? listen({ data }) : tlsListener({ data }, { secureContext: context() });
    const writer =
      what === "plain"
        ? netConnect(listener.port, "127.0.0.1")
        : tlsConnect({ port: listener.port, host: "127.0.0.1", rejectUnauthorized: false });
    writer.on("error", () => {});
    writer.write(Buffer.alloc(32 << 20));
    await waitFor("the pause", () => last > 0 || null);
    await new Promise((next) => setTimeout(next, 100));
    expect(last + after).toBeLessThanOrEqual(512 * 1024 + 16 * 1024);
    writer.destroy();
  },
);

test("fact 8: a chunk belongs to its receiver: later chunks do not change it", async () => {
  const chunks: Buffer[] = [];
  const listener = listen({ data: (_socket, chunk: Buffer) => chunks.push(chunk) });
  const socket = netConnect(listener.port, "127.0.0.1");
  socket.setNoDelay(true);
  for (let i = 0; i < 20; i++) {
    socket.write(Buffer.alloc(1000, i));
    await waitFor("the chunk", () => Buffer.concat(chunks).length === (i + 1) * 1000 || null);
  }
  expect(Buffer.concat(chunks)).toEqual(Buffer.concat(Array.from({ length: 20 }, (_, i) => Buffer.alloc(1000, i))));
  socket.destroy();
});

describe("fact 9: SO_REUSEPORT", () => {
  test("lets a second listener share a port", () => {
    const first = listen({}, { reusePort: true });
    expect(() => listen({}, { reusePort: true, port: first.port })).not.toThrow();
  });

  test("does not let an exclusive one in: it fails with EADDRINUSE", () => {
    const first = listen({}, { reusePort: true });
    expect(() => listen({}, { port: first.port })).toThrow(expect.objectContaining({ code: "EADDRINUSE" }));
  });
});

test("fact 11: setNoDelay and setKeepAlive exist on accepted sockets", async () => {
  const done = Promise.withResolvers<unknown[]>();
  const listener = listen({
    open: (socket) => done.resolve([socket.setNoDelay(true), socket.setKeepAlive(true, 15_000)]),
  });
  const socket = netConnect(listener.port, "127.0.0.1");
  await done.promise;
  socket.destroy();
});

describe("fact 13: a dial", () => {
  test("by net.connect can be given up: destroy() frees the descriptor at once", async () => {
    const port = await deafListener();
    const filler = netConnect(port, "127.0.0.1");
    cleanup(() => filler.destroy());
    await new Promise((resolve) => filler.once("connect", resolve));
    const before = descriptors();
    const socket = netConnect(port, "127.0.0.1");
    let outcome = "";
    for (const event of ["connect", "error"]) socket.on(event, () => (outcome = event));
    await waitFor("the dial to have a descriptor", () => descriptors() > before || null, 1000);
    expect(outcome).toBe("");
    socket.destroy();
    await waitFor("the descriptor to be free", () => descriptors() <= before || null, 1000);
  });

  test("by Bun.connect tells a refusal to connectError, with its code, and nobody else", async () => {
    const port = await freePort();
    const seen: string[] = [];
    const refused = Promise.withResolvers<string>();
    const handlers = Object.fromEntries(
      ["open", "data", "end", "close", "error"].map((name) => [name, () => seen.push(name)]),
    );
    const connectError = (socket: Any, error: Any) => refused.resolve(`${socket.data.mine} ${error.code}`);
    const dial = (Bun.connect as Any)({
      ...{ hostname: "127.0.0.1", port, allowHalfOpen: true, data: { mine: true } },
      socket: { ...handlers, drain() {}, connectError },
    });
    expect(await refused.promise).toBe("true ECONNREFUSED");
    expect(await dial.catch((error: Any) => error.code)).toBe("ECONNREFUSED");
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(seen).toEqual([]);
  });

  test("_handle.reload({ socket }) on an open one installs native handlers", async () => {
    const listener = listen({ data: (socket, chunk) => socket.write(chunk) });
    const socket = netConnect({ port: listener.port, host: "127.0.0.1", allowHalfOpen: true });
    await new Promise((resolve) => socket.once("connect", resolve));
    const wrapper = socket as Any;
    const native = wrapper._handle;
    const got = Promise.withResolvers<string>();
    native.reload({ socket: { ...IDLE, data: (_socket: Any, chunk: Buffer) => got.resolve(String(chunk)) } });
    native.data = { mine: true };
    wrapper._handle = null;
    let streamed = false;
    socket.on("data", () => (streamed = true));
    expect(native.write("ping")).toBe(4);
    expect(await got.promise).toBe("ping");
    expect(native.data).toEqual({ mine: true });
    expect(streamed).toBe(false);
    native.terminate();
  });

  test("and that native socket upgrades to TLS as client, with SNI", async () => {
    let sni: unknown;
    const { handlers } = noting();
    const listener = tlsListener(
      { ...handlers, handshake: (socket) => void (sni = socket.getServername()) },
      { secureContext: context() },
    );
    const socket = netConnect({ port: listener.port, host: "127.0.0.1", allowHalfOpen: true });
    await new Promise((resolve) => socket.once("connect", resolve));
    const native = (socket as Any)._handle;
    native.reload({ socket: IDLE });
    (socket as Any)._handle = null;
    const got = Promise.withResolvers<unknown[]>();
    const tls = { secureContext: context(), rejectUnauthorized: false, serverName: "localhost" };
    native.upgradeTLS({
      tls,
      data: {},
      socket: { ...IDLE, handshake: (_socket: Any, success: boolean, error: Any) => got.resolve([success, error]) },
    });
    expect(await got.promise).toEqual([true, null]);
    await waitFor("the server's handshake", () => sni !== undefined || null);
    native.terminate();
  });

  // Fact 16, as Sluice dials: what a wrong name and a wrong authority look like.
  for (const [name, ca, expected] of [
    ["localhost", authority, [true, undefined]],
    ["localhost", strangers, [true, expect.any(String)]],
    ["other.test", authority, [false, "ERR_TLS_CERT_ALTNAME_INVALID"]],
    ["other.test", strangers, [false, expect.not.stringMatching(/^(EPROTO|ERR_TLS_CERT_ALTNAME_INVALID)$/)]],
  ] as [string, Authority, unknown[]][])
    test(`fact 16: as client, ${name} under ${ca === authority ? "the right" : "another"} CA gives ${expected[0]}, and stays open`, async () => {
      const listener = tlsListener({ data: (socket, chunk) => socket.write(chunk) }, { secureContext: context() });
      const got = Promise.withResolvers<unknown[]>();
      const echoed = Promise.withResolvers<string>();
      const secureContext = createSecureContext({ ca: read(ca.cert) }).context;
      await (Bun.connect as Any)({
        hostname: "127.0.0.1",
        port: listener.port,
        socket: {
          ...IDLE,
          open(socket: Any) {
            socket.upgradeTLS({
              tls: { secureContext, rejectUnauthorized: false, serverName: name },
              data: {},
              socket: {
                ...IDLE,
                data: (_socket: Any, chunk: Buffer) => echoed.resolve(String(chunk)),
                handshake(each: Any, success: boolean, error: Any) {
                  got.resolve([success, error?.code]);
                  each.write("ping");
                },
              },
            });
          },
        },
      });
      expect(await got.promise).toEqual(expected);
      expect(await echoed.promise).toBe("ping");
    });
});

describe("fact 15: half-close", () => {
  test("`end` fires on FIN, what is sent after it arrives, shutdown() sends FIN behind what was taken", async () => {
    const listener = listen({
      end(socket) {
        socket.write("after your FIN");
        socket.shutdown();
      },
    });
    const socket = netConnect({ port: listener.port, host: "127.0.0.1", allowHalfOpen: true });
    let text = "";
    socket.on("data", (chunk) => (text += chunk));
    const over = new Promise((resolve) => socket.on("end", resolve));
    socket.end("done");
    await over;
    expect(text).toBe("after your FIN");
  });

  test("`end` fires on close_notify too", async () => {
    const ended = Promise.withResolvers<string>();
    const listener = tlsListener({ end: () => ended.resolve("end") }, { secureContext: context() });
    const socket = tlsConnect({ host: "127.0.0.1", port: listener.port, rejectUnauthorized: false });
    socket.on("secureConnect", () => socket.end("bye"));
    socket.on("error", () => {});
    expect(await ended.promise).toBe("end");
    socket.destroy();
  });

  test("terminate() is a RST, and an incoming RST is `close` with ECONNRESET", async () => {
    const closed = Promise.withResolvers<Any>();
    const listener = listen({ close: (_socket, error) => closed.resolve(error) });
    (await (Bun.connect as Any)({
      hostname: "127.0.0.1",
      port: listener.port,
      socket: { ...IDLE, open: (socket: Any) => socket.terminate() },
    })) as Any;
    expect((await closed.promise)?.code).toBe("ECONNRESET");
  });
});

describe("closing a TLS socket before the peer does", () => {
  const cases: [how: string, close: (socket: Any) => void, kept: boolean][] = [
    ["end() alone keeps the descriptor", (socket) => socket.end(), true],
    [
      "shutdown() and end() free it",
      (socket) => {
        socket.shutdown();
        socket.end();
      },
      false,
    ],
  ];
  for (const [how, close, kept] of cases)
    test(how, async () => {
      // The proxy between passes nothing of the client after the handshake, and not that it has closed.
      let [closed, done, finished] = [false, false, false];
      const listener = tlsListener(
        {
          handshake: (socket) => {
            done = true;
            close(socket);
          },
          close: () => (closed = true),
        },
        { secureContext: context({ maxVersion: "TLSv1.2" }) },
      );
      const proxy = createServer({ allowHalfOpen: true }, (client) => {
        const upstream = netConnect({ port: listener.port, host: "127.0.0.1", allowHalfOpen: true });
        cleanup(() => upstream.destroy());
        client.on("data", (chunk) => done || upstream.write(chunk));
        client.on("error", () => {});
        upstream.on("data", (chunk) => client.write(chunk));
        upstream.on("error", () => {});
        upstream.on("end", () => (finished = true));
      });
      await new Promise<void>((listening) => proxy.listen(0, "127.0.0.1", listening));
      cleanup(() => proxy.close());
      const address = proxy.address();
      const port = typeof address === "object" ? address!.port : 0;
      const client = tlsConnect({ host: "127.0.0.1", port, rejectUnauthorized: false });
      client.on("error", () => {});
      cleanup(() => client.destroy());
      if (!kept) await waitFor("the descriptor to be freed, and the FIN", () => (closed && finished) || null, 2000);
      else {
        await waitFor("the handshake", () => done || null);
        await new Promise((next) => setTimeout(next, 300));
        expect(closed).toBe(false);
      }
    });
});

test("fact 17: a raw alert can be written before any upgrade", async () => {
  const listener = listen({
    data(socket) {
      socket.write(Buffer.from("15030300020270", "hex"));
      socket.shutdown();
      socket.end();
    },
  });
  const { error } = await handshake(listener.port);
  expect(String(error?.message ?? error?.code)).toMatch(/unrecognized.name/i);
});

test("dns.lookup goes past Bun's cache of addresses, which Bun.connect uses", async () => {
  const hits = () => {
    const { cacheHitsCompleted, cacheHitsInflight } = (Bun.dns as Any).getCacheStats();
    return cacheHitsCompleted + cacheHitsInflight;
  };
  const listener = listen({});
  const dial = async () => {
    const socket = await (Bun.connect as Any)({ hostname: "localhost", port: listener.port, socket: IDLE });
    socket.terminate();
  };
  await dial();
  const before = hits();
  await dial();
  expect(hits()).toBeGreaterThan(before);
  const cached = hits();
  for (let i = 0; i < 3; i++) await new Promise<void>((resolve) => lookup("localhost", { all: true }, () => resolve()));
  expect(hits()).toBe(cached);
});

describe("alerts about client certificates", () => {
  const identity = (pair: Pair) => ({ cert: read(pair.cert), key: read(pair.key) });

  for (const reject of [false, true])
    test(`with rejectUnauthorized ${reject} a bad certificate gets no alert from the TLS library`, async () => {
      const seen: string[] = [];
      const listener = tlsListener(
        { handshake: (socket) => socket.end() },
        { secureContext: context(), requestCert: true, rejectUnauthorized: reject },
      );
      for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
        const options = { ...identity(stranger), minVersion: version, maxVersion: version };
        seen.push(String((await handshake(listener.port, options)).error?.message));
      }
      // The day this fails, src/tls/handshake-watch.ts may be able to go.
      for (const message of seen) expect(message).not.toMatch(/alert/i);
    });

  test("TLS 1.3: the handler keylog has SERVER_TRAFFIC_SECRET_0 before the handshake is over, and the raw twin writes past TLS", async () => {
    const order: string[] = [];
    let raw: Any;
    const listener = listen({
      data(socket: Any, chunk: Buffer) {
        if (socket.data) return;
        socket.data = {};
        const handlers = {
          ...IDLE,
          keylog: (_socket: Any, line: Buffer) => order.push(String(line).split(" ")[0]!),
          handshake() {
            order.push("handshake");
            raw.write(Buffer.from("15030300020230", "hex"));
          },
        };
        const tls = { secureContext: context(), requestCert: true, rejectUnauthorized: false };
        [raw] = socket.upgradeTLS({ isServer: true, initialData: chunk, tls, data: {}, socket: handlers });
      },
    });
    // An alert in the clear is none that TLS 1.3 takes here: the client fails because of it, so it has arrived.
    const { error } = await handshake(listener.port, { ...identity(stranger), minVersion: "TLSv1.3" });
    expect(error).not.toBeNull();
    expect(order).toContain("handshake");
    expect(order.indexOf("SERVER_TRAFFIC_SECRET_0")).toBeGreaterThanOrEqual(0);
    expect(order.indexOf("SERVER_TRAFFIC_SECRET_0")).toBeLessThan(order.indexOf("handshake"));
  });

  test("TLS 1.2: the raw twin has the client's certificate before TLS has answered it, and may answer first", async () => {
    let answered = false;
    const listener = listen({
      data(socket: Any, chunk: Buffer) {
        if (!socket.data) {
          socket.data = {};
          const tls = { secureContext: context(), requestCert: true, rejectUnauthorized: false };
          socket.upgradeTLS({ isServer: true, initialData: chunk, tls, data: {}, socket: IDLE });
        } else if (!answered) {
          answered = true;
          expect([chunk[0], chunk[5]]).toEqual([22, 11]); // Certificate
          socket.write(Buffer.from("15030300020230", "hex"));
        }
      },
    });
    const options = { ...identity(stranger), maxVersion: "TLSv1.2" };
    expect(String((await handshake(listener.port, options)).error?.message)).toMatch(/unknown.ca/i);
  });
});

test("setMaxSendFragment in `open` is in force from the first record on, the handshake's among them", async () => {
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    let received = Buffer.alloc(0);
    const listener = tlsListener(
      {
        open: (socket) => socket.setMaxSendFragment(512),
        handshake: (socket) => socket.write(Buffer.alloc(3000, "x")),
      },
      {
        secureContext: createSecureContext({
          cert: `${read(server.cert)}${read(authority.cert)}`,
          key: read(server.key),
        }).context,
      },
    );
    const between = createServer((client) => {
      const upstream = netConnect(listener.port, "127.0.0.1");
      upstream.on("data", (chunk: Buffer) => (received = Buffer.concat([received, chunk])));
      for (const each of [client, upstream]) each.on("error", () => {});
      client.pipe(upstream).pipe(client);
    });
    await new Promise<void>((next) => between.listen(0, "127.0.0.1", next));
    cleanup(() => between.close());
    const { port } = between.address() as { port: number };
    await handshake(port, { maxVersion: version });
    await waitFor("all of it", () => received.length > 4000 || null);
    const lengths: number[] = [];
    for (let at = 0; at + 5 <= received.length; at += 5 + received.readUInt16BE(at + 3))
      lengths.push(received.readUInt16BE(at + 3));
    // 17 bytes of TLS 1.3 and 24 of TLS 1.2 for the tag, the nonce and the type.
    expect(Math.max(...lengths)).toBeLessThanOrEqual(512 + 24);
    expect(lengths.length).toBeGreaterThan(8);
  }
});

test("a list of suites has groups of equals, in which the client chooses; honorCipherOrder makes the rest the server's choice", async () => {
  const ciphers = "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]:[ECDHE-ECDSA-AES128-SHA]";
  const seen: string[] = [];
  const listener = tlsListener(
    {
      handshake(socket) {
        seen.push(socket.getCipher().name);
        socket.write("!");
      },
    },
    { secureContext: context({ ciphers, honorCipherOrder: true, maxVersion: "TLSv1.2" }) },
  );
  const [aes, chacha, cbc] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA",
  ];
  for (const offered of [`${cbc}:${chacha}:${aes}`, `${cbc}:${aes}:${chacha}`, cbc])
    await handshake(listener.port, { ciphers: offered });
  expect(seen).toEqual([chacha!, aes!, cbc!]);
});
