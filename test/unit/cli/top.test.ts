// sluice top: what is seen of a state, as whole screens in test/fixtures/top, and what keys do.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Connection, Figure, Router, Server } from "../../../src/cli/top/answers.ts";
import { lookAt, withSample } from "../../../src/cli/top/figures.ts";
import { sparkline } from "../../../src/cli/top/glyphs.ts";
import { keysOf } from "../../../src/cli/top/keys.ts";
import { cell, painted, plain, type Size } from "../../../src/cli/top/line.ts";
import { screen } from "../../../src/cli/top/screen.ts";
import { type Data, initialState, type State, type Tab } from "../../../src/cli/top/state.ts";
import { type Effect, pressed } from "../../../src/cli/top/update.ts";

const NOW = Date.parse("2026-11-26T03:00:00Z");
const ago = (seconds: number) => new Date(NOW - seconds * 1000).toISOString();

const client = (at: number, more: Partial<Connection> = {}): Connection => ({
  ...{
    id: `0-${at}`,
    since: ago(at * 61),
    entryPoint: "mqtts",
    step: "relay",
    address: `192.0.2.${at}`,
    port: 40_000 + at,
  },
  ...{ balancer: "", sni: "mqtt.example.com", router: "mqtt@file", service: "brokers@file", server: "10.0.0.7:1883" },
  ...{
    certificate: "",
    clientId: `dev-${at}`,
    username: "device",
    mqttVersion: "3.1.1",
    keepAlive: 60,
    tlsVersion: "TLSv1.3",
  },
  ...{ tlsCipher: "TLS_AES_256_GCM_SHA384", alpn: "", resumed: false, bytesIn: at * 1234, bytesOut: at * 99_999 },
  ...{ rateIn: at, rateOut: at * 10, idle: at * 100 },
  ...more,
});
const server = (address: string, more: Partial<Server> = {}): Server => ({
  ...{
    service: "brokers@file",
    address,
    health: "up",
    by: "check",
    reason: "",
    checked: true,
    latencyMs: 1.2,
    weight: 1,
  },
  ...{ maxConnections: null, backup: false, open: 4321, connections: 98_765, errors: 0, drain: null },
  ...more,
});
const router = (name: string, status: string, more: Partial<Router> = {}): Router => ({
  ...{
    name,
    status,
    rule: `HostSNI(\`${name}.example.com\`)`,
    service: "brokers@file",
    priority: 30,
    using: ["mqtts"],
  },
  ...more,
});

const figures = (scale: number): Figure[] => [
  { name: "sluice_entrypoint_open_connections", labels: { entrypoint: "mqtts" }, value: 12_345 },
  { name: "sluice_connections_total", labels: { result: "client-closed" }, value: 5000 * scale },
  { name: "sluice_connections_total", labels: { result: "unknown-sni" }, value: 1200 * scale },
  { name: "sluice_connections_total", labels: { result: "client-id-not-allowed" }, value: 7 },
  { name: "sluice_tls_handshake_duration_seconds_count", labels: { version: "TLSv1.3" }, value: 4000 * scale },
  { name: "sluice_router_bytes_total", labels: { router: "mqtt@file", direction: "in" }, value: 1e9 * scale },
  { name: "sluice_router_bytes_total", labels: { router: "mqtt@file", direction: "out" }, value: 7e9 * scale },
  { name: "sluice_router_open_connections", labels: { router: "mqtt@file" }, value: 12_000 },
];

