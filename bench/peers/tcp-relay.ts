// The bare TCP relay: what moving the bytes costs before any TLS. It stands beside the others as the floor.
import { join } from "node:path";
import { freePort, listening } from "../proc.ts";
import { type Peer, running, startPeer } from "./peer.ts";

/** In terminate rows the generator talks plain TCP to it; in passthrough rows TLS goes through it unread. */
export const tcpRelay: Peer = {
  name: "tcp-relay",
  note: "floor: no TLS of its own, no routing, no log",
  modes: ["terminate", "passthrough"],
  tls: false,
  workers: "one",
  version: async () => `Bun ${Bun.version}`,
  async start(o) {
    const port = await freePort();
    const program = startPeer([process.execPath, join(import.meta.dir, "tcp-relay-main.ts")], o, {
      PORT: String(port),
      BACKEND: String(o.backendPort),
    });
    await listening(port, program);
    return running(program, port);
  },
};
