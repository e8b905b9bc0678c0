// Making an authority: its keys, its certificates, an empty index and an empty list of revocations.

import { X509Certificate } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { replaceFile } from "../system/replace-file.ts";
import { inTurn } from "../system/turns.ts";
import { type Authority, type AuthorityError, DAY, openAuthority } from "./authority.ts";
import { intermediate, revocationList, selfSigned } from "./certificate.ts";
import { HEADER } from "./events.ts";
import { filesOf } from "./folder.ts";
import { authorityKeyText, type KeyChoice, newKey } from "./keys.ts";

/** How long before it was made an authority is good already: devices start with clocks that are off by hours. Milliseconds. */
const BACKDATED = DAY;

export interface AuthorityPlan {
  readonly directory: string;
  readonly name: string;
  readonly days: number;
  readonly key: KeyChoice;
  readonly hasIntermediate: boolean;
  /** null leaves the keys unencrypted. */
  readonly passphrase: string | null;
}

export type Created = { readonly kind: "ok"; readonly authority: Authority } | AuthorityError;

/** Makes an authority in a folder that has none. @throws the system's error, TurnTimeout */
export async function createAuthority(plan: AuthorityPlan): Promise<Created> {
  const files = filesOf(plan.directory);
  mkdirSync(plan.directory, { recursive: true });
  return inTurn(files.lock, async () => {
    if (existsSync(files.index)) return wrong(`${plan.directory} has an authority already`);
    const { root, intermediate: below } = files;
    const other = [root.key, root.cert, below.key, below.cert].find((file) => existsSync(file));
    // The index comes last: nothing was issued yet by one that was interrupted.
    if (other !== undefined)
      return wrong(
        `${other} is there, but no index: it is not of Sluice, or sluice certs init was interrupted. Remove it, or choose another directory`,
      );
    await writeFiles(plan);
    const opened = openAuthority(plan.directory, plan.passphrase);
    if (opened.kind !== "ok") return wrong(opened.message);
    return opened;
  }).then(async (created) => {
    if (created.kind === "ok") await created.authority.writeList();
    return created;
  });
}

async function writeFiles({ directory, name, days, key, hasIntermediate, passphrase }: AuthorityPlan): Promise<void> {
  const files = filesOf(directory);
  const now = Date.now();
  const validity = { notBefore: now - BACKDATED, notAfter: now + days * DAY };
  const rootKey = await newKey(key);
  const rootCert = await selfSigned(name, rootKey, validity, hasIntermediate ? 1 : 0);
  replaceFile(files.root.key, await authorityKeyText(rootKey, passphrase), 0o600);
  replaceFile(files.root.cert, rootCert, 0o644);
  if (hasIntermediate) {
    const signer = { certificate: new X509Certificate(rootCert), key: rootKey };
    const belowKey = await newKey(key);
    const below = await intermediate(intermediateName(name), belowKey, validity, signer);
    replaceFile(files.intermediate.key, await authorityKeyText(belowKey, passphrase), 0o600);
    replaceFile(files.intermediate.cert, below, 0o644);
    // Good for as long as the root: its key may be kept where nobody writes lists.
    replaceFile(files.root.list, await revocationList([], 1, { ...validity, notBefore: now }, signer), 0o644);
  }
  mkdirSync(files.issuedDirectory, { recursive: true });
  replaceFile(files.index, HEADER, 0o644);
}

const INTERMEDIATE = ", intermediate";

/** Another name than the root's, within a common name's 64 characters. */
function intermediateName(name: string): string {
  return [...name].slice(0, 64 - INTERMEDIATE.length).join("") + INTERMEDIATE;
}

function wrong(message: string): AuthorityError {
  return { kind: "error", message };
}
