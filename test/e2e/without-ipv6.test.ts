// Where the system has no IPv6, or refuses it, "every address" is every IPv4 address, for clients and for the admin side alike.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { tlsClient } from "../support/clients.ts";
import { echoEdge } from "../support/echo.ts";
import { ROOT, Sluice } from "../support/sluice.ts";
import { freePort } from "../support/tools.ts";

const { dynamic } = await echoEdge();

for (const [what, within] of [
  ["refused", ["python3", join(ROOT, "test/support/sandbox.py"), "--without", "AF_INET6"]],
  ["there", []],
] as const)
  test(`with IPv6 ${what} Sluice starts, serves clients, dials a broker by name, and answers /ping`, async () => {
    const [port, adminPort] = [await freePort(), await freePort()];
    const sluice = await Sluice.start({
      dynamic: dynamic.replace(/servers: \[\{ port: (\d+) \}\]/, "servers: [{ address: 'localhost:$1' }]"),
      within,
      env: {
        SLUICE_ENTRYPOINTS_MQTTS_ADDRESS: `:${port}`,
        SLUICE_ENTRYPOINTS_ADMIN_ADDRESS: `:${adminPort}`,
        SLUICE_PING_ENTRYPOINT: "admin",
      },
      pingPort: adminPort,
    });
    const socket = await tlsClient(port);
    const echoed = new Promise((resolve) => socket.once("data", resolve));
    socket.write("hello");
    expect(String(await echoed)).toBe("hello");
    socket.destroy();
    expect(await sluice.access(({ reason }) => reason !== "")).toMatchObject({ client: "127.0.0.1" });
    expect(await sluice.stop()).toBe(0);
  });
