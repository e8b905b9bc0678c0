// HAProxy, the reference: one worker process, one thread, TCP mode.
import { join } from "node:path";
import { freePort, listening } from "../proc.ts";
import {
  CIPHERS_12,
  CIPHERS_13,
  firstLine,
  type Peer,
  type PeerOptions,
  type Protection,
  running,
  startPeer,
} from "./peer.ts";

/**
 * - `-W` (master-worker) is how Debian's unit runs it, and what makes a reload possible.
 * - log: `option tcplog` to stdout, the documented way for containers, as Sluice's access log goes to stdout too.
 * - the Prometheus exporter is on, on a listener of its own, as metrics are on in Sluice.
 * - hour-long client and server timeouts: the documentation's advice for long-lived protocols is a timeout above the
 *   keep alive; ours are never reached.
 * - `tune.ssl.*`, buffers and everything else: the defaults of the distribution. Idle buffers are released by default.
 * - SNI decides in both modes, as it does in Sluice; many names are a map, many certificates a crt-list, both as the
 *   configuration manual advises for large numbers.
 * - beside a dead server, a failed connection marks a server down at once and goes to the next one, as Sluice does it.
 * - a gate waits for a whole CONNECT and checks it by mqtt_is_valid, as the converter's description has it.
 * - protection: maxsslrate, as "it can be used to limit the global SSL CPU usage", maxconnrate, and a stick table by source address, which
 *   `tcp-request connection` asks before TLS, as the sections of both have it. `timeout client` is what ends a silent handshake in 2.6, so it is
 *   as short as clients allow that say nothing while a row lasts. Failed handshakes cannot be counted in 2.6, so
 *   whoever is to be refused for a while is known by how often it connected within a minute.
 */
function config(o: PeerOptions, port: number, metricsPort: number): string {
  const passthrough = o.mode === "passthrough";
  const name = passthrough ? "req.ssl_sni" : "ssl_fc_sni";
  const certificates = o.extraCerts ? `crt-list ${join(o.dir, "crt-list")}` : `crt ${o.certs.leaf[o.key].bundle}`;
  const bind = passthrough
    ? `  bind 127.0.0.1:${port}
  tcp-request inspect-delay 5s
  tcp-request content reject unless { req.ssl_hello_type 1 }`
    : `  bind 127.0.0.1:${port} ssl ${certificates}`;
  const rules = [`  use_backend broker if { ${name} -i localhost }`];
  if (o.extraRoutes) rules.push(`  use_backend %[${name},lower,map(${join(o.dir, "routes.map")})]`);
  if (o.extraCerts) rules.push("  default_backend broker");
  const gate = o.gate
    ? "\n  tcp-request inspect-delay 10s\n  tcp-request content reject unless { req.payload(0,0),mqtt_is_valid }"
    : "";
  const servers =
    o.deadServer === undefined
      ? `  server broker 127.0.0.1:${o.backendPort}`
      : `  option redispatch 1
  retries 1
  default-server check observe layer4 error-limit 1 on-error mark-down
  server dead 127.0.0.1:${o.deadServer}
  server broker 127.0.0.1:${o.backendPort}`;
  const { protection } = o;
  const table = protection === undefined ? "" : stickTable(protection);
  return `global
  nbthread 1
  maxconn 9900${protection === undefined ? "" : `\n  maxsslrate ${protection.handshakes}\n  maxconnrate ${4 * protection.handshakes}`}
  log stdout format raw local0
  ssl-default-bind-ciphersuites ${CIPHERS_13}
  ssl-default-bind-ciphers ${CIPHERS_12}
  ssl-default-bind-options prefer-client-ciphers ssl-min-ver TLSv1.2

defaults
  mode tcp
  log global
  option tcplog
  timeout connect 5s
  timeout client ${protection === undefined ? "1h" : "60s"}
  timeout server 1h

frontend metrics
  mode http
  no log
  bind 127.0.0.1:${metricsPort}
  http-request use-service prometheus-exporter if { path /metrics }

frontend mqtts
${bind}${table}${gate}
${rules.join("\n")}

backend broker
${servers}
`;
}

/** What is asked of each connection before its TLS. */
function stickTable({ connections, perSecond, failures }: Protection): string {
  const rules = [`sc0_conn_cur gt ${connections}`, `sc0_conn_rate gt ${perSecond}`];
  return failures === undefined
    ? `
  stick-table type ip size 100k expire 60s store conn_cur,conn_rate(1s)
  tcp-request connection track-sc0 src
${rules.map((rule) => `  tcp-request connection reject if { ${rule} }`).join("\n")}`
    : `
  stick-table type ip size 100k expire 60s store conn_rate(60s)
  tcp-request connection track-sc0 src
  tcp-request connection reject if { sc0_conn_rate gt ${failures} }`;
}

/** The map and the crt-list; what a reload changes is in them. */
async function lists(o: PeerOptions, round: number): Promise<void> {
  if (o.extraRoutes) {
    const names = Array.from({ length: o.extraRoutes }, (_, i) => `r${i}.bench.test broker`);
    await Bun.write(join(o.dir, "routes.map"), `${names.join("\n")}\nreload-${round}.bench.test broker\n`);
  }
  if (o.extraCerts) {
    const added = o.addedCert && round > 0 ? [o.addedCert] : [];
    const lines = [...o.extraCerts, ...added].map((extra) => `${extra.both}\n`);
    await Bun.write(join(o.dir, "crt-list"), `${o.certs.leaf[o.key].bundle}\n${lines.join("")}`);
  }
}

function haproxyPeer(name: string, binary: string): Peer {
  return {
    name,
    note: "TCP mode, master-worker, nbthread 1, tcplog to stdout, Prometheus exporter on",
    modes: ["terminate", "passthrough"],
    tls: true,
    workers: "one",
    reloads: true,
    grows: true,
    version: () => firstLine([binary, "-v"]),
    async start(o) {
      const port = await freePort();
      const file = join(o.dir, "haproxy.cfg");
      await Bun.write(file, config(o, port, await freePort()));
      await lists(o, 0);
      const program = startPeer([binary, "-W", "-f", file], o);
      await listening(port, program, 60);
      return {
        ...running(program, port),
        // SIGUSR2 to the master is the documented reload: a new worker starts, the old one keeps its connections.
        reload: async (round) => {
          await lists(o, round);
          process.kill(program.pid, "SIGUSR2");
        },
      };
    },
  };
}

/** The distribution's HAProxy: every ratio is to it. */
export const haproxy = haproxyPeer("haproxy", "haproxy");
/** Another HAProxy beside it, such as a 3.x built from source: HAPROXY_NEW=/path/to/haproxy. */
export const haproxyNew = process.env.HAPROXY_NEW ? haproxyPeer("haproxy-new", process.env.HAPROXY_NEW) : null;
