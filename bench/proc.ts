// Child processes: starting them with their output in a file, finding their descendants, and making sure that none
// outlives the run.
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { createConnection, createServer } from "node:net";

const started = new Map<number, Bun.Subprocess>();

/** A started program; `log` is the file that holds its stdout and stderr. */
export interface Started {
  pid: number;
  log: string;
  process: Bun.Subprocess;
  /** performance.now() when it was started. */
  at: number;
}

/**
 * Starts a program in the foreground with both outputs in `log`. `cpus` pins it (and what it forks) to those cores.
 * A file rather than a pipe: nobody has to read it, so a log line costs the program its write and nothing else.
 */
export function startLogged(
  command: string[],
  options: { log: string; cwd?: string; cpus?: string; env?: Record<string, string> },
): Started {
  const out = openSync(options.log, "a");
  const at = performance.now();
  try {
    const child = Bun.spawn(pinned(command, options.cpus), {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", out, out],
    });
    track(child);
    return { pid: child.pid, log: options.log, process: child, at };
  } finally {
    closeSync(out);
  }
}

/** The command, run on these cores only. taskset execs it, so the pid stays the same. */
export function pinned(command: string[], cpus: string | undefined): string[] {
  return cpus === undefined ? command : ["taskset", "-c", cpus, ...command];
}

/** Remembers a child so that cleanup ends it whatever happens. */
export function track(child: Bun.Subprocess): void {
  started.set(child.pid, child);
  child.exited.then(() => started.delete(child.pid));
}

/** Ends a started program and all its descendants: `signals` times SIGTERM (the second means "at once" to some). */
export async function stopTree(child: Bun.Subprocess, signals = 1): Promise<void> {
  const members = processTree(child.pid);
  for (let i = 0; i < signals && child.exitCode === null; i++) {
    child.kill("SIGTERM");
    await Promise.race([child.exited, Bun.sleep(300)]);
  }
  await Promise.race([child.exited, Bun.sleep(2500)]);
  for (const pid of members) kill(pid);
  await child.exited;
}

/** Last resort, synchronous: for exit and SIGINT. */
export function killAll(): void {
  for (const pid of [...started.keys()]) for (const member of processTree(pid).reverse()) kill(member);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // already gone
  }
}

/** `pid` and all its living descendants; empty when it is gone. */
export function processTree(pid: number): number[] {
  const children = new Map<number, number[]>();
  let alive = false;
  for (const name of readdirSync("/proc")) {
    const member = Number(name);
    if (!(member > 0)) continue;
    try {
      const parent = Number(statFields(readFileSync(`/proc/${name}/stat`, "utf8"))[3]);
      children.set(parent, [...(children.get(parent) ?? []), member]);
      alive ||= member === pid;
    } catch {
      // ended while we looked
    }
  }
  const tree = alive ? [pid] : [];
  for (let i = 0; i < tree.length; i++) tree.push(...(children.get(tree[i]!) ?? []));
  return tree;
}

/** Fields of /proc/PID/stat from 0; the name in field 1 may hold spaces, so what is behind it is split alone. */
export function statFields(stat: string): string[] {
  const end = stat.lastIndexOf(")");
  return [stat.slice(0, stat.indexOf(" ")), "", ...stat.slice(end + 2).split(" ")];
}

/** A free loopback port below the ephemeral range, so that none of our own thousands of connections takes it. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once("error", () => resolve(false));
      server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

/** Waits until something accepts on a loopback port; fails with the program's own output when it died first. */
export async function listening(port: number, program: Started, seconds = 20): Promise<void> {
  await until(() => canConnect(port), program, seconds);
}

/** Polls `ready` every 10 ms until it is true. */
export async function until(ready: () => Promise<boolean>, program: Started, seconds = 20): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await ready())) {
    const died = program.process.exitCode !== null;
    if (died || performance.now() > deadline) {
      const text = readFileSync(program.log, "utf8").slice(-2000);
      throw new Error(`${program.log} ${died ? "ended" : `not ready in ${seconds} s`}:\n${text}`);
    }
    await Bun.sleep(10);
  }
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    const done = (ok: boolean): void => {
      socket.destroy();
      resolve(ok);
    };
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
  });
}
