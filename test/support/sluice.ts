// Starts the real Sluice on free loopback ports, and stops it whatever happens.

import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Subprocess } from "bun";
import { childrenOf } from "./proc.ts";
import { cleanup, freePort, temporaryDirectory, waitFor } from "./tools.ts";

export const ROOT = resolve(import.meta.dir, "../..");
/** As npm start runs it, from its source. */
export const BIN_SLUICE = join(ROOT, "bin/sluice");
/** The one that most tests start: the executable that scripts/run-tests has built, or the former where a test file is run alone. */
export const SLUICE = process.env.TEST_PROGRAM ?? BIN_SLUICE;

export interface SluiceOptions {
  /** YAML of the dynamic configuration; `{file}` is not expanded, write absolute paths. */
  readonly dynamic: string;
  /** Further static YAML, at the root of the file. */
  readonly extra?: string;
  /** Further YAML of the entry point `mqtts`, indented by four spaces. */
  readonly entryPoint?: string;
  readonly workers?: number;
  /** What is started, instead of SLUICE. */
  readonly program?: string;
  /** Run inside this command, such as ["unshare", "-m", ...]. */
  readonly within?: readonly string[];
  readonly env?: Record<string, string>;
  /** The port of the entry point mqtts; a free one without it. */
  readonly port?: number;
  /** Where /ping is, if `env` moves it. */
  readonly pingPort?: number;
  /** providersThrottleDuration. */
  readonly throttle?: string;
  /** Further YAML of providers.file, as a flow mapping's fields: "watch: false". */
  readonly file?: string;
}

export interface Access {
  readonly reason: string;
  readonly router?: string;
  readonly service?: string;
  readonly server?: string;
  readonly client: string;
  readonly sni?: string;
  readonly alpn?: string;
  readonly tlsVersion?: string;
  readonly tlsCipher?: string;
  readonly clientSubject?: string;
  readonly cause?: string;
  readonly mqttVersion?: string;
  readonly clientId?: string;
  readonly username?: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly entryPoint: string;
}

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly role: string;
  readonly [key: string]: unknown;
}

export class Sluice {
  readonly port: number;
  readonly adminPort: number;
  readonly directory: string;
  readonly dynamicDirectory: string;
  readonly process: Subprocess<"ignore", "pipe", "pipe">;
  readonly lines: LogLine[] = [];
  readonly binary = SLUICE;
  stderr = "";
  readonly #workerCount: number;
  readonly #stderrEnd: Promise<void>;

