// Two connections to Redis: one for commands, and one that hears of changes. They live and die together.

import { isIP } from "node:net";
import type { Redis, RedisOptions } from "ioredis";
import type { RedisConfig } from "../../config/providers/redis.ts";
import { parseHostPort } from "../../config/scalars.ts";
import { readTls } from "../store-tls.ts";

const CONNECT_MS = 5000;
/** A command that takes longer is not answered any more. Milliseconds. */
const COMMAND_MS = 15_000;
/** From one sign of life to the next. Milliseconds. */
const PING_MS = 15_000;
/** What clients with tracking hear of changes on, in the protocol's second version. */
const INVALIDATE = "__redis__:invalidate";

/** How changes are heard of: by tracking (Redis 6 and newer), by keyspace events, or not at all. */
export type Hearing = { readonly kind: "tracking" | "events" } | { readonly kind: "none"; readonly why: string };

export interface Listener {
  /** A key has changed; null: any may have. */
  changed(key: string | null): void;
}

export class Session {
  readonly commands: Redis;
  readonly #listening: Redis;
  /** Why the connections are no more; null while they are. */
  #broken: Error | null = null;
  readonly #ended = Promise.withResolvers<Error>();
  #ping: ReturnType<typeof setInterval> | null = null;

  private constructor(commands: Redis, listening: Redis) {
    this.commands = commands;
    this.#listening = listening;
    for (const each of [commands, listening]) {
      each.on("error", (error: Error) => this.#end(error));
      each.on("end", () => this.#end(new Error("the connection has ended")));
    }
  }

  /** @throws with why it cannot be reached. */
  static async open(config: RedisConfig, signal: AbortSignal): Promise<Session> {
    // Loaded by those that have such a provider.
    const { Redis } = await import("ioredis");
    const options = optionsOf(config);
    const session = new Session(new Redis(options), new Redis(options));
    const abort = () => session.close();
    signal.addEventListener("abort", abort);
    try {
      await Promise.all([session.commands.connect(), session.#listening.connect()]);
      session.#ping = setInterval(() => session.#proveLife(), PING_MS);
      return session;
    } catch (error) {
      session.close();
      // The library says "closed", and the reason by an event.
      throw session.#broken ?? error;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Resolves with the reason when the connections are no more. */
  get ended(): Promise<Error> {
    return this.#ended.promise;
  }

  /** Begins to hear of changes below `prefix`, by the best means that there is. */
  async listen(prefix: string, db: number, listener: Listener): Promise<Hearing> {
    this.#listening.on("messageBuffer", (_channel: Buffer, keys: unknown) => {
      if (!Array.isArray(keys)) listener.changed(null);
      else for (const key of keys) listener.changed(String(key));
    });
    const events = `__keyspace@${db}__:`;
    this.#listening.on("pmessage", (_pattern: string, channel: string) =>
      listener.changed(channel.slice(events.length)),
    );
    const why = await this.#track(prefix);
    if (why === null) return { kind: "tracking" };
    const whyNoEvents = await this.#hasEvents();
    if (whyNoEvents !== null) return { kind: "none", why: `${why}, and ${whyNoEvents}` };
    await this.#listening.psubscribe(`${events}${escapePattern(prefix)}*`);
    return { kind: "events" };
  }

  /** Resolves when everything has been heard that happened before. */
  async catchUp(): Promise<void> {
    await this.#listening.ping();
  }

  close(): void {
    if (this.#ping !== null) clearInterval(this.#ping);
    this.commands.disconnect();
    this.#listening.disconnect();
  }

  /** Redis tells of every change below the prefix, of keys that run out, and of FLUSHDB; a transaction is one message. @returns why not. */
  async #track(prefix: string): Promise<string | null> {
    try {
      const id = await this.#listening.client("ID");
      await this.#listening.subscribe(INVALIDATE);
      await this.commands.call("CLIENT", "TRACKING", "ON", "REDIRECT", String(id), "BCAST", "PREFIX", prefix);
      return null;
    } catch (error) {
      if (this.#broken !== null) throw this.#broken;
      return `CLIENT TRACKING fails (${(error as Error).message})`;
    }
  }

  async #hasEvents(): Promise<string | null> {
    try {
      const [, flags = ""] = (await this.commands.config("GET", "notify-keyspace-events")) as string[];
      // Sets, deletions and what runs out; A stands for all kinds.
      const isOn = flags.includes("K") && (flags.includes("A") || [..."g$x"].every((each) => flags.includes(each)));
      return isOn ? null : `notify-keyspace-events is "${flags}", which should have K$gxe`;
    } catch (error) {
      if (this.#broken !== null) throw this.#broken;
      return `CONFIG GET notify-keyspace-events fails (${(error as Error).message})`;
    }
  }

  #proveLife(): void {
    Promise.all([this.commands.ping(), this.#listening.ping()]).catch((error) => this.#end(error as Error));
  }

  #end(error: Error): void {
    this.#broken ??= error;
    this.#ended.resolve(this.#broken);
    this.close();
  }
}

/** What stands for something else in a pattern of Redis's, for itself. */
export function escapePattern(text: string): string {
  return text.replace(/[\\*?[\]]/g, "\\$&");
}

function optionsOf({ endpoints, username, password, db, tls, sentinel }: RedisConfig): RedisOptions {
  const addresses = endpoints.map((each) => {
    const parsed = parseHostPort(each);
    if (parsed.kind === "error") throw new Error(parsed.message);
    return { host: parsed.host, port: parsed.port };
  });
  const secured = tls && { ...readTls(tls), rejectUnauthorized: !tls.insecureSkipVerify };
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    db,
    // Changes come as messages of the second version.
    protocol: 2,
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    commandTimeout: COMMAND_MS,
    connectionName: "sluice",
    disableClientInfo: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    // Whoever uses it begins anew, after a pause of his own.
    retryStrategy: () => null,
    ...(sentinel === undefined
      ? { ...addresses[0]!, ...(secured && { tls: { ...nameOf(addresses[0]!.host), ...secured } }) }
      : {
          sentinels: addresses,
          name: sentinel.masterName,
          role: "master",
          sentinelRetryStrategy: () => null,
          updateSentinels: false,
          ...(sentinel.username !== undefined && { sentinelUsername: sentinel.username }),
          ...(sentinel.password !== undefined && { sentinelPassword: sentinel.password }),
          ...(secured && { enableTLSForSentinelMode: true, sentinelTLS: secured, tls: secured }),
        }),
  };
}

/** An address is no server name (RFC 6066, 3). */
function nameOf(host: string): { servername?: string } {
  return isIP(host) === 0 ? { servername: host } : {};
}
