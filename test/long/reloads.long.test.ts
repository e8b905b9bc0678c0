// After a thousand reloads with a connection made in each, old snapshots are gone.

import { expect, test } from "bun:test";
import { Authority } from "../support/certs.ts";
import { tcpServer, tlsClient } from "../support/clients.ts";
import { residentKb } from "../support/proc.ts";
import { Sluice } from "../support/sluice.ts";

test("1000 reloads with a connection in each leave no snapshot behind", async () => {
  const authority = await Authority.create();
  const pair = await authority.issue({ names: ["a.test"] });
  const backend = await tcpServer((socket) => socket.on("end", () => socket.end()).resume());
  const routes = (round: number) => `
tcp:
  routers:
    a: { rule: "HostSNI(\`a.test\`)", service: broker, tls: {} }
${Array.from({ length: 100 }, (_, n) => `    r${n}: { rule: "HostSNI(\`r${round}-${n}.test\`)", service: broker, tls: {} }`).join("\n")}
  services: { broker: { loadBalancer: { servers: [{ port: ${backend.port} }] } } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }
`;
  const sluice = await Sluice.start({ dynamic: routes(0), throttle: "0s" });
  const worker = sluice.workers[0]!;
  let baseline = 0;
  for (let round = 1; round <= 1000; round++) {
    await sluice.reload(() => sluice.write("dynamic.yml", routes(round)));
    (await tlsClient(sluice.port, { servername: "a.test" })).destroy();
    if (round === 100) baseline = residentKb(worker);
  }
  // A snapshot of this size takes a worker about 100 kB: nine hundred of them would be 90 MB.
  expect(residentKb(worker) - baseline).toBeLessThan(20 * 1024);
  expect(await sluice.metric("sluice_tls_contexts")).toBe(1);
}, 400_000);