const DATA: Partial<Data> = {
  ...{ version: "1.2.3", startedAt: ago(3 * 86_400 + 4 * 3600), routersInAll: 3 },
  samples: Array.from({ length: 150 }, (_, at) => ({
    ...{
      at: NOW - (150 - at) * 5000,
      open: 9000 + Math.round(3000 * Math.sin(at / 20)),
      ended: at * at,
      refused: at > 120 ? (at - 120) ** 2 : 0,
    },
    ...{ handshakes: at * 40, bytesIn: at * 1_000_000, bytesOut: at * at * 50_000 },
  })),
  former: lookAt(ago(2), figures(1)),
  look: lookAt(ago(0), figures(1.01)),
  servers: [
    server("10.0.0.7:1883"),
    server("10.0.0.8:1883", { health: "down", reason: "refused", by: "dials", open: 0, errors: 17, latencyMs: null }),
    server("[2001:db8::9]:1883", { drain: { policy: { kind: "spread", perSecond: 50 }, left: 1234 } }),
  ],
  diagnostics: [
    {
      severity: "error",
      code: "service-unknown",
      message: 'the service "x" does not exist',
      place: { file: "/etc/sluice/dynamic/mqtt.yml", line: 12, column: 3 },
    },
  ],
  providers: [
    { name: "file", state: "up" },
    { name: "redis", state: "away" },
  ],
  certificates: [{ names: ["mqtt.example.com"], daysLeft: 3, status: "warning", resolver: null, lastError: null }],
  bans: [{ entryPoint: "mqtts", network: "192.0.2.66" }],
  connections: {
    connections: [
      client(1),
      client(2, { clientId: "\x1b[2J\x07evil\u202e", username: null }),
      client(3, { clientId: "温度センサー-0123456789-abcdefghijklmnopqrstuvwxyz" }),
      client(4, { clientId: null, step: "connect", server: "", address: "2001:db8:1234:5678:9abc:def0:1234:5678" }),
      ...Array.from({ length: 60 }, (_, at) => client(at + 5)),
    ],
    ...{ matched: 12_345, open: 20_000 },
  },
  routers: [
    router("mqtt@file", "enabled"),
    router("wrong@file", "disabled", { error: ['the service "x" does not exist'] }),
    router("odd@docker", "warning", { error: ["its certificate has expired"] }),
  ],
  refusals: [
    {
      at: ago(5),
      reason: "unknown-sni",
      cause: "",
      entryPoint: "mqtts",
      address: "198.51.100.7",
      sni: "nobody.test",
      certificate: "",
      clientId: null,
      username: null,
      router: "",
    },
    {
      at: ago(70),
      reason: "client-id-not-allowed",
      cause: "",
      entryPoint: "mqtts",
      address: "198.51.100.8",
      sni: "mqtt.example.com",
      certificate: "",
      clientId: "dev\n8",
      username: "u",
      router: "mqtt@file",
    },
  ],
  events: [
    { id: 1, at: ago(60), level: "info", message: "configuration loaded", fields: { version: 4 } },
    {
      id: 2,
      at: ago(30),
      level: "warn",
      message: "a server is down",
      fields: { server: "10.0.0.8:1883", reason: "refused" },
    },
  ],
};

function state(tab: Tab, more: Partial<State> = {}, filter = ""): State {
  const first = initialState("/run/sluice/api.sock", tab, filter);
  return { ...first, data: { ...first.data, ...DATA }, seenAt: { [tab]: NOW - 1000 }, ...more };
}

const drawn = (seen: State, size: Size, isUnicode = true) => screen(seen, size, NOW, isUnicode);

/** Presses keys; the effects are those that are something. */
function press(from: State, ...keys: string[]): { readonly state: State; readonly effects: readonly Effect[] } {
  let now = from;
  const effects: Effect[] = [];
  for (const key of keys) {
    const [next, effect] = pressed(now, key, { now: NOW, page: 19 });
    now = next;
    if (effect !== null) effects.push(effect);
  }
  return { state: now, effects };
}

const SMALL: Size = { width: 80, height: 24 };
const LARGE: Size = { width: 120, height: 40 };
const SCREENS: readonly (readonly [name: string, State])[] = [
  ["overview", state("overview")],
  ["clients", press(state("clients", {}, "dev"), "j", "j").state],
  ["clients-close", press(state("clients"), "j", "k").state],
  ["client", press(state("clients"), "Enter").state],
  ["routes", state("routes")],
  ["brokers", state("brokers", { isFrozen: true })],
  ["brokers-drain", press(state("brokers"), "G", "d").state],
  ["refusals", state("refusals", { failure: "/run/sluice/api.sock: nothing listens there: is Sluice running?" })],
  ["events", state("events")],
  ["help", press(state("overview"), "?").state],
];

describe.each([["80x24", SMALL] as const, ["120x40", LARGE] as const])("screens of %s", (named, size) => {
  test.each(SCREENS)("%s", (name, seen) => {
    const lines = drawn(seen, size);
    expect(lines).toHaveLength(size.height);
    for (const each of lines) expect(Bun.stringWidth(each.map(({ text }) => text).join(""))).toBe(size.width);
    const file = join(import.meta.dir, "../../fixtures/top", `${name}-${named}.txt`);
    expect(`${lines.map(plain).join("\n")}\n`).toBe(readFileSync(file, "utf8"));
  });
});

