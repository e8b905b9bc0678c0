// A real Mosquitto on a free port.

import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { cleanup, freePort, temporaryDirectory, waitFor } from "./tools.ts";

export class Mosquitto {
  readonly port: number;
  readonly host: string;
  readonly process: Subprocess;

  private constructor(host: string, port: number, process: Subprocess) {
    this.host = host;
    this.port = port;
    this.process = process;
  }

  /** `lines` are further lines of its configuration, such as certfile for a TLS listener. `command`: another Mosquitto than Debian's. */
  static async start(
    options: { port?: number; host?: string; lines?: readonly string[]; command?: readonly string[] } = {},
  ): Promise<Mosquitto> {
    const directory = temporaryDirectory();
    const host = options.host ?? "127.0.0.1";
    const port = options.port ?? (await freePort());
    const file = join(directory, "mosquitto.conf");
    // max_packet_size and queues are unlimited by default; persistence stays in memory.
    writeFileSync(
      file,
      [
        `listener ${port} ${host}`,
        "allow_anonymous true",
        "persistence false",
        "user root",
        "max_queued_messages 0",
        ...(options.lines ?? []),
      ].join("\n"),
    );
    const path = `${process.env.PATH}:/usr/sbin`;
    const child = Bun.spawn([...(options.command ?? ["mosquitto"]), "-c", file], {
      stdio: ["ignore", "ignore", "ignore"],
      env: { ...process.env, PATH: path },
    });
    const broker = new Mosquitto(host, port, child);
    cleanup(() => broker.stop());
    await waitFor("Mosquitto to listen", () => canConnect(host, port));
    return broker;
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null) return;
    this.process.kill("SIGKILL");
    await this.process.exited;
  }
}

export function canConnect(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
