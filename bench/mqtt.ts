// The few MQTT 3.1.1 packets that generator and backend exchange, and the numbered PUBLISH both sides can rebuild
// and compare byte for byte.

/** What the backend answers to every CONNECT: accepted, no session present [MQTT-3.2]. */
export const CONNACK = Buffer.from([0x20, 0x02, 0x00, 0x00]);

/** One bulk packet on the wire, in bytes: about what a broker writes in one go when it forwards a firmware image. */
export const BULK_PACKET = 65_536;

/** What every client of the bench says of itself. */
export const CREDENTIALS = { username: "bench", password: "secret" };

/** A CONNECT with a clean session, 60 s keep alive, and CREDENTIALS. The client id tells the backend what to do: see backend.ts. */
export function connectPacket(clientId: string): Buffer {
  const texts = [clientId, CREDENTIALS.username, CREDENTIALS.password].map((text) => {
    const bytes = Buffer.from(text);
    return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
  });
  const body = Buffer.concat([Buffer.from([0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 0xc2, 0, 60]), ...texts]);
  return Buffer.concat([Buffer.from([0x10, ...varint(body.length)]), body]);
}

/** The client id of a whole CONNECT at the start of `bytes`, or null while it is incomplete; `length` is its size. */
export function readConnect(bytes: Buffer): { clientId: string; length: number } | null {
  const size = bytes[1];
  // Ours are always under 128 bytes, so that the remaining length is one byte.
  if (size === undefined || bytes.length < 2 + size) return null;
  if (bytes[0] !== 0x10 || size > 127) throw new Error("the first packet is not one of our CONNECTs");
  const idLength = bytes.readUInt16BE(12);
  return { clientId: bytes.toString("latin1", 14, 14 + idLength), length: 2 + size };
}

/** A PUBLISH whose payload starts with a sequence number that can be changed in place. */
export class NumberedPublish {
  readonly packet: Buffer;
  private readonly at: number;

  /** QoS 0, `payload` bytes (at least 4) of noise that follows from `seed`: no two connections carry the same. */
  constructor(payload: number, seed: number) {
    const topic = Buffer.from("bench/t");
    const remaining = 2 + topic.length + payload;
    const head = Buffer.from([0x30, ...varint(remaining), 0, topic.length, ...topic]);
    this.at = head.length;
    this.packet = Buffer.concat([head, noise(payload, seed)]);
  }

  /** The packet with this number; the same buffer every time. */
  numbered(sequence: number): Buffer {
    this.packet.writeUInt32BE(sequence >>> 0, this.at);
    return this.packet;
  }
}

/** The bulk packet both sides agree on: BULK_PACKET bytes on the wire in all. */
export function bulkPublish(): NumberedPublish {
  return new NumberedPublish(BULK_PACKET - 4 - 2 - 7, 0x5eed);
}

/** What the sink says after it has checked every byte: any other answer is a lost or wrong byte. */
export function sinkReceipt(bytes: number): Buffer {
  const receipt = new NumberedPublish(12, 0xacce);
  receipt.packet.writeDoubleBE(bytes, receipt.packet.length - 8);
  return receipt.packet;
}

function noise(length: number, seed: number): Buffer {
  const out = Buffer.allocUnsafe(length);
  let x = (seed * 2654435761 + 1) >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    out[i] = x & 255;
  }
  return out;
}

function varint(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  do {
    out.push((rest & 127) | (rest > 127 ? 128 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return out;
}
