// The static configuration from the environment: SLUICE_ENTRYPOINTS_MQTTS_ADDRESS=:8883 is entryPoints.mqtts.address.

import type { z } from "zod";
import type { Diagnostics } from "./diagnostics.ts";
import { parseBool } from "./scalars.ts";
import { complain, dotted, isSwitch, put, resolve } from "./settings.ts";
import type { SourceFile } from "./source.ts";

const PREFIX = "SLUICE_";
/** Names the static file, so it is not a value in it. */
const CONFIG_FILE_VARIABLE = "SLUICE_CONFIGFILE";

/** What Kubernetes and Docker's links tell every container of a service that is called sluice: nobody meant us. */
const SERVICE_LINK =
  /^SLUICE_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?|ENV_\w+)$/;
/** These may mean us, if their values are not such. */
const SERVICE_PORT = { name: /^SLUICE_(?:\w+_)?PORT$/, value: /^(tcp|udp|sctp):\/\// };
const SERVICE_NAME = { name: /^SLUICE_(?:\w+_)?NAME$/, value: /^\/[^/]+\/[^/]+$/ };
/** An entry point or a resolver may be called service_port. */
const NAMED_BY_USER = /^SLUICE_(ENTRYPOINTS|CERTIFICATESRESOLVERS)_/i;

export type Environment = Readonly<Record<string, string | undefined>>;

/** Puts every variable that begins with SLUICE_ over what `source` says. An empty one is as good as none. */
export function applyVariables(
  schema: z.ZodType,
  source: SourceFile,
  environment: Environment,
  diagnostics: Diagnostics,
): void {
  const given = new Map<string, string>();
  const off: (() => void)[] = [];
  // A section comes before what is in it, and of lists [2] before [10].
  const names = Object.keys(environment).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  for (const name of names) {
    const text = environment[name];
    if (!isOurs(name, text)) continue;
    const place = { file: name, line: 0, column: 0 };
    const words = name.slice(PREFIX.length).split("_");
    const resolved = resolve(schema, words, "_", source);
    if (resolved.kind !== "ok") {
      complain(resolved, "variable", words, (each) => PREFIX + each.join("_").toUpperCase(), place, diagnostics);
      continue;
    }
    const key = dotted(resolved.path);
    const former = given.get(key);
    if (former !== undefined) diagnostics.error("setting-twice", place, `${key} is given by ${former} too`);
    given.set(key, name);
    // They have no order, so what switches a section off goes over all that is set in it.
    if (isSwitch(resolved) && parseBool(text) === false) off.push(() => put(resolved, text, place, source));
    else put(resolved, text, place, source);
  }
  for (const each of off.toReversed()) each();
}

/** The file that a variable names. Its name is taken in any case, as those of the others are. */
export function configFileIn(environment: Environment): string | undefined {
  const name = Object.keys(environment).find(
    (each) => each.toUpperCase() === CONFIG_FILE_VARIABLE && environment[each],
  );
  return name === undefined ? undefined : environment[name];
}

/** Whether `environment` configures anything. */
export function configures(environment: Environment): boolean {
  return Object.entries(environment).some(([name, text]) => isOurs(name, text));
}

function isOurs(name: string, text: string | undefined): text is string {
  const upper = name.toUpperCase();
  if (!upper.startsWith(PREFIX) || upper === CONFIG_FILE_VARIABLE || text === undefined || text === "") return false;
  if (NAMED_BY_USER.test(name)) return true;
  const linked = [SERVICE_PORT, SERVICE_NAME].some((link) => link.name.test(name) && link.value.test(text));
  return !linked && !SERVICE_LINK.test(name);
}
