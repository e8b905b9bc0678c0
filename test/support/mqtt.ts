// MQTT clients for tests: MQTT.js in this process, mosquitto_pub and mosquitto_sub as programs.

import { readFileSync } from "node:fs";
import { connect, type IClientOptions, type MqttClient } from "mqtt";
import type { Pair } from "./certs.ts";
import { cleanup, exec, type Finished, waitFor } from "./tools.ts";

/** Where a client connects, as localhost, and what it trusts and shows; without `ca` it speaks plain MQTT. */
export interface Endpoint {
  readonly port: number;
  readonly ca?: string | undefined;
  readonly identity?: Pair | undefined;
}

export interface Message {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: number;
  readonly retain: boolean;
}

/** An MQTT.js client and everything it has received since it was made. */
export interface Client {
  readonly mqtt: MqttClient;
  readonly messages: Message[];
  /** The broker had kept the session. */
  readonly sessionPresent: boolean;
}

/** Connects, or rejects when it is refused or closed before CONNACK. `made` is told of the client before anything can have come. */
export function mqttClient(
  endpoint: Endpoint,
  options: IClientOptions = {},
  made: (client: MqttClient) => void = () => {},
): Promise<Client> {
  const { ca, identity, port } = endpoint;
  const mqtt = connect({
    protocol: ca === undefined ? "mqtt" : "mqtts",
    host: "127.0.0.1",
    servername: "localhost",
    port,
    reconnectPeriod: 0,
    connectTimeout: 10_000,
    ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
    ...(identity === undefined ? {} : { cert: readFileSync(identity.cert), key: readFileSync(identity.key) }),
    ...options,
  });
  cleanup(() => mqtt.end(true));
  made(mqtt);
  // Messages of a kept session follow CONNACK at once, so this listens before it is connected.
  const messages: Message[] = [];
  mqtt.on("message", (topic, payload, { qos, retain }) => messages.push({ topic, payload, qos, retain }));
  return new Promise((resolve, reject) => {
    mqtt.once("connect", ({ sessionPresent }) => resolve({ mqtt, messages, sessionPresent }));
    mqtt.once("error", reject);
    mqtt.once("close", () => reject(new Error("closed before CONNACK")));
  });
}

/** The message on `topic`, as soon as it is there. */
export function received(client: Client, topic: string): Promise<Message> {
  return waitFor(`a message on ${topic}`, () => client.messages.find((message) => message.topic === topic) ?? null);
}

/** The options of mosquitto_pub and mosquitto_sub that lead to `endpoint`. */
export function mosquittoArguments({ port, ca, identity }: Endpoint): string[] {
  return [
    ...["-h", "localhost", "-p", String(port)],
    ...(ca === undefined ? [] : ["--cafile", ca]),
    ...(identity === undefined ? [] : ["--cert", identity.cert, "--key", identity.key]),
  ];
}

export function mosquittoPub(endpoint: Endpoint, ...args: string[]): Promise<Finished> {
  return exec(["mosquitto_pub", ...mosquittoArguments(endpoint), ...args]);
}
