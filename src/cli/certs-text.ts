// What `sluice certs show` prints for people.

import type {
  CertificateReport,
  EntryReport,
  FileReport,
  KeyDescription,
  ListReport,
} from "../certs/inspect/report.ts";
import { printable } from "../text/printable.ts";
import { count } from "../text/words.ts";

/** The lines that people read; names in them are as whoever made the file wrote them. */
export function textOf(report: FileReport): string[] {
  const lines = [`${report.file}: ${report.type}, ${contents(report)}`];
  for (const problem of report.problems) lines.push(`  wrong: ${problem.message}`);
  for (const list of report.lists) {
    lines.push("", `  revocation list of ${list.issuer || "(empty)"}`);
    for (const [name, value] of rowsOfList(list)) lines.push(`    ${name.padEnd(8)} ${value}`);
  }
  for (const entry of report.entries) {
    lines.push("", `  ${titleOf(entry)}`);
    for (const [name, value] of rowsOf(entry)) lines.push(`    ${name.padEnd(8)} ${value}`);
    for (const problem of entry.problems) lines.push(`    ${"wrong".padEnd(8)} ${problem.message}`);
  }
  return lines;
}

function contents(report: FileReport): string {
  const prints = new Set(report.entries.flatMap((entry) => entry.certificates.map((each) => each.fingerprint)));
  const keys = report.entries.filter((entry) => entry.privateKey !== null).length;
  const parts = [count(prints.size, "certificate"), count(keys, "private key")];
  if (report.lists.length > 0) parts.push(count(report.lists.length, "revocation list"));
  if (report.others.length > 0) parts.push(`and ${[...new Set(report.others)].join(", ")}`);
  return parts.join(", ");
}

function rowsOfList({ thisUpdate, nextUpdate, revoked }: ListReport): [string, string][] {
  const until = nextUpdate === null ? "(no date)" : momentOf(nextUpdate);
  const serials = revoked.slice(0, MAX_SERIALS).join(" ") + (revoked.length > MAX_SERIALS ? " ..." : "");
  return [
    ["valid", `${momentOf(thisUpdate)} to ${until}`],
    ["revoked", revoked.length === 0 ? "nothing" : `${count(revoked.length, "certificate")}: ${serials}`],
  ];
}

/** Serial numbers that are printed of a list; the JSON has all. */
const MAX_SERIALS = 10;

function titleOf({ alias, certificates: [leaf] }: EntryReport): string {
  if (alias !== null) return alias;
  return leaf === undefined ? "private key" : nameOf(leaf);
}

function nameOf(certificate: CertificateReport): string {
  return certificate.commonName || certificate.names[0]?.value || certificate.subject || "(no name)";
}

function rowsOf(entry: EntryReport): [string, string][] {
  const rows: [string, string][] = [];
  const [leaf] = entry.certificates;
  if (leaf !== undefined) {
    if (leaf.names.length > 0) rows.push(["names", leaf.names.map(({ kind, value }) => `${kind}:${value}`).join(" ")]);
    rows.push(
      ["subject", leaf.subject || "(empty)"],
      ["issuer", leaf.issuer || "(empty)"],
      ["serial", leaf.serial],
      ["valid", `${momentOf(leaf.notBefore)} to ${momentOf(leaf.notAfter)}`],
      ["key", keyOf(leaf.key)],
      ["sha256", leaf.fingerprint],
      ["sha1", leaf.fingerprintSha1],
    );
  }
  if (entry.privateKey !== null) rows.push(["private", privateKeyOf(entry)]);
  else if (leaf !== undefined) rows.push(["private", "not in the file"]);
  if (entry.chain !== null) rows.push(["chain", chainOf(entry)]);
  return rows;
}

/** To the second, in UTC, as certificates have it. */
export function momentOf(iso: string): string {
  return iso === "" ? "(no date)" : `${iso.slice(0, 19).replace("T", " ")} UTC`;
}

/** A key in a few words. */
export function keyOf({ type, bits, curve }: KeyDescription): string {
  switch (type) {
    case "rsa":
      return `RSA, ${bits} bits`;
    case "ec":
      return `EC, ${curve}`;
    case "ed25519":
      return "Ed25519";
    case "unknown":
      return "of a kind that Sluice cannot use";
    default:
      return type;
  }
}

function privateKeyOf({ privateKey, certificates }: EntryReport): string {
  const { state, belongs, ...key } = privateKey!;
  if (state !== "open") return state === "locked" ? "encrypted, not opened" : "cannot be read";
  if (belongs) return "belongs to the certificate";
  return certificates.length === 0 ? keyOf(key) : `${keyOf(key)}, of another certificate`;
}

function chainOf({ chain, certificates }: EntryReport): string {
  const { end, issuer, inOrder } = chain!;
  if (end === "self-signed") return "self-signed";
  const steps = certificates.slice(1).map(nameOf);
  const order = inOrder === false ? "out of order" : steps.length > 1 && inOrder ? "in order" : "";
  const last =
    end === "root"
      ? "complete, root in the file"
      : end === "public-root"
        ? `complete, public root ${issuer}`
        : "issuer of the last not in the file";
  return [steps.join(" <- "), order, last].filter(Boolean).join("; ");
}

/** JSON whose strings are escaped as far as `printable` does; its own line feeds stay. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value, null, 2).split("\n").map(printable).join("\n");
}
