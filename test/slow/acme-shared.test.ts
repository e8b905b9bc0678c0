// Two Sluices that share a storage take turns, and the second one uses what the first one has obtained; an account that is stored already
// is used, one of another authority is not.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeAccountKey } from "../../src/acme/keys.ts";
import { AcmeManager } from "../../src/acme/manager.ts";
import type { Resolver } from "../../src/acme/resolver.ts";
import { AcmeStorage } from "../../src/acme/storage.ts";
import { httpResponder, Pebble, smallAccountKey } from "../support/pebble.ts";
import { cleanup, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

const httpPort = await freePort();
const pebble = await Pebble.start({ httpPort });
// Slow enough that another one surely waits for its turn meanwhile.
const responder = httpResponder(httpPort, 300);

function resolver(storage: string): Resolver {
  const endpoint = { directory: pebble.directory, ca: readFileSync(pebble.ca, "utf8"), serverName: null };
  return {
    ...{ name: "le", storage, email: "", keyType: "EC256", profile: null, preferredChain: null, externalAccount: null },
    endpoint: { ...endpoint, timeoutMs: 10_000, userAgent: "test" },
    responders: [responder],
  };
}

function manager(of: Resolver) {
  const results: string[] = [];
  const made = new AcmeManager([of], {
    onObtained: () => {},
    onResult: (_, result) => void results.push(result),
    log: () => {},
  });
  cleanup(() => made.close());
  return { made, results };
}

const wanted = (...names: string[]) => [{ resolver: "le", names, router: "r", asDefault: false }];

test("of two that want the same certificate one orders it, and both have it", async () => {
  const storage = join(temporaryDirectory(), "acme.json");
  await pebble.saveAccount(storage, "le");
  const both = [manager(resolver(storage)), manager(resolver(storage))];
  for (const { made } of both) made.want(wanted("shared.test"));
  await waitFor("both to have it", () => both.every(({ results }) => results.length > 0) || null, 20_000);
  expect(both.flatMap(({ results }) => results).sort()).toEqual(["obtained", "taken"]);
  const [first, second] = both.map(({ made }) =>
    made.stored().certificates.map((each) => each.certificate.certificate),
  );
  expect(first).toEqual(second!);
  expect(first).toHaveLength(1);
});

test("what another one has obtained meanwhile is used without an order", async () => {
  const storage = join(temporaryDirectory(), "acme.json");
  await pebble.saveAccount(storage, "le");
  const one = manager(resolver(storage));
  one.made.want(wanted("early.test"));
  await waitFor("the first one to have it", () => one.results.includes("obtained") || null, 20_000);
  const other = manager(resolver(storage));
  other.made.want(wanted("early.test"));
  expect(other.made.states()[0]!.notAfter).toBeGreaterThan(Date.now());
  expect(other.results).toEqual([]);
});

test("a stored account is used, and one of another authority makes room for a new one", async () => {
  const storage = join(temporaryDirectory(), "acme.json");
  const account = () => {
    const read = new AcmeStorage(storage).read("le");
    return read.kind === "ok" ? read.value.account : null;
  };
  const foreign = {
    email: "",
    uri: "https://other-ca.test/acct/1",
    body: {},
    privateKey: writeAccountKey(smallAccountKey()),
  };
  new AcmeStorage(storage).saveAccount("le", foreign);
  const first = manager(resolver(storage));
  first.made.want(wanted("one.test"));
  await waitFor("a certificate", () => first.results.includes("obtained") || null, 20_000);
  const made = account()!;
  expect(made.uri).toStartWith(new URL(pebble.directory).origin);
  expect(made.privateKey.equals(foreign.privateKey)).toBe(false);

  const second = manager(resolver(storage));
  second.made.want(wanted("two.test"));
  await waitFor("another certificate", () => second.results.includes("obtained") || null, 20_000);
  expect(account()).toEqual(made);
});
