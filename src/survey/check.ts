// Checks a TLS server as its clients see it: surveys it, and says what is wrong and what some clients cannot do with.

import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { parse } from "../asn1/ber.ts";
import { detailsOf, distinguishedName } from "../certs/details.ts";
import { describeCertificate } from "../certs/inspect/entry.ts";
import { type Extension, partsOf } from "../certs/x509.ts";
import type { ServerFlight } from "../wire/server-flight.ts";
import { certificateNotes, certificateProblems, type Shown, signatureOf } from "./certificate-findings.ts";
import { handshakeNotes, handshakeProblem, handshakeProblems } from "./handshake-findings.ts";
import { pathOf, publicAnchors } from "./path.ts";
import type { ClientReport, Finding, SentCertificate, ServerReport, TlsReport } from "./report.ts";
import { groupName, suiteName } from "./suites.ts";
import { type Seen, survey, type Target } from "./survey.ts";
import { unreachedProblem } from "./unreached.ts";

export interface CheckRequest {
  readonly target: Target;
  /** host:port as it was typed. */
  readonly server: string;
  /** What the certificate is to be for. */
  readonly name: string;
  readonly ca: { readonly file: string; readonly certificates: readonly X509Certificate[] } | null;
  /** The client's own certificate first, and its key in PEM. */
  readonly client: { readonly certificates: readonly X509Certificate[]; readonly key: string } | null;
  readonly timeoutMs: number;
}

/** `now` in milliseconds since the epoch. Nothing throws for what a server does. */
export async function checkServer(request: CheckRequest, now: number): Promise<ServerReport> {
  const { target, server, ca, client, timeoutMs } = request;
  const pem = (certificates: readonly X509Certificate[]) => certificates.map((each) => each.toString());
  const credentials = {
    ca: ca === null ? null : pem(ca.certificates),
    client: client === null ? null : { cert: pem(client.certificates).join(""), key: client.key },
  };
  const seen = await survey(target, credentials, timeoutMs);
  const common = { server, serverName: target.serverName, authorities: ca?.file ?? "public" };
  if (seen.kind !== "seen") {
    const address = "address" in seen ? seen.address : null;
    return { ...common, address, tls: null, problems: [unreachedProblem(seen, target)], notes: [] };
  }
  const { problems, notes, tls } = judge(seen, request, now);
  if (seen.isOutOfTime)
    problems.push({
      code: "out-of-time",
      message: `the time of ${timeoutMs / 1000} s was over before all was seen`,
      remedy: "Give more with --timeout SECONDS.",
    });
  return { ...common, address: seen.address, tls, problems, notes };
}

function judge(
  seen: Seen,
  { target, name, ca, client }: CheckRequest,
  now: number,
): { problems: Finding[]; notes: Finding[]; tls: TlsReport | null } {
  const { main, trial } = seen;
  const sent = main === null ? [] : certificatesOf(main);
  if (main === null || sent.length === 0)
    return { problems: [handshakeProblem(seen, target.serverName)], notes: [], tls: null };
  const path = pathOf(sent, ca?.certificates ?? publicAnchors());
  const stapled = seen.versions.some(({ answer }) => answer.flight.stapled);
  const shown: Shown = { sent, path, name, caFile: ca?.file ?? null, stapled, now };
  const clientReport = clientOf(seen);
  const problems = [...certificateProblems(shown), ...handshakeProblems(clientReport, client !== null)];
  // The library looks at more than path.ts does, such as the length of paths and constraints of names.
  const isExplained = problems.some(({ code }) => !BESIDE_THE_CHAIN.includes(code));
  if (trial?.kind === "in" && trial.verification !== null && !isExplained)
    problems.push({
      code: "chain-refused",
      message: `the TLS library does not trust its chain: ${trial.verification}`,
      remedy: "openssl verify -x509_strict -CAfile CA -untrusted CHAIN CERTIFICATE says more.",
    });
  const issuers = client?.certificates.map((each) => detailsOf(each.raw)?.issuer ?? "") ?? null;
  const notes = [...certificateNotes(shown), ...handshakeNotes(seen, clientReport, issuers)];
  const status = statusOf(sent[0]!, stapled);
  if (status.lists.length + status.ocsp.length > 0 && !stapled)
    notes.push({
      code: "status-online",
      message: `clients that check whether it is revoked must reach ${[...status.ocsp, ...status.lists].join(", ")}`,
      remedy: "From a closed network, devices that insist on it are kept out: open the way, or let the server staple.",
    });
  const tls: TlsReport = {
    versions: seen.versions.map(({ version, accepted, answer: { flight } }) => ({
      version,
      accepted,
      cipher: accepted === "yes" ? suiteName(flight.hello!.suite) : null,
      group: accepted === "yes" ? groupOf(flight) : null,
    })),
    alpn: seen.refusesAlpn ? "refused" : main.alpn,
    certificates: sent.map((each): SentCertificate => {
      const described = describeCertificate(each);
      const end = Date.parse(described.notAfter);
      const daysLeft = Number.isNaN(end) ? null : Math.floor((end - now) / DAY);
      return { ...described, signature: signatureOf(each), daysLeft };
    }),
    certificateBytes: main.certificateBytes,
    longestRecord: main.longestRecord,
    shortRecords: { maxFragmentLength: seen.maxFragmentLength, recordSizeLimit: seen.recordSizeLimit },
    trustedBy: path.anchor === null ? null : (detailsOf(path.anchor.raw)?.subject ?? path.anchor.subject),
    withoutName: seen.withoutName,
    status,
    client: clientReport,
  };
  return { problems, notes, tls };
}

