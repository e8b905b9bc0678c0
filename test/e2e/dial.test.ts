// A broker that cannot be reached costs its clients a clear end and Sluice nothing: descriptors are freed at once, the next server is
// tried, and a broker that comes back under another address is found.

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { blackHole } from "../support/black-hole.ts";
import { Authority } from "../support/certs.ts";
import { tcpServer, tlsClient } from "../support/clients.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { openDescriptors } from "../support/proc.ts";
import { Sluice } from "../support/sluice.ts";
import { cleanup, exec, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });
const certificates = `tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }`;

test("a dial that exceeds dialTimeout frees its descriptor at once, and the next server is tried", async () => {
  const hole = await blackHole();
  const backend = await tcpServer((socket) => socket.end("found"));
  const sluice = await Sluice.start({
    dynamic: `
tcp:
  routers: { mqtt: { rule: "HostSNI(\`localhost\`)", service: broker, tls: {} } }
  services:
    broker:
      loadBalancer: { serversTransport: quick, servers: [{ port: ${hole} }, { port: ${backend.port} }] }
  serversTransports: { quick: { dialTimeout: 500ms } }
${certificates}`,
  });
  const worker = sluice.workers[0]!;
  const before = openDescriptors(worker);
  const clients = await Promise.all(Array.from({ length: 20 }, () => tlsClient(sluice.port)));
  const answers = await Promise.all(clients.map(readAll));
  expect(answers).toEqual(clients.map(() => "found"));
  expect(await sluice.metric("sluice_dial_errors_total", { reason: "timeout" })).toBeGreaterThan(5);
  for (const client of clients) client.destroy();
  await waitFor("all descriptors to be free again", () => openDescriptors(worker) <= before);
});

function readAll(socket: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("end", () => resolve(text));
  });
}

test("with every server down the client is closed, and the first one that returns is used again", async () => {
  const port = await freePort();
  const sluice = await Sluice.start({
    dynamic: `
tcp:
  routers: { mqtt: { rule: "HostSNI(\`localhost\`)", service: broker, tls: {} } }
  services: { broker: { loadBalancer: { servers: [{ port: ${port} }] } } }
${certificates}`,
  });
  const client = await tlsClient(sluice.port);
  expect(await readAll(client)).toBe("");
  client.end();
  await sluice.access((line) => line.reason === "dial-failed");
  expect(await sluice.metric("sluice_dial_errors_total", { reason: "refused", service: "broker@file" })).toBe(1);

  const server = createServer((socket) => socket.end("back"));
  await new Promise<void>((done) => server.listen(port, "127.0.0.1", done));
  cleanup(() => server.close());
  await waitFor("a client to be sent there", async () => (await readAll(await tlsClient(sluice.port))) === "back");
  await sluice.logged("a server is up again");
});

test("a broker that is recreated with a new address is found soon, and all addresses of a name are tried", async () => {
  const directory = temporaryDirectory();
  const hosts = join(directory, "hosts");
  const port = await freePort();
  const entry = (...addresses: string[]) =>
    writeFileSync(hosts, ["127.0.0.1 localhost", ...addresses.map((each) => `${each} broker.test`)].join("\n"));
  entry("127.0.0.2");
  const first = await Mosquitto.start({ host: "127.0.0.2", port });
  const sluice = await Sluice.start({
    dynamic: `
tcp:
  routers: { mqtt: { rule: "HostSNI(\`localhost\`)", service: broker, tls: {} } }
  services: { broker: { loadBalancer: { servers: [{ address: "broker.test:${port}" }] } } }
${certificates}`,
    // A mount namespace of its own gives this Sluice an /etc/hosts of its own; exec keeps the process the one that is signalled.
    within: ["unshare", "-m", "sh", "-c", `mount --bind ${hosts} /etc/hosts && exec "$@"`, "sh"],
  });
  const publish = () =>
    exec([
      "mosquitto_pub",
      "-h",
      "localhost",
      "-p",
      String(sluice.port),
      "--cafile",
      authority.cert,
      "-t",
      "t",
      "-m",
      "x",
      "-q",
      "1",
    ]);
  expect((await publish()).code).toBe(0);

  await first.stop();
  await Mosquitto.start({ host: "127.0.0.3", port });
  entry("127.0.0.3");
  await waitFor("the new address to be used", async () => (await publish()).code === 0, 10_000);

  // Nobody listens on the first of the two; the second is tried in the same connection.
  entry("127.0.0.4", "127.0.0.3");
  const failures = await sluice.metric("sluice_dial_errors_total");
  // What was asked last is good for three seconds; by then the other answer has been in use.
  const until = performance.now() + 4000;
  for (let next = performance.now(); next < until; next += 250) {
    await waitFor("the next client's turn", () => performance.now() >= next);
    expect((await publish()).code).toBe(0);
  }
  expect(await sluice.metric("sluice_dial_errors_total")).toBe(failures);
}, 30_000);
