// What workers are told of the static configuration when they start.

import type { BanConfig } from "../config/ban.ts";
import type { StaticConfig } from "../config/static.ts";
import { formatOf, type LogSettings } from "../observe/log.ts";
import type { BanSettings, EntryPointSettings, WorkerSettings } from "../protocol/messages.ts";
import { descriptorLimit } from "../system/processes.ts";
import { StartError } from "./start-error.ts";

/** Descriptors that are not connections: listeners, pipes, the runtime's own, and dials that were given up (MAX_QUICK). */
const RESERVED_DESCRIPTORS = 200;

export function logSettings({ log }: StaticConfig): LogSettings {
  return { level: log.level, format: formatOf(log), filePath: log.filePath };
}

/** What all workers are told; each of them also gets its own number and its own sockets. */
export interface CommonSettings extends Omit<WorkerSettings, "index" | "workers" | "entryPoints"> {
  readonly entryPoints: readonly Omit<EntryPointSettings, "sockets">[];
}

/** @throws StartError when the descriptor limit does not allow as many connections as are configured. */
export function workerSettings(config: StaticConfig, generation: number): CommonSettings {
  const limit = descriptorLimit();
  const most = Math.max(1, Math.floor((limit - RESERVED_DESCRIPTORS) / 2));
  const maxConnections = config.limits.maxConnections ?? most;
  if (maxConnections > most) {
    throw new StartError(
      `limits.maxConnections is ${maxConnections}, but the descriptor limit (ulimit -n ${limit}) allows ${most}: each connection takes two`,
    );
  }
  return {
    entryPoints: [...config.entryPoints.values()]
      .filter((point) => !point.admin)
      .map(({ name, readTimeoutMs, connectTimeoutMs, proxyProtocol, admission, ban }) => ({
        ...{ name, readTimeoutMs, connectTimeoutMs, proxyProtocol, admission },
        ban: banSettings(ban),
      })),
    generation,
    maxConnections,
    heldBytesPerConnection: config.limits.heldBytesPerConnection,
    heldBytesPerWorker: config.limits.heldBytesPerWorker,
    log: logSettings(config),
    accessLog: config.accessLog ?? null,
    helloBytesPerWorker: config.limits.helloBytesPerWorker,
    isInspected: config.api !== undefined,
  };
}

function banSettings(ban: BanConfig | null): BanSettings | null {
  if (ban === null) return null;
  const { reasons, ipv4Prefix, ipv6Prefix, trustedIPs } = ban;
  return { reasons, ipv4Prefix, ipv6Prefix, trustedIPs };
}
