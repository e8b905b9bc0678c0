// sluice certs client --thingsboard and sluice certs server --thingsboard: what ThingsBoard's and Tempus's scripts make of a
// keygen.properties, issued by an authority.

import { isUtf8 } from "node:buffer";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { handOver, occupied } from "../authority/delivery.ts";
import { fileNames, keygenFiles } from "../keygen/files.ts";
import { type KeygenPlan, planOf } from "../keygen/plan.ts";
import { MAX_PROPERTIES, parseProperties } from "../keygen/properties.ts";
import { CannotWrite } from "../keystores/new-entry.ts";
import { readFileBytes, TO_UTF8_FROM_8_BITS } from "../system/files.ts";
import { printable } from "../text/printable.ts";
import { answering, authorityOf, dayOf, daysOf, Refusal } from "./authority-access.ts";
import { CLIENT_DAYS, type IssueOptions, issue, jsonOf, SERVER_DAYS, say, serverNotices } from "./certs-issue.ts";
import { pairLines } from "./dynamic-lines.ts";
import type { Terminal } from "./terminal.ts";

/** `directory`: what the paths in the file are in; null: where the command runs, as with the scripts. */
export function issueByProperties(
  purpose: "client" | "server",
  file: string,
  directory: string | null,
  options: Omit<IssueOptions, "out">,
  terminal: Terminal,
): Promise<number> {
  return answering(terminal, async () => {
    const { plan, notes } = readPlan(purpose, file);
    for (const note of notes) say(terminal, `${file}: ${note}`);
    const days = daysOf(options.days, purpose === "client" ? CLIENT_DAYS : SERVER_DAYS);
    if (purpose === "server") for (const notice of serverNotices(days)) say(terminal, notice);
    const path = directory === null ? plan.prefix : join(directory, plan.prefix);
    const folder = dirname(path);
    const taken = options.force ? null : occupied(folder, fileNames(plan));
    if (taken !== null) throw new Refusal(alreadyThere(taken));
    const authority = await authorityOf(options, terminal);
    const { subject, key } = plan;
    const issued = await issue(authority, { purpose, subject, days, key }, terminal);
    const files = await keygenFiles(plan, issued, authority.root).catch((error: unknown) => {
      throw error instanceof CannotWrite ? new Refusal(`${file}: ${error.message}`) : error;
    });
    const handed = await handOver(authority, folder, files, options.force ?? false);
    if (handed.kind === "taken") throw new Refusal(alreadyThere(handed.path));
    if (options.json) {
      terminal.log(JSON.stringify(jsonOf(folder, issued, subject, handed.paths), null, 2));
      return 0;
    }
    terminal.error(printable(`${path}: good until ${dayOf(issued.notAfter)}, serial number ${issued.serial}`));
    for (const each of handed.paths) terminal.error(printable(`  ${each}`));
    if (purpose === "server") terminal.log(pairLines(`${path}.pub.pem`, `${path}.pk8.pem`).join("\n"));
    return 0;
  });
}

function alreadyThere(path: string): string {
  return `${path} is there already: --force makes another one`;
}

/** @throws Refusal */
function readPlan(purpose: "client" | "server", file: string): { plan: KeygenPlan; notes: readonly string[] } {
  const read = readFileBytes(file, MAX_PROPERTIES);
  if (read.kind === "error") throw new Refusal(read.message);
  if (!isUtf8(read.bytes)) throw new Refusal(`${file} is not in UTF-8: ${TO_UTF8_FROM_8_BITS}`);
  const properties = parseProperties(read.bytes.toString("utf8"), hostname());
  if (properties.kind === "error") throw new Refusal(`${file}:${properties.line}: ${properties.message}`);
  const planned = planOf(purpose, properties.settings);
  if (planned.kind === "error")
    throw new Refusal(`${file}${planned.line === null ? "" : `:${planned.line}`}: ${planned.message}`);
  const again = properties.again.map(({ name, line }) => `line ${line} sets ${name} once more, and that counts`);
  return { plan: planned.plan, notes: [...again, ...planned.notes] };
}
