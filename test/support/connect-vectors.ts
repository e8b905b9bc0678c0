// The recorded CONNECTs of test/fixtures/vectors/connect.json, and what is to become of each here.

import type { ConnectFault } from "../../src/mqtt/connect.ts";
import type { MqttVersion } from "../../src/mqtt/version.ts";
import { type Recorded, readVectors } from "./recorded.ts";

export interface WillFields {
  readonly topic: string;
  readonly payload?: string;
  readonly payloadLength?: number;
  readonly qos: number;
  readonly retain: boolean;
}

export interface ConnectFields {
  readonly clientId?: string;
  readonly clientIdLength?: number;
  readonly cleanStart?: boolean;
  readonly keepAlive?: number;
  readonly will?: WillFields | null;
  readonly username?: string | null;
  readonly password?: string | null;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly bridge?: boolean;
  readonly packetLength: number;
  readonly rest?: string;
}

export interface ConnectVector extends Recorded {
  readonly name: string;
  readonly segments?: readonly string[];
  readonly version: MqttVersion | null;
  readonly outcome: "ok" | "more" | "not-mqtt" | Exclude<ConnectFault, "too-large">;
  readonly fields?: ConnectFields;
  readonly fieldsIfAccepted?: ConnectFields;
  readonly connack: string | null;
  readonly also?: { readonly outcome?: readonly string[]; readonly connack?: readonly (string | null)[] };
  readonly choice?: string;
}

const recorded = readVectors("connect.json") as {
  vectors: ConnectVector[];
  flagMatrix: { expected: Record<MqttVersion, string> };
  refusals: { table: { situation: string; v3: string | null; v5: string }[] };
};

export const connectVectors: readonly ConnectVector[] = recorded.vectors;
export const flagMatrix = recorded.flagMatrix.expected;
export const refusalTable = recorded.refusals.table;

/** The limit that mqttConnect has where nothing is said. */
export const MAX_SIZE = 65536;

export interface Expected {
  readonly outcome: ConnectVector["outcome"] | "too-large";
  readonly connack: string | null;
}

/** Where the text leaves a choice, ours; docs/mqtt.md has the reasons. */
const CHOSEN: Readonly<Record<string, (vector: ConnectVector) => Expected>> = {
  "bridge-bit": (vector) => (vector.fieldsIfAccepted ? { outcome: "ok", connack: null } : vector),
  "utf8-control": ({ version }) => ({ outcome: "malformed", connack: version === "5" ? "2003008100" : null }),
  "overlong-remaining-length": ({ version }) => ({
    outcome: "malformed",
    connack: version === "5" ? "2003008100" : null,
  }),
  "v31-lenient": (vector) => vector,
  "v31-long-client-id": () => ({ outcome: "ok", connack: null }),
  "v31-missing-credentials": (vector) => vector,
  "auth-method": (vector) => vector,
  "size-limit": (vector) =>
    vector.fields === undefined || vector.fields.packetLength > MAX_SIZE
      ? { outcome: "too-large", connack: null }
      : vector,
};

export function expectedOf(vector: ConnectVector): Expected {
  const expected = vector.choice === undefined ? vector : CHOSEN[vector.choice]!(vector);
  return { outcome: expected.outcome, connack: expected.connack };
}
