// A real DNS server (dnsmasq) on a loopback address of its own, whose records change while it runs, and a way to run a program that asks it.

import { createSocket } from "node:dgram";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { cleanup, temporaryDirectory, waitFor } from "./tools.ts";

export interface Records {
  /** Names to addresses. */
  readonly addresses?: Readonly<Record<string, readonly string[]>>;
  /** Names to "target port priority weight". */
  readonly srv?: Readonly<Record<string, readonly string[]>>;
  /** Seconds. */
  readonly ttl?: number;
}

export class Dns {
  readonly address: string;
  readonly #directory = temporaryDirectory();
  #process: Subprocess | null = null;

  private constructor(address: string) {
    this.address = address;
  }

  static async start(records: Records): Promise<Dns> {
    // Port 53 of an address that nobody else has.
    const [a, b] = [Math.floor(Math.random() * 256), 1 + Math.floor(Math.random() * 254)];
    const dns = new Dns(`127.53.${a}.${b}`);
    writeFileSync(join(dns.#directory, "resolv.conf"), `nameserver ${dns.address}\nsearch test\n`);
    dns.hosts("");
    cleanup(() => dns.stop());
    await dns.set(records);
    return dns;
  }

  /** From now on it answers with these, and knows no other name. */
  async set({ addresses = {}, srv = {}, ttl = 1 }: Records): Promise<void> {
    await this.stop();
    const hosts = join(this.#directory, "records");
    const lines = Object.entries(addresses).flatMap(([name, each]) => each.map((address) => `${address} ${name}`));
    writeFileSync(hosts, `${lines.join("\n")}\n`);
    const records = Object.entries(srv).flatMap(([name, each]) =>
      each.map((record) => `--srv-host=${[name, ...record.split(" ")].join(",")}`),
    );
    const options = [
      "--no-resolv",
      "--no-hosts",
      "--bind-interfaces",
      "--conf-file=/dev/null",
      "--pid-file=",
      "--local=/test/",
    ];
    this.#process = Bun.spawn(
      [
        ...["/usr/sbin/dnsmasq", "--keep-in-foreground", "--user=root", `--listen-address=${this.address}`],
        ...[...options, `--addn-hosts=${hosts}`, `--local-ttl=${ttl}`, ...records],
      ],
      { stdio: ["ignore", "ignore", "inherit"] },
    );
    await waitFor("dnsmasq to answer", () => this.#answers());
  }

  async stop(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
    this.#process = null;
  }

  /** What stands in the hosts file of those who run within `within`. */
  hosts(text: string): void {
    writeFileSync(join(this.#directory, "hosts"), `127.0.0.1 localhost\n${text}\n`);
  }

  /** Runs a command with this server in its /etc/resolv.conf, in a mount namespace of its own; exec keeps it the one that is signalled. */
  get within(): string[] {
    const mount = (name: string) => `mount --bind ${this.#directory}/${name} /etc/${name}`;
    return ["unshare", "-m", "sh", "-c", `${mount("resolv.conf")} && ${mount("hosts")} && exec "$@"`, "sh"];
  }

  /** A question about the root, to which any answer is one. */
  #answers(): Promise<boolean> {
    const question = Buffer.from("abcd01000001000000000000000001" + "0001", "hex");
    return new Promise((resolve) => {
      const socket = createSocket("udp4");
      const done = (is: boolean) => {
        clearTimeout(timer);
        socket.close();
        resolve(is);
      };
      const timer = setTimeout(() => done(false), 200);
      socket.on("message", () => done(true));
      socket.on("error", () => done(false));
      socket.connect(53, this.address, () => socket.send(question));
    });
  }
}
