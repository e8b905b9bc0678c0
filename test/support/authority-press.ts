// Issues and revokes without end in an authority, and prints what is done once it is done: for tests that kill it at any moment.

import { writeSync } from "node:fs";
import { join } from "node:path";
import { openAuthority } from "../../src/authority/authority.ts";
import { handOver, pemFiles } from "../../src/authority/delivery.ts";
import { clientSubject } from "../../src/authority/names.ts";

const [directory, out, prefix] = process.argv.slice(2) as [string, string, string];
const opened = openAuthority(directory, null);
if (opened.kind !== "ok") throw new Error(opened.message);
const { authority } = opened;
const say = (line: string) => writeSync(1, `${line}\n`);
for (let n = 0; ; n++) {
  const name = `${prefix}-${n}`;
  const named = clientSubject(name);
  if (named.kind === "error") throw new Error(named.message);
  const answer = await authority.issue({ purpose: "client", subject: named.subject, days: 30, key: "ec" });
  if (answer.kind === "error") throw new Error(answer.message);
  await handOver(authority, join(out, name), pemFiles(authority, answer.issued, "client"), false);
  say(`issued ${answer.issued.serial}`);
  if (n % 2 === 0) continue;
  await authority.revoke([answer.issued.serial], "superseded");
  say(`revoked ${answer.issued.serial}`);
}
