// sluice certs convert: a file of certificates and keys in another format.

import { CannotConvert, type Format, type Material } from "../certs/convert/material.ts";
import { alone } from "../certs/convert/read.ts";
import { type Converted, type Output, type Target, writeMaterial } from "../certs/convert/write.ts";
import { describeError } from "../system/errors.ts";
import { isThere } from "../system/files.ts";
import { createFile, replaceFile } from "../system/replace-file.ts";
import { printable } from "../text/printable.ts";
import { certificatesOf, readFiles, readPasswords, secret } from "./material-files.ts";
import { askNew } from "./secret-options.ts";
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
  const authorities = options.caFile === undefined ? [] : certificatesOf(options.caFile);
  const alias = options.alias ?? null;
  const material = await readFiles(input, options.keyFile, alias, authorities, readPasswords(options), terminal);
  const wanted = options.from === undefined ? material.format : formatOf(input, options.from).format;
  if (wanted !== material.format)
    throw new CannotConvert(`${input} is ${material.format}, and not ${wanted} as --from says`);
  const known = new Set(
    material.parts.filter(({ pkcs8 }) => pkcs8 === null).map((each) => each.certificates[0]!.fingerprint256),
  );
  const more = authorities.filter(({ fingerprint256 }) => !known.has(fingerprint256)).map(alone);
  return { ...material, parts: [...material.parts, ...more] };
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
  if (asked !== null && asked !== "") return asked;
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
