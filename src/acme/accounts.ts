// The ACME clients of all resolvers: each resolver has one account, which is kept in its storage.

import { generateKeyPairSync } from "node:crypto";
import { AcmeClient } from "./client.ts";
import { newAccountKey, readAccountKey, writeAccountKey } from "./keys.ts";
import { AcmeError } from "./problem.ts";
import type { Resolver } from "./resolver.ts";
import type { AcmeStorage } from "./storage.ts";

export class Accounts {
  readonly #clients = new Map<string, AcmeClient>();
  readonly #readers = new Map<string, AcmeClient>();

  /** A client that only reads, which needs no account. */
  reader({ name, endpoint }: Resolver): AcmeClient {
    let reader = this.#readers.get(name);
    if (reader === undefined) {
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      this.#readers.set(name, (reader = new AcmeClient(endpoint, privateKey, null)));
    }
    return reader;
  }

  /**
   * A client with the resolver's account, which is made when there is none yet, or only one at another authority.
   * @throws AcmeError when there is none and none can be made, or the storage cannot be used.
   */
  async client(resolver: Resolver, storage: AcmeStorage): Promise<AcmeClient> {
    const known = this.#clients.get(resolver.name);
    if (known !== undefined) return known;
    const read = storage.read(resolver.name);
    if (read.kind === "error") throw new AcmeError("storage", read.message);
    const { account } = read.value;
    const ours = account !== null && hostOf(account.uri) === hostOf(resolver.endpoint.directory);
    const key = ours ? readAccountKey(account.privateKey) : await newAccountKey();
    const client = new AcmeClient(resolver.endpoint, key, ours ? account.uri : null);
    if (!ours) {
      const { uri, body } = await client.register(resolver.email, resolver.externalAccount);
      const saved = storage.saveAccount(resolver.name, {
        email: resolver.email,
        uri,
        body,
        privateKey: writeAccountKey(key),
      });
      if (saved.kind === "error") throw new AcmeError("storage", saved.message);
    }
    this.#clients.set(resolver.name, client);
    return client;
  }
}

function hostOf(url: string): string | null {
  try {
    return new URL(url).host;
  } catch {
    return null;
  }
}
