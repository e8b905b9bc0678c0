// Reads CONNECT, the packet that opens a connection of MQTT: 3.1, 3.1.1 and 5. Pure and total: any bytes give a result. What a version
// of the text calls malformed or a protocol error is refused here, because brokers differ in what they notice, and some notice nothing.
// Where the text leaves a choice, docs/mqtt.md has ours.

import { connackFor, type Refusal } from "./connack.ts";
import { Fields } from "./fields.ts";
import { headerSize, isConnect, isOverlong, type Level, readLevel, remainingLength } from "./opening.ts";
import { checkTopic, NOTHING_STATED, readConnectProperties, skipWillProperties, statedMaximum } from "./properties.ts";
import { isTls, type NotMqtt, nameStranger } from "./strangers.ts";
import type { MqttVersion } from "./version.ts";

export interface Will {
  readonly topic: string;
  /** A view of the packet. */
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
}

/** A CONNECT that conforms. Its buffers are views of `packet`. */
export interface Connect {
  /** The whole packet, its fixed header included. */
  readonly packet: Buffer;
  readonly version: MqttVersion;
  /** The level had bit 0x80: a Mosquitto bridge. */
  readonly bridge: boolean;
  /** Clean Session; Clean Start in 5. */
  readonly clean: boolean;
  /** Seconds; 0: none. */
  readonly keepAlive: number;
  readonly clientId: string;
  /** null: there is none; "": it is there and empty. */
  readonly username: string | null;
  readonly password: Buffer | null;
  readonly will: Will | null;
  /** Bytes (5, property 0x27); null: not stated. */
  readonly maximumPacketSize: number | null;
  /** Seconds (5, property 0x11); 0 where it is not stated. */
  readonly sessionExpiry: number;
  /** 5, property 0x15; null: not stated. */
  readonly authenticationMethod: string | null;
}

export type ConnectFault = "malformed" | "protocol-error" | "unsupported-version" | "too-large";

export type ConnectRead =
  /** `rest`: what came behind it, and belongs to the broker. */
  | { readonly kind: "ok"; readonly connect: Connect; readonly rest: Buffer }
  /** A proper beginning; nothing new can be said before `need` bytes in all have come. By then it has been asked 15 times at most. */
  | { readonly kind: "more"; readonly need: number }
  | { readonly kind: "not-mqtt"; readonly protocol: NotMqtt }
  | {
      readonly kind: "refuse";
      readonly fault: ConnectFault;
      /** null: where it is not known. */
      readonly version: MqttVersion | null;
      /** What to send before the close; null: nothing. */
      readonly connack: Buffer | null;
      /** For people: one of a fixed set of texts, with nothing in it of what was sent. */
      readonly detail: string;
    };

type Refused = Extract<ConnectRead, { kind: "refuse" }>;

const NOTHING = Buffer.alloc(0);

/**
 * `bytes`: all that has come so far; what is given back are views of it. `maxSize`: the most bytes that the packet may have, its fixed
 * header included. With that many bytes there, the answer is never "more". What needs no whole packet is refused before there is one.
 */
export function readConnect(bytes: Buffer, maxSize: number): ConnectRead {
  // One byte may begin anything: "P" is PUBREC, and POST.
  if (bytes.length < 2) return more(2);
  if (!isConnect(bytes) || isTls(bytes)) return readStranger(bytes);
  const start = headerSize(bytes);
  if (start === 0) return more(bytes.length + 1);
  if (start < 0) return silent("malformed", "the remaining length has more than four bytes (3.1.1 2.2.3, 5 1.5.5)");
  const end = start + remainingLength(bytes, start);
  const level = readLevel(bytes, start, end);
  if (level.kind === "malformed") return CUT_NAME;
  if (level.kind === "no-name") return NO_NAME;
  if (level.kind === "unsupported") return UNSUPPORTED[level.form];
  if (end > maxSize) return level.kind === "more" ? TOO_LARGE : refuse(bytes, start, end, level, OVER_LIMIT);
  if (level.kind === "more") return more(bytes.length + 1);
  if (bytes.length < end) return more(end);
  return readPacket(bytes, start, end, level);
}

function more(need: number): ConnectRead {
  return { kind: "more", need };
}

function silent(fault: ConnectFault, detail: string): Refused {
  return { kind: "refuse", fault, version: null, connack: null, detail };
}

const CUT_NAME = silent("malformed", "it ends before the protocol's level (3.1.1 [MQTT-3.1.4-1], 5 4.13)");
const NO_NAME = silent("unsupported-version", "the protocol's name is neither MQTT nor MQIsdp (3.1.1 [MQTT-3.1.2-1])");
const NO_CONNECT = silent("protocol-error", "the first packet is not CONNECT (3.1.1 [MQTT-3.1.0-1], 5 [MQTT-3.1.0-1])");
const OVER_LIMIT = { fault: "too-large", detail: "it is larger than maxSize" } as const;
const TOO_LARGE = silent(OVER_LIMIT.fault, OVER_LIMIT.detail);
const UNSUPPORTED = { "3.1.1": unsupported("3.1.1"), "5": unsupported("5") } as const;

function unsupported(form: "3.1.1" | "5"): Refused {
  const detail = "the protocol's level is not served (3.1.1 [MQTT-3.1.2-2], 5 [MQTT-3.1.2-2])";
  return { ...silent("unsupported-version", detail), connack: connackFor("unsupported-version", form, null) };
}

function readStranger(bytes: Buffer): ConnectRead {
  const protocol = nameStranger(bytes);
  return protocol === null ? NO_CONNECT : { kind: "not-mqtt", protocol };
}

