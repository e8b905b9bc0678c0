// What operators do: drain, ban, reload, renew, and change what is logged. Each is asked for by a method that changes something, and
// asking twice does no more than asking once.

import { z } from "zod";
import { parseDuration } from "../../config/scalars.ts";
import type { Traced } from "../../protocol/looking.ts";
import type { LivePolicy } from "../../upstream/live.ts";
import type { Endpoint } from "../endpoint.ts";
import { ApiError } from "../failure.ts";
import type { ApiSources } from "../sources.ts";
import { done } from "./shapes.ts";

const text = z.string();
const DONE = { done: true } as const;
/** Clients whose way is traced at a time. */
const MAX_TRACED = 20;

const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

const drainBody = z.strictObject({
  connections: z.enum(["keep", "close"]).default("keep").meta({ description: "What becomes of those that are open." }),
  spread: z.number().int().min(1).max(1_000_000).optional().meta({ description: "Close so many a second instead." }),
});
const banBody = z.strictObject({
  network: text.min(1).meta({ description: "An address, or the network that stands for it on this entry point." }),
  time: text.default("1h").meta({ description: "For how long, such as 10m." }),
});
const tracedShape = z.strictObject({ by: z.enum(["clientId", "address"]), value: text.min(1).max(65_535) });
const traceBody = z.strictObject({ clients: z.array(tracedShape).max(MAX_TRACED) });
const levelBody = z.strictObject({ level: z.enum(LEVELS) });

export function actionEndpoints(sources: ApiSources): Endpoint[] {
  const server = "/api/sluice/services/{service}/servers/{server}";
  return [
    {
      method: "PUT",
      path: `${server}/drain`,
      role: "operator",
      summary:
        "Drains a server: it gets no new connections. Until it is taken back, or the server is configured no more; a restart forgets it.",
      body: drainBody,
      answer: done,
      handle: ({ parameters, body }) => {
        const { connections, spread } = body as z.output<typeof drainBody>;
        const policy: LivePolicy = spread !== undefined ? { kind: "spread", perSecond: spread } : { kind: connections };
        if (!sources.drain(parameters.service!, parameters.server!, policy)) throw noServer(parameters);
        return DONE;
      },
    },
    {
      method: "DELETE",
      path: `${server}/drain`,
      role: "operator",
      summary: "Takes a drain back: the server is as the configuration says.",
      answer: done,
      handle: ({ parameters }) => {
        if (!sources.undrain(parameters.service!, parameters.server!))
          throw new ApiError(404, `the server ${parameters.server} of ${parameters.service} is not drained by hand`);
        return DONE;
      },
    },
    {
      method: "POST",
      path: "/api/sluice/entrypoints/{name}/bans",
      role: "operator",
      summary: "Bans an address on an entry point that has `ban`.",
      body: banBody,
      answer: done,
      handle: ({ parameters, body }) => {
        const { network, time } = body as z.output<typeof banBody>;
        const ms = parseDuration(time);
        if (ms === null || ms <= 0) throw new ApiError(400, "time: a duration such as 10m or 24h");
        const point = sources.config.entryPoints.get(parameters.name!);
        if (point === undefined) throw new ApiError(404, `entry point not found: ${parameters.name}`);
        if (point.ban === null)
          throw new ApiError(
            409,
            `the entry point ${parameters.name} has no bans: add  ban: {}  to it in the static configuration`,
          );
        if (!sources.ban(parameters.name!, network, ms))
          throw new ApiError(
            400,
            `network: ${JSON.stringify(network.slice(0, 60))} is no address, and no network of ${point.ban.ipv4Prefix} or ${point.ban.ipv6Prefix} bits`,
          );
        return DONE;
      },
    },
    {
      method: "DELETE",
      path: "/api/sluice/entrypoints/{name}/bans/{network}",
      role: "operator",
      summary: "Lifts a ban.",
      answer: done,
      handle: ({ parameters }) => {
        if (!sources.lift(parameters.name!, parameters.network!))
          throw new ApiError(404, `${parameters.network} is not banned on ${parameters.name}`);
        return DONE;
      },
    },
    {
      method: "POST",
      path: "/api/sluice/reload",
      role: "admin",
      summary:
        "Reads the dynamic configuration and all certificates anew, as SIGHUP does. /api/sluice/loads says what came of it.",
      answer: done,
      handle: () => {
        sources.reload();
        return DONE;
      },
    },
    {
      method: "POST",
      path: "/api/sluice/certificates/{name}/renew",
      role: "admin",
      summary: "Has the resolver of the certificate for this name order it anew, now.",
      answer: done,
      handle: ({ parameters }) => {
        if (!sources.renew(parameters.name!))
          throw new ApiError(
            404,
            `no resolver keeps a certificate for ${parameters.name}: what is from a file is renewed there`,
          );
        return DONE;
      },
    },
    {
      method: "GET",
      path: "/api/sluice/log",
      role: "viewer",
      summary: "What is logged now.",
      answer: z.object({ level: text, configured: text, traced: z.array(z.object({ by: text, value: text })) }),
      handle: () => ({ level: sources.level(), configured: sources.config.log.level, traced: sources.traced() }),
    },
    {
      method: "PUT",
      path: "/api/sluice/log/level",
      role: "admin",
      summary: "Changes the level of the log until the next restart.",
      body: levelBody,
      answer: done,
      handle: ({ body }) => {
        sources.setLevel((body as z.output<typeof levelBody>).level);
        return DONE;
      },
    },
    {
      method: "PUT",
      path: "/api/sluice/log/trace",
      role: "admin",
      summary: "Writes each step of these clients into the log, by client id or address, and of no others; [] ends it.",
      body: traceBody,
      answer: done,
      handle: ({ body }) => {
        sources.trace((body as { clients: readonly Traced[] }).clients);
        return DONE;
      },
    },
  ];
}

function noServer({ service, server }: Readonly<Record<string, string>>): ApiError {
  return new ApiError(404, `there is no server ${server} of ${service}: names are as in /api/sluice/servers`);
}
