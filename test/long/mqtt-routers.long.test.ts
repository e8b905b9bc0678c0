// With 10 000 routers that ask for what a CONNECT says, two for each name, a client is told apart as with two.

import { expect, test } from "bun:test";
import { Authority } from "../support/certs.ts";
import { anyConnect } from "../support/connect-packet.ts";
import { opening, recordingBroker } from "../support/first-packet.ts";
import { Sluice } from "../support/sluice.ts";

const NAMES = 5000;

test("10 000 routers with matchers of MQTT: each client comes to its own, and a reload of one is in force", async () => {
  const authority = await Authority.create();
  const { cert, key } = await authority.issue({ names: ["*.test"] });
  const [sensors, others] = await Promise.all([1, 2].map(() => recordingBroker(Buffer.from("20020000", "hex"))));
  const dynamic = (special: string) => {
    const lines = ["tcp:", "  routers:"];
    for (let index = 0; index < NAMES; index++) {
      const name = `HostSNI(\`h${index}.test\`)`;
      const id = index === 7 ? special : "^sensor-";
      lines.push(
        `    s${index}: { rule: '${name} && MQTTClientIDRegexp(\`${id}\`)', service: sensors, tls: {} }`,
        `    o${index}: { rule: '${name} && !MQTTVersion(\`3.1\`)', service: others, tls: {}, priority: 1 }`,
      );
    }
    lines.push("  services:");
    for (const [name, { port }] of Object.entries({ sensors: sensors!, others: others! }))
      lines.push(`    ${name}: { loadBalancer: { servers: [{ port: ${port} }] } }`);
    return `${lines.join("\n")}\ntls: { certificates: [{ certFile: ${cert}, keyFile: ${key} }] }\n`;
  };
  const sluice = await Sluice.start({ dynamic: dynamic("^sensor-") });
  const reached = async (index: number, clientId: string, level = 4) => {
    const client = await opening(sluice.port, `h${index}.test`, anyConnect(clientId, { level }));
    const seen = sluice.accesses.length;
    await client.until("200200");
    client.socket.destroy();
    const line = await sluice.access((each) => sluice.accesses.indexOf(each) >= seen && each.clientId === clientId);
    return line.router ?? line.reason;
  };
  for (const index of [0, 7, NAMES - 1]) {
    expect(await reached(index, `sensor-${index}`)).toBe(`s${index}@file`);
    expect(await reached(index, `other-${index}`)).toBe(`o${index}@file`);
    expect(await reached(index, `old-${index}`, 3)).toBe("no-route");
  }
  await sluice.reload(() => sluice.replace("dynamic.yml", dynamic("^pump-")));
  expect(await reached(7, "pump-1")).toBe("s7@file");
  expect(await reached(7, "sensor-1")).toBe("o7@file");
}, 600_000);
