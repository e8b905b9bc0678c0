// sluice certs renew: what was issued before, for the same names and longer.

import { X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Authority, IssuedCertificate } from "../authority/authority.ts";
import { handOver, type KeyForm, pemFiles } from "../authority/delivery.ts";
import type { Entry, Purpose } from "../authority/events.ts";
import { kindOf } from "../authority/keys.ts";
import type { AlternativeName, Subject } from "../authority/names.ts";
import { readManifest } from "../fleet/manifest.ts";
import { MANIFEST } from "../fleet/roles.ts";
import { readTextFile } from "../system/files.ts";
import { printable } from "../text/printable.ts";
import { type AuthorityOptions, answering, authorityOf, dayOf, daysOf, Refusal } from "./authority-access.ts";
import { CLIENT_DAYS, issue, jsonOf, SERVER_DAYS, say, serverNotices } from "./certs-issue.ts";
import { checkForm, isWeak, type KeyOptions, keyForm } from "./key-options.ts";
import { dueWithin, entryOf, type FolderOptions, folderOf } from "./renew-entries.ts";
import { familyRenewal, isKeyAway, type StorePasswordOptions, writeFamily } from "./renew-family.ts";
import type { Terminal } from "./terminal.ts";

export interface RenewOptions extends AuthorityOptions, FolderOptions, KeyOptions, StorePasswordOptions {
  readonly within?: string;
  readonly days?: string;
  readonly sameKey?: boolean;
}

/**
 * @returns the exit code: 1 when a name or a serial number is not of this authority, or revoked; then nothing is renewed. With --within
 * whatever can be is renewed, and 1 says that something could not be.
 */
export function renewCertificates(
  words: readonly string[],
  options: RenewOptions,
  terminal: Terminal,
): Promise<number> {
  return answering(terminal, async () => {
    if ((words.length === 0) === (options.within === undefined))
      throw new Refusal("name what is to be renewed, or give --within DAYS for all that ends so soon");
    const form = keyForm(options);
    const within = words.length > 0 ? null : daysOf(options.within, 0, "--within");
    const authority = await authorityOf(options, terminal);
    const ledger = authority.facts.index.read();
    const all: unknown[] = [];
    const renew = async (plan: Plan) => all.push(await renewed(authority, plan, form, options, terminal));
    let code = 0;
    if (within === null) {
      const entries = new Set(words.map((word) => entryOf(word, ledger, options)));
      const plans: Plan[] = [];
      for (const entry of entries) plans.push(await planOf(entry, authority, options, form, terminal));
      for (const plan of plans) await renew(plan);
    } else {
      const entries = dueWithin(within, ledger, options);
      // Nobody looks on when cron runs this: one that cannot be renewed does not keep the others from it.
      for (const entry of entries)
        code = Math.max(
          code,
          await apart(entry, terminal, async () => {
            await renew(await planOf(entry, authority, options, form, terminal));
          }),
        );
      if (entries.length === 0 && !options.json) terminal.log("Nothing is to be renewed.");
    }
    if (options.json) terminal.log(JSON.stringify(all, null, 2));
    return code;
  });
}

/** Does one thing of several. @returns 1 when it was refused, which is said with the name that it is about. */
function apart({ commonName, names }: Entry, terminal: Terminal, action: () => Promise<void>): Promise<number> {
  const error = (text: string) => terminal.error(printable(`not renewed: ${commonName || names[0]}: `) + text);
  return answering({ ...terminal, error }, async () => {
    await action();
    return 0;
  });
}

/** @returns what is printed of it as JSON. @throws Refusal */
async function renewed(authority: Authority, plan: Plan, form: KeyForm, options: RenewOptions, terminal: Terminal) {
  const { entry, purpose, subject, folder, key, family } = plan;
  const days = daysOf(options.days, purpose === "server" ? SERVER_DAYS : CLIENT_DAYS);
  if (purpose === "server") for (const notice of serverNotices(days)) say(terminal, notice);
  const issued = await issue(authority, { purpose, subject, days, key }, terminal);
  const paths =
    family === null
      ? await writePem(authority, folder, issued, purpose, form)
      : await writeFamily(authority, folder, issued, family);
  if (!options.json) terminal.log(printable(`renewed: ${folder}, good until ${dayOf(issued.notAfter)}`));
  return { ...jsonOf(folder, issued, subject, paths), former: entry.serial };
}

