// The API within the master: what it is told, and what it says in the log. It is loaded only where it is configured.

import { lstatSync, renameSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { type AdminServer, type Handle, type Service, serveAdmin } from "../admin/server.ts";
import { baseOf, serveApi } from "../api/api.ts";
import type { ApiSources } from "../api/sources.ts";
import type { ApiConfig } from "../config/api.ts";
import { isAnswered } from "../net/unix-listener.ts";
import type { Logger } from "../observe/logger.ts";
import { describeError } from "../system/errors.ts";
import { StartError } from "./start-error.ts";

export interface OpenApi {
  /** Path and handler of the dashboard; null: it is not wanted. */
  readonly dashboard: { readonly path: string; readonly handle: Handle } | null;
  readonly service: Service;
  /** Path of the service on its entry point. */
  readonly path: string;
  /** The Unix socket, an absolute path; null: there is none. */
  readonly socket: string | null;
  /** From now on the Unix socket has its name. */
  appear(): void;
  /** Serves no more; the Unix socket's name is another one's. */
  leave(): void;
  stop(): void;
}

/**
 * @param former the Unix socket of a Sluice that this one is to follow.
 * @throws StartError when the Unix socket cannot be made.
 */
export async function openApi(
  config: ApiConfig,
  sources: ApiSources,
  logger: Logger,
  former: string | null,
): Promise<OpenApi> {
  const service = serveApi(config, sources, {
    onBadUsers: (message) => logger.error(message),
    onFault: (error) => logger.error({ err: error }, "a defect in Sluice failed a request to the API"),
    onLockedOut: (address) =>
      logger.warn(
        { client: address },
        "the API does not listen to an address for 10 minutes: too many wrong passwords or tokens",
      ),
    onAction: ({ who, from, what, reason, status }) =>
      logger.info({ who, from, what, ...(reason !== "" && { why: reason }), status }, "asked for by the API"),
  });
  const path = `${baseOf(config)}/api/`;
  const dashboard = config.dashboard ? await openDashboard(config) : null;
  if (config.socket === undefined)
    return { ...{ service, path, dashboard, socket: null }, appear() {}, leave() {}, stop() {} };
  const file = resolve(config.socket);
  // A listener removes the name under which it was made when it closes: by then that is perhaps another one's.
  const made = `${file}.${process.pid}`;
  const server = await listenOnSocket(file, made, file === former, path, service);
  return {
    ...{ service, path, dashboard, socket: file },
    appear: () => renameSync(made, file),
    leave: () => server.stop(),
    stop: () => {
      server.stop();
      rmSync(file, { force: true });
    },
  };
}

async function openDashboard(config: ApiConfig): Promise<NonNullable<OpenApi["dashboard"]>> {
  const { serveDashboard } = await import("../dashboard/serve.ts");
  const path = `${baseOf(config)}/dashboard/`;
  return { path, handle: serveDashboard(path) };
}

async function listenOnSocket(
  file: string,
  made: string,
  isFormer: boolean,
  path: string,
  service: Service,
): Promise<AdminServer> {
  try {
    if (!isFormer && lstatSync(file, { throwIfNoEntry: false })?.isSocket() && (await isAnswered(file)))
      throw new StartError(`api.socket: another process listens on ${file}`);
    rmSync(made, { force: true });
    return await serveAdmin({ path: made }, new Map([[path, service]]));
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(`api.socket: cannot listen on ${file}: ${describeError(error)}`);
  }
}
