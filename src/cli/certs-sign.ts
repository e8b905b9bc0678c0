// sluice certs sign: a certificate for a key that never leaves the device.

import { existsSync } from "node:fs";
import type { Purpose } from "../authority/events.ts";
import { clientSubject, type NamedSubject, nameText, type Subject, serverSubject } from "../authority/names.ts";
import { readRequest, type SigningRequest } from "../authority/request.ts";
import { readFileBytes } from "../system/files.ts";
import { replaceFile } from "../system/replace-file.ts";
import { printable } from "../text/printable.ts";
import { type AuthorityOptions, answering, authorityOf, dayOf, daysOf, Refusal } from "./authority-access.ts";
import { CLIENT_DAYS, issue, jsonOf, SERVER_DAYS, say, serverNotices } from "./certs-issue.ts";
import { isWeak, keyNotice } from "./key-options.ts";
import type { Terminal } from "./terminal.ts";

export interface SignOptions extends AuthorityOptions {
  readonly for?: string;
  readonly name?: readonly string[];
  readonly out?: string;
  readonly days?: string;
  readonly insecure?: boolean;
  readonly force?: boolean;
}

/** @returns the exit code */
export function signRequest(file: string, options: SignOptions, terminal: Terminal): Promise<number> {
  return answering(terminal, async () => {
    const read = readFileBytes(file);
    if (read.kind === "error") throw new Refusal(read.message);
    const request = await readRequest(read.bytes);
    if (request.kind === "error") throw new Refusal(`${file}: ${request.message}`);
    if (isWeak(request.keyKind) && !options.insecure)
      throw new Refusal(
        `${file}: its RSA key has 1024 bits, which is not safe: if the device can do nothing else, add --insecure`,
      );
    const purpose = purposeOf(request, options.for);
    const named = subjectOf(request, purpose, options.name);
    if (named.kind === "error") throw new Refusal(`${file}: ${named.message}. --name gives it another name`);
    const out = options.out ?? `${file.replace(/\.(csr|req|p10|pem|der)$/i, "")}.crt`;
    if (!options.force && existsSync(out)) throw new Refusal(`${out} is there already: --force replaces it`);
    const days = daysOf(options.days, purpose === "server" ? SERVER_DAYS : CLIENT_DAYS);
    for (const notice of [...named.notices, ...(purpose === "server" ? serverNotices(days) : [])])
      say(terminal, notice);
    const notice = keyNotice(request.keyKind);
    if (notice !== null) say(terminal, notice);
    for (const wish of [...request.ignored, ...namesLeftOut(request, named.subject, options.name)])
      say(terminal, `the request asks for ${wish}, which it does not get`);
    const authority = await authorityOf(options, terminal);
    const { subject } = named;
    const issued = await issue(authority, { purpose, subject, days, key: request.publicKey }, terminal);
    replaceFile(out, issued.certificate + issued.chain, 0o644);
    if (options.json) terminal.log(JSON.stringify(jsonOf(null, issued, subject, [out]), null, 2));
    else terminal.log(printable(`${out}: good until ${dayOf(issued.notAfter)}, serial number ${issued.serial}`));
    return 0;
  });
}

function purposeOf({ purpose }: SigningRequest, typed: string | undefined): Purpose {
  if (typed === "server" || typed === "client") return typed;
  if (typed !== undefined) throw new Refusal(`--for is server or client, and not '${typed}'`);
  if (purpose === null) throw new Refusal("the request does not say what it is for: give --for=server or --for=client");
  return purpose;
}

/** Of a hostile request, of how many names it is told that they are left out. */
const MAX_TOLD = 10;

/** Names of the request that are not in the certificate, though nobody has chosen others. */
function namesLeftOut(
  { commonName, names }: SigningRequest,
  subject: Subject,
  typed: readonly string[] | undefined,
): string[] {
  if (typed !== undefined) return [];
  const given = new Set([subject.commonName, ...subject.alternativeNames.map(({ value }) => value)]);
  const asked = [...(commonName === "" ? [] : [{ value: commonName, text: commonName }])];
  asked.push(...names.map((name) => ({ value: name.value, text: nameText(name) })));
  const left = asked.filter(
    ({ value }) => ![value, value.toLowerCase(), value.normalize("NFC")].some((each) => given.has(each)),
  );
  const told = left.slice(0, MAX_TOLD).map(({ text }) => `the name ${text}`);
  return left.length > MAX_TOLD ? [...told, `${left.length - MAX_TOLD} more names`] : told;
}

/** What it is issued to. The names of a request are somebody else's words, and are checked as typed ones are. */
function subjectOf(request: SigningRequest, purpose: Purpose, typed: readonly string[] | undefined): NamedSubject {
  const { commonName, names } = request;
  if (purpose === "server") {
    const asked = names.filter(({ kind }) => kind === "DNS" || kind === "IP").map(({ value }) => value);
    return serverSubject(typed ?? (asked.length > 0 || commonName === "" ? asked : [commonName]));
  }
  if (typed !== undefined && typed.length > 1) return { kind: "error", message: "a client has one name" };
  return clientSubject(typed?.[0] ?? (commonName || names[0]?.value || ""));
}
