// The command line, told apart: what the commands define themselves, and flags of the static configuration, which may be anywhere.

import type { Command } from "commander";
import { didYouMean } from "../config/diagnostics.ts";
import type { Flag } from "../config/flags.ts";

export interface Split {
  /** For commander. */
  readonly own: string[];
  readonly values: Flag[];
}

/** The schema is loaded only where there is a flag: `version` and `healthcheck` start faster without. */
export async function splitFlags(args: readonly string[], program: Command): Promise<Split> {
  const options = new Map(optionsOf(program).map((name) => [name.toLowerCase(), name]));
  const own: string[] = [];
  const values: Flag[] = [];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!;
    const equals = arg.indexOf("=");
    const name = equals < 0 ? arg : arg.slice(0, equals);
    const known = options.get(name.toLowerCase());
    if (!name.startsWith("--") || name === "--" || known !== undefined) {
      own.push((known ?? name) + arg.slice(name.length));
      continue;
    }
    const { parseFlag } = await import("../config/flags.ts");
    const { flagTakesValue, STATIC_ROOT_KEYS } = await import("../config/static.ts");
    const word = name.slice(2).toLowerCase();
    const near = [...options.keys()].some((each) => each.startsWith(name.toLowerCase()));
    const misspelt = (near || didYouMean(name, options.values()) !== null) && !/[.[]/.test(name);
    if (misspelt && !STATIC_ROOT_KEYS.some((key) => key.toLowerCase() === word)) {
      own.push(arg); // commander names the one that was meant
      continue;
    }
    let flag = parseFlag(arg);
    const next = args[at + 1];
    if (flag.value === null && next !== undefined && !next.startsWith("--") && flagTakesValue(flag)) {
      flag = { ...flag, value: next };
      at++;
    }
    values.push(flag);
  }
  return { own, values };
}

/** The long options of all commands. */
function optionsOf(command: Command): string[] {
  const own = command.options.flatMap(({ long }) => long ?? []);
  return ["--help", ...own, ...command.commands.flatMap(optionsOf)];
}
