// sluice certs list: every certificate that the configuration uses or waits for, where it comes from, and when it ends.

import { covers } from "../acme/plan.ts";
import { lifetimeOf, renewalTime } from "../acme/renewal.ts";
import { printable } from "../text/printable.ts";
import { filesAfterStart, isMadeAtStart, loadOffline } from "./offline.ts";
import { type Given, printDiagnostics, readStatic } from "./static-file.ts";
import { tableOf } from "./table.ts";
import type { Terminal } from "./terminal.ts";

/** Nothing is wrong with a development certificate that is not there yet. */
const AT_START = "made at the first start";

interface Line {
  readonly source: string;
  readonly names: readonly string[];
  readonly expires: string;
  readonly renewal: string;
  readonly state: string;
}

/** @returns the exit code: 1 when the configuration cannot be loaded, or a certificate has expired or has not come yet. */
export async function listCertificates(given: Given, json: boolean, terminal: Terminal): Promise<number> {
  const { config, diagnostics } = readStatic(given);
  if (config === null) {
    printDiagnostics(diagnostics, terminal);
    return 1;
  }
  const { compiled, stored: obtained } = await loadOffline(config, diagnostics, await filesAfterStart(config));
  if (compiled === null) {
    printDiagnostics(diagnostics, terminal);
    return 1;
  }
  const now = Date.now();
  const lines: Line[] = compiled.certificates
    .filter(({ source }) => source !== null)
    .map(({ source, names, notAfter }) => {
      const line = { source: source!, names, renewal: "" };
      if (isMadeAtStart(config, source!)) return { ...line, expires: "", state: AT_START };
      return { ...line, expires: day(notAfter), state: notAfter < now ? "expired" : "in use" };
    });
  for (const { resolver, names } of compiled.orders) {
    const stored = obtained.find((each) => covers(each, names));
    const lifetime = stored === undefined ? null : lifetimeOf(stored.certificate);
    if (lifetime === null) lines.push({ source: resolver, names, expires: "", renewal: "", state: "to be ordered" });
    else {
      const state = lifetime.notAfter < now ? "expired" : "in use";
      // Without asking the authority, which may suggest another moment.
      lines.push({
        source: resolver,
        names,
        expires: day(lifetime.notAfter),
        renewal: day(renewalTime(lifetime, 0)),
        state,
      });
    }
  }
  if (json) terminal.log(JSON.stringify(lines, null, 2));
  else for (const line of table(lines)) terminal.log(printable(line));
  return lines.every(({ state }) => state === "in use" || state === AT_START) ? 0 : 1;
}

function table(lines: readonly Line[]): string[] {
  const rows = [
    ["SOURCE", "NAMES", "EXPIRES", "RENEWAL", "STATE"],
    ...lines.map(({ source, names, expires, renewal, state }) => [
      ...[source, names.join(", "), expires || "-", renewal || "-", state],
    ]),
  ];
  return tableOf(rows);
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
