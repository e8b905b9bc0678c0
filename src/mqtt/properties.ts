// The properties of a CONNECT of 5 and of its will (5 2.2.2, 3.1.2.11, 3.1.3.2): each is looked at, and three are kept.

import type { Fields } from "./fields.ts";

type Kind = "flag" | "u16" | "u16 not 0" | "u32" | "u32 not 0" | "text" | "topic" | "binary" | "pair";

interface Property {
  readonly name: string;
  readonly kind: Kind;
}

/** By identifier. No two of a table are the same modulo 32, which `once` needs. */
export type PropertyTable = ReadonlyMap<number, Property>;

const SESSION_EXPIRY = 0x11;
const AUTHENTICATION_METHOD = 0x15;
const AUTHENTICATION_DATA = 0x16;
const USER_PROPERTY = 0x26;
const MAXIMUM_PACKET_SIZE = 0x27;

const OF_CONNECT: PropertyTable = new Map<number, Property>([
  [SESSION_EXPIRY, { name: "Session Expiry Interval", kind: "u32" }],
  [AUTHENTICATION_METHOD, { name: "Authentication Method", kind: "text" }],
  [AUTHENTICATION_DATA, { name: "Authentication Data", kind: "binary" }],
  [0x17, { name: "Request Problem Information", kind: "flag" }],
  [0x19, { name: "Request Response Information", kind: "flag" }],
  [0x21, { name: "Receive Maximum", kind: "u16 not 0" }],
  [0x22, { name: "Topic Alias Maximum", kind: "u16" }],
  [USER_PROPERTY, { name: "User Property", kind: "pair" }],
  [MAXIMUM_PACKET_SIZE, { name: "Maximum Packet Size", kind: "u32 not 0" }],
]);

const OF_WILL: PropertyTable = new Map<number, Property>([
  [0x01, { name: "Payload Format Indicator", kind: "flag" }],
  [0x02, { name: "Message Expiry Interval", kind: "u32" }],
  [0x03, { name: "Content Type", kind: "text" }],
  [0x08, { name: "Response Topic", kind: "topic" }],
  [0x09, { name: "Correlation Data", kind: "binary" }],
  [0x18, { name: "Will Delay Interval", kind: "u32" }],
  [USER_PROPERTY, { name: "User Property", kind: "pair" }],
]);

/** What of CONNECT's properties is of use here. */
export interface Stated {
  sessionExpiry: number;
  maximumPacketSize: number | null;
  authenticationMethod: string | null;
}

/** What a CONNECT says without any property: that of 3.1 and 3.1.1 too. */
export const NOTHING_STATED: Readonly<Stated> = {
  sessionExpiry: 0,
  maximumPacketSize: null,
  authenticationMethod: null,
};

/** Reads CONNECT's properties, their length first. What is wrong with them is `fields.fault`. */
export function readConnectProperties(fields: Fields): Readonly<Stated> {
  const end = propertiesEnd(fields, "properties");
  if (fields.at === end) return NOTHING_STATED;
  const stated: Stated = { ...NOTHING_STATED };
  const seen = readProperties(fields, end, OF_CONNECT, stated);
  if (has(seen, AUTHENTICATION_DATA) && !has(seen, AUTHENTICATION_METHOD))
    fields.protocolError("Authentication Data: there is no Authentication Method (5 3.1.2.11.10)");
  return stated;
}

/** Passes over the will's properties. */
export function skipWillProperties(fields: Fields): void {
  const end = propertiesEnd(fields, "will properties");
  readProperties(fields, end, OF_WILL, null);
}

function propertiesEnd(fields: Fields, field: string): number {
  const length = fields.varint(field);
  if (length > fields.end - fields.at) fields.malformed(`${field}: run over the end of the packet (5 2.2.2.1)`);
  return fields.fault === null ? fields.at + length : fields.at;
}

function has(seen: number, id: number): boolean {
  return (seen & (1 << (id & 31))) !== 0;
}

