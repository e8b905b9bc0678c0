// sluice certs convert: a file of certificates and keys in another format.

import type { X509Certificate } from "node:crypto";
import { CannotConvert, type Format, Locked, type Material } from "../certs/convert/material.ts";
import { alone, type Pieces, type ReadPasswords, readMaterial, readPieces, together } from "../certs/convert/read.ts";
import { type Converted, type Output, type Target, writeMaterial } from "../certs/convert/write.ts";
import { describeError } from "../system/errors.ts";
import { isThere, readFileBytes } from "../system/files.ts";
import { createFile, replaceFile } from "../system/replace-file.ts";
import { printable } from "../text/printable.ts";
import { askNew, secretOption } from "./secret-options.ts";
import type { Terminal } from "./terminal.ts";

export interface ConvertOptions {
  readonly from?: string;
  readonly to?: string;
  readonly keyFile?: string;
  readonly caFile?: string;
  readonly keyOut?: string;
  readonly alias?: string;
  readonly outAlias?: string;
  readonly passwordFile?: string;
  readonly passwordEnv?: string;
  readonly keyPasswordFile?: string;
  readonly keyPasswordEnv?: string;
  readonly outPasswordFile?: string;
  readonly outPasswordEnv?: string;
  readonly legacy?: string | boolean;
  readonly force?: boolean;
}

/** @returns the exit code: 1 when nothing was written, and why is said. */
export async function convertCertificates(
  input: string,
  output: string,
  options: ConvertOptions,
  terminal: Terminal,
): Promise<number> {
  try {
    await convert(input, output, options, terminal);
    return 0;
  } catch (error) {
    const { syscall, path, message } = error as NodeJS.ErrnoException;
    if (error instanceof CannotConvert) terminal.error(printable(message));
    else if (syscall !== undefined) terminal.error(printable(`${path ?? output}: ${describeError(error)}`));
    else throw error;
    return 1;
  }
}

async function convert(input: string, output: string, options: ConvertOptions, terminal: Terminal): Promise<void> {
  const { format, version } = formatOf(output, options.to);
  const legacy = legacyOf(options.legacy, format);
  const names = options.keyOut === undefined ? [output] : [options.keyOut, output];
  if (names.length > 1 && format !== "PEM" && format !== "DER")
    throw new CannotConvert(`--keyOut is for PEM and DER: ${format} holds the key and its certificate together`);
  if (names[0] === names[1]) throw new CannotConvert(`--keyOut and ${output} are the same file`);
  for (const name of names)
    if (options.force !== true && isThere(name))
      throw new CannotConvert(`${name} is there already: --force replaces it`);
  const material = named(await read(input, options, terminal), options.outAlias);
  const password = await outPassword(output, format, options, terminal);
  const target: Target = { format, password, legacy, version, keyApart: options.keyOut !== undefined };
  const converted = await writeMaterial(material, target);
  for (const note of converted.notes) terminal.error(printable(`${output}: ${note}`));
  const contents = converted.key === null ? [converted.main] : [converted.key, converted.main];
  for (const [index, name] of names.entries()) put(name, contents[index]!, options.force === true);
  terminal.log(printable(summaryOf(output, options.keyOut, format, material, converted)));
}

function put(name: string, { content, holdsKey }: Output, force: boolean): void {
  (force ? replaceFile : createFile)(name, content, holdsKey ? 0o600 : 0o644);
}

function summaryOf(
  output: string,
  keyOut: string | undefined,
  format: Format,
  { parts }: Material,
  { main }: Converted,
): string {
  const count = (number: number, what: string) => `${number} ${what}${number === 1 ? "" : "s"}`;
  const keys = parts.filter(({ pkcs8 }) => pkcs8 !== null).length;
  const all = new Set(parts.flatMap(({ certificates }) => certificates.map(({ fingerprint256 }) => fingerprint256)));
  const certificates = format === "DER" ? Number(parts[0]!.certificates.length > 0) : all.size;
  const counts = [
    ...(main.holdsKey ? [count(keys, "private key")] : []),
    ...(certificates > 0 ? [count(certificates, "certificate")] : []),
  ];
  const apart = keyOut === undefined ? "" : `; ${keyOut}: ${format}, ${count(keys, "private key")}`;
  return `${output}: ${format}, ${counts.join(", ")}${apart}`;
}

