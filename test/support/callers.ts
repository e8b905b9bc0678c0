// MQTT clients that people use, with one way to call them: each connects, publishes, listens, breaks off and leaves.

import type { IClientOptions, MqttClient } from "mqtt";
import { type Endpoint, mosquittoArguments, mqttClient } from "./mqtt.ts";
import { PahoPython } from "./paho.ts";
import { cleanup, exec, type Finished, waitFor } from "./tools.ts";

export type Version = "3.1" | "3.1.1" | "5";

/** MQTT 5's properties of a message, named as in MQTT.js. */
export interface Properties {
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: Buffer;
  readonly payloadFormatIndicator?: boolean;
  readonly messageExpiryInterval?: number;
  readonly topicAlias?: number;
  readonly userProperties?: Readonly<Record<string, string>>;
  /** Of a will. */
  readonly willDelayInterval?: number;
  /** Of CONNECT. */
  readonly sessionExpiryInterval?: number;
  readonly requestProblemInformation?: boolean;
  readonly receiveMaximum?: number;
}

export interface Will {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly properties?: Properties;
}

export interface Caller {
  readonly endpoint: Endpoint;
  readonly version: Version;
  readonly clientId: string;
  readonly username?: string;
  readonly password?: string;
  readonly clean?: boolean;
  /** Seconds. */
  readonly keepAlive?: number;
  readonly will?: Will;
  readonly properties?: Properties;
}

/** A message as a client tells it; what it does not tell is not there. */
export interface Arrived {
  readonly payload: Buffer;
  readonly topic?: string;
  readonly qos?: number;
  readonly retain?: boolean;
  readonly properties?: Properties;
}

export interface Publication {
  readonly topic: string;
  readonly payload: string;
  readonly qos: 0 | 1 | 2;
  readonly retain?: boolean;
  readonly properties?: Properties;
}

/** A client that listens. */
export interface Session {
  readonly messages: readonly Arrived[];
  /** Its connection breaks: there is no DISCONNECT. */
  break(): void;
  /** Sends DISCONNECT. */
  leave(): Promise<void>;
  /** All that a program has printed, once it has ended by itself. */
  ended?(): Promise<string>;
}

/** What came of an attempt to publish: `in`, or how the client tells that it is refused. */
export type Said = "in" | string | number;

export interface Kind {
  readonly name: string;
  readonly versions: readonly Version[];
  /** The properties that it can be told to send. */
  readonly properties: readonly (keyof Properties)[];
  /** Whether it can be told to keep its session. */
  readonly keepsSessions: boolean;
  /** Connects, publishes, and leaves. */
  publish(caller: Caller, publication: Publication): Promise<Said>;
  /** Connects and subscribes; a retained message on the topic's `.../ready` tells programs' readiness. */
  listen(caller: Caller, topic: string, qos: 0 | 1 | 2): Promise<Session>;
}

const ALL = [
  "contentType",
  "responseTopic",
  "correlationData",
  "payloadFormatIndicator",
  "messageExpiryInterval",
  "userProperties",
] as const;

/** MQTT.js; its process is the test's. */
export const MQTT_JS: Kind = {
  name: "MQTT.js",
  versions: ["3.1", "3.1.1", "5"],
  properties: ALL,
  keepsSessions: true,
  async publish(caller, { topic, payload, qos, retain = false, properties }) {
    const client = await mqttClient(caller.endpoint, optionsOf(caller)).catch(
      (error: Error & { code?: number }) => error.code ?? error.message,
    );
    if (typeof client === "string" || typeof client === "number") return client;
    await client.mqtt.publishAsync(topic, payload, {
      qos,
      retain,
      ...(properties === undefined ? {} : { properties: properties as object }),
    });
    await client.mqtt.endAsync();
    return "in";
  },
  listen: (caller, topic, qos) => listenWithMqttJs(caller, topic, qos),
};

export async function listenWithMqttJs(caller: Caller, topic: string, qos: 0 | 1 | 2) {
  const { mqtt, sessionPresent } = await mqttClient(caller.endpoint, optionsOf(caller), (client) => keep(client));
  if (!sessionPresent) await mqtt.subscribeAsync(topic, { qos });
  return {
    mqtt,
    sessionPresent,
    messages: kept.get(mqtt)!,
    break: () => mqtt.stream.destroy() as unknown as undefined,
    leave: () => mqtt.endAsync(),
  };
}

/** Messages with their properties, which mqttClient leaves out. */
const kept = new WeakMap<MqttClient, Arrived[]>();

function keep(client: MqttClient): void {
  const messages: Arrived[] = [];
  kept.set(client, messages);
  client.on("message", (topic, payload, { qos, retain, properties }) =>
    messages.push({ topic, payload, qos, retain, properties: { ...(properties as object) } }),
  );
}