  private constructor(
    process: Subprocess<"ignore", "pipe", "pipe">,
    port: number,
    adminPort: number,
    directory: string,
    workerCount: number,
  ) {
    this.#workerCount = workerCount;
    this.process = process;
    this.port = port;
    this.adminPort = adminPort;
    this.directory = directory;
    this.dynamicDirectory = join(directory, "dynamic");
    this.#stderrEnd = new Response(process.stderr).text().then((text) => {
      this.stderr += text;
    });
    void this.#read();
  }

  static async start(options: SluiceOptions): Promise<Sluice> {
    const directory = temporaryDirectory();
    const [port, adminPort] = [options.port ?? (await freePort()), await freePort()];
    mkdirSync(join(directory, "dynamic"));
    writeFileSync(join(directory, "dynamic/dynamic.yml"), options.dynamic);
    writeFileSync(
      join(directory, "sluice.yml"),
      `entryPoints:
  mqtts:
    address: "127.0.0.1:${port}"
${options.entryPoint ?? ""}
  traefik:
    address: "127.0.0.1:${adminPort}"
providers: { providersThrottleDuration: ${options.throttle ?? "200ms"}, file: { directory: ${directory}/dynamic, ${options.file ?? "watch: true"} } }
workers: ${options.workers ?? 1}
metrics: { prometheus: {} }
ping: {}
accessLog: {}
log: { level: debug, format: json }
${options.extra ?? ""}
`,
    );
    const command = [
      ...(options.within ?? []),
      options.program ?? SLUICE,
      "run",
      `--configFile=${directory}/sluice.yml`,
    ];
    const child = Bun.spawn(command, {
      cwd: directory,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
    });
    const sluice = new Sluice(child, port, adminPort, directory, options.workers ?? 1);
    cleanup(() => sluice.kill());
    await waitFor("Sluice to answer /ping", async () => {
      if (child.exitCode !== null) {
        await sluice.#stderrEnd;
        throw new Error(`Sluice exited with ${child.exitCode}: ${sluice.stderr}`);
      }
      const response = await fetch(`http://127.0.0.1:${options.pingPort ?? adminPort}/ping`).catch(() => null);
      return response?.ok === true;
    });
    return sluice;
  }

  /** Writes a file of the dynamic configuration. */
  write(name: string, text: string): void {
    writeFileSync(join(this.dynamicDirectory, name), text);
  }

  /** Gives a file of the dynamic configuration its content in one step: it is read once, and never half written. */
  replace(name: string, text: string): void {
    const next = join(this.directory, "next");
    writeFileSync(next, text);
    renameSync(next, join(this.dynamicDirectory, name));
  }

  /** The access-log lines so far. */
  get accesses(): Access[] {
    return this.lines.filter((line) => line.msg === "access") as unknown as Access[];
  }

  /** Waits for an access-log line. */
  async access(matches: (access: Access) => boolean, what = "an access-log line"): Promise<Access> {
    return waitFor(what, () => this.accesses.find(matches) ?? null);
  }

  /** Waits for a log line with this text in its message. */
  async logged(text: string): Promise<LogLine> {
    return waitFor(`the log line "${text}"`, () => this.lines.find((line) => line.msg.includes(text)) ?? null);
  }

  async metrics(): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.adminPort}/metrics`)).text();
  }

  /** The sum of all series of a metric whose labels include these. */
  async metric(name: string, labels: Record<string, string> = {}): Promise<number> {
    let sum = 0;
    for (const line of (await this.metrics()).split("\n")) {
      const match = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (match?.[1] !== name) continue;
      if (Object.entries(labels).every(([key, value]) => (match[2] ?? "").includes(`${key}="${value}"`)))
        sum += Number(match[3]);
    }
    return sum;
  }

  /** Runs `change` and waits until every worker uses what came of it. */
  async reload(change: () => void): Promise<void> {
    const before = await waitFor("the first snapshot to be in force", () => this.#version());
    change();
    await waitFor("the reload to be in force", () => this.#version() > before);
  }

  /** The newest snapshot that all workers use, 0 while one of them has none. */
  #version(): number {
    const newest = new Map<unknown, number>();
    for (const line of this.lines) if (line.msg === "snapshot in force") newest.set(line.worker, Number(line.version));
    return newest.size < this.#workerCount ? 0 : Math.min(...newest.values());
  }

  /** Pids of the worker processes. */
  get workers(): number[] {
    return childrenOf(this.masterPid);
  }

  get masterPid(): number {
    return this.process.pid;
  }

  /** SIGTERM, and the exit code. */
  async stop(): Promise<number> {
    this.process.kill("SIGTERM");
    return this.process.exited;
  }

  async kill(): Promise<void> {
    if (this.process.exitCode !== null) return;
    this.process.kill("SIGTERM");
    this.process.kill("SIGTERM");
    const timer = setTimeout(() => this.process.kill("SIGKILL"), 3000);
    await this.process.exited;
    clearTimeout(timer);
  }

  async #read(): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of this.process.stdout) {
      rest += decoder.decode(chunk, { stream: true });
      const lines = rest.split("\n");
      rest = lines.pop()!;
      for (const line of lines) if (line.startsWith("{")) this.lines.push(JSON.parse(line));
    }
  }
}
