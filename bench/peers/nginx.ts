// nginx's stream module: one worker.
import { join } from "node:path";
import { freePort, listening } from "../proc.ts";
import { CIPHERS_12, CIPHERS_13, firstLine, type Peer, type PeerOptions, running, startPeer } from "./peer.ts";

/** Where Debian's libnginx-mod-stream puts the module. */
const MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so";

/**
 * - the SNI decides through a map, as nginx's documentation shows for both `$ssl_server_name` and ssl_preread;
 * - ssl_session_cache shared, as the stream_ssl documentation advises;
 * - an access log line per connection, in the format of the stream_log documentation; there is no exporter to turn on;
 * - proxy_timeout an hour, so that idle connections stay; buffers stay at the default of 16 kB.
 */
function config(o: PeerOptions, port: number): string {
  const leaf = o.certs.leaf[o.key];
  const name = o.mode === "passthrough" ? "$ssl_preread_server_name" : "$ssl_server_name";
  const tls =
    o.mode === "passthrough"
      ? "ssl_preread on;"
      : `ssl_certificate ${leaf.cert};
    ssl_certificate_key ${leaf.key};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ciphers ${CIPHERS_12};
    ssl_conf_command Ciphersuites ${CIPHERS_13};
    ssl_prefer_server_ciphers off;
    ssl_session_cache shared:SSL:10m;`;
  return `load_module ${MODULE};
daemon off;
pid ${o.dir}/pid;
error_log ${o.dir}/log warn;
worker_processes 1;
worker_rlimit_nofile 20000;
events { worker_connections 20000; }
stream {
  log_format basic '$remote_addr [$time_local] $protocol $status $bytes_sent $bytes_received $session_time';
  access_log ${o.dir}/access basic;
  upstream broker { server 127.0.0.1:${o.backendPort}; }
  upstream nowhere { server 127.0.0.1:1; }
  map ${name} $route { localhost broker; default nowhere; }
  server {
    listen 127.0.0.1:${port}${o.mode === "passthrough" ? "" : " ssl"} backlog=4096;
    ${tls}
    proxy_pass $route;
    proxy_timeout 1h;
  }
}
`;
}

/** nginx with one worker. */
export const nginx: Peer = {
  name: "nginx",
  note: "stream module, worker_processes 1, access log on",
  modes: ["terminate", "passthrough"],
  tls: true,
  workers: "one",
  reloads: true,
  version: () => firstLine(["nginx", "-v"]),
  async start(o) {
    const port = await freePort();
    const file = join(o.dir, "nginx.conf");
    await Bun.write(file, config(o, port));
    const program = startPeer(["nginx", "-c", file, "-e", join(o.dir, "log")], o);
    await listening(port, program);
    return { ...running(program, port), reload: async () => void process.kill(program.pid, "SIGHUP") };
  },
};
