// sluice certs client: certificates with their keys for devices, a folder each, with what the device's kind of client needs.

import { join } from "node:path";
import type { Authority } from "../authority/authority.ts";
import { removeUnfinished } from "../authority/delivery.ts";
import { folderName } from "../authority/folder.ts";
import { clientSubject, type Subject } from "../authority/names.ts";
import { readDevices } from "../fleet/devices-csv.ts";
import { found, type Made, makeAll, type Order } from "../fleet/make.ts";
import type { FamilyName } from "../fleet/names.ts";
import { hasStores } from "../fleet/roles.ts";
import { describeError } from "../system/errors.ts";
import { readFileBytes } from "../system/files.ts";
import { printable } from "../text/printable.ts";
import { count } from "../text/words.ts";
import { answering, authorityOf, daysOf, Refusal } from "./authority-access.ts";
import { alreadyThere, CLIENT_DAYS, type IssueOptions, jsonOf, say, sayCut, subjectOf, tell } from "./certs-issue.ts";
import { type FamilyOptions, familyOf, onlyServer, outfitsOf, serverOf, storePassword } from "./family-options.ts";
import { checkForm, keyChoice, keyForm, keyNotice } from "./key-options.ts";
import { progressOf } from "./progress.ts";
import type { StorePasswordOptions } from "./renew-family.ts";
import type { Terminal } from "./terminal.ts";

export interface ClientOptions extends IssueOptions, FamilyOptions, StorePasswordOptions {
  readonly from?: string;
}

/** Of a table, of how many rows something is told. */
const MAX_TOLD = 20;
/** What a shell says of a program that SIGINT has ended. */
const INTERRUPTED = 130;

/** One client for each name, or for each row of a table. @returns the exit code */
export function issueClients(names: readonly string[], options: ClientOptions, terminal: Terminal): Promise<number> {
  return answering(terminal, async () => {
    if ((names.length === 0) === (options.from === undefined))
      throw new Refusal("name the clients, or give --from FILE for a table of them");
    const wishes =
      options.from === undefined ? named(names, options, terminal) : tabled(options.from, options, terminal);
    const authority = await authorityOf(options, terminal);
    const orders = ordersOf(wishes, authority, options, terminal);
    const withoutPassword = orders.flatMap((order) => toMake(order, authority, options));
    const folders = new Set(withoutPassword.map(({ folder }) => folder));
    const done = orders.filter(({ folder }) => !folders.has(folder));
    sayUseless(done, authority, terminal);
    const outfits = (all: readonly Order[]) => all.flatMap(({ outfit }) => outfit ?? []);
    const isNeeded = outfits(withoutPassword).some(hasStores);
    const password = await storePassword(outfits(orders), isNeeded, options, terminal);
    const open = withoutPassword.map((order) => ({ ...order, password }));
    await removeUnfinished(authority, options.out);
    for (const choice of new Set(open.map(({ key }) => key))) {
      const notice = keyNotice(choice);
      if (notice !== null && options.json !== true) say(terminal, notice);
    }
    if (options.from === undefined) return makeNamed(authority, open, options, terminal);
    return makeTable(authority, open, done.length, { ...options, from: options.from }, terminal);
  });
}

/** The order, where it is still to be made; of a table, what is there already is done. @throws Refusal */
function toMake(order: Order, { facts }: Authority, { force, from }: ClientOptions): Order[] {
  if (force) return [order];
  const there = found(order, facts.hasIntermediate);
  if (there.kind === "nothing") return [order];
  if (there.kind === "other" || from === undefined) throw new Refusal(alreadyThere(there.path));
  return there.kind === "half" ? [{ ...order, isReplacing: true }] : [];
}

/** Devices of a table that are there, and that nobody lets in any more. */
function sayUseless(orders: readonly Order[], { facts }: Authority, terminal: Terminal): void {
  const clients = [...facts.index.read().entries.values()].filter(({ purpose }) => purpose === "client");
  const newest = new Map(clients.map((entry) => [entry.commonName, entry]));
  const notes = orders.flatMap(({ subject: { commonName } }) => {
    const entry = newest.get(commonName);
    if (entry !== undefined && entry.revoked !== null)
      return [`${commonName} is there already, and revoked: with --force it gets a new certificate`];
    return entry !== undefined && entry.notAfter < Date.now()
      ? [`${commonName} is there already, and has ended: sluice certs renew makes it anew`]
      : [];
  });
  for (const note of notes.slice(0, MAX_TOLD)) say(terminal, note);
  if (notes.length > MAX_TOLD) say(terminal, `and ${notes.length - MAX_TOLD} more of these`);
}

/** A device as it is asked for. */
interface Wish extends Pick<Order, "subject" | "days" | "key"> {
  readonly family: FamilyName | null;
}

function named(names: readonly string[], options: ClientOptions, terminal: Terminal): Wish[] {
  const subjects = names.map((name) => subjectOf(clientSubject(name), terminal));
  const unique = new Map(subjects.map((subject) => [subject.commonName, subject]));
  return [...unique.values()].map((subject) => ({ subject, ...forAll(options) }));
}

function forAll(options: ClientOptions) {
  return { days: daysOf(options.days, CLIENT_DAYS), key: keyChoice(options), family: familyOf(options.for) };
}

