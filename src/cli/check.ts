// sluice check: every problem of the static and the dynamic configuration, without starting or writing anything.

import { covers } from "../acme/plan.ts";
import { printable } from "../text/printable.ts";
import { count } from "../text/words.ts";
import { filesAfterStart, loadOffline, providerNamed } from "./offline.ts";
import { type Given, printDiagnostics, readStatic } from "./static-file.ts";
import type { Terminal } from "./terminal.ts";

export interface CheckOptions {
  readonly configFile?: string;
  /** Print the configuration in force too. */
  readonly print?: boolean;
  /** Read this provider alone. */
  readonly provider?: string;
}

/** @returns the exit code: 1 when there is an error, 0 when there are at most warnings. */
export async function check(
  given: Given,
  { print = false, provider }: CheckOptions,
  terminal: Terminal,
): Promise<number> {
  const { config, diagnostics } = readStatic(given);
  const orders: string[] = [];
  if (config !== null) {
    const only = provider === undefined ? undefined : providerNamed(config, provider);
    if (typeof only === "string") {
      terminal.error(printable(only));
      return 1;
    }
    const files = await filesAfterStart(config);
    const { compiled, merged, stored } = await loadOffline(config, diagnostics, files, null, only?.name);
    for (const { resolver, names, router } of compiled?.orders ?? [])
      if (!stored.some((each) => covers(each, names)))
        orders.push(
          `The resolver "${resolver}" would order a certificate for ${names.join(", ")} (router "${router}").`,
        );
    if (print) {
      const { renderDynamic, renderStatic } = await import("./print.ts");
      terminal.log(renderStatic(config));
      if (merged !== null) terminal.log(renderDynamic(merged));
    }
  }
  printDiagnostics(diagnostics, terminal);
  // What is printed with the configuration is a comment of it.
  const say = (line: string) => terminal.log(print ? `# ${line}` : line);
  orders.forEach(say);
  const { errors, warnings } = diagnostics;
  say(
    errors + warnings === 0
      ? "The configuration is sound."
      : `${count(errors, "error")}, ${count(warnings, "warning")}`,
  );
  return errors > 0 ? 1 : 0;
}
