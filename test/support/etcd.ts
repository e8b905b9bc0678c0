// A real etcd of one member on a free port of this machine.

import { join } from "node:path";
import type { Subprocess } from "bun";
import { cleanup, exec, freePort, temporaryDirectory, waitFor } from "./tools.ts";

export interface EtcdTls {
  readonly cert: string;
  readonly key: string;
  /** Clients need a certificate of this authority. */
  readonly clientCa?: string;
  /** How this file's own requests come in. */
  readonly ca: string;
  readonly client?: { readonly cert: string; readonly key: string };
}

const base64 = (text: string) => Buffer.from(text).toString("base64");

export class Etcd {
  readonly port: number;
  readonly #peerPort: number;
  readonly #directory: string;
  readonly #tls: EtcdTls | undefined;
  #process: Subprocess | null = null;
  /** User and password for etcdctl, once authentication is on. */
  user: string | null = null;

  private constructor(port: number, peerPort: number, tls: EtcdTls | undefined) {
    this.port = port;
    this.#peerPort = peerPort;
    this.#directory = temporaryDirectory();
    this.#tls = tls;
  }

  static async start(tls?: EtcdTls): Promise<Etcd> {
    const etcd = new Etcd(await freePort(), await freePort(), tls);
    cleanup(() => etcd.kill());
    await etcd.run();
    return etcd;
  }

  get endpoint(): string {
    return `127.0.0.1:${this.port}`;
  }

  get #url(): string {
    return `${this.#tls === undefined ? "http" : "https"}://${this.endpoint}`;
  }

  /** Starts it with what it had, or with nothing. */
  async run(emptied = false): Promise<void> {
    if (emptied) await exec(["rm", "-rf", join(this.#directory, "data")]);
    const peer = `http://127.0.0.1:${this.#peerPort}`;
    const tls = this.#tls;
    this.#process = Bun.spawn(
      [
        ...["etcd", "--data-dir", join(this.#directory, "data"), "--log-level", "error"],
        ...["--listen-client-urls", this.#url, "--advertise-client-urls", this.#url],
        ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", `default=${peer}`],
        ...(tls === undefined ? [] : ["--cert-file", tls.cert, "--key-file", tls.key]),
        ...(tls?.clientCa === undefined ? [] : ["--client-cert-auth", "--trusted-ca-file", tls.clientCa]),
      ],
      { stdio: ["ignore", "ignore", "ignore"] },
    );
    await waitFor("etcd to answer", async () => (await this.#run(["endpoint", "health"])).code === 0);
  }

  /** As by kill -9: nothing is said to anyone. */
  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
  }

  /** One transaction: what has a value is put, what is null is deleted. */
  async change(changes: Readonly<Record<string, string | null>>): Promise<void> {
    const success = Object.entries(changes).map(([key, value]) =>
      value === null
        ? { request_delete_range: { key: base64(key) } }
        : { request_put: { key: base64(key), value: base64(value) } },
    );
    const response = await fetch(`${this.#url}/v3/kv/txn`, {
      method: "POST",
      body: JSON.stringify({ success }),
      keepalive: false,
    });
    if (!response.ok) throw new Error(await response.text());
  }

  /** Forgets everything but what there is now. */
  async compact(): Promise<void> {
    const status = JSON.parse((await this.ctl("endpoint", "status", "-w", "json")).trim());
    await this.ctl("compact", String(status[0].Status.header.revision));
  }

  async ctl(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#run(args);
    if (code !== 0) throw new Error(`etcdctl ${args.join(" ")}: ${stderr}`);
    return stdout;
  }

  async #run(args: readonly string[]) {
    const tls = this.#tls;
    return exec(
      [
        ...["etcdctl", "--endpoints", this.#url, ...(this.user === null ? [] : ["--user", this.user])],
        ...(tls === undefined ? [] : ["--cacert", tls.ca]),
        ...(tls?.client === undefined ? [] : ["--cert", tls.client.cert, "--key", tls.client.key]),
        ...args,
      ],
      { env: { ETCDCTL_API: "3" } },
    );
  }
}
