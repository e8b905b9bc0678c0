// `sluice` as a user types it, but within this process: for the many cases of a command that ends by itself. That bin/sluice does the
// same is shown by a few real runs.

import { runCommand } from "../../src/cli/program.ts";
import type { Terminal } from "../../src/cli/terminal.ts";
import type { Finished } from "./tools.ts";

export interface CliOptions {
  readonly cwd: string;
  readonly env?: Record<string, string>;
}

/** The last call: the working directory and the environment are the whole process's, so one runs at a time. */
let last: Promise<unknown> = Promise.resolve();

/** What it prints and its exit code. Nobody is there to be asked for a password. */
export function sluiceCli(args: readonly string[], options: CliOptions): Promise<Finished> {
  const result = last.then(() => run(args, options));
  last = result.catch(() => {});
  return result;
}

async function run(args: readonly string[], { cwd, env = {} }: CliOptions): Promise<Finished> {
  let [stdout, stderr] = ["", ""];
  const terminal: Terminal = {
    log: (text) => {
      stdout += `${text}\n`;
    },
    error: (text) => {
      stderr += `${text}\n`;
    },
    ask: null,
  };
  const [directory, before] = [process.cwd(), Object.keys(env).map((name) => [name, process.env[name]] as const)];
  process.chdir(cwd);
  Object.assign(process.env, env);
  try {
    const code = await runCommand(args, terminal);
    if (code === null) throw new Error(`sluice ${args.join(" ")} does not end by itself`);
    return { code, stdout, stderr };
  } finally {
    process.chdir(directory);
    for (const [name, value] of before)
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
  }
}
