// Tables of devices in CSV (RFC 4180), as spreadsheets write them. All that is wrong is told with its place, before anything is made.

import { isUtf8 } from "node:buffer";
import type { CsvError, InfoRecord } from "csv-parse";
import { parse } from "csv-parse/sync";
import { MOST_DAYS, parseDays } from "../authority/days.ts";
import { folderName } from "../authority/folder.ts";
import { choiceOf, type KeyChoice, WEAK_KEYS } from "../authority/keys.ts";
import { type AlternativeName, alternativeName, clientSubject, type Subject } from "../authority/names.ts";
import { encodingOf, TO_UTF8 } from "../system/files.ts";
import { printable } from "../text/printable.ts";
import { suggestion } from "../text/spelling.ts";
import { count } from "../text/words.ts";
import { isFamily } from "./families.ts";
import { FAMILY_NAMES, type FamilyName } from "./names.ts";

/** A device of a table. null: what the command says for all. */
export interface DeviceRow {
  readonly line: number;
  readonly subject: Subject;
  readonly family: FamilyName | null;
  readonly days: number | null;
  readonly key: KeyChoice | null;
}

export type DevicesRead =
  | { readonly kind: "ok"; readonly devices: readonly DeviceRow[] }
  /** Each begins with its place, `devices.csv:12: days: `. */
  | { readonly kind: "error"; readonly problems: readonly string[] };

const NAME_COLUMNS: Readonly<Record<string, AlternativeName["kind"]>> = {
  dns: "DNS",
  ip: "IP",
  uri: "URI",
  email: "email",
};
const COLUMNS = ["name", "for", "days", "key", ...Object.keys(NAME_COLUMNS)];

/** Longer rows are no device's; characters. An open quote would else take the whole file for one. */
const MAX_ROW = 16_384;

/** `file` is for messages. `mayBeWeak`: RSA of 1024 bits is allowed. */
export function readDevices(bytes: Buffer, file: string, mayBeWeak: boolean): DevicesRead {
  const wrong = (...problems: string[]): DevicesRead => ({ kind: "error", problems });
  const encoding = encodingOf(bytes);
  if (encoding === "UTF-16") return wrong(`${file} is in UTF-16: ${TO_UTF8}`);
  if (encoding === "binary") return wrong(`${file} is binary, and no CSV`);
  if (!isUtf8(bytes))
    return wrong(
      `${file}:${lineOfBadByte(bytes)}: this is not UTF-8: save the table as "CSV UTF-8" (or iconv -f WINDOWS-1252 -t UTF-8)`,
    );
  const text = bytes.toString("utf8");
  let records: readonly Row[];
  /** Where the last whole row ends: of one whose quote is not closed the library counts to the end of the file. */
  let last = 0;
  try {
    records = rowsOf(text, (line) => {
      last = line;
    });
  } catch (error) {
    return wrong(`${file}:${last + 1}: ${inWords(error as CsvError)}`);
  }
  const [header, ...rows] = withoutEmptyColumns(records);
  if (header === undefined) return wrong(`${file} is empty: its first line names the columns, such as name,for,days`);
  const columns = header.fields.map((field) => field.trim().toLowerCase());
  const problems = columnProblems(columns).map((problem) => `${file}:${header.line}: ${problem}`);
  if (problems.length > 0) return wrong(...problems);
  if (rows.length === 0) return wrong(`${file} has no device: there is only the line with the columns`);
  return devicesOf(rows, columns, file, mayBeWeak);
}

interface Row {
  readonly line: number;
  readonly fields: readonly string[];
}

/**
 * A spreadsheet writes columns at the right that only had a format once, and rows that were emptied: nothing but separators. Columns without a
 * name and with nothing in them do not count, nor do such rows.
 */
function withoutEmptyColumns([header, ...rows]: readonly Row[]): readonly Row[] {
  if (header === undefined) return [];
  const filled = rows.filter(({ fields }) => fields.some((field) => field !== ""));
  const width = ({ fields }: Row) => fields.findLastIndex((field) => field !== "") + 1;
  const named = width(header);
  const cut = (row: Row): Row => ({ ...row, fields: row.fields.slice(0, Math.max(named, width(row))) });
  return [cut(header), ...filled.map(cut)];
}

/** @throws CsvError */
function rowsOf(text: string, seen: (line: number) => void): Row[] {
  const first = text.slice(0, text.search(/[\r\n]|$/));
  const records = parse(text, {
    ...{ bom: true, info: true, raw: true, trim: true, skip_empty_lines: true, relax_column_count: true },
    // A spreadsheet whose decimals have a comma separates by semicolons.
    delimiter: [",", ";", "\t"].find((each) => first.includes(each)) ?? ",",
    max_record_size: MAX_ROW,
    on_record(record, { lines }) {
      seen(lines);
      return record;
    },
  }) as unknown as readonly { info: InfoRecord; raw: string; record: string[] }[];
  return records.map(({ info, raw, record }) => ({
    // What is counted is the end, and a quoted field may have lines.
    line: info.lines - (raw.trim().match(/\r\n|\r|\n/g)?.length ?? 0),
    fields: record,
  }));
}

