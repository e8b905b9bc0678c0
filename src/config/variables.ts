// The static configuration from the environment: SLUICE_ENTRYPOINTS_MQTTS_ADDRESS=:8883 is entryPoints.mqtts.address.

import type { z } from "zod";
import type { Diagnostics } from "./diagnostics.ts";
import { complain, put, resolve } from "./settings.ts";
import type { SourceFile } from "./source.ts";

const PREFIX = "SLUICE_";
/** Names the static file, so it is not a value in it. */
export const CONFIG_FILE_VARIABLE = "SLUICE_CONFIGFILE";

/** What Kubernetes and Docker's links tell every container of a service that is called sluice: nobody meant us. */
const SERVICE_LINK =
  /^SLUICE_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/;
const SERVICE_PORT = /^SLUICE_(?:\w+_)?PORT$/;

export type Environment = Readonly<Record<string, string | undefined>>;

/** Puts every variable that begins with SLUICE_ over what `source` says. An empty one is as good as none. */
export function applyVariables(
  schema: z.ZodType,
  source: SourceFile,
  environment: Environment,
  diagnostics: Diagnostics,
): void {
  // A section comes before what is in it, and of lists [2] before [10].
  const names = Object.keys(environment).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  for (const name of names) {
    const text = environment[name];
    if (!name.toUpperCase().startsWith(PREFIX) || text === undefined || text === "" || isForeign(name, text)) continue;
    const place = { file: name, line: 0, column: 0 };
    const words = name.slice(PREFIX.length).split("_");
    const resolved = resolve(schema, words, "_", source);
    if (resolved.kind === "ok") put(resolved, text, place, source);
    else complain(resolved, "variable", words, (each) => PREFIX + each.join("_").toUpperCase(), place, diagnostics);
  }
}

/** Whether `environment` configures anything. */
export function configures(environment: Environment): boolean {
  return Object.entries(environment).some(
    ([name, text]) =>
      name.toUpperCase().startsWith(PREFIX) && text !== undefined && text !== "" && !isForeign(name, text),
  );
}

function isForeign(name: string, text: string): boolean {
  if (name.toUpperCase() === CONFIG_FILE_VARIABLE) return true;
  return SERVICE_LINK.test(name) || (SERVICE_PORT.test(name) && /^(tcp|udp|sctp):\/\//.test(text));
}