const FORMATS: Readonly<Record<string, Format>> = {
  pem: "PEM",
  der: "DER",
  pkcs12: "PKCS12",
  p12: "PKCS12",
  pfx: "PKCS12",
  jks: "JKS",
  jceks: "JCEKS",
  bks: "BKS",
  "bks-v1": "BKS",
  "bks-v2": "BKS",
};
const EXTENSIONS: Readonly<Record<string, string>> = { crt: "pem", cer: "pem", key: "pem", keystore: "jks" };
const KNOWN = "pem, der, pkcs12, jks, jceks, bks or bks-v1";

/** The format that is named, or else that of the file's name. @throws CannotConvert */
function formatOf(file: string, typed: string | undefined): { format: Format; version: 1 | 2 } {
  const extension = /\.([a-z0-9]+)$/i.exec(file)?.[1]?.toLowerCase() ?? "";
  const name = typed?.toLowerCase() ?? EXTENSIONS[extension] ?? extension;
  const format = Object.hasOwn(FORMATS, name) ? FORMATS[name]! : null;
  if (format !== null) return { format, version: name === "bks-v1" ? 1 : 2 };
  throw new CannotConvert(
    typed === undefined
      ? `${file}: its name does not say the format: give --to ${KNOWN}`
      : `'${typed}' is no format: take ${KNOWN}`,
  );
}

function legacyOf(typed: string | boolean | undefined, format: Format): Target["legacy"] {
  if (typed === undefined || typed === false) return null;
  if (format !== "PKCS12") throw new CannotConvert(`--legacy is for PKCS#12, and not for ${format}`);
  if (typed === true || typed === "rc2") return "rc2";
  if (typed === "3des") return "3des";
  throw new CannotConvert(`--legacy is rc2 or 3des, and not '${typed}'`);
}

/** Everything that is to be converted. @throws CannotConvert */
async function read(input: string, options: ConvertOptions, terminal: Terminal): Promise<Material> {
  const alias = options.alias ?? null;
  const passwords: ReadPasswords = {
    store: secret("password", options.passwordFile, options.passwordEnv),
    key: secret("keyPassword", options.keyPasswordFile, options.keyPasswordEnv),
  };
  const authorities = options.caFile === undefined ? [] : certificatesOf(options.caFile);
  let material: Material;
  if (options.keyFile === undefined)
    material = await unlocked(input, passwords, terminal, (bytes, known) => readMaterial(bytes, known, alias));
  else {
    const certificates = await unlocked(input, passwords, terminal, readPieces);
    const key = await unlocked(options.keyFile, passwords, terminal, readPieces);
    material = inFile(options.keyFile, () => together(joined(certificates, key, authorities)));
  }
  const wanted = options.from === undefined ? material.format : formatOf(input, options.from).format;
  if (wanted !== material.format)
    throw new CannotConvert(`${input} is ${material.format}, and not ${wanted} as --from says`);
  const known = new Set(
    material.parts.filter(({ pkcs8 }) => pkcs8 === null).map((each) => each.certificates[0]!.fingerprint256),
  );
  const more = authorities.filter(({ fingerprint256 }) => !known.has(fingerprint256)).map(alone);
  return { ...material, parts: [...material.parts, ...more] };
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

function certificatesOf(file: string): readonly X509Certificate[] {
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

function secret(option: string, file: string | undefined, variable: string | undefined): string | null {
  const given = secretOption(option, file, variable);
  if (given.kind === "error") throw new CannotConvert(given.message);
  return given.value;
}

/** A store has a password; PEM and DER only where one is given. @throws CannotConvert */
async function outPassword(
  output: string,
  format: Format,
  { outPasswordFile, outPasswordEnv }: ConvertOptions,
  terminal: Terminal,
): Promise<string | null> {
  const given = secret("outPassword", outPasswordFile, outPasswordEnv);
  if (given !== null || format === "PEM" || format === "DER") return given;
  const asked = await askNew(`New password (${printable(output)})`, terminal);
  if (asked !== null) return asked;
  throw new CannotConvert(
    `${output}: a key store needs a password: give --outPasswordFile FILE or --outPasswordEnv NAME`,
  );
}

/** The entry is called so; the one that has the key, where there are several. @throws CannotConvert */
function named(material: Material, alias: string | undefined): Material {
  if (alias === undefined) return material;
  const { parts } = material;
  const keys = parts.filter(({ pkcs8 }) => pkcs8 !== null);
  const candidates = keys.length > 0 ? keys : parts;
  if (candidates.length > 1)
    throw new CannotConvert(
      `--outAlias names one entry, and there are ${candidates.length}: --alias takes one of a store`,
    );
  return { ...material, parts: parts.map((part) => (part === candidates[0] ? { ...part, alias } : part)) };
}
