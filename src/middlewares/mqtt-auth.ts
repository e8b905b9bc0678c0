// mqttAuth: lets in whose user name and password are in a password file. What the client itself has sent is checked, whatever a middleware
// makes of it for the broker.

import { Credentials, type CredentialsOutcome } from "../mqtt/credentials.ts";
import type { Users } from "../mqtt/user-parts.ts";
import type { Client, Middleware, MiddlewareReject, Refused, Verdict } from "./middleware.ts";

/** The settings as they go from master to worker. */
export interface MqttAuthRow {
  readonly kind: "mqttAuth";
  readonly users: Users;
  /** What decides how unknown names are hashed; in base64. */
  readonly key: string;
  readonly allowAnonymous: boolean;
  readonly certificateIsEnough: boolean;
  readonly stripPassword: boolean;
  readonly strictCodes: boolean;
}

/** How a client was let in, or why it was not. */
export type AuthResult =
  | "password"
  | "anonymous"
  | "certificate"
  | "client-gone"
  | Extract<MiddlewareReject, "bad-credentials" | "no-credentials" | "auth-busy">;

/** What it needs of the worker. */
export interface AuthServices {
  /** The text of a part of a password file, by its name; null while it is not there. */
  partOf(name: string): string | null;
  onAuthentication(result: AuthResult, durationMs: number): void;
}

const NO_CREDENTIALS: Refused = { kind: "refuse", reason: "no-credentials", refusal: "not-authorized" };
const NOT_AUTHORIZED: Refused = { kind: "refuse", reason: "bad-credentials", refusal: "not-authorized" };
const BAD_CREDENTIALS: Refused = { kind: "refuse", reason: "bad-credentials", refusal: "credentials" };
const BUSY: Refused = { kind: "refuse", reason: "auth-busy", refusal: "busy" };

export class MqttAuth implements Middleware {
  readonly stage = "connect";
  readonly #row: MqttAuthRow;
  readonly #services: AuthServices;
  readonly #credentials: Credentials;
  readonly #pass: Verdict;
  readonly #wrong: Refused;

  constructor(row: MqttAuthRow, services: AuthServices) {
    this.#row = row;
    this.#services = services;
    this.#credentials = new Credentials(row.users, Buffer.from(row.key, "base64"), (name) => services.partOf(name));
    this.#pass = { kind: "pass", lease: null, ...(row.stripPassword ? { rewrite: { password: null } } : {}) };
    this.#wrong = row.strictCodes ? BAD_CREDENTIALS : NOT_AUTHORIZED;
  }

  judge(client: Client): Verdict | Promise<Verdict> {
    const { connect } = client;
    const username = connect?.username ?? null;
    const password = connect?.password ?? null;
    if (username === null && password === null) return this.#judgeNameless(client);
    // Whoever names himself has to prove it: the broker would believe the name. MQTT 5 knows a password without a name.
    if (username === null || password === null) return this.#end("bad-credentials", 0);
    const startedAt = performance.now();
    const outcome = this.#credentials.verify(username, password, () => client.isOver === true);
    if (typeof outcome === "string") return this.#end(RESULTS[outcome], performance.now() - startedAt);
    return outcome.then((late) => this.#end(RESULTS[late], performance.now() - startedAt));
  }

  #judgeNameless(client: Client): Verdict {
    const { allowAnonymous, certificateIsEnough } = this.#row;
    if (certificateIsEnough && client.clientCertificate !== null) return this.#end("certificate", 0);
    return this.#end(allowAnonymous ? "anonymous" : "no-credentials", 0);
  }

  #end(result: AuthResult, durationMs: number): Verdict {
    this.#services.onAuthentication(result, durationMs);
    switch (result) {
      case "bad-credentials":
        return this.#wrong;
      case "no-credentials":
        return NO_CREDENTIALS;
      case "auth-busy":
      case "client-gone": // nobody is there to hear it
        return BUSY;
      default:
        return this.#pass;
    }
  }
}

const RESULTS = {
  right: "password",
  wrong: "bad-credentials",
  busy: "auth-busy",
  gone: "client-gone",
} as const satisfies Record<CredentialsOutcome, AuthResult>;
