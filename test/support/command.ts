// `bin/sluice` as a user types it, with what it prints; in a session of its own, so that nothing of it can be left unnoticed.

import type { Subprocess } from "bun";
import { processes } from "./proc.ts";
import { SLUICE } from "./sluice.ts";
import { cleanup, waitFor } from "./tools.ts";

export interface CommandOptions {
  readonly cwd: string;
  readonly program?: string;
  readonly env?: Record<string, string>;
  /** A shell line before it, such as `ulimit -n 300`. */
  readonly before?: string;
}

export class Command {
  readonly process: Subprocess<"ignore", "pipe", "pipe">;
  stdout = "";
  stderr = "";
  readonly #read: Promise<unknown>;

  constructor(args: readonly string[], options: CommandOptions) {
    const program = [options.program ?? SLUICE, ...args];
    const shell = options.before === undefined ? [] : ["sh", "-c", `${options.before} && exec "$@"`, "sh"];
    this.process = Bun.spawn(["setsid", ...shell, ...program], {
      cwd: options.cwd,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
    });
    this.#read = Promise.all([
      collect(this.process.stdout, (text) => (this.stdout += text)),
      collect(this.process.stderr, (text) => (this.stderr += text)),
    ]);
    cleanup(() => this.#kill());
  }

  /** Waits until standard output holds this text. */
  async printed(text: string): Promise<void> {
    await waitFor(`"${text}" on standard output, instead of: ${this.stdout}${this.stderr}`, () => {
      if (this.process.exitCode !== null) throw new Error(`it ended with ${this.process.exitCode}: ${this.stderr}`);
      return this.stdout.includes(text);
    });
  }

  /** Waits for its end; with everything it printed. */
  async ended(): Promise<{ code: number; stdout: string; stderr: string }> {
    const code = await this.process.exited;
    await this.#read;
    return { code, stdout: this.stdout, stderr: this.stderr };
  }

  /** SIGTERM, and the exit code. */
  async stop(): Promise<number> {
    this.process.kill("SIGTERM");
    return this.process.exited;
  }

  /** Waits until no process of its session runs any more: a child that was told to end may need a moment. */
  async gone(): Promise<void> {
    await waitFor("all its processes to be gone", () => this.#session().length === 0, 3000);
  }

  async #kill(): Promise<void> {
    for (const pid of this.#session()) killIfThere(pid);
    await this.process.exited;
  }

  #session(): number[] {
    return processes(({ session }) => session === this.process.pid);
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has gone by itself.
  }
}

async function collect(stream: ReadableStream<Uint8Array>, add: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) add(decoder.decode(chunk, { stream: true }));
}
