// What the master makes of a server's change: workers are told within the same turn, the log has one line, and a service without a server
// is told of once.

import { expect, test } from "bun:test";
import { HealthKeeper } from "../../../src/control/health.ts";
import type { Logger } from "../../../src/observe/logger.ts";
import type { Row } from "../../../src/protocol/messages.ts";
import type { ServerChange } from "../../../src/upstream/server-state.ts";
import type { LoadBalancerRow, Server } from "../../../src/upstream/service.ts";
import { cleanup } from "../../support/tools.ts";

function keeper() {
  const told: ServerChange[] = [];
  const lines: string[] = [];
  const say = (level: string) => (facts: { server?: string; service: string; reason?: string }, msg: string) =>
    lines.push(`${level} ${facts.server ?? facts.service} ${facts.reason ?? "-"}: ${msg.split(":")[0]}`);
  const logger = { debug: say("debug"), info: say("info"), warn: say("warn") } as unknown as Logger;
  const health = new HealthKeeper(logger, (changes) => told.push(...changes));
  cleanup(() => health.close());
  return { health, told, lines };
}

const server = (port: number, more: Partial<Server> = {}): Server => ({
  ...{ address: `h:${port}`, host: "127.0.0.1", port, tls: false },
  ...more,
});
function rows(...servers: Server[]): Map<string, Row> {
  const value: LoadBalancerRow = {
    kind: "loadBalancer",
    servers,
    transport: {
      ...{ dialTimeoutMs: 1000, keepAliveMs: -1, terminationDelayMs: 100, proxyProtocol: null },
      tls: { serverName: null, insecureSkipVerify: false, ca: null, cert: null, key: null },
    },
    passive: { failures: 1, unanswered: 3, windowMs: 1000, coolDownMs: 600_000 },
  };
  return new Map([["service/s", { kind: "service", name: "s", value }]]);
}
const outcome = (port: number, word: "refused" | "answered") =>
  ({ key: `s h:${port}`, outcome: word, count: 1 }) as const;

test("a change reaches the workers in the turn in which the master hears of it, and the log once", () => {
  const { health, told, lines } = keeper();
  health.want(rows(server(1), server(2)), new Map());
  for (let client = 0; client < 100; client++) health.heard([outcome(1, "refused")]);
  expect(told).toEqual([{ key: "s h:1", health: "down" }]);
  health.heard([outcome(1, "answered")]);
  expect(told.slice(1)).toEqual([{ key: "s h:1", health: "up", upSince: expect.any(Number) }]);
  expect(lines).toEqual(["warn h:1 refused: a server is down", "info h:1 -: a server is up again"]);
});

test("that a service has no server left is said once, and once that it has one again; a drained server is not missed", () => {
  const { health, lines } = keeper();
  health.want(rows(server(1), server(2), server(3, { drain: { kind: "keep" } })), new Map());
  health.heard([outcome(1, "refused"), outcome(2, "refused")]);
  const lost = "warn s -: all servers of a service are down";
  expect(lines.filter((line) => line.includes(" s "))).toEqual([lost]);
  health.heard([outcome(1, "refused"), outcome(2, "refused")]);
  health.want(rows(server(1), server(2)), new Map());
  expect(lines.filter((line) => line.includes(" s "))).toEqual([lost]);
  // A new server is one that may be well.
  health.want(rows(server(1), server(2), server(4)), new Map());
  expect(lines.filter((line) => line.includes(" s "))).toEqual([lost, "info s -: a service has a server again"]);
});

test("workers forget a server with its configuration", () => {
  const { health, told } = keeper();
  health.want(rows(server(1), server(2)), new Map());
  health.heard([outcome(1, "refused")]);
  health.want(rows(server(2)), new Map());
  expect(told).toEqual([
    { key: "s h:1", health: "down" },
    { key: "s h:1", health: "unknown", upSince: 0 },
  ]);
  health.want(rows(server(1), server(2)), new Map());
  expect([...health.states()].map((state) => state.health.health)).toEqual(["unknown", "unknown"]);
});