export function optionsOf({
  version,
  clientId,
  username,
  password,
  clean,
  keepAlive,
  will,
  properties,
}: Caller): IClientOptions {
  return {
    ...(version === "3.1"
      ? { protocolId: "MQIsdp", protocolVersion: 3 }
      : { protocolVersion: version === "5" ? 5 : 4 }),
    clientId,
    clean: clean ?? true,
    keepalive: keepAlive ?? 60,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(will === undefined ? {} : { will: { ...will, payload: Buffer.from(will.payload) } as never }),
    ...(properties === undefined ? {} : { properties: properties as object }),
  };
}

let python: PahoPython | null = null;

/** The process of all clients of Paho for Python of a test file. */
export function paho(): PahoPython {
  if (python === null) {
    python = new PahoPython();
    cleanup(() => {
      python = null;
    });
  }
  return python;
}

export const PAHO_PYTHON: Kind = {
  name: "paho (Python)",
  versions: ["3.1", "3.1.1", "5"],
  properties: ALL,
  keepsSessions: true,
  async publish(caller, { topic, payload, qos, retain, properties }) {
    const client = paho().open(caller);
    const [code] = await waitFor("a CONNACK", () => (client.codes.length > 0 ? client.codes : null));
    if (code === 0) await client.publish(topic, Buffer.from(payload), qos, retain, properties);
    await client.leave();
    return code === 0 ? "in" : code!;
  },
  async listen(caller, topic, qos) {
    const client = paho().open(caller);
    if (!(await client.admitted()).present) await client.subscribe(topic, qos);
    return client;
  },
};

export const MOSQUITTO: Kind = {
  name: "mosquitto_pub and mosquitto_sub",
  versions: ["3.1", "3.1.1", "5"],
  properties: ALL,
  keepsSessions: true,
  async publish(caller, publication) {
    const { topic, payload, qos, retain, properties = {} } = publication;
    return said(
      await exec([
        "mosquitto_pub",
        ...mosquittoOptions(caller),
        ...["-t", topic, "-m", payload, "-q", String(qos)],
        ...(retain ? ["-r"] : []),
        ...mosquittoProperties("publish", properties),
      ]),
    );
  },
  async listen(caller, topic, qos) {
    const program = new Program([
      "mosquitto_sub",
      ...mosquittoOptions(caller),
      ...["-t", topic, "-q", String(qos), "-F", "%j"],
    ]);
    await program.ready();
    return program.asSession((line) => {
      const { payload, properties, ...rest } = JSON.parse(line);
      const { topic, qos, retain } = rest;
      // Its JSON has 0 and 1 in some versions, and false and true in others.
      return {
        ...{ topic, qos, retain: Boolean(retain), payload: Buffer.from(payload ?? "") },
        properties: fromMosquitto(properties ?? {}),
      };
    });
  },
};

function mosquittoOptions({
  endpoint,
  version,
  clientId,
  username,
  password,
  clean,
  keepAlive,
  will,
  properties = {},
}: Caller): string[] {
  const expiry = properties.sessionExpiryInterval;
  return [
    ...mosquittoArguments(endpoint),
    ...["-V", `mqttv${version.replaceAll(".", "")}`, "-i", clientId, "-k", String(keepAlive ?? 60)],
    ...(username === undefined ? [] : ["-u", username]),
    ...(password === undefined ? [] : ["-P", password]),
    ...(clean === false ? ["-c"] : []),
    ...(expiry === undefined ? [] : ["-x", String(expiry)]),
    ...willOptions(will),
    ...(will?.properties === undefined ? [] : mosquittoProperties("will", will.properties)),
    ...(properties.requestProblemInformation === undefined
      ? []
      : ["-D", "connect", "request-problem-information", properties.requestProblemInformation ? "1" : "0"]),
    ...(properties.userProperties === undefined
      ? []
      : mosquittoProperties("connect", { userProperties: properties.userProperties })),
  ];
}

function willOptions(will: Will | undefined): string[] {
  if (will === undefined) return [];
  const payload = Buffer.from(will.payload).toString();
  return [
    ...["--will-topic", will.topic, "--will-payload", payload, "--will-qos", String(will.qos)],
    ...(will.retain ? ["--will-retain"] : []),
  ];
}

function mosquittoProperties(packet: string, properties: Properties): string[] {
  const { userProperties = {}, ...rest } = properties;
  const option = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const text = (value: unknown) => (typeof value === "boolean" ? (value ? "1" : "0") : String(value));
  return [
    ...Object.entries(rest).flatMap(([name, value]) => ["-D", packet, option(name), text(value)]),
    ...Object.entries(userProperties).flatMap(([name, value]) => ["-D", packet, "user-property", name, value]),
  ];
}

