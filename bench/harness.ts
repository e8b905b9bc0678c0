// What one run shares: its directory, certificates, backend and generators, and how a piece of work is measured.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BackendCounters } from "./backend.ts";
import { startMosquitto } from "./broker.ts";
import { type Certs, type KeyKind, makeCerts } from "./certs.ts";
import { cpuOfMachine, cpuOfTree, ownCpu } from "./cpu.ts";
import { Generator } from "./load/generator.ts";
import type { Target } from "./load/jobs.ts";
import type { Mode, Peer, PeerOptions, Running } from "./peers/peer.ts";
import { freePort, killAll, pinned, track } from "./proc.ts";

/** How big a run is; rows take their sizes from it. */
export interface Scale {
  quick: boolean;
  /** Connections that the idle and storm rows hold. */
  idle: number;
}

/** A generator or backend busier than this share of a core may have been the limit; the report says so. */
const BUSY = 0.9;

/** When others used more of the machine than this many cores (stolen time counts), the figure is marked. */
const NOISY = 0.2;

/** What a run that pins does not give to the peer. */
const OTHER_CPUS = `1-${navigator.hardwareConcurrency - 1}`;

/** Generators of a flood: a process may have no more descriptors than the machine allows. */
const FLOODERS = 2;

/** One measured piece of work: the proxy's CPU and what must be known to trust it. */
export interface Measured<T> {
  value: T;
  /** CPU time of the proxy's tree in µs. */
  cpu: number;
  seconds: number;
  /** Cores used meanwhile by the proxy, the busiest generator, the backend, and by whatever is not ours. */
  busy: { proxy: number; generator: number; backend: number; foreign: number };
  flags: string[];
}

/** The environment of a run. Make it with Bench.create, and end it with close(). */
export class Bench {
  readonly dir: string;
  readonly certs: Certs;
  readonly scale: Scale;
  /** The processes that make the load. */
  readonly generators: readonly Generator[];
  /** A process that takes no part in the load: its few clients see the proxy's pauses and not the generator's. */
  readonly observer: Generator;
  private readonly backend: Backend;
  private readonly peerCpus: string | undefined;
  private readonly loadCpus: string | undefined;
  private starts = 0;
  private broker: Promise<number> | null = null;
  private flooding: Promise<Generator[]> | null = null;

  private constructor(dir: string, certs: Certs, scale: Scale, clients: Generator[], backend: Backend, pin: boolean) {
    this.dir = dir;
    this.certs = certs;
    this.scale = scale;
    [this.observer, ...this.generators] = clients as [Generator, ...Generator[]];
    this.backend = backend;
    this.peerCpus = pin ? "0" : undefined;
    this.loadCpus = pin ? OTHER_CPUS : undefined;
  }

  /** Starts backend and generators. `pin` gives core 0 to single-worker peers and the others to everything else. */
  static async create(options: { scale: Scale; generators: number; pin: boolean }): Promise<Bench> {
    const dir = mkdtempSync(join(tmpdir(), "sluice-bench-"));
    process.on("exit", () => {
      killAll();
      rmSync(dir, { recursive: true, force: true });
    });
    const cpus = options.pin ? OTHER_CPUS : undefined;
    const certs = await makeCerts(dir);
    const backend = await Backend.start(certs, cpus);
    const clients = await Promise.all(
      Array.from({ length: 1 + options.generators }, (_, i) => Generator.start(cpus, i > 0)),
    );
    return new Bench(dir, certs, options.scale, clients, backend, options.pin);
  }

  /** Starts a peer in front of the backend. */
  async start(peer: Peer, mode: Mode, key: KeyKind, more: Partial<PeerOptions> = {}): Promise<Running> {
    const dir = join(this.dir, `${++this.starts}-${peer.name}`);
    mkdirSync(dir);
    const backendPort = mode === "passthrough" ? this.backend.tlsPort : this.backend.port;
    const cpus = peer.workers === "one" ? this.peerCpus : undefined;
    return await peer.start({ mode, key, certs: this.certs, backendPort, dir, cpus, ...more });
  }

