// Small things that every end-to-end test needs: conditions that are awaited, free ports, temporary directories, clean-up.

import { afterAll } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const cleanups: (() => unknown)[] = [];

/**
 * Runs `action` when the test file is over, last registered first, whatever happened; in a file whose first call comes from within
 * a test, when that test is over. Bun loads this module once for all files, so each file registers its own hook.
 */
export function cleanup(action: () => unknown): void {
  if (cleanups.length === 0) afterAll(cleanUp);
  cleanups.push(action);
}

async function cleanUp(): Promise<void> {
  for (const action of cleanups.splice(0).reverse()) await action();
}

/**
 * Polls until `condition` gives something truthy, and returns it. Milliseconds. What takes longer is asked more rarely: a condition may
 * cost as much as what it waits for.
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | Promise<T>,
  timeoutMs = 30_000,
): Promise<NonNullable<T>> {
  const start = performance.now();
  for (;;) {
    const value = await condition();
    if (value) return value as NonNullable<T>;
    const waited = performance.now() - start;
    if (waited > timeoutMs) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await new Promise((next) => setTimeout(next, Math.min(Math.max(20, waited / 8), 100)));
  }
}

/** Below the range from which the system gives ports (ip_local_port_range, 32768 and up): no other connection takes one of these. */
const PORTS = { first: 10_000, last: 32_000 };

/**
 * A free TCP port that nobody else gets in this run: test files run side by side, each in a process of its own, and a program takes a
 * while from being told its port to listening on it.
 */
export async function freePort(): Promise<number> {
  const claims = join(tmpdir(), "sluice-test-ports");
  mkdirSync(claims, { recursive: true });
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * (PORTS.last - PORTS.first));
    const claim = join(claims, String(port));
    try {
      writeFileSync(claim, "", { flag: "wx" });
    } catch {
      continue; // claimed by another file, or by this one
    }
    cleanup(() => rmSync(claim, { force: true }));
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}

/** Removed when the test file is over. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "sluice-test-"));
  cleanup(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; killed after `timeoutMs`. */
export async function exec(
  command: readonly string[],
  options: { stdin?: string | Uint8Array; cwd?: string; timeoutMs?: number; env?: Record<string, string> } = {},
): Promise<Finished> {
  const child = Bun.spawn([...command], {
    stdin: options.stdin === undefined ? "ignore" : Buffer.from(options.stdin),
    stdout: "pipe",
    stderr: "pipe",
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
    timeout: options.timeoutMs ?? 30_000,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}
