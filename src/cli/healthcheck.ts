// sluice healthcheck: asks the running Sluice's /ping, for containers and monitors.

import { EVERYWHERE } from "../config/entry-points.ts";
import type { Flag } from "../config/flags.ts";
import { formatHostPort } from "../config/scalars.ts";
import { DEFAULT_ADMIN } from "../config/static.ts";
import { type Given, printDiagnostics, readStatic } from "./static-file.ts";
import type { Terminal } from "./terminal.ts";

const TIMEOUT_MS = 5000;
const DEFAULT_URL = `http://${DEFAULT_ADMIN}/ping`;

/** For what the flags of the running Sluice may say and the variables and the file do not: here only ping matters. */
const STAND_IN: readonly Flag[] = [
  { name: "--sidecar", value: "broker.invalid:1883" },
  { name: "--sidecar.certDirectory", value: "." },
];

/** @returns the exit code: 0 when Sluice answers that it is well. */
export async function healthcheck(given: Given, terminal: Terminal): Promise<number> {
  const { config: whole, diagnostics, nothing } = readStatic(given);
  // In a container its flags are the other process's own: then the usual address is the likeliest.
  if (nothing) return ask(DEFAULT_URL, terminal);
  const config = whole ?? readStatic({ ...given, flags: [...given.flags, ...STAND_IN] }).config;
  if (config === null) {
    printDiagnostics(diagnostics, terminal);
    return 1;
  }
  const point = config.ping === undefined ? undefined : config.entryPoints.get(config.ping.entryPoint);
  if (point === undefined) {
    terminal.error(`${config.file}: ping is not configured: add  ping: {}  or set SLUICE_PING=true`);
    return 1;
  }
  return ask(
    `http://${formatHostPort(EVERYWHERE.includes(point.host) ? "localhost" : point.host, point.port)}/ping`,
    terminal,
  );
}

async function ask(url: string, terminal: Terminal): Promise<number> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (response.ok) {
      terminal.log(`OK: ${url}`);
      return 0;
    }
    terminal.error(`${url} answered ${response.status}`);
  } catch (error) {
    terminal.error(`${url}: ${inWords(error as Error & { code?: string })}`);
  }
  return 1;
}

function inWords({ name, code, message }: Error & { code?: string }): string {
  if (name === "TimeoutError") return `no answer within ${TIMEOUT_MS / 1000} s`;
  return /^(ECONNREFUSED|ConnectionRefused)$/.test(code ?? "") ? "nothing listens there: is Sluice running?" : message;
}
