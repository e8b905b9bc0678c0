// sluice certs server: a certificate with its key, in a folder of its own; and what the commands that issue have in common.

import { join } from "node:path";
import type { Authority, IssuedCertificate, IssueRequest } from "../authority/authority.ts";
import { type DeliveredFile, handOver, occupied, pemFiles, removeUnfinished } from "../authority/delivery.ts";
import { folderName } from "../authority/folder.ts";
import { type NamedSubject, nameText, type Subject, serverSubject } from "../authority/names.ts";
import { printable } from "../text/printable.ts";
import { type AuthorityOptions, answering, authorityOf, dayOf, daysOf, Refusal } from "./authority-access.ts";
import { dynamicLines } from "./dynamic-lines.ts";
import { checkForm, type KeyOptions, keyChoice, keyForm, keyNotice } from "./key-options.ts";
import type { Terminal } from "./terminal.ts";

/** Within the 398 days that browsers take from public authorities. */
export const SERVER_DAYS = 397;
export const CLIENT_DAYS = 825;

export interface IssueOptions extends AuthorityOptions, KeyOptions {
  readonly out: string;
  readonly days?: string;
  readonly force?: boolean;
}

/** One server with all these names. @returns the exit code */
export function issueServer(names: readonly string[], options: IssueOptions, terminal: Terminal): Promise<number> {
  return answering(terminal, async () => {
    const subject = subjectOf(serverSubject(names), terminal);
    const plan = planOf(subject, options);
    for (const notice of serverNotices(plan.days)) say(terminal, notice);
    const authority = await authorityOf(options, terminal);
    await removeUnfinished(authority, options.out);
    const { folder, issued, paths } = await issueInto(authority, plan, options, terminal);
    if (options.json) {
      terminal.log(JSON.stringify(jsonOf(folder, issued, subject, paths), null, 2));
      return 0;
    }
    tell(terminal, folder, issued, paths);
    terminal.log(dynamicLines(folder, authority.facts, options).join("\n"));
    return 0;
  });
}

export function subjectOf(named: NamedSubject, terminal: Terminal): Subject {
  if (named.kind === "error") throw new Refusal(named.message);
  for (const notice of named.notices) say(terminal, notice);
  return named.subject;
}

/** What is to be made; all that can be wrong with it is found before anything is issued. @throws Refusal */
function planOf(subject: Subject, options: IssueOptions) {
  const days = daysOf(options.days, SERVER_DAYS);
  const folder = join(options.out, folderName(subject.commonName || subject.alternativeNames[0]!.value));
  const taken = options.force ? null : occupied(folder, ["server.key", "server.crt", "ca.crt"]);
  if (taken !== null) throw new Refusal(alreadyThere(taken));
  const [key, form] = [keyChoice(options), keyForm(options)];
  checkForm(form, key);
  return { purpose: "server" as const, subject, days, key, form, folder };
}

export function alreadyThere(path: string): string {
  return `${path} is there already: sluice certs renew replaces it, and --force makes another one`;
}

type Plan = ReturnType<typeof planOf>;

async function issueInto(authority: Authority, plan: Plan, options: IssueOptions, terminal: Terminal) {
  const issued = await issue(authority, plan, terminal);
  const files: DeliveredFile[] = pemFiles(authority, issued, "server", plan.form);
  const notice = keyNotice(plan.key);
  if (notice !== null && options.json !== true) say(terminal, notice);
  const handed = await handOver(authority, plan.folder, files, options.force ?? false);
  if (handed.kind === "taken") throw new Refusal(alreadyThere(handed.path));
  return { folder: plan.folder, issued, paths: handed.paths };
}

/** Issues, and says when it ends earlier than was asked for. @throws Refusal */
export async function issue(
  authority: Authority,
  request: IssueRequest,
  terminal: Terminal,
): Promise<IssuedCertificate> {
  const { purpose, subject, days, key } = request;
  const answer = await authority.issue({ purpose, subject, days, key });
  if (answer.kind === "error") throw new Refusal(answer.message);
  if (answer.issued.isCut) sayCut(terminal, answer.issued, days);
  return answer.issued;
}

/** That it ends earlier than was asked for. */
export function sayCut(terminal: Terminal, { notAfter }: IssuedCertificate, days: number): void {
  say(terminal, `it is good until ${dayOf(notAfter)} and not for ${days} days: the authority ends then`);
}

/** What clients make of a server's certificate that is good for so long. */
export function serverNotices(days: number): string[] {
  if (days > 825)
    return [`Apple's systems refuse server certificates of more than 825 days, and this one is of ${days}`];
  if (days > 398)
    return [
      `browsers refuse certificates of public authorities of more than 398 days, and some clients all such ones: this one is of ${days}`,
    ];
  return [];
}

export function tell(
  terminal: Terminal,
  folder: string,
  { notAfter, serial }: IssuedCertificate,
  paths: readonly string[],
): void {
  terminal.error(printable(`${folder}: good until ${dayOf(notAfter)}, serial number ${serial}`));
  for (const path of paths) terminal.error(printable(`  ${path}`));
}

export function jsonOf(folder: string | null, issued: IssuedCertificate, subject: Subject, files: readonly string[]) {
  return {
    ...{ serial: issued.serial, commonName: subject.commonName, names: subject.alternativeNames.map(nameText) },
    notBefore: new Date(issued.notBefore).toISOString(),
    notAfter: new Date(issued.notAfter).toISOString(),
    ...{ folder, files },
  };
}

export function say(terminal: Terminal, notice: string): void {
  terminal.error(printable(`note: ${notice}`));
}