/** `refusal`: where the answer says something else than the fault. */
interface Reason {
  readonly fault: Exclude<ConnectFault, "unsupported-version">;
  readonly refusal?: Refusal;
  readonly detail: string;
}

function refuse(bytes: Buffer, start: number, end: number, { version, size }: Level, reason: Reason): Refused {
  const { fault, refusal = fault, detail } = reason;
  const properties = start + size + FLAGS_AND_KEEP_ALIVE;
  const maximum =
    version === "5"
      ? statedMaximum(new Fields(bytes, properties, Math.max(properties, Math.min(bytes.length, end))))
      : null;
  return { kind: "refuse", fault, version, connack: connackFor(refusal, version, maximum), detail };
}

const FLAGS_AND_KEEP_ALIVE = 3;

const [CLEAN, WILL, WILL_RETAIN, PASSWORD, USERNAME] = [0x02, 0x04, 0x20, 0x40, 0x80];
const RESERVED = 0x01;
const WILL_QOS_SHIFT = 3;

function readPacket(bytes: Buffer, start: number, end: number, level: Level): ConnectRead {
  const { version, bridge, size } = level;
  const is31 = version === "3.1";
  const fields = new Fields(bytes, start + size, end);
  const flags = fields.u8("flags");
  const keepAlive = fields.u16("keep alive");
  checkHeader(fields, bytes, start, version);
  checkFlags(fields, flags, version);
  const stated = version === "5" ? readConnectProperties(fields) : NOTHING_STATED;
  const clientId = fields.text("client id");
  const will = (flags & WILL) === 0 ? null : readWill(fields, flags, version);
  // 3.1: "the Remaining Length field from the fixed header takes precedence over the User Name flag": the string may be missing.
  const hasUsername = (flags & USERNAME) !== 0 && !(is31 && fields.isAtEnd);
  const username = hasUsername ? fields.text("user name") : null;
  const hasPassword = (flags & PASSWORD) !== 0 && !(is31 && fields.isAtEnd);
  const password = hasPassword ? fields.binary("password") : null;
  if (!fields.isAtEnd) fields.malformed("there are bytes behind its last field (3.1.1 [MQTT-3.1.4-1], 5 4.13)");
  const clean = (flags & CLEAN) !== 0;
  const reason = fields.fault ?? (clientId === "" && !mayLackClientId(version, clean) ? NO_CLIENT_ID : null);
  if (reason !== null) return refuse(bytes, start, end, level, reason);
  const packet = bytes.length === end ? bytes : bytes.subarray(0, end);
  const rest = bytes.length === end ? NOTHING : bytes.subarray(end);
  const { maximumPacketSize, sessionExpiry, authenticationMethod } = stated;
  return {
    kind: "ok",
    connect: {
      packet,
      version,
      bridge,
      clean,
      keepAlive,
      clientId,
      username,
      password,
      will,
      maximumPacketSize,
      sessionExpiry,
      authenticationMethod,
    },
    rest,
  };
}

function checkHeader(fields: Fields, bytes: Buffer, start: number, version: MqttVersion): void {
  // In 3.1 these bits are not used in CONNECT.
  if ((bytes[0]! & 0x0f) !== 0 && version !== "3.1")
    fields.malformed("flags of the fixed header are set (3.1.1 [MQTT-2.2.2-2], 5 [MQTT-2.1.3-1])");
  // 5 forbids it; two readers that take it differently in 3.x would see two packets.
  if (isOverlong(bytes, start)) fields.malformed("the remaining length is not in its shortest form (5 [MQTT-1.5.5-1])");
}

/** 3.1 says nothing of the reserved bit, and to disregard the rest of a will without Will Flag. */
function checkFlags(fields: Fields, flags: number, version: MqttVersion): void {
  const qos = (flags >> WILL_QOS_SHIFT) & 3;
  const hasWill = (flags & WILL) !== 0;
  if (version !== "3.1" && (flags & RESERVED) !== 0)
    fields.malformed("the reserved flag is set (3.1.1 [MQTT-3.1.2-3], 5 [MQTT-3.1.2-3])");
  if (hasWill && qos === 3) fields.malformed("Will QoS is 3 (3.1.1 [MQTT-3.1.2-14], 5 [MQTT-3.1.2-12])");
  if (version !== "3.1" && !hasWill && (qos !== 0 || (flags & WILL_RETAIN) !== 0))
    fields.protocolError("Will QoS or Will Retain without Will Flag (3.1.1 [MQTT-3.1.2-13], 5 [MQTT-3.1.2-11])");
  if (version !== "5" && (flags & PASSWORD) !== 0 && (flags & USERNAME) === 0)
    fields.protocolError("a password without a user name (3.1.1 [MQTT-3.1.2-22])");
}

function readWill(fields: Fields, flags: number, version: MqttVersion): Will {
  if (version === "5") skipWillProperties(fields);
  const start = fields.at + 2;
  const topic = fields.text("will topic");
  if (fields.fault === null) checkTopic(fields, start, "will topic");
  const payload = fields.binary("will message");
  const qos = ((flags >> WILL_QOS_SHIFT) & 3) as 0 | 1 | 2;
  return { topic, payload, qos, retain: (flags & WILL_RETAIN) !== 0 };
}

/** Whether the broker may give the id itself: 5 lets it for anyone, 3.1.1 for who keeps no session, 3.1 for nobody. */
export function mayLackClientId(version: MqttVersion, clean: boolean): boolean {
  return version === "5" || (version === "3.1.1" && clean);
}

const NO_CLIENT_ID: Reason = {
  fault: "protocol-error",
  refusal: "client-id",
  detail: "the client id is empty (3.1 3.1, 3.1.1 [MQTT-3.1.3-8])",
};
