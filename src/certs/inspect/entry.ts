// One entry of a file as `sluice certs show` reports it: what its certificates say, where their chain ends, and what is wrong.

import type { KeyObject, X509Certificate } from "node:crypto";
import { describeMissing, endOf, isOutOfOrder, OUT_OF_ORDER } from "../chain.ts";
import { detailsOf } from "../details.ts";
import { MUST_STAPLE, NO_NAMES, SHORT_RSA_BITS } from "../pem.ts";
import type { CertificateReport, ChainReport, EntryReport, KeyDescription, Problem } from "./report.ts";

const SOON_MS = 30 * 86_400_000;

/** A private key as the file gave it. */
export type Key =
  | { readonly state: "open"; readonly key: KeyObject }
  | { readonly state: "locked" | "unreadable"; readonly message: string };

/** What was found together in a file. */
export interface Entry {
  readonly alias: string | null;
  /** In the order that TLS wants. */
  readonly chain: readonly X509Certificate[];
  /** The order of the file, where it has one. */
  readonly given: readonly X509Certificate[] | null;
  readonly key: Key | null;
  /** How many certificates the key could have belonged to. */
  readonly others: number;
}

/** What is said of an entry at `now`, in milliseconds since the epoch. */
export function reportOf({ alias, chain, given, key, others }: Entry, now: number): EntryReport {
  const problems: Problem[] = [];
  const [leaf] = chain;
  const belongs = key?.state !== "open" ? null : leaf !== undefined && fits(leaf, key.key);
  if (key?.state === "locked")
    problems.push({ code: "key-locked", message: `the private key is not opened: ${key.message}` });
  if (key?.state === "unreadable")
    problems.push({ code: "key-unreadable", message: `the private key: ${key.message}` });
  if (belongs === false && others > 0)
    problems.push({ code: "key-mismatch", message: "the private key belongs to none of the certificates" });
  for (const each of chain) problems.push(...problemsOf(each, each !== leaf, now));
  if (leaf !== undefined) problems.push(...problemsOfServer(leaf, belongs === true));
  let report: ChainReport | null = null;
  if (leaf !== undefined) {
    const end = endOf(chain);
    const inOrder = given === null ? null : !isOutOfOrder(chain, given);
    if (inOrder === false) problems.push({ code: "chain-order", message: OUT_OF_ORDER });
    // Who shows a client's certificate need not send what the server has as its root.
    const missing = detailsOf(leaf.raw)?.notForServers ? null : describeMissing(chain, end);
    if (missing !== null) problems.push({ code: "chain-incomplete", message: missing });
    const issuer = end.kind === "public-root" ? end.root : end.kind === "open" ? end.issuer : null;
    report = { inOrder, complete: end.kind !== "open", end: end.kind, issuer };
  }
  const privateKey =
    key === null ? null : { ...describeKey(key.state === "open" ? key.key : null), state: key.state, belongs };
  return { alias, certificates: chain.map(describeCertificate), chain: report, privateKey, problems };
}

function problemsOf(certificate: X509Certificate, inChain: boolean, now: number): Problem[] {
  const problems: Problem[] = [];
  const { subject, notBefore, notAfter, key } = describeCertificate(certificate);
  const what = inChain ? `the certificate of ${subject} in its chain` : "the certificate";
  const [from, to] = [Date.parse(notBefore), Date.parse(notAfter)];
  if (to < now) problems.push({ code: "expired", message: `${what} expired on ${moment(notAfter)}` });
  else if (to - now < SOON_MS)
    problems.push({ code: "expires-soon", message: `${what} expires on ${moment(notAfter)}` });
  if (from > now) problems.push({ code: "not-yet-valid", message: `${what} is not valid before ${moment(notBefore)}` });
  if (key.bits !== null && key.bits < SHORT_RSA_BITS)
    problems.push({
      code: "short-rsa",
      message: `${what} has an RSA key of ${key.bits} bits, which is too short to be safe`,
    });
  if (key.type === "unknown" && !inChain)
    problems.push({ code: "key-unsupported", message: "its key is of a kind that Sluice cannot use" });
  return problems;
}

/** Why clients would refuse it as a server's; an authority without its key, or a client's, is none. */
function problemsOfServer(leaf: X509Certificate, hasKey: boolean): Problem[] {
  const details = detailsOf(leaf.raw);
  if (details === null || details.notForServers || (details.isAuthority && !hasKey)) return [];
  const problems: Problem[] = [];
  if (details.names.length === 0) problems.push({ code: "without-names", message: NO_NAMES });
  if (details.mustStaple) problems.push({ code: "must-staple", message: MUST_STAPLE });
  return problems;
}

/** Whether `key` is the private key of `certificate`. */
export function fits(certificate: X509Certificate, key: KeyObject): boolean {
  try {
    return certificate.checkPrivateKey(key);
  } catch {
    return false;
  }
}

/** What a certificate says, for people. */
export function describeCertificate(certificate: X509Certificate): CertificateReport {
  const details = detailsOf(certificate.raw);
  let key: KeyObject | null = null;
  try {
    key = certificate.publicKey;
  } catch {
    // Of a kind that the runtime does not know.
  }
  return {
    // The runtime has undefined for an empty name.
    subject: details?.subject ?? certificate.subject ?? "",
    issuer: details?.issuer ?? certificate.issuer ?? "",
    commonName: details?.commonNames[0] ?? "",
    names: details?.names ?? [],
    serial: certificate.serialNumber.toUpperCase(),
    notBefore: isoTime(certificate.validFrom),
    notAfter: isoTime(certificate.validTo),
    key: describeKey(key),
    fingerprint: certificate.fingerprint256,
    fingerprintSha1: certificate.fingerprint,
    isAuthority: details?.isAuthority ?? certificate.ca,
  };
}

/** "" for a date that no calendar has. */
function isoTime(date: string): string {
  const time = Date.parse(date);
  return Number.isNaN(time) ? "" : new Date(time).toISOString();
}

/** To the minute, in UTC: "on which day" depends on where one is. */
function moment(iso: string): string {
  return `${iso.slice(0, 16).replace("T", " ")} UTC`;
}

const CURVES: Record<string, string> = { prime256v1: "P-256", secp384r1: "P-384", secp521r1: "P-521" };

function describeKey(key: KeyObject | null): KeyDescription {
  const curve = key?.asymmetricKeyDetails?.namedCurve;
  return {
    type: key?.asymmetricKeyType ?? "unknown",
    bits: key?.asymmetricKeyDetails?.modulusLength ?? null,
    curve: curve === undefined ? null : (CURVES[curve] ?? curve),
  };
}
