// The lines of an authority's index: one event each, in columns that tabs separate. What an authority has issued and revoked is what its
// lines add up to.

import { REASONS, type RevocationReason } from "./certificate.ts";

export type Purpose = "server" | "client";

export type Event =
  | {
      readonly kind: "issued";
      /** Milliseconds since the epoch, as all times here. */
      readonly at: number;
      /** 32 upper-case hexadecimal digits, or those of another program. */
      readonly serial: string;
      readonly purpose: Purpose;
      readonly notAfter: number;
      readonly commonName: string;
      /** `DNS:dev-1`; none has a space. */
      readonly names: readonly string[];
    }
  | { readonly kind: "revoked"; readonly at: number; readonly serial: string; readonly reason: RevocationReason }
  /** A list with every revocation before it is in its file. */
  | { readonly kind: "list"; readonly at: number; readonly number: number; readonly nextUpdate: number };

/** The first lines of an index. */
export const HEADER = `# What this authority has issued and revoked. Sluice appends a line for each event, and changes none.
# time, issued, serial number, purpose, end, common name, names | time, revoked, serial number, reason | time, list, number, next update
`;

export function lineOf(event: Event): string {
  const columns = [moment(event.at), event.kind];
  switch (event.kind) {
    case "issued":
      columns.push(event.serial, event.purpose, moment(event.notAfter), event.commonName, event.names.join(" "));
      break;
    case "revoked":
      columns.push(event.serial, event.reason);
      break;
    case "list":
      columns.push(String(event.number), moment(event.nextUpdate));
  }
  return `${columns.join("\t")}\n`;
}

/** The event of a line without its end; null when it is none. */
export function eventOf(line: string): Event | null {
  const [time = "", kind, ...rest] = line.split("\t");
  const at = timeOf(time);
  if (at === null) return null;
  switch (kind) {
    case "issued": {
      const [serial = "", purpose, end = "", commonName, names] = rest;
      const notAfter = timeOf(end);
      const known = purpose === "server" || purpose === "client";
      if (!isSerial(serial) || !known || notAfter === null || commonName === undefined || !names || rest.length !== 5)
        return null;
      return { kind, at, serial, purpose, notAfter, commonName, names: names.split(" ") };
    }
    case "revoked": {
      const [serial = "", reason = ""] = rest;
      return isSerial(serial) && isReason(reason) && rest.length === 2 ? { kind, at, serial, reason } : null;
    }
    case "list": {
      const [number = "", next = ""] = rest;
      const nextUpdate = timeOf(next);
      if (!/^[1-9]\d{0,14}$/.test(number) || nextUpdate === null || rest.length !== 2) return null;
      return { kind, at, number: Number(number), nextUpdate };
    }
    default:
      return null;
  }
}

export function isReason(word: string): word is RevocationReason {
  return Object.hasOwn(REASONS, word);
}

/** To the second, as certificates have it. */
function moment(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}

function timeOf(text: string): number | null {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text)) return null;
  const time = Date.parse(text);
  return Number.isNaN(time) ? null : time;
}

function isSerial(text: string): boolean {
  return /^[0-9A-F]{1,40}$/.test(text);
}

export interface Entry {
  readonly serial: string;
  readonly purpose: Purpose;
  readonly commonName: string;
  readonly names: readonly string[];
  readonly issuedAt: number;
  readonly notAfter: number;
  readonly revoked: { readonly at: number; readonly reason: RevocationReason } | null;
}

/** What the events so far add up to. */
export class Ledger {
  /** By serial number, in the order in which they were issued. */
  readonly entries = new Map<string, Entry>();
  list: { readonly number: number; readonly at: number; readonly nextUpdate: number } | null = null;
  /** Something was revoked that no list says yet: whoever did it was interrupted. */
  listIsBehind = false;

  /** Whether the event makes sense after those before it. */
  add(event: Event): boolean {
    switch (event.kind) {
      case "issued": {
        if (this.entries.has(event.serial)) return false;
        const { serial, purpose, commonName, names, at, notAfter } = event;
        this.entries.set(serial, { serial, purpose, commonName, names, issuedAt: at, notAfter, revoked: null });
        return true;
      }
      case "revoked": {
        const entry = this.entries.get(event.serial);
        if (entry === undefined) return false;
        if (entry.revoked === null)
          this.entries.set(event.serial, { ...entry, revoked: { at: event.at, reason: event.reason } });
        this.listIsBehind = true;
        return true;
      }
      case "list":
        this.list = { number: event.number, at: event.at, nextUpdate: event.nextUpdate };
        this.listIsBehind = false;
        return true;
    }
  }
}
