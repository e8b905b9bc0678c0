// The API within the master: what it is told, and what it says in the log. It is loaded only where it is configured.

import { lstatSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { type AdminServer, type Service, serveAdmin } from "../admin/server.ts";
import { baseOf, serveApi } from "../api/api.ts";
import type { ApiSources } from "../api/sources.ts";
import type { ApiConfig } from "../config/api.ts";
import { isAnswered } from "../net/unix-listener.ts";
import type { Logger } from "../observe/logger.ts";
import { describeError } from "../system/errors.ts";
import { StartError } from "./start-error.ts";

export interface OpenApi {
  readonly service: Service;
  /** Path of the service on its entry point. */
  readonly path: string;
  stop(): void;
}

/** @throws StartError when the Unix socket cannot be made. */
export async function openApi(config: ApiConfig, sources: ApiSources, logger: Logger): Promise<OpenApi> {
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
  const socket = config.socket === undefined ? null : await listenOnSocket(resolve(config.socket), path, service);
  return { service, path, stop: () => socket?.stop() };
}

async function listenOnSocket(file: string, path: string, service: Service): Promise<AdminServer> {
  try {
    if (lstatSync(file, { throwIfNoEntry: false })?.isSocket()) {
      if (await isAnswered(file)) throw new StartError(`api.socket: another process listens on ${file}`);
      // What a killed Sluice has left behind.
      rmSync(file, { force: true });
    }
    const server = await serveAdmin({ path: file }, new Map([[path, service]]));
    return {
      ...server,
      stop: () => {
        server.stop();
        rmSync(file, { force: true });
      },
    };
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(`api.socket: cannot listen on ${file}: ${describeError(error)}`);
  }
}
