// sluice certs list --authority: what an authority has issued.

import { DAY, readAuthority } from "../authority/authority.ts";
import type { Entry } from "../authority/events.ts";
import { commonNames, partsOf } from "../certs/x509.ts";
import { printable } from "../text/printable.ts";
import { answering, dayOf, Refusal } from "./authority-access.ts";
import { tableOf } from "./table.ts";
import type { Terminal } from "./terminal.ts";

const SOON = 30 * DAY;

/** @returns the exit code: 1 when the index cannot be read, the authority has ended, or its list of revocations is not what it should be. */
export function listIssued(directory: string, json: boolean, terminal: Terminal): Promise<number> {
  return answering(terminal, async () => {
    const read = readAuthority(directory);
    if (read.kind === "error") throw new Refusal(read.message);
    const { issuer, root, index, files } = read.facts;
    const ledger = index.read();
    const now = Date.now();
    const end = Math.min(Date.parse(root.validTo), Date.parse(issuer.validTo));
    const problems: string[] = [];
    if (end < now) problems.push(`the authority ended on ${dayOf(end)}, and no list that it writes is good any more`);
    else if (ledger.listIsBehind || ledger.list === null)
      problems.push(`${files.list} lacks what was revoked last: sluice certs crl writes it`);
    else if (ledger.list.nextUpdate < now)
      problems.push(`${files.list} was good until ${dayOf(ledger.list.nextUpdate)}: sluice certs crl writes it anew`);
    const entries = [...ledger.entries.values()];
    if (json)
      terminal.log(
        JSON.stringify(
          {
            ...{
              name: commonNames(partsOf(root.raw).subject)[0] ?? "",
              notAfter: new Date(end).toISOString(),
              problems,
            },
            certificates: entries.map((entry) => jsonOf(entry, now)),
          },
          null,
          2,
        ),
      );
    else {
      const rows = entries.map((entry) => [
        ...[
          entry.commonName || entry.names[0]!,
          entry.purpose,
          entry.serial,
          dayOf(entry.notAfter),
          stateOf(entry, now),
        ],
      ]);
      for (const line of tableOf([["NAME", "FOR", "SERIAL NUMBER", "EXPIRES", "STATE"], ...rows]))
        terminal.log(printable(line));
      for (const problem of problems) terminal.error(printable(`wrong: ${problem}`));
    }
    return problems.length === 0 ? 0 : 1;
  });
}

function stateOf({ revoked, notAfter }: Entry, now: number): string {
  if (revoked !== null) return `revoked on ${dayOf(revoked.at)} (${revoked.reason})`;
  if (notAfter < now) return "expired";
  return notAfter - now < SOON ? "expires soon" : "good";
}

function jsonOf(entry: Entry, now: number) {
  const { serial, purpose, commonName, names, issuedAt, notAfter, revoked } = entry;
  const iso = (time: number) => new Date(time).toISOString();
  return {
    ...{ serial, for: purpose, commonName, names, issued: iso(issuedAt), notAfter: iso(notAfter) },
    state: revoked !== null ? "revoked" : notAfter < now ? "expired" : "good",
    revoked: revoked === null ? null : { at: iso(revoked.at), reason: revoked.reason },
  };
}
