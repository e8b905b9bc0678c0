// HAProxy, nginx and stunnel beside Sluice, as those who send PROXY headers and as those who read them.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { canConnect } from "./mosquitto.ts";
import { cleanup, temporaryDirectory, waitFor } from "./tools.ts";

/** How a program is started, and where nginx has its modules. */
export interface Programs {
  readonly haproxy: readonly string[];
  readonly nginx: readonly string[];
  readonly modules: string;
}

const DEBIAN: Programs = {
  haproxy: ["/usr/sbin/haproxy"],
  nginx: ["/usr/sbin/nginx"],
  modules: "/usr/lib/nginx/modules",
};

/** A program that listens, and what it has logged so far. */
export interface Neighbour {
  log(): string;
}

async function start(command: readonly string[], file: string, ports: readonly number[]): Promise<Neighbour> {
  const output = Bun.file(`${file}.log`);
  const child = Bun.spawn([...command], { stdin: "ignore", stdout: output, stderr: output });
  cleanup(async () => {
    child.kill("SIGKILL");
    await child.exited;
  });
  const log = () => (existsSync(`${file}.log`) ? readFileSync(`${file}.log`, "utf8") : "");
  for (const port of ports)
    await waitFor(`${command[0]} to listen`, () => {
      if (child.exitCode !== null) throw new Error(`${command.join(" ")} ended: ${log()}`);
      return canConnect("127.0.0.1", port);
    });
  return { log };
}

/** HAProxy with these sections, each of which may have a log-format of its own. */
export function haproxy(sections: string, ports: readonly number[], programs: Programs = DEBIAN): Promise<Neighbour> {
  const file = join(temporaryDirectory(), "haproxy.cfg");
  writeFileSync(
    file,
    `global
  log stdout format raw local0
defaults
  mode tcp
  log global
  timeout connect 5s
  timeout client 1m
  timeout server 1m
${sections}
`,
  );
  return start([...programs.haproxy, "-db", "-f", file], file, ports);
}

/** nginx with these servers in its stream block; its access log has a line of `format` for each connection. */
export async function nginx(
  servers: string,
  ports: readonly number[],
  format = "$remote_addr $remote_port",
  programs: Programs = DEBIAN,
): Promise<Neighbour> {
  const directory = temporaryDirectory();
  const [file, log] = [join(directory, "nginx.conf"), join(directory, "access.log")];
  writeFileSync(
    file,
    `load_module ${programs.modules}/ngx_stream_module.so;
daemon off;
master_process off;
pid ${directory}/nginx.pid;
error_log stderr;
events { worker_connections 64; }
stream {
  log_format who "${format}";
  access_log ${log} who;
  ${servers}
}
`,
  );
  const { log: errors } = await start([...programs.nginx, "-p", directory, "-e", "stderr", "-c", file], file, ports);
  return { log: () => (existsSync(log) ? readFileSync(log, "utf8") : errors()) };
}

/** stunnel with these services. */
export function stunnel(services: string, ports: readonly number[]): Promise<Neighbour> {
  const file = join(temporaryDirectory(), "stunnel.conf");
  writeFileSync(file, `foreground = yes\npid =\n${services}\n`);
  return start(["/usr/bin/stunnel4", file], file, ports);
}