function tabled(file: string, options: ClientOptions, terminal: Terminal): Wish[] {
  const read = readFileBytes(file);
  if (read.kind === "error") throw new Refusal(read.message);
  const table = readDevices(read.bytes, file, options.insecure ?? false);
  if (table.kind === "error") {
    const { problems } = table;
    for (const problem of problems.slice(0, MAX_TOLD)) terminal.error(printable(problem));
    if (problems.length > MAX_TOLD) terminal.error(`and ${count(problems.length - MAX_TOLD, "more problem")}`);
    throw new Refusal("nothing is issued");
  }
  const usual = forAll(options);
  return table.devices.map(({ subject, family, days, key }) => ({
    ...{ subject, family: family ?? usual.family, days: days ?? usual.days, key: key ?? usual.key },
  }));
}

/** They have no password of key stores yet. @throws Refusal */
function ordersOf(wishes: readonly Wish[], authority: Authority, options: ClientOptions, terminal: Terminal): Order[] {
  const form = keyForm(options);
  for (const choice of new Set(wishes.map(({ key }) => key))) checkForm(form, choice);
  const server = serverOf(options.host) ?? onlyServer(authority);
  const families = wishes.map(({ family }) => family);
  const outfits = outfitsOf(families, options, server, form);
  if (options.host === undefined && options.json !== true && outfits.some((outfit) => outfit !== null))
    sayServer(server.host, terminal);
  return wishes.map(({ subject, days, key }, at) => ({
    ...{ subject, days, key, form, password: null, outfit: outfits[at]!, isReplacing: options.force ?? false },
    folder: folderOf(options.out, subject),
  }));
}

function folderOf(out: string, { commonName }: Subject): string {
  return join(out, folderName(commonName));
}

function sayServer(host: string | null, terminal: Terminal): void {
  say(
    terminal,
    host === null
      ? "which server it is for is not known: --host NAME[:PORT] puts it into the READMEs"
      : `the READMEs are for ${host}, the one server of this authority: --host is for another one`,
  );
}

async function makeNamed(
  authority: Authority,
  orders: readonly Order[],
  options: ClientOptions,
  terminal: Terminal,
): Promise<number> {
  const all: unknown[] = [];
  const qrs: Order[] = [];
  await makeAll(authority, orders, (order, made) => {
    const { issued, paths } = soundly(made);
    if (issued.isCut) sayCut(terminal, issued, order.days);
    all.push(jsonOf(order.folder, issued, order.subject, paths));
    if (!options.json) tell(terminal, order.folder, issued, paths);
    if (paths.some((path) => path.endsWith("/qr.png"))) qrs.push(order);
    return true;
  });
  if (options.json) terminal.log(JSON.stringify(all, null, 2));
  else if (terminal.screen && qrs.length === 1) await showQr(qrs[0]!, terminal);
  return 0;
}

async function showQr({ outfit, subject }: Order, terminal: Terminal): Promise<void> {
  const { addressUrl, qrLines } = await import("../fleet/qr.ts");
  const url = addressUrl({ server: outfit!.server, name: subject.commonName });
  terminal.error(`${qrLines(url).join("\n")}\n${printable(url)}`);
}

/** @throws Refusal */
function soundly(made: Made): Extract<Made, { kind: "ok" }> {
  if (made.kind === "ok") return made;
  throw new Refusal(made.kind === "taken" ? alreadyThere(made.path) : made.message);
}

/** A table's devices, until all are done or the run is interrupted: what is done stays, and is passed over the next time. */
async function makeTable(
  authority: Authority,
  orders: readonly Order[],
  before: number,
  options: ClientOptions & { from: string },
  terminal: Terminal,
): Promise<number> {
  const all: unknown[] = [];
  /** Those that another run over the same table has made meanwhile. */
  let elsewhere = 0;
  let isInterrupted = false;
  const cut: (() => void)[] = [];
  const interrupt = () => {
    isInterrupted = true;
  };
  const told = () => summary(options.from, all.length, before + elsewhere, orders.length - elsewhere);
  const progress = await progressOf(terminal, "devices", orders.length);
  process.once("SIGINT", interrupt);
  try {
    await makeAll(authority, orders, (order, made) => {
      if (made.kind === "taken" && found(order, authority.facts.hasIntermediate).kind === "done") {
        elsewhere++;
        progress.step();
        return !isInterrupted;
      }
      const { issued, paths } = soundly(made);
      if (issued.isCut) cut.push(() => sayCut(terminal, issued, order.days));
      all.push(jsonOf(order.folder, issued, order.subject, paths));
      progress.step();
      return !isInterrupted;
    });
  } catch (error) {
    progress.end();
    terminal.error(told());
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new Refusal(`${printable(options.out)}: ${describeError(error)}`);
  } finally {
    process.off("SIGINT", interrupt);
    progress.end();
  }
  cut[0]?.(); // the others end on the same day
  const isWhole = all.length + elsewhere === orders.length;
  if (options.json) terminal.log(JSON.stringify(all, null, 2));
  if (!options.json || !isWhole) terminal[isWhole ? "log" : "error"](told());
  return isWhole ? 0 : INTERRUPTED;
}

function summary(file: string, made: number, before: number, wanted: number): string {
  const rest = wanted - made;
  const parts = [`${count(made, "device")} made`];
  if (before > 0) parts.push(`${before} ${before === 1 ? "was" : "were"} there already`);
  if (rest > 0) parts.push(`${rest} ${rest === 1 ? "is" : "are"} left: the same command goes on`);
  return printable(`${file}: ${parts.join(", ")}`);
}
