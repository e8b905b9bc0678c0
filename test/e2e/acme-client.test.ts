// The ACME client obtains certificates from a real authority by each kind of challenge, goes on where one fails, and says what it was
// told when none works.

import { describe, expect, test } from "bun:test";
import { createHash, createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:tls";
import { AcmeClient, type AcmeEndpoint } from "../../src/acme/client.ts";
import { type AcmeKeyType, createChallengeCertificate, newAccountKey } from "../../src/acme/keys.ts";
import { obtain, type Responder } from "../../src/acme/obtain.ts";
import { AcmeError } from "../../src/acme/problem.ts";
import { httpResponder, Pebble, smallAccountKey } from "../support/pebble.ts";
import { cleanup, freePort } from "../support/tools.ts";

const [tlsPort, httpPort] = [await freePort(), await freePort()];
const pebble = await Pebble.start({ tlsPort, httpPort, env: { PEBBLE_WFE_NONCEREJECT: "30" } });
const key = await newAccountKey();

function endpoint(of: Pebble): AcmeEndpoint {
  const ca = readFileSync(of.ca, "utf8");
  return { directory: of.directory, ca, serverName: null, timeoutMs: 10_000, userAgent: "test" };
}

async function registered(of = pebble, account: KeyObject = key): Promise<AcmeClient> {
  const client = new AcmeClient(endpoint(of), account, null);
  await client.register("admin@example.com", null);
  return client;
}

// What answers on the ports where Pebble looks.
const contexts = new Map<string, { cert: string; key: string }>();
const alpn = createServer({
  ALPNProtocols: ["acme-tls/1"],
  SNICallback: async (name, done) => {
    const { createSecureContext } = await import("node:tls");
    const found = contexts.get(name);
    done(found === undefined ? new Error("no challenge") : null, found && createSecureContext(found));
  },
});
await new Promise<void>((done) => alpn.listen(tlsPort, "127.0.0.1", done));
cleanup(() => void alpn.close());

const tls: Responder = {
  type: "tls-alpn-01",
  patienceMs: 20_000,
  present: async (name, _, keyAuthorization) => {
    contexts.set(name, await createChallengeCertificate(name, keyAuthorization));
    return async () => void contexts.delete(name);
  },
};
const http = httpResponder(httpPort);
const dns: Responder = {
  type: "dns-01",
  patienceMs: 20_000,
  present: async (name, _, keyAuthorization) => {
    const host = `_acme-challenge.${name}.`;
    await pebble.setTxt(host, createHash("sha256").update(keyAuthorization).digest("base64url"));
    return () => pebble.clearTxt(host);
  },
};
/** Puts nothing in place. */
const broken = (type: Responder["type"]): Responder => ({
  type,
  patienceMs: 20_000,
  present: async () => async () => {},
});

const notes: string[] = [];
const options = (keyType: AcmeKeyType = "EC256") => ({
  keyType,
  profile: null,
  preferredChain: null,
  replaces: null,
  note: (message: string, fields: object) => notes.push(`${message} ${JSON.stringify(fields)}`),
});

async function names(certificate: string): Promise<string[]> {
  const leaf = new X509Certificate(certificate);
  expect(certificate.match(/BEGIN CERTIFICATE/g)!.length).toBeGreaterThan(1);
  return leaf.subjectAltName!.split(", ").map((each) => each.slice(4));
}

describe("a certificate is obtained", () => {
  for (const responder of [tls, http, dns])
    test(`by ${responder.type}, although the authority refuses every third nonce`, async () => {
      const { certificate, key } = await obtain(
        await registered(),
        ["mqtt.test", "b.mqtt.test"],
        [responder],
        options(),
      );
      expect((await names(certificate)).sort()).toEqual(["b.mqtt.test", "mqtt.test"]);
      expect(new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))).toBe(true);
    });

  test("for a wildcard, by dns-01", async () => {
    const { certificate } = await obtain(await registered(), ["*.wild.test"], [tls, http, dns], options());
    expect(await names(certificate)).toEqual(["*.wild.test"]);
  });

  for (const [keyType, details] of [
    ["EC384", { namedCurve: "secp384r1" }],
    ["RSA2048", { modulusLength: 2048 }],
  ] as const)
    test(`with a key of type ${keyType}`, async () => {
      const { certificate } = await obtain(await registered(), ["kind.test"], [http], options(keyType));
      expect(new X509Certificate(certificate).publicKey.asymmetricKeyDetails).toMatchObject(details);
    });

  test("by the next kind of challenge when the first one fails", async () => {
    notes.length = 0;
    const { certificate } = await obtain(await registered(), ["next.test"], [broken("tls-alpn-01"), http], options());
    expect(await names(certificate)).toEqual(["next.test"]);
    expect(notes.filter((note) => note.startsWith("a challenge failed"))).toHaveLength(1);
  });

  test("by the next kind when the first one cannot be put in place", async () => {
    const failing: Responder = { ...tls, present: () => Promise.reject(new Error("no room")) };
    const { certificate } = await obtain(await registered(), ["room.test"], [failing, http], options());
    expect(await names(certificate)).toEqual(["room.test"]);
  });
});

describe("what the authority says comes out", () => {
  test("when every challenge fails: the last one's reason, with name and kind", async () => {
    const error = await obtain(
      await registered(),
      ["none.test"],
      [broken("http-01"), broken("tls-alpn-01")],
      options(),
    ).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(AcmeError);
    expect(error.message).toMatch(/^none\.test, tls-alpn-01: /);
  });

  test("when no configured kind is offered", async () => {
    const error = await obtain(await registered(), ["*.unproved.test"], [http], options()).catch((thrown) => thrown);
    expect(error.message).toMatch(/^\*\.unproved\.test: the authority offers dns-01/);
  });

  test("when it cannot be reached, or nobody of trust answers", async () => {
    const nowhere = { ...endpoint(pebble), directory: `https://localhost:${await freePort()}/dir` };
    const gone = await new AcmeClient(nowhere, key, null).directory().catch((error) => error);
    expect([gone.kind, gone.message]).toEqual(["unreachable", expect.stringContaining("cannot be reached")]);
    const stranger = await new AcmeClient({ ...endpoint(pebble), ca: null }, key, null)
      .directory()
      .catch((error) => error);
    expect(stranger.kind).toBe("unreachable");
  });
});

describe("accounts", () => {
  test("a key that has an account already finds it", async () => {
    const client = () => new AcmeClient(endpoint(pebble), key, null);
    const [first, second] = [await client().register("", null), await client().register("", null)];
    expect(second.uri).toBe(first.uri);
  });

  test("an external account is bound by its key, refused with a wrong one, and asked for when it is missing", async () => {
    const hmac = Buffer.from("zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W", "base64url");
    const strict = await Pebble.start({ externalAccounts: { "kid-1": hmac.toString("base64url") } });
    const client = () => new AcmeClient(endpoint(strict), smallAccountKey(), null);
    expect((await client().register("", { kid: "kid-1", hmac })).uri).toStartWith("https://");
    const wrong = await client()
      .register("", { kid: "kid-1", hmac: Buffer.alloc(48, 1) })
      .catch((error) => error);
    expect(wrong).toBeInstanceOf(AcmeError);
    const missing = await client()
      .register("", null)
      .catch((error) => error);
    expect(missing.kind).toBe("externalAccountRequired");
  });
});