function inWords({ code, message }: CsvError): string {
  switch (code) {
    case "CSV_QUOTE_NOT_CLOSED":
      return "a field begins with a quote and never ends";
    case "CSV_INVALID_CLOSING_QUOTE":
    case "CSV_NON_TRIMABLE_CHAR_AFTER_CLOSING_QUOTE":
      return 'something follows the quote at the end of a field: a quote within a quoted field is doubled ("")';
    case "INVALID_OPENING_QUOTE":
      return 'a quote stands within a field: put the whole field into quotes, and double those in it ("")';
    case "CSV_MAX_RECORD_SIZE":
      return `a row has more than ${MAX_ROW} characters: is a quote never closed?`;
    default:
      return message;
  }
}

function columnProblems(columns: readonly string[]): string[] {
  const unknown = columns.filter((column) => !COLUMNS.includes(column));
  const twice = columns.filter((column, at) => columns.indexOf(column) !== at);
  return [
    ...unknown.map(
      (column) =>
        `there is no column '${printable(column)}'${suggestion(column, COLUMNS)}: the columns are ${COLUMNS.join(", ")}`,
    ),
    ...twice.map((column) => `the column '${printable(column)}' is there twice`),
    ...(columns.includes("name") ? [] : ["the column 'name' is missing: the first line names the columns"]),
  ];
}

function devicesOf(rows: readonly Row[], columns: readonly string[], file: string, mayBeWeak: boolean): DevicesRead {
  const problems: string[] = [];
  const devices: DeviceRow[] = [];
  const lines = new Map<string, number>();
  for (const { line, fields } of rows) {
    const found: string[] = [];
    if (fields.length !== columns.length) {
      problems.push(
        `${file}:${line}: the row has ${count(fields.length, "field")}, and there are ${count(columns.length, "column")}`,
      );
      continue;
    }
    const device = deviceOf(line, new Map(columns.map((column, at) => [column, fields[at]!])), mayBeWeak, found);
    if (device !== null) {
      const folder = folderName(device.subject.commonName);
      const before = lines.get(folder);
      if (before === undefined) lines.set(folder, line);
      else found.push(`name: '${printable(device.subject.commonName)}' is in line ${before} too`);
      devices.push(device);
    }
    problems.push(...found.map((problem) => `${file}:${line}: ${problem}`));
  }
  return problems.length === 0 ? { kind: "ok", devices } : { kind: "error", problems };
}

/** null, with what is wrong in `problems`, where there is no device at all. */
function deviceOf(
  line: number,
  row: ReadonlyMap<string, string>,
  mayBeWeak: boolean,
  problems: string[],
): DeviceRow | null {
  const family = (row.get("for") ?? "").toLowerCase();
  if (family !== "" && !isFamily(family))
    problems.push(
      `for: '${printable(family)}' is no family${suggestion(family, FAMILY_NAMES)}: take ${FAMILY_NAMES.join(", ")}`,
    );
  const days = row.get("days") ?? "";
  if (days !== "" && parseDays(days) === null)
    problems.push(`days: a number from 1 to ${MOST_DAYS}, and not '${printable(days)}'`);
  const key = row.get("key") ?? "";
  const choice = key === "" ? null : choiceOf(key, 2048);
  if (key !== "" && choice === null)
    problems.push(`key: '${printable(key)}' is no kind of key: take ec, rsa, ed25519 ...`);
  if (choice !== null && WEAK_KEYS.includes(choice) && !mayBeWeak)
    problems.push(`key: ${choice} is not safe: if the device can do nothing else, add --insecure`);
  const more = furtherNames(row, problems);
  const named = clientSubject(row.get("name")!);
  if (named.kind === "error") {
    problems.push(`name: ${named.message}`);
    return null;
  }
  const { commonName, alternativeNames } = named.subject;
  const all = new Map([...alternativeNames, ...more].map((name) => [JSON.stringify(name), name]));
  return {
    ...{ line, subject: { commonName, alternativeNames: [...all.values()] } },
    ...{ family: isFamily(family) ? family : null, days: parseDays(days), key: choice },
  };
}

/** Several in a field have spaces between them. */
function furtherNames(row: ReadonlyMap<string, string>, problems: string[]): AlternativeName[] {
  return Object.entries(NAME_COLUMNS).flatMap(([column, kind]) =>
    (row.get(column) ?? "")
      .split(/\s+/)
      .filter((text) => text !== "")
      .flatMap((text) => {
        const read = alternativeName(kind, text);
        if (read.kind === "ok") return [read.name];
        problems.push(`${column}: ${read.message}`);
        return [];
      }),
  );
}

function lineOfBadByte(bytes: Buffer): number {
  let line = 1;
  for (let start = 0; ; line++) {
    const end = bytes.indexOf(0x0a, start);
    if (end < 0 || !isUtf8(bytes.subarray(start, end))) return line;
    start = end + 1;
  }
}
