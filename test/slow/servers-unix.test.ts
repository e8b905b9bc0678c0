// A broker on a Unix socket: MQTT passes, a PROXY header comes first, and what is wrong with the socket is said by its name.

import { expect, test } from "bun:test";
import { chmodSync, chownSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { Authority } from "../support/certs.ts";
import { sluiceCli } from "../support/cli.ts";
import { tlsClient } from "../support/clients.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { SLUICE, Sluice } from "../support/sluice.ts";
import { cleanup, exec, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });
const directory = temporaryDirectory();
const path = (name: string) => join(directory, name);

const dynamic = (servers: string, more = "") => `
tcp:
  routers: { mqtt: { rule: "HostSNI(\`localhost\`)", service: broker, tls: {} } }
  services: { broker: { loadBalancer: { servers: [${servers}]${more} } } }
  serversTransports: { told: { proxyProtocol: { version: 2 } } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }
`;

/** A server on a Unix socket, and the first bytes of each connection to it. */
async function unixServer(name: string): Promise<Buffer[]> {
  const first: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (chunk) => {
      first.push(Buffer.from(chunk as Buffer));
      socket.end("heard");
    });
  });
  await new Promise<void>((done) => server.listen(path(name), done));
  cleanup(() => server.close());
  return first;
}

test("Mosquitto on a Unix socket takes a message and gives it back, and one that starts anew is used again", async () => {
  const socket = path("mosquitto.sock");
  const lines = [`listener 0 ${socket}`];
  const broker = await Mosquitto.start({ lines });
  const sluice = await Sluice.start({ dynamic: dynamic(`{ address: "unix://${socket}" }`), workers: 2 });
  const mqtt = (program: string, ...more: string[]) =>
    exec([program, "-h", "localhost", "-p", String(sluice.port), "--cafile", authority.cert, "-t", "t", ...more]);
  expect(await mqtt("mosquitto_pub", "-m", "kept", "-r", "-q", "1")).toMatchObject({ code: 0 });
  for (let i = 0; i < 5; i++)
    expect(await mqtt("mosquitto_sub", "-C", "1", "-W", "10")).toMatchObject({ code: 0, stdout: "kept\n" });
  const access = await sluice.access(({ reason }) => reason === "relayed" || reason === "client-closed");
  expect(access.server).toBe(`unix://${socket}`);
  await broker.stop();
  await Mosquitto.start({ lines });
  await waitFor("the new broker", async () => (await mqtt("mosquitto_pub", "-m", "x", "-q", "1")).code === 0);
});

test("a PROXY header goes before everything else over a Unix socket too, with the client's addresses", async () => {
  const first = await unixServer("header.sock");
  const sluice = await Sluice.start({
    dynamic: dynamic(`{ address: "unix://${path("header.sock")}" }`, ", serversTransport: told"),
  });
  const client = await tlsClient(sluice.port);
  client.write("hello");
  const [bytes] = await waitFor("the first bytes", () => (first.length > 0 ? first : null));
  // Version 2, PROXY, TCP over IPv4, 12 bytes of addresses and ports (haproxy's proxy-protocol.txt, 2.2).
  expect(bytes!.subarray(0, 16).toString("hex")).toBe("0d0a0d0a000d0a515549540a2111000c");
  expect([...bytes!.subarray(16, 24)]).toEqual([127, 0, 0, 1, 127, 0, 0, 1]);
  client.destroy();
});

test("a socket that is not there and one that may not be used are told apart, and the next server is used", async () => {
  const first = await unixServer("fine.sock");
  await unixServer("closed.sock");
  chownSync(path("closed.sock"), 65_534, 65_534);
  chmodSync(path("closed.sock"), 0o600);
  const servers = ["absent.sock", "closed.sock", "fine.sock"].map((name) => `{ address: "unix://${path(name)}" }`);
  const sluice = await Sluice.start({
    dynamic: dynamic(servers.join(", ")),
    // Root without its right to overlook permissions.
    within: ["setpriv", "--bounding-set=-dac_override,-dac_read_search"],
  });
  for (let i = 0; i < 3; i++) {
    const client = await tlsClient(sluice.port);
    client.write("hello");
    await waitFor("the server that works", () => first.length > i);
    client.destroy();
  }
  for (const [name, reason] of [
    ["absent.sock", "absent"],
    ["closed.sock", "permission"],
  ] as const) {
    const server = `unix://${path(name)}`;
    expect(await sluice.metric("sluice_dial_errors_total", { server, reason })).toBeGreaterThan(0);
    await waitFor(`the line about ${name}`, () =>
      sluice.lines.some((line) => line.server === server && line.reason === reason),
    );
  }
});

test("a sidecar's broker may be on a Unix socket", async () => {
  const first = await unixServer("sidecar.sock");
  const port = await freePort();
  const sluice = Bun.spawn([SLUICE, "run", `--sidecar=unix://${path("sidecar.sock")}`], {
    cwd: directory,
    stdio: ["ignore", "ignore", "inherit"],
    env: {
      ...process.env,
      ...{ SLUICE_SIDECAR_CERTFILE: pair.cert, SLUICE_SIDECAR_KEYFILE: pair.key },
      SLUICE_ENTRYPOINTS_MQTTS_ADDRESS: `127.0.0.1:${port}`,
    },
  });
  cleanup(async () => {
    sluice.kill("SIGKILL");
    await sluice.exited;
  });
  const client = await waitFor("it to listen", () => tlsClient(port).catch(() => null));
  client.write("hello");
  await waitFor("the broker to hear it", () => first.some((each) => each.toString() === "hello"));
  client.destroy();
});

test("check says what cannot be the path of a sidecar's broker", async () => {
  const files = [`--sidecar.certFile=${pair.cert}`, `--sidecar.keyFile=${pair.key}`];
  const check = (address: string) =>
    sluiceCli(["check", `--sidecar=${address}`, ...files], { cwd: directory }).then(({ stderr }) => stderr);
  expect(await check("unix://run/mosquitto.sock")).toContain("is not the absolute path of a Unix socket");
  expect(await check(`unix:///${"a".repeat(107)}`)).toContain("has 108 bytes, and the system takes 107");
  expect(await check("unix:///run/mosquitto.sock")).not.toContain("ocket");
});
