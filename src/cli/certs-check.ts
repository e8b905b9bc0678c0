// sluice certs check: what clients of a TLS server see, whether they get in, and what small devices choke on.

import { createPrivateKey, type X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { domainToASCII } from "node:url";
import { CannotConvert } from "../certs/convert/material.ts";
import { formatHostPort, parseHostPort } from "../config/scalars.ts";
import { type CheckRequest, checkServer, comparableName } from "../survey/check.ts";
import { printable } from "../text/printable.ts";
import { serverText } from "./certs-check-text.ts";
import { printableJson } from "./certs-text.ts";
import { type PasswordOptions, readFiles, readPasswords } from "./material-files.ts";
import type { Terminal } from "./terminal.ts";

export interface CheckOptions extends PasswordOptions {
  readonly sni?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly timeout?: string;
  readonly json?: boolean;
}

const USUAL_PORT = 8883;
const USUAL_SECONDS = 20;
const MOST_SECONDS = 600;

/** @returns the exit code: 1 when something keeps clients out, or the server cannot be looked at. */
export async function checkRemote(typed: string, options: CheckOptions, terminal: Terminal): Promise<number> {
  try {
    const report = await checkServer(await requestOf(typed, options, terminal), Date.now());
    if (options.json) terminal.log(printableJson(report));
    else if (report.tls === null)
      for (const { message, remedy } of report.problems)
        terminal.error(printable(`${report.server}: ${message}. ${remedy}`));
    else terminal.log(serverText(report, report.tls).map(printable).join("\n"));
    return report.problems.length > 0 ? 1 : 0;
  } catch (error) {
    if (!(error instanceof CannotConvert)) throw error;
    terminal.error(printable(error.message));
    return 1;
  }
}

/** @throws CannotConvert */
async function requestOf(typed: string, options: CheckOptions, terminal: Terminal): Promise<CheckRequest> {
  const { host, port } = addressOf(typed);
  const sni = options.sni === undefined ? null : asciiName(options.sni, "--sni");
  // A dot at the end belongs to DNS alone (RFC 6066 3).
  const name = sni ?? host.replace(/\.$/, "");
  const timeoutMs = secondsOf(options.timeout) * 1000;
  if (options.key !== undefined && options.cert === undefined)
    throw new CannotConvert("--key is the key of a certificate: give that with --cert FILE");
  const passwords = readPasswords(options);
  let ca: CheckRequest["ca"] = null;
  if (options.ca !== undefined) {
    const { parts } = await readFiles(options.ca, undefined, null, [], passwords, terminal);
    const certificates = parts.flatMap((part) => part.certificates);
    if (certificates.length === 0) throw new CannotConvert(`${options.ca}: it holds no certificate`);
    ca = { file: options.ca, certificates };
  }
  let client: CheckRequest["client"] = null;
  if (options.cert !== undefined) {
    const { parts } = await readFiles(options.cert, options.key, null, [], passwords, terminal);
    client = credentialsOf(options.cert, parts);
  }
  const target = { host, port, serverName: isIP(name) === 0 ? name : null };
  return { target, server: formatHostPort(host, port), name: comparableName(name), ca, client, timeoutMs };
}

function credentialsOf(
  file: string,
  parts: readonly { pkcs8: Buffer | null; certificates: readonly X509Certificate[] }[],
): CheckRequest["client"] {
  const pair = parts.find(({ pkcs8, certificates }) => pkcs8 !== null && certificates.length > 0);
  if (pair === undefined)
    throw new CannotConvert(`${file}: it holds no certificate with its private key: give the key with --key FILE`);
  const key = createPrivateKey({ key: pair.pkcs8!, format: "der", type: "pkcs8" });
  return { certificates: pair.certificates, key: key.export({ type: "pkcs8", format: "pem" }) as string };
}

/** host:port as it is typed; a host alone means the port of MQTT over TLS. @throws CannotConvert */
function addressOf(typed: string): { host: string; port: number } {
  if (isIP(typed) === 6) return { host: typed, port: USUAL_PORT };
  const bare = /^\[[^\]]*\]$|^[^:/@[\]\s]+$/.test(typed);
  const read = parseHostPort(asciiAddress(bare ? `${typed}:${USUAL_PORT}` : typed));
  if (read.kind === "error") throw new CannotConvert(read.message);
  if (read.host === "") throw new CannotConvert(`'${typed}' names no host: write HOST:PORT`);
  if (read.port === 0) throw new CannotConvert(`'${typed}': no server listens on port 0`);
  return { host: read.host, port: read.port };
}

/** With the host as DNS knows it: bücher.example becomes xn--bcher-kva.example. @throws CannotConvert */
function asciiAddress(text: string): string {
  const colon = text.lastIndexOf(":");
  return /[^\x20-\x7e]/.test(text) ? `${asciiName(text.slice(0, colon), "the host")}${text.slice(colon)}` : text;
}

/** @throws CannotConvert */
function asciiName(name: string, what: string): string {
  const ascii = isIP(name) !== 0 ? name : domainToASCII(name).replace(/\.$/, "");
  if (ascii === "" || ascii.length > 253 || /[^a-z0-9._:%-]/i.test(ascii))
    throw new CannotConvert(`${what}: '${name}' is no host name`);
  return ascii;
}

/** @throws CannotConvert */
function secondsOf(typed: string | undefined): number {
  if (typed === undefined) return USUAL_SECONDS;
  const seconds = /^\d{1,4}$/.test(typed) ? Number(typed) : 0;
  if (seconds < 1 || seconds > MOST_SECONDS)
    throw new CannotConvert(`--timeout is a number of seconds from 1 to ${MOST_SECONDS}, and not '${typed}'`);
  return seconds;
}