  /** How the generator reaches a peer. */
  target(peer: Peer, mode: Mode, running: Running, version: "TLSv1.2" | "TLSv1.3" = "TLSv1.3"): Target {
    const encrypted = peer.tls || mode === "passthrough";
    return { port: running.port, tls: encrypted ? { ca: this.certs.ca, serverName: "localhost", version } : null };
  }

  /** The port of a real broker, which is started when a row first asks for it. */
  mosquitto(): Promise<number> {
    this.broker ??= startMosquitto(this.dir, this.loadCpus);
    return this.broker;
  }

  /** Generators for connections that mean no good, beside those for clients. */
  flooders(): Promise<readonly Generator[]> {
    this.flooding ??= Promise.all(Array.from({ length: FLOODERS }, () => Generator.start(this.loadCpus, true)));
    return this.flooding;
  }

  /** Measures the proxy's CPU over some work; `tail` ms are waited for what the proxy does after the last answer. */
  async measure<T>(running: Running, work: () => Promise<T>, tail = 50): Promise<Measured<T>> {
    const clients = [...this.generators, this.observer].map((generator) => generator.pid);
    const watched = [running.pid, this.backend.pid, process.pid, ...clients];
    const used = (pid: number): number => (pid === process.pid ? ownCpu() : cpuOfTree(pid));
    const before = watched.map(used);
    const machine = cpuOfMachine();
    const start = performance.now();
    const value = await work();
    const wall = (performance.now() - start) * 1000;
    const shares = watched.map((pid, i) => (used(pid) - before[i]!) / wall);
    const all = (cpuOfMachine() - machine) / wall;
    await Bun.sleep(tail);
    const cpu = cpuOfTree(running.pid) - before[0]!;
    const foreign = Math.max(0, all - shares.reduce((a, b) => a + b, 0));
    const busy = { proxy: shares[0]!, backend: shares[1]!, generator: Math.max(...shares.slice(3)), foreign };
    const flags = [];
    if (foreign > NOISY) flags.push("noisy");
    if (busy.generator > BUSY) flags.push("generator-busy");
    if (busy.backend > BUSY) flags.push("backend-busy");
    return { value, cpu, seconds: wall / 1e6, busy, flags };
  }

  /** The backend's counters, to compare with what the generator thinks it did. */
  async backendCounters(): Promise<BackendCounters> {
    return await this.backend.count();
  }

  /** Waits until the backend has no open connection left; they outlive a client by what the proxy takes to notice. */
  async backendEmpty(): Promise<void> {
    for (let i = 0; i < 500; i++) {
      if ((await this.backend.count()).open === 0) return;
      await Bun.sleep(10);
    }
    throw new Error("connections to the backend stayed open for 5 s after the clients had left");
  }

  /** Ends everything the run started and removes its files (the exit handler does both). */
  close(code: number): never {
    process.exit(code);
  }
}

/** The parent's side of backend.ts. */
class Backend {
  readonly pid: number;
  port = 0;
  tlsPort = 0;
  private readonly child: Bun.Subprocess;
  private onMessage: (message: unknown) => void = () => {};

  private constructor(child: (ipc: (message: unknown) => void) => Bun.Subprocess) {
    this.child = child((message) => this.onMessage(message));
    this.pid = this.child.pid;
    track(this.child);
  }

  static async start(certs: Certs, cpus: string | undefined): Promise<Backend> {
    const env = {
      BENCH_PORT: String(await freePort()),
      BENCH_TLS_PORT: String(await freePort()),
      BENCH_KEY: certs.leaf.p256.key,
      BENCH_CERT: certs.leaf.p256.cert,
    };
    const backend = new Backend((ipc) =>
      Bun.spawn(pinned([process.execPath, join(import.meta.dir, "backend.ts")], cpus), {
        env: { ...process.env, ...env },
        stdio: ["ignore", "inherit", "inherit"],
        ipc,
      }),
    );
    const { ready } = (await backend.answer()) as { ready: [number, number] };
    [backend.port, backend.tlsPort] = ready;
    return backend;
  }

  async count(): Promise<BackendCounters> {
    this.child.send("count");
    return (await this.answer()) as BackendCounters;
  }

  private answer(): Promise<unknown> {
    return new Promise((resolve) => {
      this.onMessage = resolve;
    });
  }
}
