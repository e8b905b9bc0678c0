// sluice certs revoke and sluice certs crl: what is no more good, and the list that says so.

import { type Authority, callings, DAY, entriesCalled } from "../authority/authority.ts";
import { REASONS } from "../authority/certificate.ts";
import { type Entry, isReason } from "../authority/events.ts";
import { printable } from "../text/printable.ts";
import { didYouMean } from "../text/spelling.ts";
import { count } from "../text/words.ts";
import { type AuthorityOptions, answering, authorityOf, dayOf, daysOf, Refusal } from "./authority-access.ts";
import { say } from "./certs-issue.ts";
import type { Terminal } from "./terminal.ts";

export interface RevokeOptions extends AuthorityOptions {
  readonly reason?: string;
}

/** @returns the exit code: 1 when a name or a serial number is not of this authority; then nothing is revoked. */
export function revokeCertificates(
  words: readonly string[],
  options: RevokeOptions,
  terminal: Terminal,
): Promise<number> {
  return answering(terminal, async () => {
    const reason = options.reason ?? "unspecified";
    if (!isReason(reason)) {
      const meant = didYouMean(reason, Object.keys(REASONS));
      throw new Refusal(
        `--reason is one of ${Object.keys(REASONS).join(", ")}, and not '${reason}'${meant === null ? "" : ` (did you mean "${meant}"?)`}`,
      );
    }
    const authority = await authorityOf(options, terminal);
    const entries = words.flatMap((word) => called(word, authority));
    sayEnded(authority, terminal);
    const revoked = await authority.revoke([...new Set(entries.map(({ serial }) => serial))], reason);
    if (options.json) {
      terminal.log(
        JSON.stringify(
          {
            list: authority.facts.files.list,
            revoked: revoked.map(({ serial, commonName, names }) => ({ serial, commonName, names })),
          },
          null,
          2,
        ),
      );
      return 0;
    }
    const before = entries.filter(({ serial }) => !revoked.some((each) => each.serial === serial));
    for (const entry of before) terminal.error(printable(`${titleOf(entry)} was revoked before`));
    for (const entry of revoked)
      terminal.log(printable(`revoked: ${titleOf(entry)}, good until ${dayOf(entry.notAfter)}`));
    terminal.log(
      printable(`${authority.facts.files.list} says so: a Sluice that has it in crlFiles takes it over at once.`),
    );
    return 0;
  });
}

/** What is written all the same: the index remembers it, and the clock of this machine may be wrong. */
function sayEnded({ notAfter }: Authority, terminal: Terminal): void {
  if (notAfter < Date.now())
    say(
      terminal,
      `the authority ended on ${dayOf(notAfter)}: neither its certificates nor this list are taken any more`,
    );
}

function called(word: string, authority: Authority): Entry[] {
  const ledger = authority.facts.index.read();
  const entries = entriesCalled(word, ledger);
  if (entries.length > 0) return entries;
  const names = [...ledger.entries.values()].flatMap(callings);
  const meant = didYouMean(word, new Set(names));
  throw new Refusal(
    `${authority.facts.directory} has issued nothing to '${word}'${meant === null ? "" : ` (did you mean "${meant}"?)`}`,
  );
}

function titleOf({ commonName, names, serial }: Entry): string {
  return `${commonName || names[0]}, serial number ${serial}`;
}

export interface ListOptions extends AuthorityOptions {
  readonly days?: string;
}

/** Writes the list anew. @returns the exit code */
export function writeRevocationList(options: ListOptions, terminal: Terminal): Promise<number> {
  return answering(terminal, async () => {
    const days = options.days === undefined ? null : daysOf(options.days, 0);
    const authority = await authorityOf(options, terminal);
    sayEnded(authority, terminal);
    const { number, nextUpdate } = await authority.writeList(days === null ? undefined : Date.now() + days * DAY);
    const revoked = [...authority.facts.index.read().entries.values()].filter((each) => each.revoked !== null).length;
    const { list } = authority.facts.files;
    if (options.json)
      terminal.log(JSON.stringify({ list, number, revoked, nextUpdate: new Date(nextUpdate).toISOString() }, null, 2));
    else
      terminal.log(
        printable(
          `${list}: ${count(revoked, "certificate")} revoked, list number ${number}, good until ${dayOf(nextUpdate)}`,
        ),
      );
    return 0;
  });
}
