// Writes a CONNECT again with another client id, user name or password, and otherwise byte for byte.

import type { Connect } from "./connect.ts";
import { Fields } from "./fields.ts";
import { headerSize, readLevel } from "./opening.ts";
import { MAX_FIELD } from "./text.ts";

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
 * null: a field is longer than 65535 bytes, or the packet longer than one can be. The texts must be such as `isMqttText` takes; it is not
 * asked again. In 3.1 and 3.1.1 a password cannot be said without a user name ([MQTT-3.1.2-22]) and goes with it. The flags are those
 * of what is there: a flag of 3.1 whose string was missing is cleared.
 */
export function rewriteConnect(connect: Connect, changes: ConnectChanges): Buffer | null {
  const { packet, version } = connect;
  const parts = partsOf(connect);
  const { clientId = connect.clientId, username = connect.username } = changes;
  const wanted = changes.password === undefined ? connect.password : changes.password;
  const password = username === null && version !== "5" ? null : wanted;
  const fields: Buffer[] = [Buffer.from(clientId)];
  if (username !== null) fields.push(Buffer.from(username));
  if (password !== null) fields.push(password);
  if (fields.some(({ length }) => length > MAX_FIELD)) return null;

  const remaining =
    parts.clientId -
    parts.start +
    (parts.credentials - parts.will) +
    fields.reduce((sum, { length }) => sum + 2 + length, 0);
  if (remaining > MAX_REMAINING) return null;
  const header = fixedHeader(packet[0]!, remaining);
  const written = Buffer.allocUnsafe(header.length + remaining);
  header.copy(written);
  let at = header.length + packet.copy(written, header.length, parts.start, parts.clientId);
  const flags = header.length + parts.flags - parts.start;
  written[flags] =
    (written[flags]! & ~(USERNAME | PASSWORD)) |
    (username === null ? 0 : USERNAME) |
    (password === null ? 0 : PASSWORD);
  for (const [index, field] of fields.entries()) {
    at = written.writeUInt16BE(field.length, at);
    at += field.copy(written, at);
    if (index === 0) at += packet.copy(written, at, parts.will, parts.credentials);
  }
  return written;
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

/** The type with its flags, and the remaining length in its shortest form. */
function fixedHeader(first: number, remaining: number): Buffer {
  const bytes = [first];
  let rest = remaining;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return Buffer.from(bytes);
}
