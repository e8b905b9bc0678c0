// stunnel: one process, a thread per connection.
import { join } from "node:path";
import { freePort, listening } from "../proc.ts";
import { CIPHERS_12, CIPHERS_13, type Peer, type PeerOptions, running, startPeer } from "./peer.ts";

/**
 * The manual's server example. debug = 5 is its default and writes a line per connection, which is its access log.
 * TIMEOUTidle an hour keeps idle connections. It has no way to send a name on unread, so no passthrough.
 */
function config(o: PeerOptions, port: number): string {
  const leaf = o.certs.leaf[o.key];
  return `foreground = yes
pid =
syslog = no
debug = 5
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1

[mqtts]
accept = 127.0.0.1:${port}
connect = 127.0.0.1:${o.backendPort}
cert = ${leaf.cert}
key = ${leaf.key}
sslVersionMin = TLSv1.2
ciphers = ${CIPHERS_12}
ciphersuites = ${CIPHERS_13}
TIMEOUTidle = 3600
`;
}

/** stunnel as Debian builds it. */
export const stunnel: Peer = {
  name: "stunnel",
  note: "a thread per connection, debug = 5 (a line per connection)",
  modes: ["terminate"],
  tls: true,
  workers: "one",
  reloads: true,
  version: async () => {
    const text = Bun.spawnSync(["stunnel4", "-version"], { stderr: "pipe" }).stderr.toString();
    return /stunnel \S+ on \S+/.exec(text)?.[0] ?? null;
  },
  async start(o) {
    const port = await freePort();
    const file = join(o.dir, "stunnel.conf");
    await Bun.write(file, config(o, port));
    const program = startPeer(["stunnel4", file], o);
    await listening(port, program);
    return { ...running(program, port), reload: async () => void process.kill(program.pid, "SIGHUP") };
  },
};
