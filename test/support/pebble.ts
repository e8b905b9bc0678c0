// Pebble, Let's Encrypt's small ACME server, with its DNS server, on free ports of this machine.

import { expect } from "bun:test";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AcmeClient } from "../../src/acme/client.ts";
import { writeAccountKey } from "../../src/acme/keys.ts";
import type { Responder } from "../../src/acme/obtain.ts";
import { AcmeStorage } from "../../src/acme/storage.ts";
import { Authority } from "./certs.ts";
import { cleanup, freePort, temporaryDirectory, waitFor } from "./tools.ts";

/** Sluice itself makes a key that takes a second to be found. */
export const smallAccountKey = (): KeyObject => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;

export function saveAccount(
  storage: string,
  resolver: string,
  uri: string,
  key = smallAccountKey(),
  body: unknown = {},
): void {
  const account = { email: "admin@example.com", uri, body, privateKey: writeAccountKey(key) };
  expect(new AcmeStorage(storage).saveAccount(resolver, account)).toMatchObject({ kind: "ok" });
}

export interface PebbleOptions {
  /** Where Pebble looks for TLS-ALPN-01 and HTTP-01 answers. */
  readonly tlsPort?: number;
  readonly httpPort?: number;
  /** How long certificates are good. */
  readonly validitySeconds?: number;
  /** Pebble's own variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** The program; Debian's own without it. */
  readonly command?: readonly string[];
  /** Accounts need one of these keys: kid to base64url HMAC key. */
  readonly externalAccounts?: Readonly<Record<string, string>>;
}

export class Pebble {
  readonly directory: string;
  /** PEM file of the authority of Pebble's own HTTPS. */
  readonly ca: string;
  readonly #management: number;
  readonly #dns: number;
  readonly #stop: () => Promise<void>;

  private constructor(directory: string, ca: string, management: number, dns: number, stop: () => Promise<void>) {
    this.directory = directory;
    this.ca = ca;
    this.#management = management;
    this.#dns = dns;
    this.#stop = stop;
  }

  static async start(options: PebbleOptions = {}): Promise<Pebble> {
    const place = temporaryDirectory();
    const [authority, port, management, dnsPort, dnsManagement] = await Promise.all([
      Authority.create("Pebble HTTPS"),
      freePort(),
      freePort(),
      freePort(),
      freePort(),
    ]);
    const pair = await authority.issue({ names: ["localhost", "127.0.0.1"] });
    const accounts = options.externalAccounts;
    writeFileSync(
      join(place, "pebble.json"),
      JSON.stringify({
        pebble: {
          listenAddress: `127.0.0.1:${port}`,
          managementListenAddress: `127.0.0.1:${management}`,
          certificate: pair.cert,
          privateKey: pair.key,
          httpPort: options.httpPort ?? 9,
          tlsPort: options.tlsPort ?? 9,
          ocspResponderURL: "",
          ...(options.validitySeconds && { certificateValidityPeriod: options.validitySeconds }),
          externalAccountBindingRequired: accounts !== undefined,
          ...(accounts && { externalAccountMACKeys: accounts }),
        },
      }),
    );
    const dnsOptions = ["-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dns01", `127.0.0.1:${dnsPort}`];
    const off = ["-http01", "", "-https01", "", "-tlsalpn01", ""];
    const children = [
      Bun.spawn(["pebble-challtestsrv", "-management", `127.0.0.1:${dnsManagement}`, ...dnsOptions, ...off], {
        stdout: "ignore",
        stderr: "ignore",
      }),
      Bun.spawn(
        [
          ...(options.command ?? ["pebble"]),
          "-config",
          join(place, "pebble.json"),
          "-dnsserver",
          `127.0.0.1:${dnsPort}`,
        ],
        {
          env: { ...process.env, PEBBLE_VA_NOSLEEP: "1", PEBBLE_WFE_NONCEREJECT: "0", ...options.env },
          stdout: "ignore",
          stderr: "ignore",
        },
      ),
    ];
    const stop = async () => {
      for (const child of children) {
        child.kill("SIGKILL");
        await child.exited;
      }
    };
    cleanup(stop);
    const directory = `https://localhost:${port}/dir`;
    const ca = authority.cert;
    const trusted = { tls: { ca: readFileSync(ca, "utf8") } } as RequestInit;
    const answers = () =>
      fetch(directory, trusted).then(
        (answer) => answer.ok || null,
        () => null,
      );
    await waitFor("pebble to answer", answers, 15_000);
    return new Pebble(directory, ca, management, dnsManagement, stop);
  }

  /** The root that certificates of this Pebble end at, in PEM. It is another one at each start. */
  async root(): Promise<string> {
    const untrusted = { tls: { rejectUnauthorized: false } } as RequestInit;
    return (await fetch(`https://127.0.0.1:${this.#management}/roots/0`, untrusted)).text();
  }

  /** What the authority says of a certificate's renewal (RFC 9773) from now on. */
  async suggestRenewal(certificate: string, start: Date, end: Date): Promise<void> {
    const suggestedWindow = { start: start.toISOString(), end: end.toISOString() };
    const answer = await fetch(`https://127.0.0.1:${this.#management}/set-renewal-info/`, {
      method: "POST",
      body: JSON.stringify({ certificate, ariResponse: JSON.stringify({ suggestedWindow }) }),
      tls: { rejectUnauthorized: false },
    } as RequestInit);
    if (!answer.ok) throw new Error(`pebble: set-renewal-info: ${answer.status} ${await answer.text()}`);
  }

  /** Puts an account into a resolver's storage, which has it then as if it had made it. */
  async saveAccount(storage: string, resolver: string): Promise<void> {
    const endpoint = { directory: this.directory, ca: readFileSync(this.ca, "utf8"), serverName: null };
    const key = smallAccountKey();
    const client = new AcmeClient({ ...endpoint, timeoutMs: 10_000, userAgent: "test" }, key, null);
    const { uri, body } = await client.register("admin@example.com", null);
    saveAccount(storage, resolver, uri, key, body);
  }

  async setTxt(host: string, value: string): Promise<void> {
    await this.#tell("set-txt", { host, value });
  }

  async clearTxt(host: string): Promise<void> {
    await this.#tell("clear-txt", { host });
  }

  /** The URL under which the DNS server takes orders, for hooks. */
  get dnsManagement(): string {
    return `http://127.0.0.1:${this.#dns}`;
  }

  async stop(): Promise<void> {
    await this.#stop();
  }

  async #tell(what: string, body: object): Promise<void> {
    const answer = await fetch(`${this.dnsManagement}/${what}`, { method: "POST", body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`pebble-challtestsrv: ${what}: ${answer.status}`);
  }
}

/** Answers HTTP-01 challenges on this port; `delayMs` is how long it takes to have an answer in place. */
export function httpResponder(port: number, delayMs = 0): Responder {
  const tokens = new Map<string, string>();
  const web = Bun.serve({
    hostname: "127.0.0.1",
    port,
    fetch: (request) => new Response(tokens.get(new URL(request.url).pathname.split("/").at(-1)!) ?? null),
  });
  cleanup(() => web.stop(true));
  return {
    type: "http-01",
    patienceMs: 20_000,
    present: async (_, token, keyAuthorization) => {
      tokens.set(token, keyAuthorization);
      if (delayMs > 0) await new Promise((next) => setTimeout(next, delayMs));
      return async () => void tokens.delete(token);
    },
  };
}
