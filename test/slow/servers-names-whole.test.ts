// Names of brokers through everything that happens to them: no DNS at a start, SRV records that change, hosts files, TLS by the name.

import { expect, test } from "bun:test";
import { Authority } from "../support/certs.ts";
import { Dns } from "../support/dns.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { Sluice } from "../support/sluice.ts";
import { exec, freePort, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });
const broker = await authority.issue({ names: ["brokers.test", "mqtt.test"] });
const other = await authority.issue({ names: ["a.brokers.test", "127.0.0.1"] });
const net = `127.72.${Math.floor(Math.random() * 256)}`;
const host = (last: number) => `${net}.${last}`;

const dynamic = (server: string, transport = "") => `
tcp:
  routers: { mqtt: { rule: "HostSNI(\`localhost\`)", service: brokers, tls: {} } }
  services: { brokers: { loadBalancer: { servers: [${server}], serversTransport: checked } } }
  serversTransports: { checked: { tls: { rootCAs: [${authority.cert}]${transport} } } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }
`;

async function publish(sluice: Sluice): Promise<boolean> {
  const address = ["-h", "localhost", "-p", String(sluice.port), "--cafile", authority.cert];
  const { code } = await exec(["mosquitto_pub", ...address, "-t", "t", "-m", "x", "-q", "1"]);
  return code === 0;
}

/** Where so many clients went, sorted; null: one of them went nowhere. */
async function servers(sluice: Sluice, clients: number): Promise<(string | undefined)[] | null> {
  const from = sluice.accesses.length;
  for (let i = 0; i < clients; i++) if (!(await publish(sluice))) return null;
  await waitFor("their lines", () => sluice.accesses.length >= from + clients);
  return sluice.accesses
    .slice(from)
    .map(({ server }) => server)
    .sort();
}

test("a start without DNS is a start, says what is missing, and the brokers are used when DNS has them", async () => {
  const port = await freePort();
  await Promise.all([1, 2].map((last) => Mosquitto.start({ host: host(last), port })));
  const dns = await Dns.start({});
  await dns.stop();
  const sluice = await Sluice.start({
    within: dns.within,
    dynamic: dynamic(`{ address: "brokers.test:${port}", resolve: all }, { srv: _mqtt._tcp.test, resolve: ipv4 }`),
  });
  expect(await publish(sluice)).toBe(false);
  await waitFor(
    "both to be missed",
    () => sluice.lines.filter(({ msg }) => msg.includes("has had none yet")).length === 2,
  );
  expect(await sluice.metric("sluice_dial_errors_total", { reason: "dns" })).toBeGreaterThan(0);
  await dns.set({
    addresses: { "brokers.test": [host(1)], "b.test": [host(2)] },
    srv: { "_mqtt._tcp.test": [`b.test ${port} 0 0`] },
  });
  const wanted = [host(1), host(1), host(2), host(2)].map((each) => `${each}:${port}`);
  await waitFor("both to be used", async () => Bun.deepEquals(await servers(sluice, 4), wanted));
  expect(sluice.lines.filter(({ msg }) => msg.includes("resolves again"))).toHaveLength(2);
  // A name of a reload is asked before the reload is in force: no client meets a service without servers.
  await sluice.reload(() => sluice.write("dynamic.yml", dynamic(`{ address: "b.test:${port}", resolve: all }`)));
  expect(await servers(sluice, 2)).toEqual([`${host(2)}:${port}`, `${host(2)}:${port}`]);
  expect(await sluice.metric("sluice_server_name_servers", { name: "brokers.test" })).toBe(0);
});

