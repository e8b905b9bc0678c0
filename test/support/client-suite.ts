// What a client of any kind may expect of a Sluice with everything on: the same as of the broker itself.

import { expect } from "bun:test";
import type { MqttClient } from "mqtt";
import {
  type Arrived,
  type Kind,
  listenWithMqttJs,
  MQTT_JS,
  PAHO_C,
  type Properties,
  type Said,
  type Version,
} from "./callers.ts";
import type { GuardedEdge } from "./guarded-edge.ts";
import { waitFor } from "./tools.ts";

/** Of each kind that a message can have. */
export const PROPERTIES: Properties = {
  contentType: "text/plain; charset=utf-8",
  responseTopic: "answers/to/anna",
  correlationData: Buffer.from("order 4711"),
  payloadFormatIndicator: true,
  messageExpiryInterval: 3600,
  userProperties: { unit: "°C", place: "kitchen & cellar" },
};

/** How each kind tells that the password is wrong, and that no broker can be reached. */
export const TELLS: Readonly<Record<string, (version: Version, refusal: "password" | "broker") => Said>> = {
  "mosquitto_pub and mosquitto_sub": (version, refusal) => {
    const [code, old, five] =
      refusal === "password"
        ? [5, "not authorised", "Not authorized"]
        : [3, "broker unavailable", "Server unavailable"];
    return version === "5"
      ? `${0x80 + (refusal === "password" ? 7 : 8)}: Connection error: ${five}\nError: A network protocol error occurred when communicating with the broker.`
      : `${code}: Connection error: Connection Refused: ${old}.\nError: The connection was refused.`;
  },
  "MQTT.js": (version, refusal) => codeOf(version, refusal),
  "paho (Python)": (version, refusal) => codeOf(version, refusal),
  "paho (C)": (version, refusal) =>
    `Connect failed, rc Unknown error code ${codeOf(version, refusal)}${version === "5" ? " reason code SUCCESS" : ""}`,
};

function codeOf(version: Version, refusal: "password" | "broker"): number {
  if (version === "5") return refusal === "password" ? 0x87 : 0x88;
  return refusal === "password" ? 5 : 3;
}

/** Sees all that the broker gets, as it gets it. */
export type Observer = Awaited<ReturnType<typeof listenWithMqttJs>> & { readonly mqtt: MqttClient };

export function observe(edge: GuardedEdge): Promise<Observer> {
  return listenWithMqttJs(edge.direct, "#", 2);
}

/** The messages of a listener, once there are so many under `topic`. */
export async function arrived(session: { readonly messages: readonly Arrived[] }, topic: string, count: number) {
  const under = () => session.messages.filter((each) => each.topic === undefined || each.topic.startsWith(topic));
  await waitFor(`${count} messages under ${topic}`, () => under().length >= count || null);
  return under();
}

/** Those of PROPERTIES that a client of this kind and version can send. */
export function propertiesOf(kind: Kind, version: Version): Properties {
  if (version !== "5") return {};
  const properties = Object.fromEntries(
    Object.entries(PROPERTIES).filter(([name]) => kind.properties.includes(name as never)),
  );
  return kind === PAHO_C ? { ...properties, userProperties: { unit: "°C" } } : properties; // it sends one of them
}

/** An interval goes down while a message waits. */
function withoutSeconds({ messageExpiryInterval: seconds, ...rest }: Properties = {}): object {
  return seconds === undefined ? rest : { ...rest, expires: seconds > 3000 && seconds <= 3600 };
}

/** A message of each QoS, a retained one among them, comes to the broker as it was sent. */
export async function publishes(edge: GuardedEdge, observer: Observer, kind: Kind, version: Version, name: string) {
  const properties = propertiesOf(kind, version);
  const topic = `${name}/published`;
  for (const qos of [0, 1, 2] as const) {
    const caller = edge.caller(version, `${name}-pub`);
    const publication = { topic: `${topic}/${qos}`, payload: `21.${qos}`, qos, retain: qos === 1, properties };
    expect(await kind.publish(caller, { ...publication, ...(version === "5" ? {} : { properties: {} }) })).toBe("in");
  }
  const messages = await arrived(observer, topic, 3);
  expect(messages.map((each) => [each.topic, String(each.payload), each.qos, withoutSeconds(each.properties)])).toEqual(
    [0, 1, 2].map((qos) => [`${topic}/${qos}`, `21.${qos}`, qos, withoutSeconds(properties)]),
  );
}

/** A message of each QoS comes from the broker as it was sent, and the one that was retained first. */
export async function listens(edge: GuardedEdge, observer: Observer, kind: Kind, version: Version, name: string) {
  const topic = `${name}/listened`;
  const send = (end: string, payload: string, qos: 0 | 1 | 2, retain: boolean) =>
    observer.mqtt.publishAsync(`${topic}/${end}`, payload, { qos, retain, properties: PROPERTIES as object });
  await send("ready", "ready", 1, true);
  const session = await kind.listen(edge.caller(version, `${name}-sub`), `${topic}/#`, 2);
  for (const qos of [0, 1, 2] as const) await send(`${qos}`, `21.${qos}`, qos, false);
  const messages = await arrived(session, topic, 4);
  await session.leave();
  const wanted = [["ready", 1, true] as const, ...[0, 1, 2].map((qos) => [`21.${qos}`, qos, false] as const)];
  expect(messages.map(({ payload }) => String(payload))).toEqual(wanted.map(([payload]) => payload));
  for (const [at, { qos, retain, properties }] of messages.entries()) {
    if (qos !== undefined) expect([qos, retain!]).toEqual([wanted[at]![1], wanted[at]![2]]);
    if (properties !== undefined)
      expect(withoutSeconds(properties)).toEqual(version === "5" ? withoutSeconds(PROPERTIES) : {});
  }
}

