// Connections that are open now: found, sorted and shown a page at a time by the workers that have them, and closed.

import { z } from "zod";
import { parseNetwork } from "../../ip/address.ts";
import {
  type ConnectionFilter,
  type ConnectionLook,
  compareKeys,
  type ListRequest,
  SORT_COLUMNS,
  type SortKey,
} from "../../protocol/looking.ts";
import type { Endpoint } from "../endpoint.ts";
import { ApiError } from "../failure.ts";
import type { ApiSources } from "../sources.ts";
import { iso, moment } from "./shapes.ts";

const LIMIT = 100;
const MAX_LIMIT = 1000;

const FILTERS = {
  clientId: "Those with this client id.",
  username: "Those with this user name.",
  address: "Those from this address, or from this network in CIDR form.",
  sni: "Those that ask for this name.",
  certificate: "Those whose certificate has this subject.",
  entryPoint: "Those of this entry point.",
  router: "Those of this router, by its full name.",
  service: "Those of this service, by its full name.",
  server: "Those with this server.",
} as const;

const text = z.string();
const number = z.number();

export const connection = z.object({
  id: text.meta({ description: "Names it as long as it is open." }),
  since: moment,
  entryPoint: text,
  step: text.meta({ description: "Where it is on its way; relay is the end of it." }),
  address: text,
  port: number,
  balancer: text,
  sni: text,
  router: text,
  service: text,
  server: text,
  certificate: text,
  clientId: text.nullable().meta({ description: "null: no CONNECT was read." }),
  username: text.nullable(),
  mqttVersion: text.nullable(),
  keepAlive: number.nullable().meta({ description: "Seconds." }),
  tlsVersion: text,
  tlsCipher: text,
  alpn: text,
  resumed: z.boolean(),
  bytesIn: number,
  bytesOut: number,
  rateIn: number.nullable().meta({ description: "Bytes per second since it was last looked at; null: it was not." }),
  rateOut: number.nullable(),
  idle: number.nullable().meta({ description: "Milliseconds without a byte, by what was seen." }),
});

const pageShape = z.object({
  connections: z.array(connection),
  matched: number.meta({ description: "Of all pages." }),
  open: number,
  next: text.nullable().meta({ description: "`after` of the next page; null: this is the last one." }),
});

const filterShape = z.strictObject({
  id: text.min(1).optional(),
  ...(Object.fromEntries(Object.keys(FILTERS).map((name) => [name, text.optional()])) as Record<
    keyof typeof FILTERS,
    z.ZodOptional<z.ZodString>
  >),
});

export function connectionEndpoints({ ask }: ApiSources): Endpoint[] {
  const close = async (filter: ConnectionFilter) => {
    checkAddress(filter);
    const answers = await ask("close", filter);
    return { closed: answers.reduce((sum, { closed }) => sum + closed, 0) };
  };
  return [
    {
      method: "GET",
      path: "/api/sluice/connections",
      role: "viewer",
      summary: "Connections that are open now, a page at a time.",
      query: {
        ...FILTERS,
        search: "Those with this text in any of their names, in whatever case.",
        sort: `By what: ${SORT_COLUMNS.join(", ")}. Without it, the newest first.`,
        direction: "asc or desc.",
        limit: `How many, up to ${MAX_LIMIT}; ${LIMIT} without it.`,
        after: "`next` of the page before.",
      },
      answer: pageShape,
      handle: async ({ query }) => {
        const request = requestOf(query);
        const answers = await ask("connections", request);
        const sign = request.descending ? -1 : 1;
        const rows = answers.flatMap(({ rows }) => rows).sort((a, b) => sign * compareKeys(a.key, b.key));
        const page = rows.slice(0, request.limit);
        const hasMore = rows.length > request.limit || answers.some(({ rows }) => rows.length === request.limit);
        return {
          connections: page.map(({ row }) => lookOf(row)),
          matched: answers.reduce((sum, { matched }) => sum + matched, 0),
          open: answers.reduce((sum, { open }) => sum + open, 0),
          next: hasMore && page.length > 0 ? cursorOf(page.at(-1)!.key) : null,
        };
      },
    },
    {
      method: "GET",
      path: "/api/sluice/connections/{id}",
      role: "viewer",
      summary: "One connection.",
      answer: connection,
      handle: async ({ parameters }) => {
        const answers = await ask("connections", {
          ...requestOf(new URLSearchParams()),
          filter: { id: parameters.id! },
        });
        const found = answers.flatMap(({ rows }) => rows)[0];
        if (found === undefined)
          throw new ApiError(404, `connection not found: ${parameters.id}: it is closed, perhaps`);
        return lookOf(found.row);
      },
    },
    {
      method: "DELETE",
      path: "/api/sluice/connections/{id}",
      role: "operator",
      summary: "Closes one connection.",
      answer: z.object({ closed: number }),
      handle: async ({ parameters }) => {
        const result = await close({ id: parameters.id! });
        if (result.closed === 0)
          throw new ApiError(404, `connection not found: ${parameters.id}: it is closed, perhaps`);
        return result;
      },
    },
    {
      method: "POST",
      path: "/api/sluice/connections/close",
      role: "operator",
      summary:
        "Closes all connections that match, such as those of a client id, an address or a server. At least one thing must be given.",
      body: filterShape,
      answer: z.object({ closed: number }),
      handle: ({ body }) => {
        const filter = Object.fromEntries(
          Object.entries(body as ConnectionFilter).filter(([, value]) => value !== undefined),
        );
        if (Object.keys(filter).length === 0) throw new ApiError(400, "say which: nothing closes all connections");
        return close(filter);
      },
    },
  ];
}

function requestOf(query: URLSearchParams): ListRequest {
  const filter: Record<string, string> = {};
  for (const name of [...Object.keys(FILTERS), "search"]) {
    const value = query.get(name);
    if (value !== null && value !== "") filter[name] = value;
  }
  checkAddress(filter);
  const given = query.get("sort") ?? "";
  const sort = SORT_COLUMNS.find((each) => each === given);
  if (given !== "" && sort === undefined) throw new ApiError(400, `sort: one of ${SORT_COLUMNS.join(", ")}`);
  const direction = query.get("direction") ?? "";
  if (!["", "asc", "desc"].includes(direction)) throw new ApiError(400, "direction: asc or desc");
  const limit = query.get("limit") ?? String(LIMIT);
  if (!/^[1-9]\d{0,3}$/.test(limit) || Number(limit) > MAX_LIMIT)
    throw new ApiError(400, `limit: from 1 to ${MAX_LIMIT}`);
  return {
    filter,
    sort: sort ?? "since",
    descending: direction === "" ? sort === undefined : direction === "desc",
    limit: Number(limit),
    after: keyOf(query.get("after")),
  };
}

function checkAddress({ address }: ConnectionFilter): void {
  if (address !== undefined && parseNetwork(address) === null)
    throw new ApiError(400, "address: an IP address, or a network such as 10.0.0.0/8");
}

/** Opaque to who asks. */
function cursorOf(key: SortKey): string {
  return Buffer.from(JSON.stringify(key)).toString("base64url");
}

function keyOf(cursor: string | null): SortKey | null {
  if (cursor === null || cursor === "") return null;
  try {
    const [value, since] = JSON.parse(Buffer.from(cursor, "base64url").toString()) as unknown[];
    if ((typeof value === "string" || typeof value === "number") && typeof since === "number") return [value, since];
  } catch {
    // No cursor of ours.
  }
  throw new ApiError(400, "after: `next` of the page before");
}

function lookOf(row: ConnectionLook): z.output<typeof connection> {
  return { ...row, since: iso(row.since) };
}