test("SRV records say port, weight and who is a backup, and are followed", async () => {
  const ports = [await freePort(), await freePort(), await freePort()];
  const brokers = await Promise.all(ports.map((port, index) => Mosquitto.start({ host: host(10 + index), port })));
  const addresses = Object.fromEntries(ports.map((_, index) => [`b${index}.test`, [host(10 + index)]]));
  const at = (index: number) => `b${index}.test:${ports[index]}`;
  const dns = await Dns.start({
    addresses,
    srv: { "_mqtt._tcp.test": [`b0.test ${ports[0]} 10 20`, `b1.test ${ports[1]} 10 40`, `b2.test ${ports[2]} 20 1`] },
  });
  const sluice = await Sluice.start({ within: dns.within, dynamic: dynamic("{ srv: _mqtt._tcp.test }") });
  expect(await servers(sluice, 6)).toEqual([at(0), at(0), at(1), at(1), at(1), at(1)]);
  await Promise.all([brokers[0]!.stop(), brokers[1]!.stop()]);
  await waitFor("the backup", async () => Bun.deepEquals(await servers(sluice, 2), [at(2), at(2)]));
  await Mosquitto.start({ host: host(10), port: ports[0]! });
  await dns.set({ addresses, srv: { "_mqtt._tcp.test": [`b0.test ${ports[0]} 0 0`] } });
  await waitFor("the records to have changed", () =>
    sluice.lines.some(({ msg, removed }) => msg.includes("have changed") && String(removed) === `${at(1)},${at(2)}`),
  );
  await waitFor("the only one", async () => Bun.deepEquals(await servers(sluice, 2), [at(0), at(0)]));
});

test("TLS checks a broker by the name that was asked, of an address and of an SRV record; one with another certificate gets nothing", async () => {
  const [port, wrong] = [await freePort(), await freePort()];
  const tls = ({ cert, key }: typeof broker) => [`certfile ${cert}`, `keyfile ${key}`];
  await Mosquitto.start({ host: host(20), port, lines: tls(broker) });
  await Mosquitto.start({ host: host(20), port: wrong, lines: tls(other) });
  const dns = await Dns.start({
    addresses: { "brokers.test": [host(20)], "a.brokers.test": [host(20)] },
    srv: {
      "_mqtt._tcp.mqtt.test": [`a.brokers.test ${port} 0 0`],
      "_wrong._tcp.mqtt.test": [`a.brokers.test ${wrong} 0 0`],
    },
  });
  const sluice = await Sluice.start({
    within: dns.within,
    dynamic: dynamic(`{ address: "brokers.test:${port}", resolve: all, tls: true }`),
  });
  const use = (server: string, transport = "") =>
    sluice.reload(() => sluice.write("dynamic.yml", dynamic(server, transport)));
  expect(await publish(sluice)).toBe(true);
  await use("{ srv: _mqtt._tcp.mqtt.test, tls: true }");
  expect(await publish(sluice)).toBe(true);
  await use("{ srv: _wrong._tcp.mqtt.test, tls: true }");
  expect(await publish(sluice)).toBe(false);
  expect(await sluice.metric("sluice_dial_errors_total", { reason: "certificate" })).toBeGreaterThan(0);
  await use("{ srv: _wrong._tcp.mqtt.test, tls: true, resolve: all }", ", serverName: a.brokers.test");
  await waitFor("the name of the transport to count", () => publish(sluice));
});

test("a name in the hosts file has servers too, and a change of the file is found", async () => {
  const port = await freePort();
  await Promise.all([31, 32].map((last) => Mosquitto.start({ host: host(last), port })));
  const dns = await Dns.start({});
  dns.hosts(`${host(31)} hosts.test`);
  const sluice = await Sluice.start({
    within: dns.within,
    dynamic: dynamic(`{ address: "hosts.test:${port}", resolve: all }`),
  });
  expect(await servers(sluice, 2)).toEqual([`${host(31)}:${port}`, `${host(31)}:${port}`]);
  dns.hosts(`${host(31)} hosts.test\n${host(32)} hosts.test`);
  await waitFor("both", async () =>
    Bun.deepEquals(await servers(sluice, 2), [`${host(31)}:${port}`, `${host(32)}:${port}`]),
  );
});