function fromMosquitto(said: Record<string, unknown>): Properties {
  const properties: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(said)) {
    if (name === "user-properties") properties.userProperties = value;
    else if (name === "correlation-data") properties.correlationData = Buffer.from(value as string);
    else if (name === "payload-format-indicator") properties.payloadFormatIndicator = value === 1;
    else properties[name.replace(/-([a-z])/g, (_, letter) => letter.toUpperCase())] = value;
  }
  return properties as Properties;
}

export const PAHO_C: Kind = {
  name: "paho (C)",
  versions: ["3.1", "3.1.1", "5"],
  properties: ["messageExpiryInterval", "userProperties"],
  keepsSessions: false,
  async publish(caller, { topic, payload, qos, retain, properties = {} }) {
    const { messageExpiryInterval: expiry, userProperties = {} } = properties;
    const program = new Program([
      "paho_c_pub",
      ...pahoOptions(caller),
      ...["-t", topic, "-m", payload, "-q", String(qos)],
      ...(retain ? ["-r"] : []),
      ...(expiry === undefined ? [] : ["--message-expiry", String(expiry)]),
      ...Object.entries(userProperties).flatMap(([name, value]) => ["--user-property", name, value]),
    ]);
    const refusal = () => program.output.find((line) => line.startsWith("Connect failed"));
    await waitFor("paho_c_pub to publish", () => refusal() ?? (program.process.exitCode !== null || null));
    // One that is refused does not always end: that is so with Mosquitto alone, too.
    program.process.kill("SIGKILL");
    await program.ended();
    return refusal() ?? "in";
  },
  async listen(caller, topic, qos) {
    const program = new Program(["paho_c_sub", ...pahoOptions(caller), "-t", topic, "-q", String(qos)]);
    await program.ready();
    // Where the topic has wildcards, a line is: length, blank, topic, tab, payload.
    return program.asSession((line) => {
      const [, name, payload] = /^\d+ (\S+)\t(.*)$/.exec(line) ?? [];
      return name === undefined ? null : { topic: name, payload: Buffer.from(payload!) };
    });
  },
};

function pahoOptions({ endpoint, version, clientId, username, password, keepAlive, will }: Caller): string[] {
  const { port, ca } = endpoint;
  return [
    ...(ca === undefined ? ["-h", "localhost", "-p", String(port)] : ["-c", `ssl://localhost:${port}`, "--cafile", ca]),
    ...["-V", version === "5" ? "5" : version.replaceAll(".", ""), "-i", clientId, "-k", String(keepAlive ?? 60)],
    ...(username === undefined ? [] : ["-u", username]),
    ...(password === undefined ? [] : ["-P", password]),
    ...willOptions(will),
  ];
}

function said({ code, stdout, stderr }: Finished): Said {
  const text = (stdout + stderr).trim();
  return code === 0 && text === "" ? "in" : `${code}: ${text}`;
}

/** A program that prints a line for each message. */
export class Program {
  readonly lines: string[] = [];
  readonly errors: string[] = [];
  readonly process: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly #done: Promise<unknown>;

  constructor(command: readonly string[]) {
    // Not into a pipe, C's library holds back what is printed until it has 4 kB.
    this.process = Bun.spawn(["stdbuf", "-oL", ...command], { stdio: ["ignore", "pipe", "pipe"] });
    cleanup(() => this.process.kill("SIGKILL"));
    this.#done = Promise.all([
      collect(this.process.stdout, (line) => this.lines.push(line)),
      collect(this.process.stderr, (line) => this.errors.push(line)),
    ]);
  }

  get output(): readonly string[] {
    return [...this.lines, ...this.errors];
  }

  /** It has printed a message "ready", which is kept for who subscribes. */
  ready(): Promise<true> {
    return waitFor(`${this.process.pid} to be ready`, () => {
      if (this.process.exitCode !== null) throw new Error(`it ended: ${this.output.join("\n")}`);
      return this.lines.some((line) => line.includes("ready")) || null;
    });
  }

  /** Its exit code, once it has ended and all it has printed is here. */
  async ended(): Promise<number> {
    await this.#done;
    return this.process.exited;
  }

  /** `read` gives null for what is no message. */
  asSession(read: (line: string) => Arrived | null): Session {
    const { lines, process } = this;
    return {
      ended: () => this.ended().then(() => this.output.join("\n")),
      get messages() {
        return lines.map(read).filter((each) => each !== null);
      },
      break: () => process.kill("SIGKILL"),
      leave: async () => {
        process.kill("SIGINT");
        await process.exited;
      },
    };
  }
}

async function collect(stream: ReadableStream<Uint8Array>, line: (text: string) => void): Promise<void> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const each of lines) line(each);
  }
  if (rest !== "") line(rest);
}

export const KINDS: readonly Kind[] = [MOSQUITTO, MQTT_JS, PAHO_PYTHON, PAHO_C];
