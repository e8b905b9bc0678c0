// The relay loses no byte: not when a receiver stalls, not when one side closes or half-closes, in either direction; a reset stays a
// reset, and what it holds is bounded.

import { describe, expect, test } from "bun:test";
import type { Socket } from "node:net";
import { Authority } from "../support/certs.ts";
import { drainHash, sendPattern, tcpClient, tcpServer, tlsClient } from "../support/clients.ts";
import { openDescriptors, residentKb } from "../support/proc.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });

const MB = 1024 * 1024;
let onAccept: (socket: Socket) => void = () => {};
const backend = await tcpServer((socket) => onAccept(socket));
const sluice = await Sluice.start({
  entryPoint: `  plain:
    address: "127.0.0.1:0"`,
  dynamic: `
tcp:
  routers:
    tls: { rule: "HostSNI(\`localhost\`)", service: backend, entryPoints: [mqtts], tls: {} }
    plain: { rule: "HostSNI(\`*\`)", service: backend, entryPoints: [mqtts] }
  services:
    backend: { loadBalancer: { servers: [{ port: ${backend.port} }], terminationDelay: 2000 } }
tls:
  certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }]
`,
});

/** What starts like MQTT takes the plain router. */
const CONNECT = Buffer.from("100f00044d5154540402003c0003616263", "hex");
const modes = {
  terminate: async () => tlsClient(sluice.port),
  plain: async () => tcpClient(sluice.port),
};

for (const [mode, client] of Object.entries(modes)) {
  describe(mode, () => {
    test("1 MB up, a half-close, then 3 MB down arrive whole", async () => {
      const accepted = new Promise<Socket>((resolve) => {
        onAccept = resolve;
      });
      const socket = await client();
      const received = drainHash(socket);
      socket.write(CONNECT);
      const server = await accepted;
      const seen = drainHash(server);
      await sendPattern(socket, MB, 7);
      socket.end();
      expect((await seen).bytes).toBe(MB + CONNECT.length);
      const sent = await sendPattern(server, 3 * MB, 9);
      server.end();
      expect(await received).toEqual({ bytes: 3 * MB, sha256: sent });
    });

    test("what the server sends right before it closes reaches the client", async () => {
      onAccept = (server) => {
        server.on("data", () => {});
        void sendPattern(server, 2 * MB, 3).then(() => server.end());
      };
      const socket = await client();
      const received = drainHash(socket);
      socket.write(CONNECT);
      expect((await received).bytes).toBe(2 * MB);
      socket.end();
    });

    test("what the client sends right before it closes reaches the server", async () => {
      const got = new Promise<{ bytes: number; sha256: string }>((resolve) => {
        onAccept = (server) => {
          resolve(drainHash(server));
          server.on("end", () => server.end());
        };
      });
      const socket = await client();
      socket.resume();
      socket.write(CONNECT);
      await sendPattern(socket, 2 * MB, 5);
      socket.end();
      expect((await got).bytes).toBe(2 * MB + CONNECT.length);
    });

    test("a reader that stalls in front of 100 MB holds no more than its bound, and gets every byte", async () => {
      const total = 100 * MB;
      let sent = "";
      onAccept = (server) => {
        server.on("data", () => {});
        void sendPattern(server, total, 11).then((sha256) => {
          sent = sha256;
          server.end();
        });
      };
      const worker = sluice.workers[0]!;
      const before = residentKb(worker);
      const socket = await client();
      socket.pause();
      socket.write(CONNECT);
      await waitFor("the sender to be paused", async () => (await sluice.metric("sluice_relay_held_bytes")) > 0);
      const held = await sluice.metric("sluice_relay_held_bytes");
      expect(held).toBeLessThanOrEqual(512 * 1024);
      const received = drainHash(socket);
      socket.resume();
      const result = await received;
      expect(result.bytes).toBe(total);
      expect(result.sha256).toBe(sent);
      socket.end();
      await waitFor("nothing to be held", async () => (await sluice.metric("sluice_relay_held_bytes")) === 0);
      expect(residentKb(worker) - before).toBeLessThan(64 * 1024);
    }, 60_000);

    test("a reset by the server is a reset for the client, and the other way round", async () => {
      const accepted = new Promise<Socket>((resolve) => {
        onAccept = resolve;
      });
      const socket = await client();
      const closed = new Promise<boolean>((resolve) => {
        socket.on("close", (hadError: boolean) => resolve(hadError));
        socket.on("error", () => {});
      });
      socket.once("data", () => socket.write("more"));
      socket.write(CONNECT);
      const server = await accepted;
      // One that resets before it has answered is a server that failed.
      server.once("data", () => {
        server.write("an answer");
        server.once("data", () => server.resetAndDestroy());
      });
      await closed;
      await sluice.access((line) => line.reason === "server-reset" && (mode === "plain") === (line.sni === undefined));

      const second = new Promise<Socket>((resolve) => {
        onAccept = resolve;
      });
      const raw = await client();
      raw.write(CONNECT);
      const other = await second;
      const reset = new Promise<string>((resolve) => {
        other.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
        other.on("data", () => {});
      });
      await waitFor("the relay to run", async () => (await sluice.metric("sluice_router_open_connections")) > 0);
      (raw as Socket).resetAndDestroy();
      expect(await reset).toBe("ECONNRESET");
    });
  });
}

test("after all of that no descriptor is left behind", async () => {
  const worker = sluice.workers[0]!;
  await waitFor(
    "every connection to be gone",
    async () => (await sluice.metric("sluice_entrypoint_open_connections")) === 0,
  );
  await waitFor("descriptors to be back at what listening takes", () => openDescriptors(worker) < 40);
});
