// Writes a CONNECT again with another client id, user name or password, and otherwise byte for byte.

import { type Connect, mayLackClientId } from "./connect.ts";
import { Fields } from "./fields.ts";
import { headerSize, readLevel } from "./opening.ts";
import { encodeText, MAX_FIELD } from "./text.ts";

/** What is left out stays as it is; null: there is to be none. */
export interface ConnectChanges {
  readonly clientId?: string;
  readonly username?: string | null;
  readonly password?: Buffer | null;
}

/** 3.1.1 2.2.3. */
const MAX_REMAINING = 268_435_455;
const [USERNAME, PASSWORD] = [0x80, 0x40];
const FLAGS_AND_KEEP_ALIVE = 3;

/**
 * What `readConnect` takes again, or null: a text cannot be one of MQTT (it is over 65535 bytes, or has a NUL, a control character, a
 * noncharacter or half a surrogate pair), a password is too long, or the client id is empty where the version forbids that.
 *
 * In 3.1 and 3.1.1 there is no password without a user name ([MQTT-3.1.2-22]): it goes with it. The flags are those of what is there:
 * a flag of 3.1 whose string was missing is cleared. The remaining length is in its shortest form.
 */
export function rewriteConnect(connect: Connect, changes: ConnectChanges): Buffer | null {
  const { packet, version, clean } = connect;
  const { clientId = connect.clientId, username = connect.username } = changes;
  if (clientId === "" && !mayLackClientId(version, clean)) return null;
  const wanted = changes.password === undefined ? connect.password : changes.password;
  const password = username === null && version !== "5" ? null : wanted;
  if (password !== null && password.length > MAX_FIELD) return null;
  const id = encodeText(clientId);
  const name = username === null ? null : encodeText(username);
  if (id === null || (username !== null && name === null)) return null;

  const { start, flags, clientId: idStart, will, credentials } = partsOf(connect);
  const remaining = idStart - start + sizeOf(id) + (credentials - will) + sizeOf(name) + sizeOf(password);
  if (remaining > MAX_REMAINING) return null;
  // Written in one piece: each Buffer more would cost as much as copying the packet.
  const written = Buffer.allocUnsafe(1 + lengthSize(remaining) + remaining);
  written[0] = packet[0]!;
  const body = putLength(written, 1, remaining);
  let at = body + packet.copy(written, body, start, idStart);
  const stated = (name === null ? 0 : USERNAME) | (password === null ? 0 : PASSWORD);
  written[body + flags - start] = (packet[flags]! & ~(USERNAME | PASSWORD)) | stated;
  at = putField(written, at, id);
  at += packet.copy(written, at, will, credentials);
  at = putField(written, at, name);
  putField(written, at, password);
  return written;
}

/** Bytes of a field, with its length. */
function sizeOf(field: Buffer | null): number {
  return field === null ? 0 : 2 + field.length;
}

/** A field with its length before it, where there is one; where it ends. */
function putField(into: Buffer, at: number, field: Buffer | null): number {
  if (field === null) return at;
  into[at] = field.length >> 8;
  into[at + 1] = field.length & 0xff;
  return at + 2 + field.copy(into, at + 2);
}

/** Bytes of a remaining length in its shortest form (3.1.1 2.2.3). */
function lengthSize(length: number): number {
  return length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : 4;
}

/** Writes it; where it ends. */
function putLength(into: Buffer, start: number, length: number): number {
  let at = start;
  let rest = length;
  for (; rest >= 0x80; rest >>>= 7) into[at++] = (rest & 0x7f) | 0x80;
  into[at++] = rest;
  return at;
}

/** Where the parts of a CONNECT begin; each ends where the next one does. */
interface Parts {
  readonly start: number;
  readonly flags: number;
  readonly clientId: number;
  readonly will: number;
  readonly credentials: number;
}

function partsOf({ packet, version, will }: Connect): Parts {
  const start = headerSize(packet);
  const level = readLevel(packet, start, packet.length);
  const flags = start + (level.kind === "level" ? level.size : 0);
  const fields = new Fields(packet, flags + FLAGS_AND_KEEP_ALIVE, packet.length);
  if (version === "5") skipProperties(fields);
  const clientId = fields.at;
  fields.skipBinary("client id");
  const willStart = fields.at;
  if (will !== null) {
    if (version === "5") skipProperties(fields);
    fields.skipBinary("will topic");
    fields.skipBinary("will message");
  }
  return { start, flags, clientId, will: willStart, credentials: fields.at };
}

function skipProperties(fields: Fields): void {
  const length = fields.varint("properties");
  fields.at += length;
}
