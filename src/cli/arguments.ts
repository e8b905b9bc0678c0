// The command line, told apart: what the commands define themselves, and flags of the static configuration, which may be anywhere.

import type { Command, Option } from "commander";
import type { Flag } from "../config/flags.ts";
import { didYouMean } from "../text/spelling.ts";

export interface Split {
  /** For commander: first the command and its arguments, so that options too may stand before it. */
  readonly own: string[];
  readonly values: Flag[];
}

/** The schema is loaded only where there is a flag: `version` starts faster without. What stands after `--` is no flag. */
export async function splitFlags(args: readonly string[], program: Command): Promise<Split> {
  const options = new Map(optionsOf(program).map((option) => [spelling(option.long!), option]));
  const names = [...options.values()].map(({ long }) => long!);
  const typed = commandOf(args, program);
  const words: string[] = [];
  const own: string[] = [];
  const values: Flag[] = [];
  let at = 0;
  /** The next argument, if it can be a value. */
  const value = () => {
    const next = args[at];
    return next === undefined || next.startsWith("--") ? null : next;
  };
  while (at < args.length) {
    const arg = args[at++]!;
    if (arg === "--") {
      own.push(arg, ...args.slice(at));
      break;
    }
    const equals = arg.indexOf("=");
    const name = equals < 0 ? arg : arg.slice(0, equals);
    const itsOwn = typed.options.find(({ long }) => long !== undefined && spelling(long) === spelling(name));
    const foreign = MEANT[name.toLowerCase()];
    const option = itsOwn ?? (foreign === undefined ? options.get(spelling(name)) : undefined);
    if (option !== undefined) {
      own.push(option.long + arg.slice(name.length));
      const takes = equals < 0 && option.required;
      for (let next = value(); takes && next !== null; next = option.variadic ? value() : null) {
        own.push(next);
        at++;
      }
      continue;
    }
    const meant = foreign ?? onlyOne(names, name);
    if (meant !== undefined) program.error(`error: unknown option '${name}' (did you mean "${meant}"?)`);
    if (/^-\w[\w.[\]]+$/.test(name))
      program.error(`error: unknown option '${name}' (options begin with two dashes: "-${name}")`);
    if (!name.startsWith("--") || name === "--") {
      (name.startsWith("-") ? own : words).push(arg);
      continue;
    }
    const { parseFlag } = await import("../config/flags.ts");
    const { flagTakesValue } = await import("../config/static.ts");
    const { STATIC_ROOT_KEYS } = await import("../config/static-schema.ts");
    const word = name.slice(2).toLowerCase();
    const near = names.some((each) => each.toLowerCase().startsWith(name.toLowerCase()));
    const misspelt = (near || didYouMean(name, names) !== null) && !/[.[]/.test(name);
    if (misspelt && !STATIC_ROOT_KEYS.some((key) => key.toLowerCase() === word)) {
      own.push(arg); // commander names the one that was meant
      continue;
    }
    const flag = parseFlag(arg);
    const next = flag.value === null ? value() : null;
    if (next !== null && flagTakesValue(flag)) {
      values.push({ ...flag, value: next });
      at++;
    } else values.push(flag);
  }
  return { own: [...words, ...own], values };
}

/** By which an option is known: in any case, and with hyphens where others have them (--out-password-file). */
function spelling(name: string): string {
  return name.toLowerCase().replace(/(?<=\w)-/g, "");
}

/** The command that the words without dashes name. */
function commandOf(args: readonly string[], program: Command): Command {
  let command = program;
  for (const word of args) command = command.commands.find((each) => each.name() === word) ?? command;
  return command;
}

/** What other programs call options, and what they are called here, except by a command that has such an option itself; in lower case. */
const MEANT: Readonly<Record<string, string>> = {
  "-c": "--configFile",
  "-f": "--configFile",
  "--file": "--configFile",
  "--host": "--sni",
  "--name": "--sni",
  "--servername": "--sni",
};

/** The one option that begins so, as --configFile begins with --config; undefined when there are several or none. */
function onlyOne(names: readonly string[], begin: string): string | undefined {
  const found = new Set(names.filter((each) => each.toLowerCase().startsWith(begin.toLowerCase())));
  return begin.length > MIN_BEGIN && found.size === 1 ? [...found][0] : undefined;
}

/** Of the dashes and a letter alone nobody could say what is meant. */
const MIN_BEGIN = 3;

/** The options of all commands. */
function optionsOf(command: Command): Option[] {
  const own = command.options.filter(({ long }) => long !== undefined);
  return [command.createOption("--help"), ...own, ...command.commands.flatMap(optionsOf)];
}
