// A real Consul of one server on a free port of this machine.

import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";
import type { Pair } from "./certs.ts";
import { ROOT } from "./sluice.ts";
import { cleanup, exec, freePort, temporaryDirectory, waitFor } from "./tools.ts";

/** scripts/install-consul fetches it. */
const PROGRAM = [join(ROOT, "node_modules/.peers/consul/usr/bin/consul"), "/usr/bin/consul"].find((path) =>
  existsSync(path),
);

export interface ConsulSettings {
  /** Nothing is allowed without a token but with this one. */
  readonly masterToken?: string;
  /** Clients need a certificate of the same authority. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string; readonly client: Pair };
}

export class Consul {
  readonly port: number;
  readonly #ports: readonly number[];
  readonly #directory = temporaryDirectory();
  readonly #settings: ConsulSettings;
  #process: Subprocess | null = null;

  private constructor(ports: readonly number[], settings: ConsulSettings) {
    this.port = ports[0]!;
    this.#ports = ports;
    this.#settings = settings;
  }

  static async start(settings: ConsulSettings = {}): Promise<Consul> {
    const ports = [await freePort(), await freePort(), await freePort(), await freePort()];
    const consul = new Consul(ports, settings);
    cleanup(() => consul.kill());
    await consul.run();
    return consul;
  }

  get endpoint(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Starts it with what it had, or with nothing. */
  async run(emptied = false): Promise<void> {
    if (PROGRAM === undefined) throw new Error("there is no consul: run scripts/install-consul");
    const data = join(this.#directory, "data");
    if (emptied) await exec(["rm", "-rf", data]);
    const { masterToken, tls } = this.#settings;
    const [http, serf, wan, server] = this.#ports;
    const config = {
      data_dir: data,
      bind_addr: "127.0.0.1",
      server: true,
      bootstrap_expect: 1,
      // So that it is its own leader at once.
      performance: { raft_multiplier: 1 },
      disable_update_check: true,
      ports: {
        dns: -1,
        grpc: -1,
        serf_lan: serf,
        serf_wan: wan,
        server,
        ...(tls ? { http: -1, https: http } : { http }),
      },
      ...(masterToken && { acl: { enabled: true, default_policy: "deny", tokens: { master: masterToken } } }),
      ...(tls && { ca_file: tls.ca, cert_file: tls.cert, key_file: tls.key, verify_incoming: true }),
    };
    const file = join(this.#directory, "consul.json");
    writeFileSync(file, JSON.stringify(config));
    this.#process = Bun.spawn([PROGRAM, "agent", "-config-file", file, "-log-level", "err"], {
      stdio: ["ignore", "ignore", "ignore"],
    });
    await waitFor("Consul to lead", () =>
      this.change({ "other/started": "1" }).then(
        () => true,
        () => false,
      ),
    );
  }

  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
  }

  /** One transaction: what has a value is put, what is null is deleted. */
  async change(changes: Readonly<Record<string, string | null>>): Promise<void> {
    const operations = Object.entries(changes).map(([Key, value]) => ({
      KV: value === null ? { Verb: "delete", Key } : { Verb: "set", Key, Value: Buffer.from(value).toString("base64") },
    }));
    await this.ask("txn", operations);
  }

  /** PUT with a body of JSON. @returns the answer. */
  // biome-ignore lint/suspicious/noExplicitAny: each path has an answer of its own
  async ask(path: string, body: unknown): Promise<any> {
    const { masterToken, tls } = this.#settings;
    const response = await fetch(`${tls ? "https" : "http"}://${this.endpoint}/v1/${path}`, {
      method: "PUT",
      body: JSON.stringify(body),
      headers: masterToken === undefined ? {} : { "x-consul-token": masterToken },
      ...(tls && {
        tls: { ca: Bun.file(tls.ca), cert: Bun.file(tls.client.cert), key: Bun.file(tls.client.key) },
      }),
    } as RequestInit);
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return text === "" ? null : JSON.parse(text);
  }
}
