// What has happened: refusals, events, loads.

import { z } from "zod";
import type { Endpoint } from "../endpoint.ts";
import { Reply } from "../endpoint.ts";
import type { ApiSources, Event } from "../sources.ts";
import { diagnostic, diagnosticOf, iso, moment } from "./shapes.ts";

const MAX_REFUSALS = 500;
/** How often a stream says that it is there, so that nobody in between ends it. Milliseconds. */
const ALIVE_MS = 15_000;

const text = z.string();
const number = z.number();

const refusal = z.object({
  at: moment,
  reason: text.meta({ description: "See the table of reasons in docs/operations.md." }),
  cause: text,
  entryPoint: text,
  address: text,
  sni: text,
  certificate: text,
  clientId: text.nullable(),
  username: text.nullable(),
  router: text,
});

const event = z.object({ id: number, at: moment, level: text, message: text, fields: z.record(text, z.unknown()) });

const sample = z.object({
  at: number.meta({ description: "Milliseconds since the epoch." }),
  open: number,
  ended: number,
  refused: number,
  handshakes: number,
  handshakeFailures: number,
  bytesIn: number,
  bytesOut: number,
});

const load = z.object({
  at: moment,
  durationMs: number,
  result: z.enum(["loaded", "refused"]),
  version: number.nullable(),
  refused: z.array(text).meta({ description: "Providers whose newest offer is not in force." }),
  errors: number,
  warnings: number,
  diagnostics: z.array(diagnostic),
  changed: z.array(z.object({ kind: text, name: text, change: text })),
  changes: number.meta({ description: "How many have changed; `changed` has the first of them." }),
});

const EVENT_QUERY = {
  level: "Those at least as urgent: info, warn, error or fatal.",
  search: "Those with this text in their message or fields, in whatever case.",
} as const;

export function pastEndpoints(sources: ApiSources): Endpoint[] {
  return [
    {
      method: "GET",
      path: "/api/sluice/refusals",
      role: "viewer",
      summary: "The last clients that did not come in, the newest first, each with the reason.",
      query: {
        reason: "Those with this reason.",
        search: "Those with this text in any field, in whatever case.",
        address: "Those from this address.",
      },
      answer: z.object({ refusals: z.array(refusal) }),
      handle: async ({ query }) => {
        const all = (await sources.ask("refusals", 0)).flat().sort((a, b) => b.at - a.at);
        const [reason, address, search] = [
          query.get("reason"),
          query.get("address"),
          query.get("search")?.toLowerCase(),
        ];
        const found = all.filter(
          (each) =>
            (!reason || each.reason === reason) &&
            (!address || each.address === address) &&
            (!search ||
              Object.values(each).some((value) =>
                String(value ?? "")
                  .toLowerCase()
                  .includes(search),
              )),
        );
        return { refusals: found.slice(0, MAX_REFUSALS).map((each) => ({ ...each, at: iso(each.at) })) };
      },
    },
    {
      method: "GET",
      path: "/api/sluice/events",
      role: "viewer",
      summary: "The last events, the oldest first: what the master's log says that is not for debugging.",
      query: EVENT_QUERY,
      answer: z.object({ events: z.array(event) }),
      handle: ({ query }) => ({ events: sources.events().filter(eventTest(query)).map(lookOf) }),
    },
    {
      method: "GET",
      path: "/api/sluice/events/stream",
      role: "viewer",
      summary:
        "Events as they happen, as Server-Sent Events. Those that came after the header Last-Event-ID, and are still known, come first.",
      query: { ...EVENT_QUERY, after: "In place of Last-Event-ID." },
      answer: "text/event-stream",
      handle: ({ query, lastEventId }) => {
        const isWanted = eventTest(query);
        const after = Number(query.get("after") ?? lastEventId ?? Number.POSITIVE_INFINITY);
        return new Reply({
          type: "text/event-stream",
          stream: (write) => {
            const tell = (each: Event) => {
              if (isWanted(each)) write(`id: ${each.id}\ndata: ${JSON.stringify(lookOf(each))}\n\n`);
            };
            write(": here\n\n");
            for (const each of sources.events()) if (each.id > after) tell(each);
            const end = sources.onEvent(tell);
            const alive = setInterval(() => write(": here\n\n"), ALIVE_MS);
            return () => {
              clearInterval(alive);
              end();
            };
          },
        });
      },
    },
    {
      method: "GET",
      path: "/api/sluice/history",
      role: "viewer",
      summary:
        "Sums over all workers every 5 s, for the last quarter of an hour, the oldest first. All but `open` only grow.",
      answer: z.object({ samples: z.array(sample) }),
      handle: () => ({ samples: sources.history() }),
    },
    {
      method: "GET",
      path: "/api/sluice/loads",
      role: "viewer",
      summary:
        "The last loads of the configuration, the newest first: what came of each, what was said, what has changed.",
      answer: z.object({ loads: z.array(load) }),
      handle: () => ({
        loads: sources
          .loads()
          .map((each) => ({ ...each, at: iso(each.at), diagnostics: each.diagnostics.map(diagnosticOf) })),
      }),
    },
    {
      method: "GET",
      path: "/api/sluice/diagnostics",
      role: "viewer",
      summary: "What is wrong with the configuration now.",
      answer: z.object({ version: number, loadedAt: moment, diagnostics: z.array(diagnostic) }),
      handle: () => {
        const { version, loadedAt, diagnostics } = sources.inForce();
        return { version, loadedAt: loadedAt.toISOString(), diagnostics: diagnostics.map(diagnosticOf) };
      },
    },
  ];
}

const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"];

function eventTest(query: URLSearchParams): (event: Event) => boolean {
  const least = LEVELS.indexOf(query.get("level") ?? "info");
  const search = (query.get("search") ?? "").toLowerCase();
  return ({ level, message, fields }) =>
    LEVELS.indexOf(level) >= least &&
    (search === "" || `${message} ${JSON.stringify(fields)}`.toLowerCase().includes(search));
}

function lookOf({ id, at, level, message, fields }: Event): z.output<typeof event> {
  return { id, at: iso(at), level, message, fields };
}