/** A will of `bytes` comes when the connection breaks, and does not come after DISCONNECT. */
export async function leavesWills(
  edge: GuardedEdge,
  observer: Observer,
  kind: Kind,
  version: Version,
  name: string,
  bytes: number,
) {
  const topic = `${name}/will`;
  await observer.mqtt.publishAsync(`${topic}/ready`, "ready", { qos: 1, retain: true });
  const payload = Buffer.alloc(bytes, "gone ");
  const properties = version === "5" ? willProperties(kind) : undefined;
  const mortal = (end: string) =>
    edge.caller(version, `${name}-will-${end}`, {
      will: { topic: `${topic}/${end}`, payload, qos: 1, retain: false, ...(properties && { properties }) },
    });
  const listening = kind.listen(mortal("broken"), `${topic}/ready`, 0);
  expect(await kind.publish(mortal("polite"), { topic: `${name}/bye`, payload: "bye", qos: 1 })).toBe("in");
  (await listening).break();
  const wills = () =>
    observer.messages.filter((each) => each.topic!.startsWith(topic) && !each.topic!.endsWith("ready"));
  await waitFor("the will", () => wills().length > 0 || null);
  // What comes behind it shows that nothing else was under way.
  await observer.mqtt.publishAsync(`${topic}/end`, "end", { qos: 1 });
  await arrived(observer, `${topic}/end`, 1);
  const [will, end] = wills();
  expect([wills().length, will!.topic, will!.qos, end!.topic]).toEqual([2, `${topic}/broken`, 1, `${topic}/end`]);
  expect(will!.payload.equals(payload)).toBe(true);
  expect(withoutSeconds(will!.properties)).toEqual(withoutSeconds(properties));
}

/** paho_c_sub cannot be told any for its will. */
function willProperties(kind: Kind): Properties | undefined {
  return kind.properties.includes("contentType") ? PROPERTIES : undefined;
}

/** What comes while a client that keeps its session is away comes when it is back. */
export async function resumes(edge: GuardedEdge, observer: Observer, kind: Kind, version: Version, name: string) {
  const topic = `${name}/away`;
  await observer.mqtt.publishAsync(`${topic}/ready`, "ready", { qos: 1, retain: true });
  const caller = edge.caller(version, `${name}-sleeper`, {
    clean: false,
    ...(version === "5" ? { properties: { sessionExpiryInterval: 300 } } : {}),
  });
  const before = await kind.listen(caller, `${topic}/#`, 1);
  await arrived(before, topic, 1);
  await before.leave();
  for (const payload of ["one", "two"]) await observer.mqtt.publishAsync(`${topic}/x`, payload, { qos: 1 });
  const after = await kind.listen(caller, `${topic}/#`, 1);
  await arrived(after, `${topic}/x`, 2);
  // A program subscribes anew, and gets the retained one again; it may come before the others or behind them.
  const kept = after.messages.filter((each) => each.topic === `${topic}/x`).map(({ payload }) => String(payload));
  expect(kept).toEqual(["one", "two"]);
  await after.leave();
  // Nothing of it stays at the broker.
  await MQTT_JS.publish({ ...caller, clean: true, properties: {} }, { topic: `${name}/over`, payload: "", qos: 0 });
}

/** A client with a wrong password, and one whose broker is down, tell their users so, each in its way. */
export async function tellsRefusals(edge: GuardedEdge, kind: Kind, version: Version, name: string) {
  const nothing = { topic: "never", payload: "never", qos: 0 } as const;
  const wrong = edge.caller(version, `${name}-wrong`, { password: "coffee" });
  const [password, broker] = await Promise.all([
    kind.publish(wrong, nothing),
    kind.publish(edge.caller(version, `lost-${name}`), nothing),
  ]);
  const tells = TELLS[kind.name]!;
  expect([password, broker]).toEqual([tells(version, "password"), tells(version, "broker")]);
}

/** Waits until no connection and no held byte is left; what has been logged of it as a warning or worse. */
export async function nothingStays({ sluice }: GuardedEdge): Promise<string[]> {
  const gone = async () => (await sluice.metric("sluice_entrypoint_open_connections")) === 0;
  await waitFor("all connections to be closed", gone);
  expect(await sluice.metric("sluice_relay_held_bytes")).toBe(0);
  const said = sluice.lines.filter(({ level }) => level === "warn" || level === "error" || level === "fatal");
  return said.filter(({ code }) => code !== "certificate-expires-soon").map(({ msg }) => msg);
}
