// A place of its own for what is printed with fixed ports and paths: a network in which every port is free, and a working directory.

import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./sluice.ts";
import { cleanup, temporaryDirectory } from "./tools.ts";

const COPIED = ["config", "deploy", "dynamic", "node_modules", "package.json", "package-lock.json", "scripts", "src"];

/**
 * A folder like the one that Sluice is in, and a way to run commands there, in network and mount namespaces of their own. `hosts` is
 * what /etc/hosts says there.
 */
export async function place(program: string, hosts = "127.0.0.1 localhost\n") {
  const directory = temporaryDirectory();
  for (const name of COPIED) symlinkSync(join(ROOT, name), join(directory, name));
  mkdirSync(join(directory, "bin"));
  symlinkSync(program, join(directory, "bin/sluice"));
  const file = join(temporaryDirectory(), "hosts");
  writeFileSync(file, hosts);
  const script = `ip link set lo up && mount --bind ${file} /etc/hosts && echo ready && exec sleep 600`;
  const keeper = Bun.spawn(["unshare", "-n", "-m", "sh", "-c", script], { stdio: ["ignore", "pipe", "ignore"] });
  cleanup(async () => {
    keeper.kill("SIGKILL");
    await keeper.exited;
  });
  const { value } = await keeper.stdout.getReader().read();
  if (Buffer.from(value!).toString() !== "ready\n") throw new Error("no namespaces: are the tests run as root?");
  const within = (script: string) => [
    "nsenter",
    `--target=${keeper.pid}`,
    "-n",
    "-m",
    `--wd=${directory}`,
    "sh",
    "-ec",
    script,
  ];
  /** Whether something listens on the port in that network. */
  const listens = (port: number) => {
    const local = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
    const sockets = ["tcp", "tcp6"].flatMap((kind) =>
      readFileSync(`/proc/${keeper.pid}/net/${kind}`, "utf8").split("\n"),
    );
    // State 0A is LISTEN.
    return sockets.some((line) => line.includes(local) && / \S+:0000 0A /.test(line));
  };
  return { directory, within, listens };
}