/** Gives a bit for each that there was. */
function readProperties(fields: Fields, end: number, table: PropertyTable, stated: Stated | null): number {
  let seen = 0;
  while (fields.at < end && fields.fault === null) {
    // An identifier is a variable byte integer, but all that exist have one byte.
    const id = fields.bytes[fields.at++]!;
    const property = table.get(id);
    if (property === undefined) {
      fields.malformed("properties: one is unknown, or has no place there (5 2.2.2.2)");
      break;
    }
    if (id !== USER_PROPERTY && has(seen, id))
      fields.protocolError(`${property.name}: it is there twice (5 3.1.2.11, 3.1.3.2)`);
    seen |= 1 << (id & 31);
    if (stated !== null && id === AUTHENTICATION_METHOD) {
      stated.authenticationMethod = fields.text(property.name);
    } else {
      const value = readValue(fields, property);
      if (stated !== null && id === SESSION_EXPIRY) stated.sessionExpiry = value;
      if (stated !== null && id === MAXIMUM_PACKET_SIZE) stated.maximumPacketSize = value;
    }
  }
  // The last of them may have taken bytes of what follows.
  if (fields.at > end) fields.malformed("properties: the last one runs over their end (5 2.2.2.1)");
  return seen;
}

/** A number's value; 0 for what is none. */
function readValue(fields: Fields, { name, kind }: Property): number {
  switch (kind) {
    case "flag": {
      const value = fields.u8(name);
      if (value > 1) fields.protocolError(`${name}: it is neither 0 nor 1 (5 3.1.2.11, 3.3.2.3.2)`);
      return value;
    }
    case "u16":
      return fields.u16(name);
    case "u16 not 0":
      return notZero(fields, name, fields.u16(name));
    case "u32":
      return fields.u32(name);
    case "u32 not 0":
      return notZero(fields, name, fields.u32(name));
    case "text":
      fields.skipText(name);
      return 0;
    case "topic":
      checkTopic(fields, fields.skipText(name), name);
      return 0;
    case "binary":
      fields.skipBinary(name);
      return 0;
    case "pair":
      fields.skipText(name);
      fields.skipText(name);
      return 0;
  }
}

function notZero(fields: Fields, name: string, value: number): number {
  if (value === 0) fields.protocolError(`${name}: it is 0 (5 3.1.2.11)`);
  return value;
}

const PLUS = 0x2b;
const HASH = 0x23;

/** The name of a topic, from `start` to where `fields` is: at least one character, and no wildcard. */
export function checkTopic(fields: Fields, start: number, name: string): void {
  if (start === fields.at) fields.protocolError(`${name}: it is empty (3.1.1 [MQTT-4.7.3-1], 5 [MQTT-4.7.3-1])`);
  for (let at = start; at < fields.at; at++) {
    const byte = fields.bytes[at];
    if (byte === PLUS || byte === HASH)
      fields.protocolError(`${name}: it has a wildcard (3.1.1 [MQTT-4.7.1-1], 5 [MQTT-4.7.0-1])`);
  }
}

/**
 * The Maximum Packet Size that a CONNECT of 5 states which is refused, whatever else is wrong with it or has not come; null: none, or
 * none that can be found. `fields` is where its properties begin.
 */
export function statedMaximum(fields: Fields): number | null {
  return findNumber(fields, OF_CONNECT, MAXIMUM_PACKET_SIZE) || null;
}

/** The first value of a number among properties that are not looked at otherwise; null: it is not there, or cannot be found. */
export function findNumber(fields: Fields, table: PropertyTable, wanted: number): number | null {
  const length = fields.varint("properties");
  const end = Math.min(fields.end, fields.at + length);
  while (fields.at < end && fields.fault === null) {
    const id = fields.bytes[fields.at++]!;
    const property = table.get(id);
    if (property === undefined) return null;
    const value = skipValue(fields, property);
    if (id === wanted && fields.fault === null) return value;
  }
  return null;
}

function skipValue(fields: Fields, { name, kind }: Property): number {
  if (kind === "flag") return fields.u8(name);
  if (kind === "u16" || kind === "u16 not 0") return fields.u16(name);
  if (kind === "u32" || kind === "u32 not 0") return fields.u32(name);
  fields.skipBinary(name);
  if (kind === "pair") fields.skipBinary(name);
  return 0;
}
