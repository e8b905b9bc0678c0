// Who may what: by which name Sluice is called, who asks, and whether a page of a stranger makes a browser ask.

import type { Answer, Question } from "../admin/server.ts";
import { type ApiConfig, anonymousRole, ROLES, type Role } from "../config/api.ts";
import { parseAddress } from "../ip/address.ts";
import { type CredentialEvents, Credentials, type Who } from "./credentials.ts";
import { failure } from "./failure.ts";
import { LockOut } from "./lock-out.ts";

export interface AccessEvents extends CredentialEvents {
  /** An address has guessed too often. */
  onLockedOut(address: string): void;
}

export type Access = { readonly kind: "ok"; readonly who: Who } | { readonly kind: "refused"; readonly answer: Answer };

/** Whoever can open the Unix socket owns the process. */
const SOCKET: Who = { name: "socket", role: "admin" };

export class Gatekeeper {
  readonly #credentials: Credentials;
  readonly #lockOut: LockOut;
  readonly #anonymous: Who | null;
  readonly #hosts: ReadonlySet<string>;
  readonly #events: AccessEvents;

  constructor(config: ApiConfig, events: AccessEvents, lockOut = new LockOut()) {
    const role = anonymousRole(config);
    this.#anonymous = role === null ? null : { name: "anonymous", role };
    this.#credentials = new Credentials(config, events);
    this.#hosts = new Set(["localhost", ...config.hosts.map((name) => name.toLowerCase())]);
    this.#events = events;
    this.#lockOut = lockOut;
  }

  /** `changes`: the request is one that changes something. */
  async admit(question: Question, needed: Role, changes: boolean): Promise<Access> {
    const { address, host, headers } = question;
    if (address === null) return { kind: "ok", who: SOCKET };
    if (!this.#isOurName(host, headers.host)) return refused(421, MISDIRECTED(host));
    if (changes && !isFromHere(question)) return refused(403, "the request comes from a page of another site");
    const known = await this.#whoIs(headers.authorization, address);
    if (known.kind === "refused") return known;
    const { who } = known;
    if (ROLES.indexOf(who.role) < ROLES.indexOf(needed))
      return refused(403, `${who.name} is ${who.role}, and this needs ${needed}`);
    return known;
  }

  /**
   * A page whose name leads here only since it was loaded (DNS rebinding) is of a foreign name, which the browser writes into Host; an
   * address as Host cannot be one. Programs may leave it out, browsers do not.
   */
  #isOurName(host: string, header: string | undefined): boolean {
    if (header === undefined || header === "") return true;
    return (
      host !== "" && (this.#hosts.has(host.replace(/\.$/, "")) || parseAddress(host.replace(/^\[|\]$/g, "")) !== null)
    );
  }

  async #whoIs(authorization: string | undefined, address: string): Promise<Access> {
    if (authorization === undefined) {
      if (this.#anonymous !== null) return { kind: "ok", who: this.#anonymous };
      return refused(401, "a name and a password, or a token, are needed", CHALLENGE);
    }
    const locked = this.#lockOut.lockedFor(address);
    if (locked > 0)
      return refused(429, "too many wrong passwords or tokens came from this address", {
        "retry-after": String(Math.ceil(locked / 1000)),
      });
    const verified = await this.#verify(authorization);
    if (verified === "busy") return refused(503, "too many passwords are being checked", { "retry-after": "1" });
    if (verified !== "wrong") {
      this.#lockOut.succeeded(address);
      return { kind: "ok", who: verified };
    }
    if (this.#lockOut.failed(address)) this.#events.onLockedOut(address);
    return refused(401, "the name and the password, or the token, are nobody's", CHALLENGE);
  }

  async #verify(authorization: string): Promise<Who | "wrong" | "busy"> {
    const [, scheme = "", value = ""] = /^(\S+) +(\S+)$/.exec(authorization) ?? [];
    switch (scheme.toLowerCase()) {
      case "bearer":
        return this.#credentials.ofToken(value) ?? "wrong";
      case "basic": {
        // RFC 7617 2: the name ends at the first colon.
        const text = Buffer.from(value, "base64").toString("utf8");
        const colon = text.indexOf(":");
        return colon < 0 ? "wrong" : this.#credentials.ofPassword(text.slice(0, colon), text.slice(colon + 1));
      }
      default:
        return "wrong";
    }
  }
}

/**
 * Whether no page of another site has made the browser send it. Browsers say where a request comes from in Sec-Fetch-Site, or, where they
 * do not (not over HTTPS, and no loopback), in Origin. What says neither is no browser.
 */
function isFromHere({ headers }: Question): boolean {
  const site = headers["sec-fetch-site"];
  if (site !== undefined) return site === "same-origin" || site === "none";
  const { origin, host } = headers;
  if (origin === undefined) return true;
  return /^https?:\/\/(.+)$/i.exec(origin)?.[1]?.toLowerCase() === host?.toLowerCase();
}

const MISDIRECTED = (host: string) =>
  `Sluice is not called ${JSON.stringify(host.slice(0, 100))} here: add the name to api.hosts, or use the address`;

const CHALLENGE = { "www-authenticate": 'Basic realm="Sluice", charset="UTF-8"' } as const;

function refused(status: number, message: string, headers: Readonly<Record<string, string>> = {}): Access {
  return { kind: "refused", answer: failure(status, message, headers) };
}
