// The commands of sluice kv.

import type { Command } from "commander";
import type { ExportOptions, ImportOptions } from "./kv.ts";
import type { Given } from "./static-file.ts";
import type { Terminal } from "./terminal.ts";

const PROVIDER = [
  "--provider <name>",
  "the store, where several are configured: redis, etcd, consul, zooKeeper",
] as const;

export function addKvCommands(
  kv: Command,
  fileOption: readonly [string, string],
  given: (options: { configFile?: string }) => Given,
  terminal: Terminal,
  done: (code: number) => void,
): void {
  kv.command("import")
    .argument("<paths...>", "files of the dynamic configuration, or directories of them")
    .description("write files into a store, all of them or nothing; print every key that changes")
    .option(...PROVIDER)
    .option("--dryRun", "print what would change, and write nothing")
    .option("--prune", "remove the routers, services and so on that only the store has; without it they stay")
    .option("--resume", "complete an import that was killed")
    .option(...fileOption)
    .action(async (paths: string[], options: ImportOptions) => {
      done(await (await import("./kv.ts")).importFiles(given(options), paths, options, terminal));
    });
  kv.command("export")
    .argument("[file]", "the file to write, with mode 0600; without it, print it")
    .description("write what a store holds as a file of the dynamic configuration")
    .option(...PROVIDER)
    .option("--force", "replace a file that is there already")
    .option(...fileOption)
    .action(async (file: string | undefined, options: ExportOptions) => {
      done(await (await import("./kv.ts")).exportStore(given(options), file, options, terminal));
    });
}
