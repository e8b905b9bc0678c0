// Why Sluice cannot start.

import type { EntryPointConfig } from "../config/entry-points.ts";
import { formatHostPort } from "../config/scalars.ts";
import { describeError } from "../system/errors.ts";
import { whoListens } from "../system/listeners.ts";

/** Something that the operator must mend before Sluice can start; its message is the one line that is printed. */
export class StartError extends Error {}

/** Ports below this one need a right (ip(7), net.ipv4.ip_unprivileged_port_start). */
const PRIVILEGED_BELOW = 1024;

type SystemError = Pick<NodeJS.ErrnoException, "code" | "message">;

export function cannotListen({ name, host, port }: EntryPointConfig, error: unknown): StartError {
  const where = formatHostPort(host || "*", port);
  const why = whyNot(port, `entryPoints.${name}.address`, error as SystemError);
  return new StartError(`entry point ${name}: cannot listen on ${where}: ${why}`);
}

/** Who has a broker already needs no second one: the routes lead to that address. */
export function brokerCannotListen(address: string, port: number, error: SystemError): StartError {
  const option = "embeddedBroker.address, or take embeddedBroker out if that is your broker";
  return new StartError(`embeddedBroker: cannot listen on ${address}: ${whyNot(port, option, error)}`);
}

/** `error` is what the first load threw: nothing that is written in the configuration does that. */
export function cannotLoad(error: unknown): StartError {
  const known = whyNotLoaded(error as NodeJS.ErrnoException);
  const why =
    known ??
    `${(error as Error).message}: mend that, and start Sluice again; if nothing is wrong there, report it as a bug`;
  return new StartError(`the configuration: cannot be loaded: ${why}`, { cause: error });
}

/** What a load threw, with what can be done about it (inotify(7)); null for what nobody has thought of. */
export function whyNotLoaded({ code, syscall, path }: NodeJS.ErrnoException): string | null {
  if (syscall === "watch" && code === "ENOSPC")
    return `${path} cannot be watched, the system's limit of watches is reached: raise sysctl fs.inotify.max_user_watches, or set providers.file.poll`;
  if (syscall === "watch" && code === "EMFILE")
    return `${path} cannot be watched, the system's limit of watchers is reached: raise sysctl fs.inotify.max_user_instances and the descriptor limit, or set providers.file.poll`;
  if (syscall === "uv_cwd") return "the working directory has been removed: start Sluice in one that exists";
  return null;
}

/** With what can be done about it; `option` is what to change: where the port is configured. */
function whyNot(port: number, option: string, error: SystemError): string {
  const why = describeError(error);
  if (error.code === "EADDRINUSE") {
    const holder = whoListens(port);
    if (holder === null) return `${why}: change ${option}`;
    const { pid, command, isOrphan } = holder;
    if (isOrphan)
      return `${why}, by process ${pid}, a worker of a Sluice whose master is gone: end it with  kill -9 ${pid}`;
    return `${why}, by process ${pid} (${command}): stop that, or change ${option}`;
  }
  if (error.code === "EACCES" && port < PRIVILEGED_BELOW)
    return `${why}: a port below ${PRIVILEGED_BELOW} needs a right: AmbientCapabilities=CAP_NET_BIND_SERVICE in a systemd unit, setcap cap_net_bind_service=+ep on the executable (with npm: on Bun's), or sysctl net.ipv4.ip_unprivileged_port_start=${port}; or map it, as in  docker run -p ${port}:8883`;
  return why;
}
