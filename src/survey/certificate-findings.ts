// What is wrong with the certificates that a server shows, and what some clients cannot do with.

import type { X509Certificate } from "node:crypto";
import { isOutOfOrder } from "../certs/chain.ts";
import { detailsOf, subjectOf } from "../certs/details.ts";
import { describeCertificate } from "../certs/inspect/entry.ts";
import { isSelfIssued } from "../certs/issuers.ts";
import { SHORT_RSA_BITS } from "../certs/pem.ts";
import { serverNamesOf } from "../certs/x509.ts";
import { issuerOf, type Path, rootsSent, unrelated } from "./path.ts";
import type { Finding } from "./report.ts";

export interface Shown {
  /** In the order of the server, its own first. */
  readonly sent: readonly X509Certificate[];
  readonly path: Path;
  /** The host or name that its clients know it by. */
  readonly name: string;
  /** The file of authorities; null: the public ones. */
  readonly caFile: string | null;
  readonly stapled: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

const DAY = 86_400_000;
const SOON_DAYS = 30;
/** Browsers take no longer ones of public authorities, and Apple's systems none at all beyond the second. */
const LONG_DAYS = 398;
const LONGEST_DAYS = 825;
const LARGE_RSA_BITS = 4096;

/** What keeps clients out. */
export function certificateProblems(shown: Shown): Finding[] {
  const { sent, path, now } = shown;
  const leaf = sent[0]!;
  const problems: Finding[] = [...trustProblems(shown), ...nameProblems(shown)];
  for (const each of path.chain) {
    const what = each === leaf ? "the certificate" : `the certificate of ${subjectOf(each)} in its chain`;
    const { notBefore, notAfter, key } = describeCertificate(each);
    if (Date.parse(notAfter) < now)
      problems.push({ code: "expired", message: `${what} expired on ${minute(notAfter)}`, remedy: RENEW });
    if (Date.parse(notBefore) > now)
      problems.push({
        code: "not-yet-valid",
        message: `${what} is not valid before ${minute(notBefore)}`,
        remedy: "If that is in the past, the clock of this machine is wrong; else issue it with an earlier date.",
      });
    if (key.bits !== null && key.bits < SHORT_RSA_BITS)
      problems.push({
        code: "short-rsa",
        message: `${what} has an RSA key of ${key.bits} bits, which is too short to be safe: many clients refuse it`,
        remedy: "Issue it for a new key: EC P-256, or RSA of 2048 bits.",
      });
    // A root's signature on itself is not looked at by anybody.
    const signature = signatureOf(each);
    if (!isSelfIssued(each) && /sha1|md5|md2/i.test(signature))
      problems.push({
        code: "weak-signature",
        message: `${what} is signed with ${signature}: clients of today refuse it`,
        remedy: "Issue it anew with SHA-256.",
      });
  }
  const details = detailsOf(leaf.raw);
  if (details?.notForServers)
    problems.push({
      code: "not-for-servers",
      message: "it says what it is for (extended key usage), and servers are not among that",
      remedy: "Issue it with extendedKeyUsage=serverAuth.",
    });
  if (details?.mustStaple && !shown.stapled)
    problems.push({
      code: "must-staple",
      message: "it demands that the server staples a proof of its status (must-staple), and the server sends none",
      remedy: "Issue it without the TLS feature extension, or let the server staple. Sluice does not staple.",
    });
  return problems;
}

function trustProblems({ sent, path, caFile }: Shown): Finding[] {
  const problems: Finding[] = [];
  const { chain, anchor, broken, pretender } = path;
  const who = caFile === null ? "no public authority" : `no authority in ${caFile}`;
  if (anchor === null) {
    const last = chain[chain.length - 1]!;
    const urls = detailsOf(last.raw)?.issuerUrls ?? [];
    if (isSelfIssued(last))
      problems.push({
        code: "untrusted",
        message:
          chain.length === 1
            ? `it vouches for itself (self-signed), and ${who} vouches for it`
            : `it leads to ${subjectOf(last)}, and ${caFile === null ? "that is no public authority" : `that is not in ${caFile}`}`,
        remedy:
          caFile === null
            ? "If clients have this authority, check with --ca FILE; else take a certificate of an authority that they have."
            : "Give the clients, and --ca, the authority that has issued it.",
      });
    else if (chain.length === 1 && urls.length > 0)
      problems.push({
        code: "chain-incomplete",
        message: `the certificate of its issuer is not sent: ${issuerOf(last)}`,
        remedy: `Append it to the server's certificate file: it is at ${urls[0]}.`,
      });
    else
      problems.push({
        code: "untrusted",
        message: `its chain ends at ${issuerOf(last)}, which is not sent, and ${who} is that`,
        remedy:
          caFile === null
            ? "If that is a private authority, check with --ca FILE; if it is an intermediate, append it to the server's certificate file."
            : "If that is an intermediate, append it to the server's certificate file; else give its file to the clients and to --ca.",
      });
  }
  if (broken !== null)
    problems.push({
      code: "signature-wrong",
      message: `${subjectOf(broken[0])} has not signed ${subjectOf(broken[1])}, though it is named as its issuer`,
      remedy: "An authority with the same name has another key: send the certificate of the one that has issued it.",
    });
  if (pretender !== null)
    problems.push({
      code: "chain-refused",
      message: `${subjectOf(pretender)} issues, and is no authority by its own certificate`,
      remedy: "Issue its certificate with basicConstraints=CA:TRUE.",
    });
  if (isOutOfOrder(chain, sent))
    problems.push({
      code: "chain-order",
      message: "the certificates are sent out of order, which older and smaller clients refuse",
      remedy: "Put the server's own first into its certificate file, and behind each the one of its issuer.",
    });
  return problems;
}

function nameProblems({ sent, name }: Shown): Finding[] {
  const names = serverNamesOf(sent[0]!.raw);
  if (names.dns.length === 0 && names.addresses.length === 0)
    return [
      {
        code: "without-names",
        message: `it has no subject alternative name, and clients no longer look at the common name${names.commonNames[0] === undefined ? "" : ` (${names.commonNames[0]})`}`,
        remedy: `Issue it with subjectAltName: sluice certs server ${name}.`,
      },
    ];
  if (fitOf(sent[0]!, name) !== "no") return [];
  const all = [...names.dns, ...names.addresses];
  const listed = all.slice(0, MAX_NAMED).join(", ") + (all.length > MAX_NAMED ? ", ..." : "");
  return [
    {
      code: "name-mismatch",
      message: `it is not for ${name}, but for ${listed}`,
      remedy: "Issue it for this name too, or let clients dial one that it has (--sni NAME checks that one).",
    },
  ];
}

const MAX_NAMED = 10;

/** How a certificate is for a host (RFC 9525 6): a wildcard stands for one label, the first. */
export function fitOf(certificate: X509Certificate, name: string): "exact" | "wildcard" | "no" {
  const { dns, addresses } = serverNamesOf(certificate.raw);
  const wanted = name.toLowerCase();
  const known = dns.map((each) => each.toLowerCase());
  if (addresses.includes(wanted) || known.includes(wanted)) return "exact";
  const dot = wanted.indexOf(".");
  return dot > 0 && known.includes(`*${wanted.slice(dot)}`) ? "wildcard" : "no";
}

/** What some clients cannot do with, or what will be a problem one day. */
export function certificateNotes({ sent, path, name, now }: Shown): Finding[] {
  const notes: Finding[] = [];
  const leaf = sent[0]!;
  for (const each of path.chain) {
    const what = each === leaf ? "the certificate" : `the certificate of ${subjectOf(each)} in its chain`;
    const { notAfter, key } = describeCertificate(each);
    const days = Math.floor((Date.parse(notAfter) - now) / DAY);
    if (days >= 0 && days < SOON_DAYS)
      notes.push({ code: "expires-soon", message: `${what} expires on ${minute(notAfter)}`, remedy: RENEW });
    if (key.bits !== null && key.bits >= LARGE_RSA_BITS)
      notes.push({
        code: "large-rsa",
        message: `${what} has an RSA key of ${key.bits} bits: small devices take seconds for it, or have no memory for it`,
        remedy: "EC P-256 is as strong as they need, and the shortest.",
      });
    const rare = key.curve === "P-521" ? "P-521" : /^ed/.test(key.type) ? "Ed25519 or Ed448" : null;
    if (rare !== null)
      notes.push({
        code: "rare-key",
        message: `${what} has a key of ${rare}, which many clients do not know: Mbed TLS, older Java and browsers among them`,
        remedy: "Take EC P-256, or RSA of 2048 bits.",
      });
  }
  const { notBefore, notAfter } = describeCertificate(leaf);
  // The last second belongs to it.
  const days = (Date.parse(notAfter) - Date.parse(notBefore) + 1000) / DAY;
  if (days > LONG_DAYS)
    notes.push({
      code: "long-lived",
      message: `the certificate is good for ${Math.round(days)} days: ${days > LONGEST_DAYS ? `Apple's systems refuse more than ${LONGEST_DAYS}, and browsers` : "browsers"} refuse more than ${LONG_DAYS} of public authorities`,
      remedy: `Issue it for ${LONG_DAYS - 1} days if such clients are to come.`,
    });
  if (fitOf(leaf, name) === "wildcard")
    notes.push({
      code: "wildcard",
      message: `its name fits ${name} by a wildcard, which some small clients do not know`,
      remedy: "Issue it for the name itself if such devices are to come.",
    });
  for (const root of rootsSent(sent))
    notes.push({
      code: "root-sent",
      message: `the root is sent too, ${root.raw.length} bytes for nothing: ${subjectOf(root)}`,
      remedy:
        "Leave it out of the server's certificate file: clients that trust it have it. Where it is not in there, the TLS library adds it, as it knows it from clientAuth: that cannot be helped.",
    });
  for (const each of unrelated(sent).filter((one) => !isSelfIssued(one)))
    notes.push({
      code: "unrelated-sent",
      message: `a certificate is sent that is no part of its chain: ${subjectOf(each)}`,
      remedy: "Leave it out of the server's certificate file.",
    });
  return notes;
}

const RENEW = "Renew it; sluice certs renew does it for an authority of your own.";

/** By the runtime's name; an OID where it has none. */
export function signatureOf(certificate: X509Certificate): string {
  const { signatureAlgorithm, signatureAlgorithmOid } = certificate as X509Certificate & {
    signatureAlgorithm?: string;
    signatureAlgorithmOid?: string;
  };
  return signatureAlgorithm || signatureAlgorithmOid || "unknown";
}

/** To the minute, in UTC. */
function minute(iso: string): string {
  return `${iso.slice(0, 16).replace("T", " ")} UTC`;
}
