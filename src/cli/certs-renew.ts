// sluice certs renew: what was issued before, for the same names and longer.

import { X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Authority, DAY, entriesCalled } from "../authority/authority.ts";
import { handOver, pemFiles } from "../authority/delivery.ts";
import type { Entry, Ledger } from "../authority/events.ts";
import { folderName } from "../authority/folder.ts";
import { type KeyChoice, kindOf } from "../authority/keys.ts";
import type { AlternativeName, Subject } from "../authority/names.ts";
import { readTextFile } from "../system/files.ts";
import { printable } from "../text/printable.ts";
import { type AuthorityOptions, answering, authorityOf, dayOf, daysOf, Refusal } from "./authority-access.ts";
import { CLIENT_DAYS, issue, jsonOf, SERVER_DAYS, say, serverNotices } from "./certs-issue.ts";
import { type KeyOptions, keyForm } from "./key-options.ts";
import type { Terminal } from "./terminal.ts";

export interface RenewOptions extends AuthorityOptions, KeyOptions {
  readonly within?: string;
  readonly days?: string;
  readonly sameKey?: boolean;
  readonly servers: string;
  readonly clients: string;
}

/** @returns the exit code: 1 when a name or a serial number is not of this authority, or revoked; then nothing is renewed. */
export function renewCertificates(
  words: readonly string[],
  options: RenewOptions,
  terminal: Terminal,
): Promise<number> {
  return answering(terminal, async () => {
    if ((words.length === 0) === (options.within === undefined))
      throw new Refusal("name what is to be renewed, or give --within DAYS for all that ends so soon");
    const form = keyForm(options);
    const authority = await authorityOf(options, terminal);
    const ledger = authority.facts.index.read();
    const entries =
      words.length > 0 ? words.map((word) => latest(word, ledger)) : due(ledger, daysOf(options.within, 0, "--within"));
    const plans = [...new Set(entries)].map((entry) => planOf(entry, authority, options, form.password !== null));
    const all: unknown[] = [];
    for (const plan of plans) {
      const { purpose, subject, folder } = plan;
      const usual = purpose === "server" ? SERVER_DAYS : CLIENT_DAYS;
      const days = daysOf(options.days, usual);
      if (purpose === "server") for (const notice of serverNotices(days)) say(terminal, notice);
      const issued = await issue(authority, { purpose, subject, days, key: plan.key }, terminal);
      const handed = await handOver(authority, folder, pemFiles(authority, issued, purpose, form), true);
      const paths = handed.kind === "ok" ? handed.paths : [];
      if (options.json) all.push({ ...jsonOf(folder, issued, subject, paths), former: plan.entry.serial });
      else terminal.log(printable(`renewed: ${folder}, good until ${dayOf(issued.notAfter)}`));
    }
    if (options.json) terminal.log(JSON.stringify(all, null, 2));
    else if (plans.length === 0) terminal.log("Nothing is to be renewed.");
    return 0;
  });
}

/** The newest one that a word means. @throws Refusal */
function latest(word: string, ledger: Ledger): Entry {
  const found = entriesCalled(word, ledger);
  if (found.length === 0) throw new Refusal(`the authority has issued nothing to '${word}'`);
  const open = found.filter(({ revoked }) => revoked === null);
  const [last] = open.slice(-1);
  if (last === undefined) throw new Refusal(`what was issued to '${word}' is revoked: issue a new one`);
  return last;
}

/** The newest of each name and purpose, where it ends within so many days and is not revoked. */
function due(ledger: Ledger, days: number): Entry[] {
  const newest = new Map<string, Entry>();
  for (const entry of ledger.entries.values())
    newest.set(JSON.stringify([entry.purpose, entry.commonName, entry.names]), entry);
  return [...newest.values()].filter(({ revoked, notAfter }) => revoked === null && notAfter < Date.now() + days * DAY);
}

/** What is to be made, and whether it can be. @throws Refusal */
function planOf(entry: Entry, authority: Authority, options: RenewOptions, hasPassword: boolean) {
  const { purpose, commonName, names, serial } = entry;
  const alternativeNames = names.map(nameOf);
  const subject: Subject = { commonName, alternativeNames };
  const folder = join(options[`${purpose}s`], folderName(commonName || alternativeNames[0]!.value));
  const certFile = join(folder, `${purpose}.crt`);
  if (!existsSync(certFile))
    throw new Refusal(
      `${certFile} is not there: --${purpose}s says in which directory the folders of ${purpose}s are. What certs sign issued, it issues again from the request`,
    );
  const issued = readTextFile(authority.facts.files.issued(serial));
  if (issued.kind === "error") throw new Refusal(issued.message);
  const { publicKey } = new X509Certificate(issued.text);
  const keyFile = join(folder, `${purpose}.key`);
  // A key that was taken away cannot be replaced here.
  if (options.sameKey || !existsSync(keyFile)) return { entry, purpose, subject, folder, key: publicKey };
  const key = readTextFile(keyFile);
  if (key.kind === "ok" && /ENCRYPTED/.test(key.text) && !hasPassword)
    throw new Refusal(`${keyFile} is encrypted: give --keyPasswordFile for the new key, or --sameKey`);
  const kind: KeyChoice | null = kindOf(publicKey);
  if (kind === null) throw new Refusal(`${keyFile} is of a kind that is not made here: --sameKey keeps it`);
  return { entry, purpose, subject, folder, key: kind };
}

function nameOf(text: string): AlternativeName {
  const at = text.indexOf(":");
  return { kind: text.slice(0, at) as AlternativeName["kind"], value: text.slice(at + 1) };
}