async function writePem(
  authority: Authority,
  folder: string,
  issued: IssuedCertificate,
  purpose: Purpose,
  form: KeyForm,
): Promise<readonly string[]> {
  const handed = await handOver(authority, folder, pemFiles(authority, issued, purpose, form), true);
  return handed.kind === "ok" ? handed.paths : [];
}

/** What is to be made, and whether it can be. @throws Refusal */
async function planOf(entry: Entry, authority: Authority, options: RenewOptions, form: KeyForm, terminal: Terminal) {
  const { purpose, commonName, names, serial } = entry;
  const alternativeNames = names.map(nameOf);
  const subject: Subject = { commonName, alternativeNames };
  const folder = folderOf(entry, options);
  const manifest = purpose === "client" ? readManifest(folder) : null;
  if (manifest?.kind === "error") throw new Refusal(manifest.message);
  const made = manifest?.kind === "ok" ? manifest.manifest : null;
  const certFile = join(folder, made === null ? `${purpose}.crt` : MANIFEST);
  if (!existsSync(certFile))
    throw new Refusal(
      `${certFile} is not there: --${purpose}s says in which directory the folders of ${purpose}s are. What certs sign issued, it issues again from the request; what --thingsboard made, that makes again with --force`,
    );
  const issued = readTextFile(authority.facts.files.issued(serial));
  if (issued.kind === "error") throw new Refusal(issued.message);
  const { publicKey } = new X509Certificate(issued.text);
  const kind = kindOf(publicKey);
  if (kind !== null && isWeak(kind) && !options.insecure)
    throw new Refusal(
      `${made === null ? certFile : folder} is for a key of RSA with 1024 bits, which is not safe: if the device can do nothing else, add --insecure`,
    );
  const keyFile = join(folder, `${purpose}.key`);
  // A key that was taken away cannot be replaced here.
  const isAway = made === null ? !existsSync(keyFile) : isKeyAway(folder, made);
  const isSameKey = options.sameKey === true || isAway;
  if (!isSameKey) {
    if (kind === null) throw new Refusal(`${keyFile} is of a kind that is not made here: --sameKey keeps it`);
    const text = existsSync(keyFile) ? readTextFile(keyFile) : null;
    if (text?.kind === "error") throw new Refusal(text.message);
    if (text !== null) checkSeal(keyFile, text.text, options, form);
    checkForm(form, kind);
  }
  const family =
    made === null ? null : await familyRenewal(folder, commonName, made, isSameKey, form, options, terminal);
  return { entry, purpose, subject, folder, key: isSameKey || kind === null ? publicKey : kind, family };
}

type Plan = Awaited<ReturnType<typeof planOf>>;

/** A new key is not less sealed than the former one, and not in a form that its device may not read. @throws Refusal */
function checkSeal(keyFile: string, former: string, { keyCipher }: RenewOptions, { password }: KeyForm): void {
  if (!former.includes("ENCRYPTED")) return;
  if (password === null)
    throw new Refusal(`${keyFile} is encrypted: give --keyPasswordFile for the new key, or --sameKey`);
  if (keyCipher === undefined && former.includes("DEK-Info:"))
    throw new Refusal(
      `${keyFile} is encrypted as old OpenSSL did it: give --keyCipher=des3 --insecure for another such key, or --keyCipher=aes256 if its device reads that`,
    );
}

function nameOf(text: string): AlternativeName {
  const at = text.indexOf(":");
  return { kind: text.slice(0, at) as AlternativeName["kind"], value: text.slice(at + 1) };
}
