// Writes a CONNECT of Sluice's own, and the other packets that a client which only asks after a broker needs.

import { encodeText, MAX_FIELD } from "./text.ts";
import type { MqttVersion } from "./version.ts";

export interface ConnectFields {
  readonly version: MqttVersion;
  readonly clientId: string;
  /** Seconds. */
  readonly keepAlive: number;
  readonly username: string | null;
  /** In 3.1 and 3.1.1 only with a user name ([MQTT-3.1.2-22]). */
  readonly password: string | null;
}

export const PINGREQ = Buffer.of(0xc0, 0);
export const PINGRESP = Buffer.of(0xd0, 0);
/** Of 5 too: without a reason code it is "normal disconnection" (5 3.14.2.1). */
export const DISCONNECT = Buffer.of(0xe0, 0);

const PROTOCOLS: Readonly<Record<MqttVersion, readonly [name: string, level: number]>> = {
  "3.1": ["MQIsdp", 3],
  "3.1.1": ["MQTT", 4],
  "5": ["MQTT", 5],
};
const [CLEAN, PASSWORD, USERNAME] = [0x02, 0x40, 0x80];

/** A CONNECT with a clean session and without a will; null: a text cannot be one of MQTT. */
export function writeConnect(fields: ConnectFields): Buffer | null {
  const { version, clientId, keepAlive, username, password } = fields;
  const [name, level] = PROTOCOLS[version];
  const id = encodeText(clientId);
  const user = username === null ? null : encodeText(username);
  const secret = password === null ? null : Buffer.from(password);
  if (id === null || (username !== null && user === null) || (secret?.length ?? 0) > MAX_FIELD) return null;
  const flags = CLEAN | (user === null ? 0 : USERNAME) | (secret === null ? 0 : PASSWORD);
  const body = Buffer.concat([
    ...sized(Buffer.from(name)),
    Buffer.of(level, flags, keepAlive >> 8, keepAlive & 0xff),
    // No properties: the session ends with the connection (5 3.1.2.11.2).
    ...(version === "5" ? [Buffer.of(0)] : []),
    ...sized(id),
    ...(user === null ? [] : sized(user)),
    ...(secret === null ? [] : sized(secret)),
  ]);
  return Buffer.concat([fixedHeader(0x10, body.length), body]);
}

/** A field with its length before it. */
function sized(bytes: Buffer): Buffer[] {
  return [Buffer.of(bytes.length >> 8, bytes.length & 0xff), bytes];
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
