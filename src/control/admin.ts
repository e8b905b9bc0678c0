// Which entry points serve the admin side, and what each of them serves.

import { type AdminServer, type Handler, serveAdmin } from "../admin/server.ts";
import { shared } from "../admin/shared.ts";
import { challengeEntryPoints } from "../config/acme.ts";
import type { StaticConfig } from "../config/static.ts";
import { addressOf } from "../system/listen-addresses.ts";
import type { OpenApi } from "./api.ts";
import { cannotListen } from "./start-error.ts";

export interface AdminSources {
  /** Prometheus' text format. */
  metrics(): Promise<string>;
  /** Why clients should not come now, in a word or two; null: all is well. */
  ping(): string | null;
  /** What answers an HTTP-01 challenge (RFC 8555 8.3); null for one that is not under way. */
  challenge(host: string, token: string): string | null;
  /** null where there is none. */
  readonly api: Pick<OpenApi, "path" | "service" | "dashboard"> | null;
}

const CHALLENGE = "/.well-known/acme-challenge/";

/** @param shared addresses where a Sluice listens that this one is to follow. @throws StartError when one cannot listen. */
export async function openAdmin(
  config: StaticConfig,
  sources: AdminSources,
  shared: readonly string[],
): Promise<AdminServer[]> {
  const tables = pathsByEntryPoint(config, sources);
  const points = [...config.entryPoints.values()].filter((point) => point.admin);
  return Promise.all(
    points.map((point) =>
      serveAdmin(
        { host: addressOf(point.host), port: point.port, isShared: shared.includes(point.address) },
        tables.get(point.name) ?? new Map(),
      ).catch((error) => {
        throw cannotListen(point, error);
      }),
    ),
  );
}

/** The paths that each entry point serves, by its name. */
function pathsByEntryPoint(config: StaticConfig, sources: AdminSources): Map<string, Map<string, Handler>> {
  const tables = new Map<string, Map<string, Handler>>();
  const serve = (entryPoint: string | undefined, path: string, handler: Handler) => {
    if (entryPoint === undefined) return;
    const paths = tables.get(entryPoint) ?? new Map<string, Handler>();
    tables.set(entryPoint, paths.set(path, handler));
  };
  const metrics = shared(async () => Buffer.from(await sources.metrics()));
  serve(config.metrics.prometheus?.entryPoint, "/metrics", async () => ({
    type: "text/plain; version=0.0.4; charset=utf-8",
    body: await metrics(),
  }));
  serve(config.ping?.entryPoint, "/ping", () => {
    const why = sources.ping();
    return why === null ? { body: "OK" } : { status: 503, body: `${why}\n` };
  });
  if (sources.api !== null) {
    serve(config.api?.entryPoint, sources.api.path, sources.api.service);
    const { dashboard } = sources.api;
    if (dashboard !== null) {
      serve(config.api?.entryPoint, dashboard.path, dashboard.handle);
      serve(config.api?.entryPoint, dashboard.path.slice(0, -1), dashboard.handle);
    }
  }
  for (const entryPoint of challengeEntryPoints(config.certificatesResolvers))
    serve(entryPoint, CHALLENGE, ({ host, path }) => {
      const text = sources.challenge(host, path.slice(CHALLENGE.length));
      return text === null ? null : { type: "application/octet-stream", body: text };
    });
  return tables;
}
