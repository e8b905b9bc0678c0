// Files of certificates and keys that a command reads, whatever their format, with the passwords that it is given or asks for.

import type { X509Certificate } from "node:crypto";
import { CannotConvert, Locked, type Material } from "../certs/convert/material.ts";
import { type Pieces, type ReadPasswords, readMaterial, readPieces, together } from "../certs/convert/read.ts";
import { readFileBytes } from "../system/files.ts";
import { printable } from "../text/printable.ts";
import { secretOption } from "./secret-options.ts";
import type { Terminal } from "./terminal.ts";

export interface PasswordOptions {
  readonly passwordFile?: string;
  readonly passwordEnv?: string;
  readonly keyPasswordFile?: string;
  readonly keyPasswordEnv?: string;
}

/** The passwords that files are opened with. @throws CannotConvert */
export function readPasswords(options: PasswordOptions): ReadPasswords {
  return {
    store: secret("password", options.passwordFile, options.passwordEnv),
    key: secret("keyPassword", options.keyPasswordFile, options.keyPasswordEnv),
  };
}

/**
 * What is in a file, or in one with certificates (and authorities, which complete chains) and another with the key.
 * @throws CannotConvert
 */
export async function readFiles(
  input: string,
  keyFile: string | undefined,
  alias: string | null,
  authorities: readonly X509Certificate[],
  passwords: ReadPasswords,
  terminal: Terminal,
): Promise<Material> {
  if (keyFile === undefined)
    return unlocked(input, passwords, terminal, (bytes, known) => readMaterial(bytes, known, alias));
  const certificates = await unlocked(input, passwords, terminal, readPieces);
  const key = await unlocked(keyFile, passwords, terminal, readPieces);
  return inFile(keyFile, () => together(joined(certificates, key, authorities)));
}

/** The certificates of one file and the key of another; authorities may be of its chain. */
function joined(certificates: Pieces, key: Pieces, authorities: readonly X509Certificate[]): Pieces {
  if (key.keys.length === 0) throw new CannotConvert("it holds no private key");
  const all = [...certificates.certificates, ...key.certificates, ...authorities];
  const unique = new Map(all.map((each) => [each.fingerprint256, each]));
  return {
    format: certificates.format,
    keys: [...certificates.keys, ...key.keys],
    certificates: [...unique.values()],
    notes: [...certificates.notes, ...key.notes],
  };
}

/** The certificates of a file in PEM or DER. @throws CannotConvert */
export function certificatesOf(file: string): readonly X509Certificate[] {
  return inFile(file, () => {
    const { certificates } = readPieces(bytesOf(file), { store: null, key: null });
    if (certificates.length === 0) throw new CannotConvert("it holds no certificate");
    return certificates;
  });
}

const PROMPTS = { store: "Password", key: "Password of the private key" } as const;
const HINTS = {
  store: "--passwordFile FILE or --passwordEnv NAME",
  key: "--keyPasswordFile FILE or --keyPasswordEnv NAME",
} as const;

/** Reads a file, and asks for the passwords that it takes. @throws CannotConvert */
async function unlocked<T>(
  file: string,
  passwords: ReadPasswords,
  { ask }: Terminal,
  reading: (bytes: Buffer, passwords: ReadPasswords) => T,
): Promise<T> {
  const bytes = bytesOf(file);
  const known = { ...passwords };
  for (;;)
    try {
      return reading(bytes, known);
    } catch (error) {
      if (!(error instanceof Locked)) throw about(file, error);
      const { wants, message } = error;
      if (known[wants] !== null) throw about(file, error);
      const answer = ask === null ? null : await ask(`${PROMPTS[wants]} (${printable(file)}): `);
      if (answer === null) throw new CannotConvert(`${file}: ${message}: give ${HINTS[wants]}`);
      known[wants] = answer;
    }
}

function inFile<T>(file: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw about(file, error);
  }
}

/** The same error, with the file that it is about. */
function about(file: string, error: unknown): unknown {
  return error instanceof CannotConvert ? new CannotConvert(`${file}: ${error.message}`) : error;
}

function bytesOf(file: string): Buffer {
  const found = readFileBytes(file);
  if (found.kind === "error") throw new CannotConvert(found.message);
  return found.bytes;
}

/** A password by its two options; null: neither is given. @throws CannotConvert */
export function secret(option: string, file: string | undefined, variable: string | undefined): string | null {
  const given = secretOption(option, file, variable);
  if (given.kind === "error") throw new CannotConvert(given.message);
  return given.value;
}
