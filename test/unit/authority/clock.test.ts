// An authority on a machine whose clock is wrong for a while.

import { afterEach, expect, setSystemTime, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DAY, openAuthority } from "../../../src/authority/authority.ts";
import { createAuthority } from "../../../src/authority/create.ts";
import { clientSubject } from "../../../src/authority/names.ts";
import { x509 } from "../../../src/certs/x509-library.ts";
import { temporaryDirectory } from "../../support/tools.ts";

afterEach(() => setSystemTime());

const NOW = Date.parse("2026-11-26T12:00:00Z");

async function authorityAt(time: number) {
  setSystemTime(time);
  const directory = join(temporaryDirectory(), "authority");
  const created = await createAuthority({
    ...{ directory, name: "Plant", days: 7300, key: "ec", hasIntermediate: false, passphrase: null },
  });
  if (created.kind === "error") throw new Error(created.message);
  return created.authority;
}

function request(name: string) {
  const named = clientSubject(name);
  if (named.kind === "error") throw new Error(named.message);
  return { purpose: "client", subject: named.subject, days: 825, key: "ec" } as const;
}

test("a list that was written while the clock was ahead gives no revoked certificate its rights back", async () => {
  const authority = await authorityAt(NOW);
  const issued = await authority.issue(request("lost"));
  if (issued.kind === "error") throw new Error(issued.message);
  await authority.revoke([issued.issued.serial], "keyCompromise");
  const revoked = () =>
    new x509.X509Crl(readFileSync(authority.facts.files.list)).entries.map(({ serialNumber }) =>
      serialNumber.toUpperCase(),
    );
  for (const time of [NOW, NOW + 4000 * DAY, NOW + 4001 * DAY, NOW + DAY]) {
    setSystemTime(time);
    await authority.writeList();
  }
  expect(revoked()).toEqual([issued.issued.serial]);
});

test("nothing is issued before the authority itself is good, which a clock that is behind would do", async () => {
  const { facts } = await authorityAt(NOW);
  setSystemTime(NOW - 1500 * DAY);
  const opened = openAuthority(facts.directory, null);
  if (opened.kind !== "ok") throw new Error(opened.message);
  expect(await opened.authority.issue(request("early"))).toEqual({
    kind: "error",
    message: "the authority is good from 2026-11-25 on, and here it is 2022-10-18: is the clock right?",
  });
  expect(facts.index.read().entries.size).toBe(0);
});
