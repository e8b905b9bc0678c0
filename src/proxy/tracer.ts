// Writes the way of chosen clients into the log, step by step. While nobody is chosen there is no tracer, and a step costs one comparison.

import type { Logger } from "../observe/logger.ts";
import type { Traced } from "../protocol/looking.ts";
import { printable } from "../text/printable.ts";
import type { Reason } from "./reasons.ts";
import type { ConnectionRecord } from "./record.ts";

export class Tracer {
  readonly #logger: Logger;
  readonly #addresses: ReadonlySet<string>;
  readonly #clientIds: ReadonlySet<string>;

  /** `logger` writes whatever the level is. */
  constructor(traced: readonly Traced[], logger: Logger) {
    const values = (wanted: Traced["by"]) =>
      new Set(traced.filter(({ by }) => by === wanted).map(({ value }) => value));
    this.#addresses = values("address");
    this.#clientIds = values("clientId");
    this.#logger = logger;
  }

  /** Its connection goes on in this step. A client id is known from its CONNECT on. */
  step(record: ConnectionRecord, name: string): void {
    if (this.#isTraced(record)) this.#logger.info({ ...about(record), step: name }, "trace");
  }

  ended(record: ConnectionRecord, reason: Reason): void {
    if (this.#isTraced(record)) this.#logger.info({ ...about(record), step: "end", reason }, "trace");
  }

  #isTraced({ clientAddress, mqtt }: ConnectionRecord): boolean {
    return this.#addresses.has(clientAddress) || (mqtt !== null && this.#clientIds.has(mqtt.clientId));
  }
}

function about({
  clientAddress,
  clientPort,
  sni,
  tlsVersion,
  clientSubject,
  mqtt,
  meters,
  server,
  cause,
  startedAt,
}: ConnectionRecord) {
  const text = (key: string, value: string) => (value === "" ? {} : { [key]: printable(value) });
  return {
    client: clientAddress,
    clientPort,
    ms: Math.round(performance.now() - startedAt),
    ...text("sni", sni),
    ...text("tlsVersion", tlsVersion),
    ...text("clientSubject", clientSubject),
    ...(mqtt !== null && { clientId: printable(mqtt.clientId) }),
    ...(meters !== null && { router: meters.router }),
    ...text("server", server),
    ...text("cause", cause),
  };
}
