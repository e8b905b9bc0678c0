// More connections to one broker than this machine has local ports: each source address has ports of its own.

import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "../support/command.ts";
import { SLUICE } from "../support/sluice.ts";
import { cleanup, exec, temporaryDirectory } from "../support/tools.ts";

/**
 * A server, and then as many clients as it is told, which take no port of those that the system gives. It says where the connections that
 * it has taken come from.
 */
const PEERS = `
import socket, sys, time
server = socket.create_server(("127.0.0.1", 1883)); server.settimeout(2)
clients = []
for number in range(int(sys.argv[1])):
    client = socket.socket(); client.bind(("127.0.0.1", 40000 + number)); client.connect(("127.0.0.1", 8883)); clients.append(client)
kept = []
try:
    while True: kept.append(server.accept())
except TimeoutError: pass
print(" ".join(sorted(address for _, (address, _) in kept)), flush=True); time.sleep(600)`;

test("with two local ports, three source addresses carry six connections to one broker; one that is not on this machine is passed over", async () => {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, "dynamic"));
  writeFileSync(
    join(directory, "dynamic/x.yml"),
    `tcp:
  routers: { all: { rule: "HostSNI(\`*\`)", service: broker } }
  services: { broker: { loadBalancer: { serversTransport: many, servers: [{ port: 1883 }] } } }
  serversTransports: { many: { sourceAddresses: [127.0.0.101, 127.0.0.102, 192.0.2.77, 127.0.0.103, "2001:db8::1"] } }
`,
  );
  writeFileSync(
    join(directory, "sluice.yml"),
    "entryPoints: { mqtt: { address: 127.0.0.1:8883 } }\nproviders: { file: { directory: dynamic } }\nworkers: 1\nmetrics: { prometheus: {} }\n",
  );
  // A network of its own, in which the system gives two local ports.
  const program = join(directory, "program");
  const shell = "ip link set lo up && sysctl -qw net.ipv4.ip_local_port_range='50000 50001' && exec \"$@\"";
  writeFileSync(program, `#!/bin/sh\nexec unshare -n sh -c '${shell.replaceAll("'", "'\\''")}' sh '${SLUICE}' "$@"\n`);
  chmodSync(program, 0o755);
  const sluice = new Command(["--configFile=sluice.yml"], { cwd: directory, program });
  await sluice.printed('"ready"');
  expect(sluice.stdout).toContain("192.0.2.77 is not an address of this machine");
  const inside = ["nsenter", "-t", String(sluice.process.pid), "-n"];
  const peers = Bun.spawn([...inside, "python3", "-c", PEERS, "8"], { stdout: "pipe" });
  cleanup(() => peers.kill("SIGKILL"));
  // What is printed may come in pieces.
  let kept = "";
  for await (const chunk of peers.stdout) {
    kept += new TextDecoder().decode(chunk);
    if (kept.endsWith("\n")) break;
  }
  const sources = ["127.0.0.101", "127.0.0.102", "127.0.0.103"];
  expect(kept.trim().split(" ")).toEqual(sources.flatMap((each) => [each, each]));
  const metrics = (
    await exec([...inside, "curl", "-s", "--local-port", "41000-41100", "http://127.0.0.1:8080/metrics"])
  ).stdout;
  expect(metrics).toMatch(/^sluice_dial_errors_total\{.*reason="local-ports"\} 2$/m);
  expect(sluice.stdout).not.toContain("a server is down");
  peers.kill("SIGKILL");
  expect(await sluice.stop()).toBe(0);
});
