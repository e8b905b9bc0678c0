// A plain Node proxy of `tls` and `pipe()`: what one writes in ten minutes.
import { join } from "node:path";
import { freePort, listening } from "../proc.ts";
import { CIPHERS_12, CIPHERS_13, firstLine, type Peer, running, startPeer } from "./peer.ts";

/** Node's own `tls` and `net`; no access log and no metrics, in its favour. */
export const nodePipe: Peer = {
  name: "node-pipe",
  note: "tls.createServer + pipe(), no log, no metrics",
  modes: ["terminate"],
  tls: true,
  workers: "one",
  version: async () => {
    const version = await firstLine(["node", "--version"]);
    return version && `node ${version}`;
  },
  async start(o) {
    const port = await freePort();
    const leaf = o.certs.leaf[o.key];
    const program = startPeer(["node", join(import.meta.dir, "node-pipe.mjs")], o, {
      PORT: String(port),
      BACKEND: String(o.backendPort),
      KEY: leaf.key,
      CERT: leaf.cert,
      CIPHERS: `${CIPHERS_13}:${CIPHERS_12}`,
    });
    await listening(port, program);
    return running(program, port);
  },
};
