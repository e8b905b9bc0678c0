// MQTT CONNECT packets by hand, for clients that do what MQTT.js never does.

/** Two bytes of length, and the text (MQTT 3.1.1, 1.5.3). */
function text(value: string): Buffer {
  const bytes = Buffer.from(value, "utf8");
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

/** A CONNECT of MQTT 3.1.1 (3.1) with a clean session and keep alive 60; `willTopic` gets the payload "gone" when the client is lost. */
export function connectPacket(clientId: string, willTopic?: string): Buffer {
  const flags = willTopic === undefined ? 0x02 : 0x06;
  const will = willTopic === undefined ? [] : [text(willTopic), text("gone")];
  const body = Buffer.concat([text("MQTT"), Buffer.from([4, flags, 0, 60]), text(clientId), ...will]);
  if (body.length > 127) throw new Error("longer than one byte of remaining length says");
  return Buffer.concat([Buffer.from([0x10, body.length]), body]);
}

/** What a CONNECT may say beside its client id. */
export interface ConnectSays {
  readonly level?: number;
  readonly clean?: boolean;
  /** Seconds. */
  readonly keepAlive?: number;
  readonly will?: boolean;
  readonly username?: string;
  readonly password?: string;
  /** Of 5, as they go on the wire. */
  readonly properties?: Uint8Array;
}

/** A CONNECT of any version (level 3, 4, 5, or a bridge's), as short as can be. */
export function anyConnect(clientId: string, says: ConnectSays = {}): Buffer {
  const { level = 4, clean = true, keepAlive = 60, will = false, username, password, properties = NONE } = says;
  const flags =
    (clean ? 0x02 : 0) | (will ? 0x04 : 0) | (username === undefined ? 0 : 0x80) | (password === undefined ? 0 : 0x40);
  const isFive = level === 5;
  const body = Buffer.concat([
    text((level & 0x7f) === 3 ? "MQIsdp" : "MQTT"),
    Buffer.from([level, flags, keepAlive >> 8, keepAlive & 0xff]),
    ...(isFive ? [Buffer.from([properties.length]), properties] : []),
    text(clientId),
    ...(will ? [...(isFive ? [Buffer.from([0])] : []), text("will/topic"), text("gone")] : []),
    ...(username === undefined ? [] : [text(username)]),
    ...(password === undefined ? [] : [text(password)]),
  ]);
  const length = body.length < 128 ? [body.length] : [(body.length % 128) | 0x80, body.length >> 7];
  if (body.length >= 128 * 128 || properties.length > 127) throw new Error("longer than two bytes of length say");
  return Buffer.concat([Buffer.from([0x10, ...length]), body]);
}

const NONE = new Uint8Array(0);
