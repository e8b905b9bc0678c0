// A page on SINETStream with client authentication: a failed authentication is an error at the client, as that page promises. What each
// client says is what the table of docs/guides/certificate-names.md has. That Mosquitto's log and ACL show the certificate's name is held
// by mqtt-identity.test.ts, and by the guide itself.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Authority, type Pair } from "../support/certs.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mosquittoPub } from "../support/mqtt.ts";
import { ROOT, Sluice } from "../support/sluice.ts";
import { exec } from "../support/tools.ts";

const authority = await Authority.create("Private CA");
const server = await authority.issue({ names: ["localhost"] });
const client = (subject: string, by = authority) => by.issue({ names: [], usage: "clientAuth", subject });
const client0 = await client("/CN=client0");
const COLUMNS: Readonly<Record<string, Pair | undefined>> = {
  "no certificate": undefined,
  "another authority's": await client("/CN=client0", await Authority.create("Other CA")),
  "no name in it": await client("/O=Example"),
};

const broker = await Mosquitto.start();
const sluice = await Sluice.start({
  dynamic: `
tcp:
  middlewares: { by-certificate: { mqttIdentity: { username: "{cert.cn}", password: strip } } }
  routers: { mqtt: { rule: "HostSNI(\`localhost\`)", middlewares: [by-certificate], service: broker, tls: {} } }
  services: { broker: { loadBalancer: { servers: [{ port: ${broker.port} }] } } }
tls:
  options: { default: { clientAuth: { caFiles: [${authority.cert}] } } }
  certificates: [{ certFile: ${server.cert}, keyFile: ${server.key} }]
`,
});

const PAHO = `
import sys, paho.mqtt.publish as publish
ca, port, *identity = sys.argv[1:]
tls = {"ca_certs": ca, **dict(zip(["certfile", "keyfile"], identity))}
publish.single("topic-001", "message 001", hostname="localhost", port=int(port), tls=tls)
`;
/** What it prints, and the code that it exits with. */
type Say = (identity: Pair | undefined) => Promise<{ code: number; said: string }>;
const finished = async (running: ReturnType<typeof exec>) => {
  const { code, stdout, stderr } = await running;
  return { code, said: stdout + stderr };
};
const CLIENTS: Readonly<Record<string, Say>> = {
  "`mosquitto_pub`": (identity) =>
    finished(mosquittoPub({ port: sluice.port, ca: authority.cert, identity }, "-t", "topic-001", "-m", "message 001")),
  "MQTT.js": (identity) =>
    finished(
      exec([
        ...["node", join(ROOT, "test/fixtures/clients/client.mjs"), join(ROOT, "node_modules/mqtt/build/index.js")],
        ...["localhost", String(sluice.port), authority.cert],
        ...(identity === undefined ? [] : [identity.cert, identity.key]),
      ]),
    ),
  // Debian's own, which has Debian's paho-mqtt.
  "paho-mqtt": (identity) =>
    finished(
      exec([
        ...["/usr/bin/python3", "-c", PAHO, authority.cert, String(sluice.port)],
        ...(identity === undefined ? [] : [identity.cert, identity.key]),
      ]),
    ),
};

const guide = readFileSync(join(ROOT, "docs/guides/certificate-names.md"), "utf8");
const [head, , ...rows] = guide
  .slice(guide.indexOf("| client | no certificate"))
  .split("\n\n")[0]!
  .split("\n")
  .map((row) => row.slice(2, -2).split(" | "));

test("the table has a column for each failure and a row for each client", () => {
  expect(head).toEqual(["client", ...Object.keys(COLUMNS)]);
  expect(rows.map(([client]) => client!)).toEqual([...Object.keys(CLIENTS), "reason in the access log"]);
});

for (const [name, say] of Object.entries(CLIENTS))
  describe(name, () => {
    const row = rows.find(([client]) => client === name)!;

    test("client0 gets through", async () => {
      expect((await say(client0)).said).not.toMatch(/error|refused|lost/i);
    });

    test.each(head!.slice(1).map((column, index) => [column, row[index + 1]!] as const))(
      "%s: it says %s",
      async (column, cell) => {
        const { code, said } = await say(COLUMNS[column]);
        const words = [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
        for (const word of words.filter((each) => each !== "error")) expect(said).toContain(word);
        const exit = /, (\d+)$/.exec(cell)?.[1];
        if (exit !== undefined) expect(code).toBe(Number(exit));
      },
    );
  });

test("the reason in the access log is the one of the table", async () => {
  for (const reason of rows.at(-1)!.slice(1))
    expect(await sluice.access((each) => `\`${each.reason}\`` === reason)).toMatchObject({ router: "mqtt@file" });
});
