// A real Prometheus that scrapes one Sluice, with the configuration and the alert rules of deploy/prometheus.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { parse, stringify } from "yaml";
import { ROOT } from "./sluice.ts";
import { cleanup, freePort, temporaryDirectory, waitFor } from "./tools.ts";

export const RULES_DIRECTORY = join(ROOT, "deploy/prometheus");

export interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
  // biome-ignore lint/suspicious/noExplicitAny: each endpoint has its own shape
  readonly data: any;
}

export class Prometheus {
  readonly process: Subprocess<"ignore", "ignore", "pipe">;
  readonly #port: number;
  /** What it logged, from level warn on. */
  complaints = "";

  private constructor(process: Subprocess<"ignore", "ignore", "pipe">, port: number) {
    this.process = process;
    this.#port = port;
    void this.#read();
  }

  /** `target` is where Sluice serves /metrics; it is scraped, and rules are evaluated, every second. */
  static async start(target: string): Promise<Prometheus> {
    const directory = temporaryDirectory();
    const config = parse(readFileSync(join(RULES_DIRECTORY, "prometheus.yml"), "utf8"));
    config.global = { ...config.global, scrape_interval: "1s", evaluation_interval: "1s" };
    config.rule_files = config.rule_files.map((file: string) => join(RULES_DIRECTORY, file));
    config.scrape_configs[0].static_configs[0].targets = [target];
    const file = join(directory, "prometheus.yml");
    writeFileSync(file, stringify(config));
    const port = await freePort();
    const child = Bun.spawn(
      [
        ...["prometheus", `--config.file=${file}`, `--storage.tsdb.path=${directory}/data`],
        ...[`--web.listen-address=127.0.0.1:${port}`, "--log.level=warn"],
      ],
      { cwd: directory, stdio: ["ignore", "ignore", "pipe"] },
    );
    const prometheus = new Prometheus(child, port);
    cleanup(() => prometheus.stop());
    await waitFor("Prometheus to be ready", async () => {
      if (child.exitCode !== null)
        throw new Error(`Prometheus exited with ${child.exitCode}: ${prometheus.complaints}`);
      return (await fetch(`http://127.0.0.1:${port}/-/ready`).catch(() => null))?.ok === true;
    });
    return prometheus;
  }

  async get(path: string): Promise<Answer> {
    return (await fetch(`http://127.0.0.1:${this.#port}/api/v1/${path}`)).json() as Promise<Answer>;
  }

  async query(expression: string): Promise<Answer> {
    const body = new URLSearchParams({ query: expression });
    return (
      await fetch(`http://127.0.0.1:${this.#port}/api/v1/query`, { method: "POST", body })
    ).json() as Promise<Answer>;
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null) return;
    this.process.kill("SIGKILL");
    await this.process.exited;
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.process.stderr) this.complaints += decoder.decode(chunk, { stream: true });
  }
}
