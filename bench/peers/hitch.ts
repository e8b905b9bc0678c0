// hitch: one worker. It only terminates and has no access log.
import { join } from "node:path";
import { freePort, listening } from "../proc.ts";
import { CIPHERS_12, CIPHERS_13, firstLine, type Peer, type PeerOptions, running, startPeer } from "./peer.ts";

/** The example configuration that comes with it, with the ciphers of all the others. */
function config(o: PeerOptions, port: number): string {
  return `frontend = "[127.0.0.1]:${port}"
backend = "[127.0.0.1]:${o.backendPort}"
pem-file = "${o.certs.leaf[o.key].bundle}"
workers = 1
backlog = 4096
keepalive = 3600
tls-protos = TLSv1.2 TLSv1.3
ciphers = "${CIPHERS_12}"
ciphersuites = "${CIPHERS_13}"
prefer-server-ciphers = off
daemon = off
syslog = off
log-level = 1
user = "${process.getuid?.() === 0 ? "nobody" : ""}"
`;
}

/** hitch with one worker. */
export const hitch: Peer = {
  name: "hitch",
  note: "workers = 1, no access log to turn on",
  modes: ["terminate"],
  tls: true,
  workers: "one",
  reloads: true,
  version: () => firstLine(["hitch", "--version"]),
  async start(o) {
    const port = await freePort();
    const file = join(o.dir, "hitch.conf");
    await Bun.write(file, config(o, port));
    const program = startPeer(["hitch", `--config=${file}`], o);
    await listening(port, program);
    return { ...running(program, port), reload: async () => void process.kill(program.pid, "SIGHUP") };
  },
};
