// The way from a client up to its root, among the client CAs: each step needs a list that is in force, and none may be revoked.

import { expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { RevocationList } from "../../../src/certs/crl.ts";
import { identityOf } from "../../../src/certs/x509.ts";
import { Revocations } from "../../../src/tls/revocations.ts";
import { Authority } from "../../support/certs.ts";

const [root, twin] = await Promise.all([Authority.create("Root"), Authority.create("Root")]);
const [middle, renewed] = await Promise.all([root.intermediate("Middle"), root.intermediate("Middle")]);
const lower = await middle.intermediate("Lower");
const read = ({ cert }: { cert: string }) => new X509Certificate(readFileSync(cert));
const client = async (by: Authority) => read(await by.issue({ usage: "clientAuth" }));
const [ofRoot, ofMiddle, ofLower, ofRenewed, ofTwin] = await Promise.all([
  client(root),
  client(middle),
  client(lower),
  client(renewed),
  client(twin),
]);

const NOW = Date.now();

function list(
  of: Authority,
  revoked: readonly X509Certificate[] = [],
  more: Partial<RevocationList> = {},
): RevocationList {
  return {
    issuer: identityOf(read(of).raw)!.subject,
    serials: revoked.map((each) => identityOf(each.raw)!.serial),
    ...{ thisUpdate: NOW - 2000, nextUpdate: NOW + 2000, usersOnly: false, point: null },
    ...more,
  };
}

function judge(
  certificate: X509Certificate,
  lists: readonly RevocationList[],
  authorities = [root, middle, lower],
  now = NOW,
) {
  const revocations = new Revocations(lists, authorities.map(read));
  const revocable = revocations.identify(certificate);
  return revocable === null ? null : revocations.judge(revocable, now);
}
const all = () => [list(root), list(middle), list(lower)];

test("with a list for every step it is good, at any depth", () => {
  for (const certificate of [ofRoot, ofMiddle, ofLower]) expect(judge(certificate, all())).toBe("good");
});

test("a list is good up to its next update, and for ever when it names none; what it revokes stays so", () => {
  expect(judge(ofRoot, [list(root)], [root], NOW + 2000)).toBe("good");
  expect(judge(ofRoot, [list(root)], [root], NOW + 2001)).toBe("unknown");
  expect(judge(ofRoot, [list(root, [], { nextUpdate: null })], [root], NOW * 2)).toBe("good");
  for (const now of [NOW, NOW + 2001]) expect(judge(ofRoot, [list(root, [ofRoot])], [root], now)).toBe("revoked");
});

test("a list that is missing or has run out anywhere on the way leaves it unknown", () => {
  for (const missing of [0, 1, 2]) {
    expect(
      judge(
        ofLower,
        all().filter((_, i) => i !== missing),
      ),
    ).toBe("unknown");
    const old = [root, middle, lower].map((each, i) => list(each, [], i === missing ? { nextUpdate: NOW - 1 } : {}));
    expect(judge(ofLower, old)).toBe("unknown");
  }
});

test("a list for users alone is enough for a client, and not for an authority", () => {
  expect(judge(ofRoot, [list(root, [], { usersOnly: true })])).toBe("good");
  expect(judge(ofMiddle, [list(root, [], { usersOnly: true }), list(middle)])).toBe("unknown");
});

test("what is revoked anywhere on the way revokes it, also where another list has run out", () => {
  const over = { nextUpdate: NOW - 1 };
  for (const lists of [
    [list(root, [read(middle)]), list(middle), list(lower)],
    [list(root), list(middle, [read(lower)]), list(lower)],
    [list(root), list(middle), list(lower, [ofLower])],
    [list(root, [read(middle)], over), list(middle, [], over), list(lower)],
    [list(root, [read(middle)])],
  ])
    expect(judge(ofLower, lists)).toBe("revoked");
});

test("of two authorities of one name the key tells which one is meant", () => {
  const lists = [list(root, [read(middle)]), list(middle)];
  const both = [root, middle, renewed];
  expect(judge(ofMiddle, lists, both)).toBe("revoked");
  expect(judge(ofRenewed, lists, both)).toBe("good");
  // Its name alone does not help a certificate of an authority that is not among them.
  expect(judge(ofRenewed, lists, [root, middle])).toBeNull();
  expect(judge(ofTwin, [list(root)], [root])).toBeNull();
});

test("an authority whose own root is not among them is unknown", () => {
  expect(judge(ofMiddle, [list(root), list(middle)], [middle])).toBe("unknown");
});
