// A real Redis, and Sentinels over it, on free ports of this machine.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { Redis } from "ioredis";
import { cleanup, freePort, temporaryDirectory, waitFor } from "./tools.ts";

export interface RedisOptions {
  /** Further lines of its configuration. */
  readonly lines?: readonly string[];
  /** It is a Sentinel. */
  readonly sentinel?: boolean;
  /** How this file's own requests come in, where TLS is asked for: the files, and the port is one for TLS. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
}

export class RedisServer {
  readonly port: number;
  readonly directory = temporaryDirectory();
  readonly #options: RedisOptions;
  #process: Subprocess | null = null;
  #client: Redis | null = null;

  private constructor(port: number, options: RedisOptions) {
    this.port = port;
    this.#options = options;
  }

  static async start(options: RedisOptions = {}): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), options);
    cleanup(() => server.kill());
    await server.run();
    return server;
  }

  get endpoint(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Its own connection, for what a test changes. */
  get client(): Redis {
    // A server that becomes a master closes what is open.
    if (this.#client === null || this.#client.status === "end") this.#client = this.#connect();
    return this.#client;
  }

  /** Starts it with what it had, or with nothing. */
  async run(emptied = false): Promise<void> {
    if (emptied) rmSync(join(this.directory, "appendonlydir"), { recursive: true, force: true });
    const { lines = [], tls, sentinel = false } = this.#options;
    const port = tls === undefined ? [`port ${this.port}`] : ["port 0", `tls-port ${this.port}`];
    const file = join(this.directory, "redis.conf");
    const keeps = sentinel ? [] : ['save ""', "appendonly yes", "appendfsync always"];
    writeFileSync(file, [...port, "bind 127.0.0.1", `dir ${this.directory}`, ...keeps, ...lines].join("\n"));
    this.#process = Bun.spawn(["redis-server", file, ...(sentinel ? ["--sentinel"] : [])], {
      stdio: ["ignore", "ignore", "ignore"],
    });
    await waitFor("Redis to answer", async () => {
      const client = this.#connect();
      try {
        return (await client.ping()) === "PONG";
      } catch {
        return false;
      } finally {
        client.disconnect();
      }
    });
  }

  /** As by kill -9: nothing is said to anyone. */
  async kill(): Promise<void> {
    this.#client?.disconnect();
    this.#client = null;
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
  }

  /** One transaction: what has a value is set, what is null is deleted. */
  async change(changes: Readonly<Record<string, string | null>>, db = 0): Promise<void> {
    const transaction = this.client.multi().select(db);
    for (const [key, value] of Object.entries(changes))
      if (value === null) transaction.del(key);
      else transaction.set(key, value);
    await transaction.exec();
  }

  /** How often a command was called since the server's start. */
  async calls(command: string): Promise<number> {
    const stats = await this.client.info("commandstats");
    return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
  }

  #connect(): Redis {
    const { tls } = this.#options;
    const client = new Redis({
      host: "127.0.0.1",
      port: this.port,
      protocol: 2,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
      ...(tls && { tls: { ca: readFileSync(tls.ca), cert: readFileSync(tls.cert), key: readFileSync(tls.key) } }),
    });
    client.on("error", () => {});
    return client;
  }
}
