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