const DAY = 86_400_000;
/** No client follows a longer chain; a hostile server may send thousands. */
const MAX_CERTIFICATES = 32;
/** What is wrong although a chain may be sound. */
const BESIDE_THE_CHAIN: readonly Finding["code"][] = [
  ...(["name-mismatch", "without-names", "must-staple", "chain-order", "client-refused"] as const),
];

/** Up to the first that cannot be read. */
function certificatesOf({ certificates }: ServerFlight): X509Certificate[] {
  const read: X509Certificate[] = [];
  for (const der of certificates.slice(0, MAX_CERTIFICATES))
    try {
      read.push(new X509Certificate(der));
    } catch {
      break;
    }
  return read;
}

function clientOf({ versions, trial }: Seen): ClientReport {
  const request = versions.map(({ answer }) => answer.flight.request).find((each) => each !== null) ?? null;
  return {
    asked: request !== null,
    authorities: (request?.authorities ?? []).map(nameOf),
    letIn: trial === null || trial.kind === "timeout" ? null : trial.kind === "in",
    reason: trial?.kind === "refused" ? trial.reason : null,
  };
}

/** RFC 4514; in hexadecimal what is no name. */
function nameOf(der: Uint8Array): string {
  try {
    return distinguishedName(parse(Buffer.from(der)));
  } catch {
    return Buffer.from(der).toString("hex");
  }
}

function groupOf({ group }: ServerFlight): string | null {
  if (group === null) return null;
  return group.kind === "dh" ? `DH ${group.bits}` : groupName(group.number);
}

const LIST_POINTS = "2.5.29.31";
const AUTHORITY_INFO = "1.3.6.1.5.5.7.1.1";
const OCSP = "1.3.6.1.5.5.7.48.1";
const URI = 0x86;

/** Where it is said whether the certificate is revoked (RFC 5280 4.2.1.13 and 4.2.2.1). */
function statusOf(leaf: X509Certificate, stapled: boolean): TlsReport["status"] {
  const mustStaple = detailsOf(leaf.raw)?.mustStaple ?? false;
  let extensions: readonly Extension[] = [];
  try {
    ({ extensions } = partsOf(leaf.raw));
  } catch {
    // Nothing is said then.
  }
  const of = (oid: string, read: (value: Buffer) => string[]): string[] => {
    try {
      return extensions.filter((each) => each.oid === oid).flatMap(({ value }) => read(value));
    } catch {
      return [];
    }
  };
  const ocsp = of(AUTHORITY_INFO, (value) =>
    parse(value)
      .children()
      .map((access) => access.children())
      .filter(([method, location]) => method?.oid() === OCSP && location?.tag === URI)
      .map(([, location]) => location!.content.toString("latin1")),
  );
  const lists = of(LIST_POINTS, (value) =>
    parse(value)
      .children()
      .flatMap((point) => point.children())
      // distributionPoint, and in it fullName.
      .filter(({ tag }) => tag === 0xa0)
      .flatMap((point) => point.children())
      .filter(({ tag }) => tag === 0xa0)
      .flatMap((name) => name.children())
      .filter(({ tag }) => tag === URI)
      .map(({ content }) => content.toString("latin1")),
  );
  return { stapled, mustStaple, ocsp, lists };
}

/** An IPv6 address as certificates' names are compared; anything else as it is, in lower case. */
export function comparableName(name: string): string {
  if (isIP(name) === 6) return new URL(`http://[${name.replace(/%.*$/, "")}]`).hostname.slice(1, -1);
  return name.toLowerCase().replace(/\.$/, "");
}
