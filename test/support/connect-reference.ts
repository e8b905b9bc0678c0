// A second reading of CONNECT, as plain as it can be: slow, by exceptions, and with nothing of src/mqtt/. What a fuzzer compares with.

import type { Connect } from "../../src/mqtt/connect.ts";

class Nonconforming extends Error {}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const UNWANTED = /[\0-\x1f\x7f-\x9f\p{Noncharacter_Code_Point}]/u;

/** Takes fields from the front. */
class Front {
  #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length;
  }

  take(count: number): Buffer {
    if (count > this.#bytes.length) throw new Nonconforming("short");
    const taken = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    return taken;
  }

  number(size: number): number {
    return this.take(size).readUIntBE(0, size);
  }

  binary(): Buffer {
    return this.take(this.number(2));
  }

  text(): string {
    let text: string;
    try {
      text = decoder.decode(this.binary());
    } catch {
      throw new Nonconforming("text");
    }
    if (UNWANTED.test(text)) throw new Nonconforming("character");
    return text;
  }

  varint(): number {
    const bytes: number[] = [];
    do bytes.push(this.number(1));
    while (bytes.at(-1)! > 127);
    if (bytes.length > 4 || (bytes.length > 1 && bytes.at(-1) === 0)) throw new Nonconforming("length");
    return bytes.reduceRight((value, byte) => value * 128 + (byte % 128), 0);
  }
}

function topic(text: string): string {
  if (text === "" || /[+#]/.test(text)) throw new Nonconforming("topic");
  return text;
}

type Values = Map<number, number | string | Buffer>;
type Read = (front: Front) => number | string | Buffer;

const flag: Read = (front) => {
  const value = front.number(1);
  if (value > 1) throw new Nonconforming("flag");
  return value;
};
const positive = (size: number): Read => {
  return (front) => front.number(size) || fail();
};
const fail = (): never => {
  throw new Nonconforming("zero");
};

const OF_CONNECT: Readonly<Record<number, Read>> = {
  17: (front) => front.number(4),
  21: (front) => front.text(),
  22: (front) => front.binary(),
  23: flag,
  25: flag,
  33: positive(2),
  34: (front) => front.number(2),
  39: positive(4),
};
const OF_WILL: Readonly<Record<number, Read>> = {
  1: flag,
  2: (front) => front.number(4),
  3: (front) => front.text(),
  8: (front) => topic(front.text()),
  9: (front) => front.binary(),
  24: (front) => front.number(4),
};
const PAIR = 38;

function properties(front: Front, known: Readonly<Record<number, Read>>): Values {
  const inside = new Front(front.take(front.varint()));
  const values: Values = new Map();
  while (inside.left > 0) {
    const id = inside.number(1);
    if (id === PAIR) {
      inside.text();
      inside.text();
    } else {
      const read = known[id];
      if (read === undefined || values.has(id)) throw new Nonconforming("property");
      values.set(id, read(inside));
    }
  }
  return values;
}

const NAMES: Readonly<Record<string, Connect["version"]>> = { MQIsdp3: "3.1", MQTT4: "3.1.1", MQTT5: "5" };

function read(bytes: Buffer): Connect {
  const front = new Front(bytes);
  const first = front.number(1);
  if (first >> 4 !== 1) throw new Nonconforming("type");
  const body = new Front(front.take(front.varint()));
  const name = body.binary().toString("latin1");
  const level = body.number(1);
  const version = NAMES[name + (level & 0x7f)];
  if (version === undefined || level === 0x85) throw new Nonconforming("level");
  const [old, five] = [version === "3.1", version === "5"];
  if (first !== 0x10 && !old) throw new Nonconforming("fixed header");

  // From the right: reserved, clean, will, QoS, QoS, retain, password, user name.
  const bits = [...body.number(1).toString(2).padStart(8, "0")].reverse().map((bit) => bit === "1");
  const [reserved, clean, willed, low, high, retain, secret, named] = bits as [boolean, boolean, ...boolean[]];
  const qos = (high ? 2 : 0) + (low ? 1 : 0);
  if (!old && (reserved || (!willed && (qos > 0 || retain)))) throw new Nonconforming("flags");
  if ((willed && qos === 3) || (!five && secret && !named)) throw new Nonconforming("flags");

  const keepAlive = body.number(2);
  const stated: Values = five ? properties(body, OF_CONNECT) : new Map();
  if (stated.has(22) && !stated.has(21)) throw new Nonconforming("authentication");
  const clientId = body.text();
  if (clientId === "" && (old || (!five && !clean))) throw new Nonconforming("client id");
  let will: Connect["will"] = null;
  if (willed) {
    if (five) properties(body, OF_WILL);
    will = { topic: topic(body.text()), payload: body.binary(), qos: qos as 0 | 1 | 2, retain: retain! };
  }
  const username = named && !(old && body.left === 0) ? body.text() : null;
  const password = secret && !(old && body.left === 0) ? body.binary() : null;
  if (body.left > 0) throw new Nonconforming("surplus");
  return {
    packet: bytes.subarray(0, bytes.length - front.left),
    version,
    bridge: level > 0x7f,
    clean,
    keepAlive,
    clientId,
    username,
    password,
    will,
    maximumPacketSize: (stated.get(39) as number | undefined) ?? null,
    sessionExpiry: (stated.get(17) as number | undefined) ?? 0,
    authenticationMethod: (stated.get(21) as string | undefined) ?? null,
  };
}

/** null: it begins with no whole CONNECT that conforms, by the choices of docs/mqtt.md. */
export function referenceConnect(bytes: Buffer): Connect | null {
  try {
    return read(bytes);
  } catch (error) {
    if (error instanceof Nonconforming) return null;
    throw error;
  }
}
