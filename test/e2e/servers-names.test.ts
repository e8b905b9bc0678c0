// All brokers behind one name: real Mosquittos, a real DNS server, and answers that change while Sluice runs.

import { expect, test } from "bun:test";
import { Authority } from "../support/certs.ts";
import { Dns } from "../support/dns.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { Sluice } from "../support/sluice.ts";
import { exec, freePort, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });

test("each address of a name is a server of its own, and they follow DNS without a reload; when DNS is gone, the last ones stay", async () => {
  const port = await freePort();
  const net = `127.71.${Math.floor(Math.random() * 256)}`;
  const all = [1, 2, 3, 4].map((last) => `${net}.${last}`);
  await Promise.all(all.map((host) => Mosquitto.start({ host, port })));
  const dns = await Dns.start({ addresses: { "brokers.test": [all[2]!, all[0]!, all[1]!] } });
  const sluice = await Sluice.start({
    within: dns.within,
    dynamic: `
tcp:
  routers: { mqtt: { rule: "HostSNI(\`localhost\`)", service: brokers, tls: {} } }
  services: { brokers: { loadBalancer: { servers: [{ address: "brokers.test:${port}", resolve: all }] } } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }
`,
  });
  const address = ["-h", "localhost", "-p", String(sluice.port), "--cafile", authority.cert];
  /** Where so many clients went, sorted. */
  const servers = async (clients: number) => {
    const from = sluice.accesses.length;
    for (let i = 0; i < clients; i++)
      expect(await exec(["mosquitto_pub", ...address, "-t", "t", "-m", "x", "-q", "1"])).toMatchObject({ code: 0 });
    await waitFor("their lines", () => sluice.accesses.length === from + clients);
    return sluice.accesses
      .slice(from)
      .map(({ server }) => server)
      .sort();
  };
  const at = (...hosts: number[]) => hosts.map((index) => `${all[index]}:${port}`);
  expect(await servers(6)).toEqual(at(0, 0, 1, 1, 2, 2));

  await dns.set({ addresses: { "brokers.test": [all[3]!, all[1]!, all[2]!] } });
  const change = await waitFor("the change", () =>
    sluice.lines.find(
      ({ msg, removed }) => msg === "the servers of a name have changed" && String(removed) === String(all[0]),
    ),
  );
  expect(change).toMatchObject({ name: "brokers.test", added: [all[3]], removed: [all[0]], servers: 3 });
  await waitFor("it to be in force", async () => (await servers(1))[0] === at(3)[0]);
  expect(await servers(6)).toEqual(at(1, 1, 2, 2, 3, 3));

  const gone = `server="${at(0)[0]}"`;
  await waitFor(
    "what was counted of the one that is gone to be forgotten",
    async () => !(await sluice.metrics()).includes(gone),
  );

  await dns.stop();
  const labels = { name: "brokers.test" };
  await waitFor("it to be missed", async () => (await sluice.metric("sluice_server_name_failing", labels)) === 1);
  expect(await servers(3)).toEqual(at(1, 2, 3));
  expect(sluice.lines.filter(({ msg }) => msg.includes("does not resolve"))).toMatchObject([
    { level: "warn", ...labels },
  ]);
  expect(await sluice.metric("sluice_server_name_servers", labels)).toBe(3);
  expect(await sluice.metric("sluice_config_reloads_total")).toBe(1);
});
