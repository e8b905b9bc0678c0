// sluice certs server and sluice certs client: certificates with their keys, each in a folder of its own.

import { join } from "node:path";
import type { Authority, IssuedCertificate, IssueRequest } from "../authority/authority.ts";
import { type DeliveredFile, handOver, occupied, pemFiles } from "../authority/delivery.ts";
import { folderName } from "../authority/folder.ts";
import { clientSubject, type NamedSubject, nameText, type Subject, serverSubject } from "../authority/names.ts";
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
    const plan = planOf("server", subject, options, SERVER_DAYS);
    for (const notice of serverNotices(plan.days)) say(terminal, notice);
    const authority = await authorityOf(options, terminal);
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

/** One client for each name. @returns the exit code */
export function issueClients(names: readonly string[], options: IssueOptions, terminal: Terminal): Promise<number> {
  return answering(terminal, async () => {
    const subjects = [...new Set(names)].map((name) => subjectOf(clientSubject(name), terminal));
    const plans = subjects.map((subject) => planOf("client", subject, options, CLIENT_DAYS));
    const authority = await authorityOf(options, terminal);
    const all: unknown[] = [];
    for (const plan of plans) {
      const { folder, issued, paths } = await issueInto(authority, plan, options, terminal);
      all.push(jsonOf(folder, issued, plan.subject, paths));
      if (!options.json) tell(terminal, folder, issued, paths);
    }
    if (options.json) terminal.log(JSON.stringify(all, null, 2));
    return 0;
  });
}

function subjectOf(named: NamedSubject, terminal: Terminal): Subject {
  if (named.kind === "error") throw new Refusal(named.message);
  for (const notice of named.notices) say(terminal, notice);
  return named.subject;
}

/** What is to be made; all that can be wrong with it is found before anything is issued. @throws Refusal */
function planOf(purpose: "server" | "client", subject: Subject, options: IssueOptions, usualDays: number) {
  const days = daysOf(options.days, usualDays);
  const folder = join(options.out, folderName(subject.commonName || subject.alternativeNames[0]!.value));
  const taken = options.force ? null : occupied(folder, [`${purpose}.key`, `${purpose}.crt`, "ca.crt"]);
  if (taken !== null) throw new Refusal(alreadyThere(taken));
  const [key, form] = [keyChoice(options), keyForm(options)];
  checkForm(form, key);
  return { purpose, subject, days, key, form, folder };
}

function alreadyThere(path: string): string {
  return `${path} is there already: sluice certs renew replaces it, and --force makes another one`;
}

type Plan = ReturnType<typeof planOf>;

async function issueInto(authority: Authority, plan: Plan, options: IssueOptions, terminal: Terminal) {
  const issued = await issue(authority, plan, terminal);
  const files: DeliveredFile[] = pemFiles(authority, issued, plan.purpose, plan.form);
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
  if (answer.issued.isCut)
    say(
      terminal,
      `it is good until ${dayOf(answer.issued.notAfter)} and not for ${days} days: the authority ends then`,
    );
  return answer.issued;
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

function tell(
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
