// mqttConnect: what a client's CONNECT may be. That it conforms to MQTT at all has been seen to by who has read it.

import type { Connect } from "../mqtt/connect.ts";
import { MQTT_VERSIONS, type MqttVersion } from "../mqtt/version.ts";
import { matchesWhole } from "../text/matching.ts";
import { compileRe2, type Re2 } from "../text/re2.ts";
import type { Client, ConnectLimits, Middleware, Refused, Verdict } from "./middleware.ts";

/** The settings as they go from master to worker. */
export interface MqttConnectRow {
  readonly kind: "mqttConnect";
  readonly timeoutMs: number;
  /** Bytes of the packet. */
  readonly maxSize: number;
  readonly versions: readonly MqttVersion[];
  /** RE2 that the whole client id must match; null: any. */
  readonly clientIdPattern: string | null;
  /** In characters (Unicode code points); null: any. */
  readonly clientIdMaxLength: number | null;
  /** null: an empty client id is judged like any other. */
  readonly clientIdAllowEmpty: boolean | null;
  /** Seconds; null: any, and none. */
  readonly maxKeepAlive: number | null;
  readonly cleanOnly: boolean;
  readonly allowWill: boolean;
  readonly bridges: "pass" | "refuse";
  /** null: not supervised. */
  readonly keepAliveZeroMs: number | null;
}

export const DEFAULT_CONNECT_LIMITS: ConnectLimits = { timeoutMs: 10_000, maxSize: 65_536 };

const VERSION: Refused = { kind: "refuse", reason: "connect-not-allowed", refusal: "unsupported-version" };
const WILL: Refused = { kind: "refuse", reason: "connect-not-allowed", refusal: "not-authorized" };
const NOT_CLEAN: Refused = { kind: "refuse", reason: "connect-not-allowed", refusal: "clean-session" };
const KEEP_ALIVE: Refused = { kind: "refuse", reason: "connect-not-allowed", refusal: "keep-alive" };
const CLIENT_ID: Refused = { kind: "refuse", reason: "client-id-not-allowed", refusal: "client-id" };
const TOO_LARGE: Refused = { kind: "refuse", reason: "connect-too-large", refusal: "too-large" };

export class MqttConnect implements Middleware {
  readonly stage = "connect";
  readonly connectLimits: ConnectLimits;
  readonly #row: MqttConnectRow;
  readonly #pattern: Re2 | null;
  readonly #pass: Verdict;

  /** The pattern of `row` is one that compiles. */
  constructor(row: MqttConnectRow) {
    const { timeoutMs, maxSize, clientIdPattern, keepAliveZeroMs } = row;
    this.#row = row;
    this.connectLimits = { timeoutMs, maxSize };
    this.#pattern = clientIdPattern === null ? null : compileRe2(clientIdPattern);
    this.#pass =
      keepAliveZeroMs === null
        ? { kind: "pass", lease: null }
        : { kind: "pass", lease: null, idle: { keepAliveZeroMs } };
  }

  judge({ connect }: Client): Verdict {
    // A middleware of this stage is not asked before there is a CONNECT; if it were, nobody would come in.
    if (connect === null) return VERSION;
    return this.#refusalOf(connect) ?? this.#pass;
  }

  /** Why it refuses each client that says this, whatever else it says; null: it may pass, or too little is known. */
  foresee({ version, clientId }: Partial<Pick<Connect, "version" | "clientId">>): Refused | null {
    const { versions } = this.#row;
    if (version !== undefined && !versions.includes(version)) return VERSION;
    // Without its version it may be that which is refused.
    const isVersionTaken = version !== undefined || versions.length === MQTT_VERSIONS.length;
    return isVersionTaken && clientId !== undefined && !this.#allowsClientId(clientId) ? CLIENT_ID : null;
  }

  #refusalOf(connect: Connect): Refused | null {
    const { versions, maxSize, bridges, maxKeepAlive, cleanOnly, allowWill } = this.#row;
    if (connect.packet.length > maxSize) return TOO_LARGE;
    if (!versions.includes(connect.version)) return VERSION;
    // Exactly this answer lets a bridge try again as an ordinary client; any other one makes it repeat itself for ever.
    if (connect.bridge && bridges === "refuse") return VERSION;
    if (!this.#allowsClientId(connect.clientId)) return CLIENT_ID;
    if (maxKeepAlive !== null && (connect.keepAlive === 0 || connect.keepAlive > maxKeepAlive)) return KEEP_ALIVE;
    // In MQTT 5 a clean start may still leave a session behind (3.1.2.11.2).
    if (cleanOnly && (!connect.clean || connect.sessionExpiry > 0)) return NOT_CLEAN;
    return connect.will !== null && !allowWill ? WILL : null;
  }

  #allowsClientId(clientId: string): boolean {
    const { clientIdMaxLength, clientIdAllowEmpty } = this.#row;
    if (clientId === "" && clientIdAllowEmpty !== null) return clientIdAllowEmpty;
    // A character is one or two UTF-16 units.
    if (clientIdMaxLength !== null && clientId.length > clientIdMaxLength && [...clientId].length > clientIdMaxLength)
      return false;
    return this.#pattern === null || matchesWhole(this.#pattern, clientId);
  }
}
