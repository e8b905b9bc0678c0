// With an authority that suggests when to renew (ARI, RFC 9773), Sluice renews when it is asked to, and says what it replaces. Debian's
// own Pebble knows no renewal information yet, so this one is fetched: npm run test:peers.

import { expect, test } from "bun:test";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { AcmeClient } from "../../src/acme/client.ts";
import { AcmeManager } from "../../src/acme/manager.ts";
import { renewalId } from "../../src/acme/renewal.ts";
import type { Resolver } from "../../src/acme/resolver.ts";
import { AcmeStorage } from "../../src/acme/storage.ts";
import { httpResponder, Pebble } from "../support/pebble.ts";
import { peer } from "../support/peers.ts";
import { cleanup, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

const httpPort = await freePort();
const pebble = await Pebble.start({ httpPort, command: peer("bin/pebble") });
const resolver: Resolver = {
  name: "le",
  endpoint: {
    directory: pebble.directory,
    ca: readFileSync(pebble.ca, "utf8"),
    serverName: null,
    timeoutMs: 10_000,
    userAgent: "test",
  },
  email: "",
  storage: join(temporaryDirectory(), "acme.json"),
  keyType: "EC256",
  profile: null,
  preferredChain: null,
  externalAccount: null,
  responders: [httpResponder(httpPort)],
};

test("a certificate is renewed when the authority suggests it, long before its time, and the order says which one it replaces", async () => {
  const logged: string[] = [];
  const results: string[] = [];
  let clock = 0;
  const manager = new AcmeManager(
    [resolver],
    {
      onObtained: () => {},
      onResult: (_, result) => void results.push(result),
      log: (_, message, fields) => void logged.push(`${message} ${JSON.stringify(fields)}`),
    },
    () => Date.now() + clock,
  );
  cleanup(() => manager.close());
  const wanted = [{ resolver: "le", names: ["ari.test"], router: "r", asDefault: false }];
  manager.want(wanted);
  await waitFor("the first certificate", () => results.includes("obtained") || null, 20_000);
  const first = manager.stored().certificates[0]!.certificate.certificate;
  // The authority's first suggestion is a moment within the lifetime.
  const [state] = await waitFor("the authority's suggestion", () => {
    const states = manager.states();
    return states[0]!.next < new X509Certificate(first).validToDate.getTime() ? states : null;
  });
  expect(state!.next).toBeGreaterThan(Date.now());

  const now = Date.now();
  await pebble.suggestRenewal(first, new Date(now - 60_000), new Date(now - 30_000));
  clock += 25 * 3_600_000; // a day later it is asked again at the latest
  manager.want(wanted);
  await waitFor("the renewal", () => results.includes("renewed") || null, 20_000);
  const second = manager.stored().certificates;
  expect(second).toHaveLength(1);
  expect(second[0]!.certificate.certificate).not.toBe(first);
  expect(logged.filter((line) => line.startsWith("no "))).toEqual([]);
});

test("renewal information is what the authority was told to say", async () => {
  const stored = new AcmeStorage(resolver.storage).read("le");
  if (stored.kind === "error") throw new Error(stored.message);
  const { account, certificates } = stored.value;
  const key = createPrivateKey({ key: account!.privateKey, format: "der", type: "pkcs1" });
  const client = new AcmeClient(resolver.endpoint, key, account!.uri);
  const certificate = certificates[0]!.certificate;
  const [start, end] = [new Date("2030-01-01T00:00:00Z"), new Date("2030-01-02T00:00:00Z")];
  await pebble.suggestRenewal(certificate, start, end);
  expect(await client.renewalInfo(renewalId(certificate)!)).toMatchObject({
    start: start.getTime(),
    end: end.getTime(),
  });
});
