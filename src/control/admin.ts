// Which entry points serve the admin side, and what each of them serves.

import type { Server } from "bun";
import { type AdminPaths, serveAdmin } from "../admin/server.ts";
import type { StaticConfig } from "../config/static.ts";
import { cannotListen } from "./start-error.ts";

/** @throws StartError when one cannot listen. */
export function openAdmin(
  config: StaticConfig,
  paths: { [path in keyof AdminPaths]: NonNullable<AdminPaths[path]> },
): Server<undefined>[] {
  const { metrics, ping, certificatesResolvers } = config;
  const challenges = new Set(
    Object.values(certificatesResolvers).map(({ acme }) => acme?.httpChallenge?.entryPoint ?? null),
  );
  return [...config.entryPoints.values()]
    .filter((point) => point.admin)
    .map((point) => {
      try {
        return serveAdmin(point.host, point.port, {
          metrics: metrics.prometheus?.entryPoint === point.name ? paths.metrics : null,
          ping: ping?.entryPoint === point.name ? paths.ping : null,
          challenge: challenges.has(point.name) ? paths.challenge : null,
        });
      } catch (error) {
        throw cannotListen(point, error);
      }
    });
}
