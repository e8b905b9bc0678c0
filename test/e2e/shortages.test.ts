// What the machine has no more of is said by its name, in one line, and is not blamed on a broker.

import { expect, test } from "bun:test";
import { tcpClient } from "../support/clients.ts";
import { echoEdge } from "../support/echo.ts";
import { cpuSeconds, openDescriptors } from "../support/proc.ts";
import { Sluice } from "../support/sluice.ts";
import { exec, waitFor } from "../support/tools.ts";
import { withTwoPorts } from "../support/two-ports.ts";

const { dynamic } = await echoEdge();

test("the last descriptors are for those who are in: silent clients make room, counted and said once, and nothing spins", async () => {
  const sluice = await Sluice.start({ dynamic });
  const worker = sluice.workers[0]!;
  const limit = (count: number) => exec(["prlimit", "--pid", String(worker), `--nofile=${count}:`]);
  const before = openDescriptors(worker);
  expect(await limit(before + 30)).toMatchObject({ code: 0 });
  // It looks at its limit each second. Were they gone before, the runtime would try to accept without end (bun-contract: "fact 14").
  const lowered = performance.now();
  await waitFor("it to look again", () => performance.now() - lowered > 3000);
  const sockets = new Set<Awaited<ReturnType<typeof tcpClient>>>();
  const counted = () => sluice.metric("sluice_connections_total", { result: "gave-way" });
  await waitFor("clients to be closed", async () => {
    // Who is closed so soon may hear of it as a reset.
    for (let i = 0; i < 5; i++)
      await tcpClient(sluice.port).then(
        (socket) => sockets.add(socket),
        () => {},
      );
    return (await counted()) > 3;
  });
  // The kernel hands silent clients over after a second (TCP_DEFER_ACCEPT): all of them are to be there.
  let known = -1;
  let knownAt = 0;
  await waitFor("nobody to come any more", async () => {
    const now = await counted();
    if (now !== known) [known, knownAt] = [now, performance.now()];
    return performance.now() - knownAt > 1500;
  });
  const [cpu, from] = [cpuSeconds(worker), performance.now()];
  await waitFor("a second to pass", () => performance.now() - from > 1000);
  // One that spins takes all of it, however long this process has slept.
  expect(cpuSeconds(worker) - cpu).toBeLessThan((0.6 * (performance.now() - from)) / 1000);
  expect(await sluice.metric("sluice_shortages_total", { resource: "descriptors" })).toBeGreaterThanOrEqual(
    await counted(),
  );
  const said = sluice.lines.filter(({ msg }) => msg.includes("no descriptors are left"));
  expect(said.map(({ level, resource }) => [level, resource])).toEqual([["warn", "descriptors"]]);
  for (const socket of sockets) socket.destroy();
  await waitFor("all to be gone", async () => (await sluice.metric("sluice_entrypoint_open_connections")) === 0);
  const total = await counted();
  await tcpClient(sluice.port).then((socket) => socket.destroy());
  expect(await counted()).toBe(total);
});

/** A server that keeps what connects, and then as many clients as it is told, each from an address of its own. */
const PEERS = `
import socket, sys, time
server = socket.create_server(("127.0.0.1", 1883)); server.settimeout(2)
clients = []
for number in range(int(sys.argv[1])):
    client = socket.socket(); client.setsockopt(socket.IPPROTO_IP, 24, 1) # IP_BIND_ADDRESS_NO_PORT: the port is left to others too
    client.bind(("127.0.0.%d" % (number + 2), 0)); client.connect(("127.0.0.1", 8883)); clients.append(client)
kept = []
try:
    while True: kept.append(server.accept())
except TimeoutError: pass
print(len(kept), flush=True); time.sleep(600)`;

test("without a local port left a dial says so, once, and no server is called unreachable", async () => {
  const { sluice, firstLineOf, metrics, stop } = await withTwoPorts(
    'tcp: { routers: { all: { rule: "HostSNI(`*`)", service: broker } }, services: { broker: { loadBalancer: { servers: [{ port: 1883 }] } } } }',
  );
  expect(await firstLineOf(PEERS, "5")).toBe("2\n");
  const told = await metrics();
  expect(told).toMatch(/^sluice_dial_errors_total\{.*reason="local-ports"\} 3$/m);
  expect(told).toMatch(/^sluice_shortages_total\{resource="local-ports"\} 3$/m);
  expect(sluice.stdout.match(/no local ports are left/g)).toHaveLength(1);
  expect(sluice.stdout).not.toContain("a server is down");
  expect(await stop()).toBe(0);
});