test("no byte of a client's words reaches the terminal as anything but text", () => {
  const { state: detail } = press(state("clients"), "j", "Enter");
  for (const seen of [
    state("clients"),
    detail,
    press(detail, "k").state,
    state("refusals", { failure: "\x1b]0;x\x07" }),
  ])
    for (const each of drawn(seen, SMALL)) {
      expect(each.map(({ text }) => text).join("")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      expect(painted(each, true).replaceAll(/\x1b\[[\d;]+m/g, "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
  expect(drawn(detail, SMALL).map(plain).join("\n")).toContain("\\u001b[2J\\u0007evil");
});

test("every screen of every size has its lines and columns, and says where it is too small", () => {
  for (const [, seen] of SCREENS)
    for (const [width, height] of [
      [40, 8],
      [61, 13],
      [80, 24],
      [200, 60],
      [400, 100],
      [10, 3],
    ] as const)
      for (const each of drawn(seen, { width, height }, false))
        expect(Bun.stringWidth(each.map(({ text }) => text).join(""))).toBe(width);
  expect(plain(drawn(state("overview"), { width: 39, height: 24 })[0]!)).toContain("at least 40 x 8");
});

test("without colours nothing is lost but colours; where the locale is not UTF-8, all that Sluice writes is ASCII", () => {
  const bare = drawn(state("overview"), SMALL).map((each) => painted(each, false));
  expect(bare.join("")).not.toMatch(/\x1b\[(?:\d;)?3\dm/);
  expect(drawn(state("overview"), SMALL, false).map(plain).join("")).not.toMatch(/[^\x20-\x7e]/);
});

describe("keys", () => {
  test("numbers and Tab choose a tab, and ask for it", () => {
    expect(press(state("overview"), "2")).toMatchObject({ state: { tab: "clients" }, effects: [{ kind: "look" }] });
    expect(press(state("events"), "Tab").state.tab).toBe("overview");
    expect(press(state("overview"), "BackTab").state.tab).toBe("events");
  });

  test("a filter is asked for with each letter; Enter keeps it, Escape takes it back", () => {
    const typed = press(state("clients"), "/", "d", "e", "q", "Backspace");
    expect(typed.effects).toHaveLength(4);
    expect(typed.state.lists.clients.filter).toBe("de");
    expect(press(typed.state, "Enter").state).toMatchObject({
      mode: { kind: "list" },
      lists: { clients: { filter: "de" } },
    });
    expect(press(typed.state, "Escape").state.lists.clients.filter).toBe("");
  });

  test("a client is closed after y alone, and it is the one that the question has named", () => {
    const asked = press(state("clients"), "j", "k");
    expect(asked.effects.filter((effect) => effect?.kind === "close")).toEqual([]);
    expect(press(asked.state, "n")).toMatchObject({ effects: [], state: { notice: { text: "nothing was done" } } });
    const meanwhile = { ...asked.state, data: { ...asked.state.data, connections: null } };
    expect(press(meanwhile, "y").effects).toEqual([{ kind: "close", id: "0-2" }]);
  });

  test("the chosen line is followed when others come before it", () => {
    const { state: chosen } = press(state("clients"), "j");
    const connections = [client(99), ...chosen.data.connections!.connections];
    const later = { ...chosen, data: { ...chosen.data, connections: { connections, matched: 1, open: 1 } } };
    expect(press(press(later, "k").state, "y").effects.at(-1)).toEqual({ kind: "close", id: "0-2" });
  });

  test("a drain that closes nothing is done at once when its kind is chosen; one that closes asks again", () => {
    const asked = press(state("brokers"), "G", "d").state;
    const drain = { kind: "drain", service: "brokers@file", server: "10.0.0.7:1883" };
    expect(press(asked, "k").effects).toEqual([{ ...drain, policy: { connections: "keep" } } as Effect]);
    expect(press(asked, "c").effects).toEqual([]);
    expect(press(asked, "c", "y").effects).toEqual([{ ...drain, policy: { connections: "close" } } as Effect]);
    expect(press(asked, "s", "y").effects).toEqual([{ ...drain, policy: { spread: 50 } } as Effect]);
    expect(press(state("brokers"), "j", "u").effects).toEqual([
      { kind: "undrain", service: "brokers@file", server: "[2001:db8::9]:1883" },
    ]);
  });

  test("s sorts by the next column, S turns it round, space freezes", () => {
    const sorted = press(state("brokers"), "s");
    expect(plain(drawn(sorted.state, SMALL)[2]!)).toContain("sorted by open descending");
    expect(plain(drawn(press(sorted.state, "S").state, SMALL)[2]!)).toContain("sorted by open ascending");
    expect(press(state("clients"), "s").effects).toEqual([{ kind: "look" }]);
    expect(press(state("clients"), " ").state.isFrozen).toBe(true);
  });

  test("bytes are keys, several at once too; unknown sequences are none", () => {
    expect(keysOf("\x1b[A\x1bOBj\x1b[Z\t\r\x7f\x1b[15~\x1b[1;5Aé\x00")).toEqual([
      ...["Up", "Down", "j", "BackTab", "Tab", "Enter", "Backspace", "é"],
    ]);
    expect(keysOf("\x1b")).toEqual(["Escape"]);
  });
});

test("columns of a plot have the greatest of their share, and texts are cut by what they take on the screen", () => {
  expect(sparkline([0, 0, 7, 0], 2, true)).toBe("▁█");
  expect(sparkline([0, 0], 9, false)).toBe("__");
  expect(cell("温度センサー", 6)).toBe("温度~ ");
});

test("samples are kept every 5 s for a quarter of an hour, and begin anew with Sluice", () => {
  const sample = (at: number, ended: number) => ({
    at,
    open: 1,
    ended,
    refused: 0,
    handshakes: 0,
    bytesIn: 0,
    bytesOut: 0,
  });
  const first = withSample([], sample(0, 5));
  expect(withSample(first, sample(4999, 6))).toHaveLength(1);
  expect(withSample(first, sample(5000, 6))).toHaveLength(2);
  expect(withSample(first, sample(15 * 60_000, 6))).toHaveLength(1);
  expect(withSample(first, sample(5000, 1))).toEqual([sample(5000, 1)]);
});
