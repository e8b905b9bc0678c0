// What every command on an authority does first and last: find it, open its key, say what went wrong.

import { type Authority, openAuthority } from "../authority/authority.ts";
import { MOST_DAYS, parseDays } from "../authority/days.ts";
import { IndexDamaged } from "../authority/index-file.ts";
import { describeError } from "../system/errors.ts";
import { TurnTimeout } from "../system/turns.ts";
import { printable } from "../text/printable.ts";
import { askNew, secretOption } from "./secret-options.ts";
import type { Terminal } from "./terminal.ts";

export interface AuthorityOptions {
  readonly authority: string;
  readonly passphraseFile?: string;
  readonly passphraseEnv?: string;
  readonly json?: boolean;
}

/** Something that a command cannot do. The message is for who typed it. */
export class Refusal extends Error {}

/**
 * Runs a command on an authority.
 * @returns the exit code: 1 when it was refused, or a file could not be read or written; both are said.
 */
export async function answering(terminal: Terminal, command: () => Promise<number>): Promise<number> {
  try {
    return await command();
  } catch (error) {
    const { syscall, path, message } = error as NodeJS.ErrnoException;
    if (error instanceof Refusal || error instanceof IndexDamaged || error instanceof TurnTimeout)
      terminal.error(printable(message));
    else if (syscall !== undefined)
      terminal.error(printable(path === undefined ? describeError(error) : `${path}: ${describeError(error)}`));
    else throw error;
    return 1;
  }
}

/** Opens the authority, with a passphrase that is asked for where it is needed and not given. @throws Refusal */
export async function authorityOf(options: AuthorityOptions, terminal: Terminal): Promise<Authority> {
  const given = secretOption("passphrase", options.passphraseFile, options.passphraseEnv);
  if (given.kind === "error") throw new Refusal(given.message);
  let opened = openAuthority(options.authority, given.value);
  if (opened.kind === "locked" && given.value === null && terminal.ask !== null) {
    const answer = await terminal.ask(`Passphrase (${printable(opened.keyFile)}): `);
    if (answer !== null) opened = openAuthority(options.authority, answer);
  }
  switch (opened.kind) {
    case "ok":
      return opened.authority;
    case "locked":
      throw new Refusal(
        given.value === null ? `${opened.message}: give --passphraseFile FILE or --passphraseEnv NAME` : opened.message,
      );
    case "error":
      throw new Refusal(opened.message);
  }
}

/**
 * A new secret that is asked for, where somebody is there; null: none is wanted. Who gives the question up wants nothing to be made, least of
 * all without a secret.
 * @throws Refusal
 */
export async function newSecret(question: string, terminal: Terminal): Promise<string | null> {
  if (terminal.ask === null) return null;
  const typed = await askNew(question, terminal);
  if (typed === null) throw new Refusal("given up: nothing was made");
  return typed === "" ? null : typed;
}

/** A number of days as it was typed. @throws Refusal */
export function daysOf(typed: string | undefined, usual: number, option = "--days"): number {
  if (typed === undefined) return usual;
  const days = parseDays(typed);
  if (days === null) throw new Refusal(`${option} is a number from 1 to ${MOST_DAYS}, and not '${typed}'`);
  return days;
}

/** The day of a moment, in UTC. */
export function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
