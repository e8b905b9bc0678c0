// Admission in the configuration: how many may come to an entry point, how fast, and who is not asked.

import { z } from "zod";
import { DEFAULT_RATE } from "./admission-limits.ts";
import type { EntryPointConfig } from "./entry-points.ts";
import { duration, field, section } from "./field.ts";
import { checkNetworks } from "./networks.ts";
import type { Say } from "./subject.ts";

const MAX_WAIT_MS = 60_000;

const most = z.number().int().min(1).max(10_000_000).optional();
/** 0 is no limit, for what has a default. */
const rate = z.number().int().min(0).max(1_000_000);
const burst = z.number().int().min(1).max(10_000_000);

const UNLIMITED = { otherwise: "no limit", nothingIsWrong: true };

export const admission = section({
  maxConnections: field(
    "The most connections of this entry point, over all workers. Where it is reached, one that has not come in yet makes room, or the new one is closed.",
    most,
    { ...UNLIMITED, unit: "connections", example: 50_000 },
  ),
  perAddress: field(
    "What one address may have.",
    section({
      connections: field("The most connections at a time, over all workers.", most, {
        ...UNLIMITED,
        unit: "connections",
        example: 500,
      }),
      rate: field("New connections per second, before TLS. `0` is no limit.", rate.default(0), {
        unit: "connections per second",
        otherwise: "`0`, no limit",
        example: 100,
        nothingIsWrong: true,
      }),
      burst: field("New connections at once, before `rate` counts.", burst.optional(), {
        unit: "connections",
        otherwise: "as many as `rate` gives in a second",
        example: 200,
        nothingIsWrong: true,
      }),
      silent: field(
        "The most connections of a worker that have not come in yet: without a hello, the end of the handshake or CONNECT. Over it the oldest of the address goes.",
        most,
        {
          unit: "connections per worker",
          otherwise: "a quarter of `limits.maxConnections`, 16 at least",
          example: 1000,
          nothingIsWrong: true,
        },
      ),
    }).prefault({}),
  ),
  handshakes: field(
    "TLS handshakes with clients. Who would be over a limit waits for `maxWait` at most, with the hello read and nothing computed.",
    section({
      concurrent: field("The most that are under way at a time, over all workers.", most, {
        ...UNLIMITED,
        unit: "handshakes",
        example: 1000,
      }),
      rate: field("How many begin per second, over all workers. `0` is no limit.", rate.default(0), {
        unit: "handshakes per second",
        otherwise: "`0`, no limit",
        example: 1000,
        nothingIsWrong: true,
      }),
      burst: field("How many begin at once, before `rate` counts.", burst.optional(), {
        unit: "handshakes",
        otherwise: "as many as `rate` gives in a tenth of a second",
        example: 100,
        nothingIsWrong: true,
      }),
      perAddress: field(
        "Those of one address.",
        section({
          concurrent: field("The most that are under way at a time.", most, {
            unit: "handshakes",
            otherwise: "half of `handshakes.concurrent`; no limit where that has none",
            example: 100,
            nothingIsWrong: true,
          }),
          rate: field("How many begin per second. `0` is no limit.", rate.default(DEFAULT_RATE), {
            unit: "handshakes per second",
            example: 50,
            nothingIsWrong: true,
          }),
          burst: field("How many begin at once, before `rate` counts.", burst.optional(), {
            unit: "handshakes",
            otherwise: "as many as `rate` gives in five seconds",
            example: 200,
            nothingIsWrong: true,
          }),
        }).prefault({}),
      ),
    }).prefault({}),
  ),
  ipv4Prefix: field(
    "How many bits of an IPv4 address count as one address.",
    z.number().int().min(8).max(32).default(32),
    {
      unit: "bits",
      example: 24,
      nothingIsWrong: true,
    },
  ),
  ipv6Prefix: field(
    "How many bits of an IPv6 address count as one address. A household has a /64 or a larger network.",
    z.number().int().min(16).max(128).default(64),
    { unit: "bits", example: 56, nothingIsWrong: true },
  ),
  maxWait: field(
    "How long what exceeds a rate waits, in the order of its coming. Who would wait longer is closed within 1.5 s.",
    duration(0, "must not be negative").default(5000),
    { example: "10s", nothingIsWrong: true },
  ),
  trustedIPs: field(
    "Who is not asked and not counted: addresses and networks in CIDR form.",
    z.array(z.string().min(1)).default(["127.0.0.0/8", "::1/128"]),
    { kind: "network", otherwise: "`[127.0.0.0/8, ::1/128]`", example: ["10.0.0.0/8"], nothingIsEmpty: true },
  ),
});

/** What is wrong with it, and what has no effect. `isGiven` says whether a field of the file is there. */
export function checkAdmission(
  points: Iterable<EntryPointConfig>,
  isGiven: (path: readonly string[]) => boolean,
  problem: Say,
  warn: Say,
): void {
  for (const { name, admin, admission: settings } of points) {
    const path = ["entryPoints", name, "admission"];
    if (admin) {
      if (isGiven(path))
        warn("field-ignored", path, `${path.join(".")} is ignored: the entry point serves HTTP, and admits everybody`);
      continue;
    }
    if (settings.maxWaitMs > MAX_WAIT_MS)
      problem(
        "field-value",
        [...path, "maxWait"],
        `${path.join(".")}.maxWait must be at most 1m: no client waits longer`,
      );
    checkNetworks([...path, "trustedIPs"], settings.trustedIPs, problem);
    for (const [section, rateConfig] of [
      [["perAddress"], settings.rate],
      [["handshakes"], settings.handshakes.rate],
      [["handshakes", "perAddress"], settings.handshakes.rateOfAddress],
    ] as const) {
      const at = [...path, ...section, "burst"];
      if (rateConfig === null && isGiven(at))
        warn("fields-conflict", at, `${at.join(".")} says nothing without a rate beside it`);
    }
    const { connections, maxConnections, handshakes } = settings;
    const pairs: readonly [field: readonly string[], ofAddress: number | null, ofAll: number | null, what: string][] = [
      [["perAddress", "connections"], connections, maxConnections, "connections"],
      [
        ["handshakes", "perAddress", "concurrent"],
        handshakes.concurrentOfAddress,
        handshakes.concurrent,
        "handshakes at a time",
      ],
      [
        ["handshakes", "perAddress", "rate"],
        handshakes.rateOfAddress?.perSecond ?? null,
        handshakes.rate?.perSecond ?? null,
        "handshakes per second",
      ],
    ];
    for (const [field, ofAddress, ofAll, what] of pairs) {
      const at = [...path, ...field];
      if (ofAddress !== null && ofAll !== null && ofAddress > ofAll && isGiven(at))
        warn(
          "fields-conflict",
          at,
          `${at.join(".")} is ${ofAddress} and says nothing: the entry point has ${ofAll} ${what} at most`,
        );
    }
  }
}
