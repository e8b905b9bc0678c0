// More connections to one broker than this machine has local ports: each source address has ports of its own.

import { expect, test } from "bun:test";
import { withTwoPorts } from "../support/two-ports.ts";

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
  const { sluice, firstLineOf, metrics, stop } = await withTwoPorts(`tcp:
  routers: { all: { rule: "HostSNI(\`*\`)", service: broker } }
  services: { broker: { loadBalancer: { serversTransport: many, servers: [{ port: 1883 }] } } }
  serversTransports: { many: { sourceAddresses: [127.0.0.101, 127.0.0.102, 192.0.2.77, 127.0.0.103, "2001:db8::1"] } }
`);
  expect(sluice.stdout).toContain("192.0.2.77 is not an address of this machine");
  const kept = await firstLineOf(PEERS, "8");
  const sources = ["127.0.0.101", "127.0.0.102", "127.0.0.103"];
  expect(kept.trim().split(" ")).toEqual(sources.flatMap((each) => [each, each]));
  expect(await metrics("--local-port", "41000-41100")).toMatch(
    /^sluice_dial_errors_total\{.*reason="local-ports"\} 2$/m,
  );
  expect(sluice.stdout).not.toContain("a server is down");
  expect(await stop()).toBe(0);
});
