// A Sluice in a network of its own, in which the system gives two local ports, and a program in Python beside it that is broker and clients.

import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "./command.ts";
import { SLUICE } from "./sluice.ts";
import { cleanup, exec, temporaryDirectory } from "./tools.ts";

/** Sluice listens on 127.0.0.1:8883, for plain clients, and leads them where `dynamic` says. */
export async function withTwoPorts(dynamic: string) {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, "dynamic"));
  writeFileSync(join(directory, "dynamic/x.yml"), dynamic);
  writeFileSync(
    join(directory, "sluice.yml"),
    "entryPoints: { mqtt: { address: 127.0.0.1:8883 } }\nproviders: { file: { directory: dynamic } }\nworkers: 1\nmetrics: { prometheus: {} }\n",
  );
  const program = join(directory, "program");
  const shell = "ip link set lo up && sysctl -qw net.ipv4.ip_local_port_range='50000 50001' && exec \"$@\"";
  writeFileSync(program, `#!/bin/sh\nexec unshare -n sh -c '${shell.replaceAll("'", "'\\''")}' sh '${SLUICE}' "$@"\n`);
  chmodSync(program, 0o755);
  const sluice = new Command(["--configFile=sluice.yml"], { cwd: directory, program });
  await sluice.printed('"ready"');
  const inside = ["nsenter", "-t", String(sluice.process.pid), "-n"];
  let stopPeers = () => {};
  return {
    sluice,
    /** Runs a program until the end, and gives its first line. */
    async firstLineOf(source: string, argument: string): Promise<string> {
      const peers = Bun.spawn([...inside, "python3", "-c", source, argument], { stdout: "pipe" });
      stopPeers = () => peers.kill("SIGKILL");
      cleanup(stopPeers);
      // What is printed may come in pieces.
      let line = "";
      for await (const chunk of peers.stdout) {
        line += new TextDecoder().decode(chunk);
        if (line.endsWith("\n")) break;
      }
      return line;
    },
    /** `options` are curl's. */
    async metrics(...options: string[]): Promise<string> {
      return (await exec([...inside, "curl", "-s", ...options, "http://127.0.0.1:8080/metrics"])).stdout;
    },
    /** Ends the program, so that Sluice has nobody to wait for, and then Sluice; its exit code. */
    stop() {
      stopPeers();
      return sluice.stop();
    },
  };
}
