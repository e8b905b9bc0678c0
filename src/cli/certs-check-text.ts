// What `sluice certs check` prints for people.

import type { ClientReport, Finding, SentCertificate, ServerReport, TlsReport } from "../survey/report.ts";
import { count } from "../text/words.ts";
import { keyOf, momentOf } from "./certs-text.ts";

/** The lines that people read; names in them are as whoever made the certificates wrote them. */
export function serverText(report: ServerReport, tls: TlsReport): string[] {
  const { server, address, serverName, problems, notes } = report;
  const where = address === null || server.includes(address) ? "" : ` (${address})`;
  const lines = [`${server}${where}: ${summary(tls)}`];
  lines.push("", ...rows([["name", serverName ?? "none sent (an address)"], ...rowsOf(tls, report.authorities)]));
  for (const [index, certificate] of tls.certificates.entries())
    lines.push("", `  certificate ${index + 1}: ${titleOf(certificate)}`, ...rows(rowsOfCertificate(certificate), 4));
  if (problems.length + notes.length > 0) lines.push("");
  for (const problem of problems) lines.push(...finding("wrong", problem));
  for (const note of notes) lines.push(...finding("note", note));
  if (problems.length === 0) lines.push("", "Nothing keeps clients out.");
  return lines;
}

const WIDTH = 9;

function rows(cells: readonly (readonly [string, string])[], indent = 2): string[] {
  return cells.map(([name, value]) => `${" ".repeat(indent)}${name.padEnd(WIDTH)} ${value}`);
}

function finding(word: string, { message, remedy }: Finding): string[] {
  return [`  ${word.padEnd(WIDTH)} ${message}`, `  ${"".padEnd(WIDTH)} ${remedy}`];
}

function summary({ versions, certificates, certificateBytes }: TlsReport): string {
  const accepted = versions.filter((each) => each.accepted === "yes").map(({ version }) => version);
  return `TLS ${[...accepted].reverse().join(", ")}; ${count(certificates.length, "certificate")}, ${certificateBytes} bytes`;
}

function rowsOf(tls: TlsReport, authorities: string): [string, string][] {
  const cells: [string, string][] = tls.versions.map(({ version, accepted, cipher, group }) => [
    `TLS ${version}`,
    accepted === "yes"
      ? [cipher, group].filter((each) => each !== null).join(", ")
      : accepted === "no"
        ? "no"
        : "unclear",
  ]);
  const whom = authorities === "public" ? "public authorities" : authorities;
  cells.push(
    ["trust", tls.trustedBy === null ? `not by ${whom}` : `${tls.trustedBy} (${whom})`],
    [
      "ALPN",
      tls.alpn === "refused" ? "refuses clients that offer mqtt" : (tls.alpn ?? "chooses none, mqtt was offered"),
    ],
    ["client", clientText(tls.client)],
    ["records", recordText(tls)],
  );
  if (tls.withoutName !== null)
    cells.push([
      "no SNI",
      { same: "the same certificate", other: "another certificate", refused: "refused", unknown: "not seen" }[
        tls.withoutName
      ],
    ]);
  cells.push(["status", statusText(tls.status)]);
  return cells;
}

function clientText({ asked, authorities, letIn, reason }: ClientReport): string {
  const named = authorities.slice(0, MAX_NAMED).join("; ");
  const more = authorities.length > MAX_NAMED ? ` and ${authorities.length - MAX_NAMED} more` : "";
  const of = authorities.length === 0 ? "of any authority" : `of ${named}${more}`;
  const wanted = asked ? `asked for a certificate ${of}` : "not asked for a certificate";
  const result =
    letIn === null ? "not tried to the end" : letIn ? "this one got in" : `this one was refused: ${reason}`;
  return `${wanted}; ${result}`;
}

/** Authorities; the JSON has all. */
const MAX_NAMED = 5;
const KEPT = { yes: "kept", no: "not kept", unknown: "cannot be told, all are shorter" } as const;

function recordText({ longestRecord, shortRecords: { maxFragmentLength, recordSizeLimit } }: TlsReport): string {
  return `up to ${longestRecord} bytes; asked for 512: max_fragment_length ${KEPT[maxFragmentLength]}, record_size_limit ${KEPT[recordSizeLimit]}`;
}

function statusText({ stapled, mustStaple, ocsp, lists }: TlsReport["status"]): string {
  const parts = [stapled ? "stapled" : "not stapled"];
  if (mustStaple) parts.push("it must be");
  if (ocsp.length > 0) parts.push(`OCSP ${ocsp.join(" ")}`);
  if (lists.length > 0) parts.push(`list ${lists.join(" ")}`);
  return parts.join(", ");
}

function titleOf({ commonName, names, subject }: SentCertificate): string {
  return commonName || names[0]?.value || subject || "(no name)";
}

function rowsOfCertificate(each: SentCertificate): [string, string][] {
  const cells: [string, string][] = [];
  if (each.names.length > 0) cells.push(["names", each.names.map(({ kind, value }) => `${kind}:${value}`).join(" ")]);
  const { daysLeft } = each;
  const left = daysLeft === null ? "no date" : daysLeft < 0 ? "expired" : `${count(daysLeft, "day")} left`;
  cells.push(
    ["subject", each.subject || "(empty)"],
    ["issuer", each.issuer || "(empty)"],
    ["key", keyOf(each.key)],
    ["signed", each.signature],
    ["valid", `${momentOf(each.notBefore)} to ${momentOf(each.notAfter)}, ${left}`],
    ["sha256", each.fingerprint],
  );
  return cells;
}
