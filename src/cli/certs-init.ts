// sluice certs init: makes an authority of one's own.

import { randomBytes } from "node:crypto";
import { createAuthority } from "../authority/create.ts";
import { clientSubject } from "../authority/names.ts";
import { printable } from "../text/printable.ts";
import { type AuthorityOptions, answering, dayOf, daysOf, newSecret, Refusal } from "./authority-access.ts";
import { authorityKeyChoice, keyNotice } from "./key-options.ts";
import { secretOption } from "./secret-options.ts";
import type { Terminal } from "./terminal.ts";

const USUAL_DAYS = 3650;

export interface InitOptions extends Omit<AuthorityOptions, "authority"> {
  readonly dir: string;
  readonly name?: string;
  readonly days?: string;
  readonly key?: string;
  readonly intermediate?: boolean;
}

/** @returns the exit code */
export function initAuthority(options: InitOptions, terminal: Terminal): Promise<number> {
  return answering(terminal, async () => {
    const days = daysOf(options.days, USUAL_DAYS);
    const key = authorityKeyChoice(options);
    const name = options.name ?? `Private authority ${randomBytes(3).toString("hex")}`;
    const checked = clientSubject(name);
    if (checked.kind === "error") throw new Refusal(checked.message.replace("client name", "name"));
    const plan = { directory: options.dir, name: checked.subject.commonName, days, key };
    const passphrase = await passphraseOf(options, terminal);
    const created = await createAuthority({ ...plan, hasIntermediate: options.intermediate ?? false, passphrase });
    if (created.kind === "error") throw new Refusal(created.message);
    const { facts, notAfter } = created.authority;
    const notice = keyNotice(key);
    if (options.json) {
      const { files, hasIntermediate } = facts;
      terminal.log(
        JSON.stringify(
          {
            ...{ directory: options.dir, name, notAfter: new Date(notAfter).toISOString(), key },
            ...{ encrypted: passphrase !== null, certificate: files.root.cert, list: files.list },
            intermediate: hasIntermediate ? files.intermediate.cert : null,
          },
          null,
          2,
        ),
      );
      return 0;
    }
    terminal.log(
      printable(`${options.dir}: the authority '${name}', good until ${dayOf(notAfter)}`) +
        `\n  ca.crt is what servers and clients are to trust. ca.key is what nobody else may have: it is ${passphrase === null ? "not encrypted" : "encrypted"}.`,
    );
    if (options.intermediate)
      terminal.log("  intermediate.key issues. Keep ca.key elsewhere, offline: it is not needed here any more.");
    if (notice !== null) terminal.error(`note: ${notice}`);
    const where = options.dir === "authority" ? "" : ` --authority=${printable(options.dir)}`;
    terminal.log(`Next: sluice certs server NAME${where}, and sluice certs client NAME${where}`);
    return 0;
  });
}

/** Where there is a terminal and nothing is said, it is asked for; empty means none. */
async function passphraseOf(
  { passphraseFile, passphraseEnv }: InitOptions,
  terminal: Terminal,
): Promise<string | null> {
  const given = secretOption("passphrase", passphraseFile, passphraseEnv);
  if (given.kind === "error") throw new Refusal(given.message);
  if (given.value === "") throw new Refusal("the passphrase is empty: give one, or leave the option out");
  return given.value ?? (await newSecret("Passphrase for the authority's key (empty: none)", terminal));
}
