// mqttIdentity: who the broker is told that the client is. Made of what the client has proved, so that none speaks as another.

import { ClientIdentity, type IdentityField } from "../certs/client-identity.ts";
import type { ConnectChanges } from "../mqtt/rewrite.ts";
import { type Filled, fill, type Placeholder, type Template, type Value } from "../mqtt/template.ts";
import { matchesWhole } from "../text/matching.ts";
import { compileRe2, type Re2 } from "../text/re2.ts";
import type { Client, Middleware, MiddlewareReject, Verdict } from "./middleware.ts";

/** What the broker gets for the client's password. */
export type PasswordRow =
  | { readonly kind: "keep" }
  | { readonly kind: "strip" }
  | { readonly kind: "template"; readonly template: Template }
  | { readonly kind: "secret"; readonly secret: string };

/** What must hold of a client. `matches` is RE2, for the whole value. */
export type Requirement =
  | { readonly value: Template; readonly equals: Template }
  | { readonly value: Template; readonly matches: string };

/** The settings as they go from master to worker; null leaves what the client says. */
export interface MqttIdentityRow {
  readonly kind: "mqttIdentity";
  readonly username: Template | null;
  readonly clientId: Template | null;
  readonly password: PasswordRow;
  readonly require: readonly Requirement[];
}

/** None of them tells a client which value was wrong. */
export type IdentityReject = Extract<MiddlewareReject, `identity-${string}`>;

export type Identified =
  | { readonly kind: "ok"; readonly changes: ConnectChanges }
  /** `why` is for people who look at one client; it holds no value of the client's. */
  | { readonly kind: "refuse"; readonly reason: IdentityReject; readonly why: string };

export class MqttIdentity implements Middleware {
  readonly stage = "connect";
  readonly #row: MqttIdentityRow;
  readonly #patterns: readonly (Re2 | null)[];
  readonly #secret: Buffer | null;

  /** The patterns of `row` are such as compile. */
  constructor(row: MqttIdentityRow) {
    this.#row = row;
    this.#patterns = row.require.map((each) => ("matches" in each ? compileRe2(each.matches) : null));
    this.#secret = row.password.kind === "secret" ? Buffer.from(row.password.secret) : null;
  }

  judge(client: Client): Verdict {
    const identified = this.identify(client);
    // 5 and 0x87, as Mosquitto answers one that it does not know: no other password would help.
    if (identified.kind === "refuse") return { kind: "refuse", reason: identified.reason, refusal: "not-authorized" };
    return { kind: "pass", lease: null, rewrite: identified.changes };
  }

  /** What the broker is told of this client, by what it has sent and shown. */
  identify(client: Client): Identified {
    const values = new ClientValues(client);
    const lookUp = (placeholder: Placeholder): Value => values.of(placeholder);
    const { require: requirements } = this.#row;
    for (let index = 0; index < requirements.length; index++) {
      const refused = this.#check(requirements[index]!, this.#patterns[index] ?? null, lookUp);
      if (refused !== null) return refused;
    }
    const username = this.#row.username === null ? null : fill(this.#row.username, lookUp);
    if (username !== null && username.kind !== "ok") return refuse(username);
    const clientId = this.#row.clientId === null ? null : fill(this.#row.clientId, lookUp);
    if (clientId !== null && clientId.kind !== "ok") return refuse(clientId);
    const password = this.#passwordFor(lookUp);
    if (password !== undefined && password !== null && "kind" in password) return refuse(password);
    const { connect } = client;
    // [MQTT-3.1.2-22]: without a user name it could not be sent, and the broker would take the client for one without credentials.
    if (password && username === null && connect !== null && connect.username === null && connect.version !== "5")
      return { kind: "refuse", reason: "identity-missing", why: "the password needs a user name, and there is none" };
    const changes: { clientId?: string; username?: string; password?: Buffer | null } = {};
    if (username !== null) changes.username = username.text;
    if (clientId !== null) changes.clientId = clientId.text;
    if (password !== undefined) changes.password = password;
    return { kind: "ok", changes };
  }

  #check(
    requirement: Requirement,
    pattern: Re2 | null,
    lookUp: (placeholder: Placeholder) => Value,
  ): Extract<Identified, { kind: "refuse" }> | null {
    const value = fill(requirement.value, lookUp);
    if (value.kind !== "ok") return refuse(value);
    if ("equals" in requirement) {
      const wanted = fill(requirement.equals, lookUp);
      if (wanted.kind !== "ok") return refuse(wanted);
      return value.text === wanted.text ? null : MISMATCH;
    }
    return matchesWhole(pattern!, value.text) ? null : MISMATCH;
  }

  /** undefined: as the client has sent it. */
  #passwordFor(
    lookUp: (placeholder: Placeholder) => Value,
  ): Buffer | null | undefined | Exclude<Filled, { kind: "ok" }> {
    const { password } = this.#row;
    switch (password.kind) {
      case "keep":
        return undefined;
      case "strip":
        return null;
      case "secret":
        return this.#secret;
      case "template": {
        const filled = fill(password.template, lookUp);
        return filled.kind === "ok" ? Buffer.from(filled.text) : filled;
      }
    }
  }
}

const MISMATCH = { kind: "refuse", reason: "identity-mismatch", why: "a requirement does not hold" } as const;

function refuse({ kind, placeholder, why }: Exclude<Filled, { kind: "ok" }>): Extract<Identified, { kind: "refuse" }> {
  const what = placeholder === null ? "what the template makes" : `{${placeholder}}`;
  return { kind: "refuse", reason: `identity-${kind}`, why: `${what} ${why}` };
}

const MISSING: Value = { kind: "missing" };

/** A client's values, its certificate read only where one is asked for. */
class ClientValues {
  readonly #client: Client;
  #certificate: ClientIdentity | null | undefined;

  constructor(client: Client) {
    this.#client = client;
  }

  of(placeholder: Placeholder): Value {
    const { connect, sni, clientAddress } = this.#client;
    switch (placeholder) {
      case "sni":
        return { kind: "ok", text: sni };
      case "client.ip":
        return { kind: "ok", text: clientAddress };
      case "mqtt.clientId":
        return { kind: "ok", text: connect?.clientId ?? "" };
      case "mqtt.username":
        return { kind: "ok", text: connect?.username ?? "" };
      default:
        return this.#ofCertificate(placeholder.slice("cert.".length) as IdentityField);
    }
  }

  #ofCertificate(field: IdentityField): Value {
    if (this.#certificate === undefined) {
      const { clientCertificate } = this.#client;
      this.#certificate = clientCertificate === null ? null : new ClientIdentity(clientCertificate);
    }
    return this.#certificate?.value(field) ?? MISSING;
  }
}
