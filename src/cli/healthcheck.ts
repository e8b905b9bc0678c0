// sluice healthcheck: asks the running Sluice's /ping, for containers and monitors.

import { formatAddress } from "../config/scalars.ts";
import { printDiagnostics, readStatic } from "./static-file.ts";

const TIMEOUT_MS = 5000;

/** @returns the exit code: 0 when Sluice answers that it is well. */
export async function healthcheck(configFile: string | undefined): Promise<number> {
  const { config, diagnostics } = readStatic(configFile);
  if (config === null) {
    printDiagnostics(diagnostics);
    return 1;
  }
  const point = config.ping === undefined ? undefined : config.entryPoints.get(config.ping.entryPoint);
  if (point === undefined) {
    console.error(`${config.file}: ping is not configured: add  ping: {}`);
    return 1;
  }
  const anywhere = point.host === "" || point.host === "0.0.0.0" || point.host === "::";
  const url = `http://${formatAddress(anywhere ? "localhost" : point.host, point.port)}/ping`;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (response.ok) {
      console.log(`OK: ${url}`);
      return 0;
    }
    console.error(`${url} answered ${response.status}`);
  } catch (error) {
    console.error(`${url}: ${inWords(error as Error & { code?: string })}`);
  }
  return 1;
}

function inWords({ name, code, message }: Error & { code?: string }): string {
  if (name === "TimeoutError") return `no answer within ${TIMEOUT_MS / 1000} s`;
  return /^(ECONNREFUSED|ConnectionRefused)$/.test(code ?? "") ? "nothing listens there: is Sluice running?" : message;
}
