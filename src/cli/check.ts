// sluice check: every problem of the static and the dynamic configuration, without starting anything.

import { createAuthority, issueServer } from "../certs/authority.ts";
import { load } from "../control/load.ts";
import { FileProvider } from "../providers/file.ts";
import { printDiagnostics, readStatic } from "./static-file.ts";

/** @returns the exit code: 1 when there is an error, 0 when there are at most warnings. */
export async function check(configFile: string | undefined): Promise<number> {
  const { config, diagnostics } = readStatic(configFile);
  if (config !== null && config.providers.file !== undefined) {
    const selfSigned = await issueServer(await createAuthority("Sluice check"), ["sluice.invalid"]);
    load(config, new FileProvider(config.providers.file), selfSigned, diagnostics);
  }
  printDiagnostics(diagnostics);
  const { errors, warnings } = diagnostics;
  const count = (n: number, word: string) => `${n} ${word}${n === 1 ? "" : "s"}`;
  console.log(
    errors + warnings === 0
      ? "The configuration is sound."
      : `${count(errors, "error")}, ${count(warnings, "warning")}`,
  );
  return errors > 0 ? 1 : 0;
}
