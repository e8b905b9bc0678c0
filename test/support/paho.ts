// Clients of Paho for Python, all in one process (clients-of-paho.py).

import { join } from "node:path";
import type { Subprocess } from "bun";
import type { Arrived, Caller, Properties, Session } from "./callers.ts";
import { ROOT } from "./sluice.ts";
import { cleanup, waitFor } from "./tools.ts";

interface Event {
  readonly client: string;
  readonly event: "connect" | "message" | "disconnect" | "begun" | "done" | "fault";
  readonly [field: string]: unknown;
}

/** Debian's package is for Debian's Python, and for no other one that may be in the path. */
const PYTHON = "/usr/bin/python3";

export class PahoPython {
  readonly events: Event[] = [];
  readonly #process: Subprocess<"pipe", "pipe", "inherit">;
  #orders = 0;
  #clients = 0;

  constructor() {
    this.#process = Bun.spawn([PYTHON, join(ROOT, "test/support/clients-of-paho.py")], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    cleanup(async () => {
      this.#process.kill("SIGKILL");
      await this.#process.exited;
    });
    void this.#read();
  }

  /** A client that goes on connecting until it is let in, once a second. */
  open(caller: Caller): PahoClient {
    const name = `${this.#clients++}`;
    const { endpoint, will, properties, ...said } = caller;
    this.send({
      ...{ client: name, do: "connect", host: "localhost", port: endpoint.port, ...said },
      ...(endpoint.ca === undefined ? {} : { ca: endpoint.ca }),
      ...(will === undefined
        ? {}
        : { will: { ...will, payload: hex(will.payload), properties: wire(will.properties) } }),
      properties: wire(properties),
    });
    return new PahoClient(this, name);
  }

  /** Sends an order; its number. */
  send(order: object): number {
    this.#process.stdin.write(`${JSON.stringify({ ...order, number: ++this.#orders })}\n`);
    this.#process.stdin.flush();
    return this.#orders;
  }

  async #read(): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of this.#process.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.events.push(JSON.parse(line));
    }
  }
}

export class PahoClient implements Session {
  readonly #python: PahoPython;
  readonly #name: string;

  constructor(python: PahoPython, name: string) {
    this.#python = python;
    this.#name = name;
  }

  /** The codes of all CONNACKs so far. */
  get codes(): number[] {
    return this.#of("connect").map(({ code }) => code as number);
  }

  /** Its connection is over. */
  get isGone(): boolean {
    return this.#of("disconnect").length > 0;
  }

  /** What the broker said when it let it in last. */
  async admitted(): Promise<{ present: boolean; properties: Record<string, unknown> }> {
    return waitFor("Paho's client to be let in", () => {
      this.#complain();
      const last = this.#of("connect").at(-1);
      return last?.code === 0 ? (last as never) : null;
    });
  }

  get messages(): Arrived[] {
    return this.#of("message").map(({ topic, payload, qos, retain, properties }) => ({
      topic: topic as string,
      payload: Buffer.from(payload as string, "hex"),
      qos: qos as number,
      retain: retain as boolean,
      properties: unwire(properties as Record<string, unknown>),
    }));
  }

  async publish(
    topic: string,
    payload: Uint8Array,
    qos: number,
    retain = false,
    properties?: Properties,
  ): Promise<void> {
    await this.#done({ do: "publish", topic, payload: hex(payload), qos, retain, properties: wire(properties) });
  }

  async subscribe(topic: string, qos: number): Promise<void> {
    await this.#done({ do: "subscribe", topic, qos });
  }

  /** Without DISCONNECT. */
  break(): void {
    this.#python.send({ client: this.#name, do: "break" });
  }

  async leave(): Promise<void> {
    this.#python.send({ client: this.#name, do: "leave" });
    await waitFor("Paho's client to have left", () => this.isGone || null);
  }

  async #done(order: object): Promise<void> {
    const number = this.#python.send({ client: this.#name, ...order });
    await waitFor(`Paho's client to do ${JSON.stringify(order).slice(0, 100)}`, () => {
      this.#complain();
      const begun = this.#of("begun").find((each) => each.order === number);
      return (begun !== undefined && this.#of("done").some((each) => each.number === begun.number)) || null;
    });
  }

  #of(event: Event["event"]): Event[] {
    return this.#python.events.filter((each) => each.client === this.#name && each.event === event);
  }

  #complain(): void {
    const fault = this.#python.events.find(({ event }) => event === "fault");
    if (fault !== undefined) throw new Error(`clients-of-paho.py: ${fault.what}`);
  }
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** As JSON can say it; null: there are none. */
function wire(properties: Properties | undefined): object | null {
  if (properties === undefined) return null;
  const { correlationData, userProperties, ...rest } = properties;
  return {
    ...rest,
    ...(correlationData === undefined ? {} : { correlationData: hex(correlationData) }),
    ...(userProperties === undefined ? {} : { userProperties: Object.entries(userProperties) }),
  };
}

function unwire(said: Record<string, unknown>): Properties {
  const { correlationData, userProperties, payloadFormatIndicator, ...rest } = said;
  return {
    ...rest,
    ...(payloadFormatIndicator === undefined ? {} : { payloadFormatIndicator: payloadFormatIndicator === 1 }),
    ...(correlationData === undefined ? {} : { correlationData: Buffer.from(correlationData as string, "hex") }),
    ...(userProperties === undefined
      ? {}
      : { userProperties: Object.fromEntries(userProperties as [string, string][]) }),
  };
}
