// The API as a whole: every endpoint, behind its gatekeeper.

import { z } from "zod";
import type { Service } from "../admin/server.ts";
import type { ApiConfig } from "../config/api.ts";
import { type AccessEvents, Gatekeeper } from "./access.ts";
import type { Endpoint } from "./endpoint.ts";
import { type HttpEvents, serveEndpoints } from "./http.ts";
import { openApi } from "./openapi.ts";
import { actionEndpoints } from "./sluice/actions.ts";
import { connectionEndpoints } from "./sluice/connections.ts";
import { explainEndpoint } from "./sluice/explain.ts";
import { pastEndpoints } from "./sluice/past.ts";
import { presentEndpoints } from "./sluice/present.ts";
import type { ApiSources } from "./sources.ts";
import { traefikEndpoints } from "./traefik/endpoints.ts";

/** Every endpoint that there is, its own description among them. */
export function endpointsOf(sources: ApiSources, base: string): Endpoint[] {
  const endpoints: Endpoint[] = [
    ...traefikEndpoints(sources),
    ...connectionEndpoints(sources),
    ...presentEndpoints(sources),
    ...pastEndpoints(sources),
    ...actionEndpoints(sources),
    explainEndpoint(sources),
  ];
  endpoints.push({
    method: "GET",
    path: "/api/sluice/openapi.json",
    role: "viewer",
    summary: "This API as OpenAPI 3.1.",
    answer: z.record(z.string(), z.unknown()),
    handle: () => openApi(endpoints, sources.version, base),
  });
  return endpoints;
}

/** What stands before /api: "" or "/sluice". */
export function baseOf({ basePath }: Pick<ApiConfig, "basePath">): string {
  return basePath.replace(/\/$/, "");
}

export function serveApi(config: ApiConfig, sources: ApiSources, events: AccessEvents & HttpEvents): Service {
  const base = baseOf(config);
  return serveEndpoints(endpointsOf(sources, base), base, new Gatekeeper(config, events), events);
}
