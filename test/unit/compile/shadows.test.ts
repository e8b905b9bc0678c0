// Routers that no connection reaches are told of, with who takes their connections; and nothing else is.

import { describe, expect, test } from "bun:test";
import { type CheckedRouter, warnShadowed } from "../../../src/compile/shadows.ts";
import { Diagnostics } from "../../../src/config/diagnostics.ts";
import { parseAddress } from "../../../src/ip/address.ts";
import type { RouterAction } from "../../../src/protocol/messages.ts";
import { compile } from "../../../src/rules/matchers.ts";
import { defaultPriority, parseRule } from "../../../src/rules/parser.ts";
import { orderRoutes } from "../../../src/rules/table.ts";
import { cpuMs } from "../../support/cpu.ts";
import { sized } from "../../support/full-size.ts";
import { random } from "../../support/random.ts";

const TLS: RouterAction = { kind: "terminate", options: "default" };

interface Given {
  readonly rule: string;
  readonly priority?: number;
  readonly on?: readonly string[];
  readonly action?: RouterAction;
}

function routers(given: Record<string, Given | string>): CheckedRouter[] {
  return Object.entries(given).map(([name, value]) => {
    const { rule: text, priority, on = ["mqtts"], action = TLS } = typeof value === "string" ? { rule: value } : value;
    const parsed = parseRule(text);
    if (parsed.kind === "error") throw new Error(`${text}: ${parsed.message}`);
    const { rule } = parsed;
    const row = {
      entryPoints: on,
      rule,
      priority: priority ?? defaultPriority(text, rule),
      action,
      middlewares: [],
      service: "s",
    };
    return { name, row, place: () => ({ file: name, line: 1, column: 1 }) };
  });
}

function warnings(given: Record<string, Given | string>): string[] {
  const diagnostics = new Diagnostics();
  warnShadowed(routers(given), diagnostics);
  return diagnostics.list.map(({ message }) => message);
}

describe("the warning says", () => {
  test("which router takes it all, why it is asked first, and what to do", () => {
    expect(warnings({ all: { rule: "HostSNI(`*`)", priority: 100 }, a: "HostSNI(`a.example`)" })).toEqual([
      'the router "a" never gets a connection: "all" is asked first and matches all that "a" would match (its priority is 100, and that of "a" is 20). Give "a" a higher priority, or remove what is double',
    ]);
  });

  test("that the name alone decides between equal rules", () => {
    expect(warnings({ b: "HostSNI(`a`)", a: "HostSNI(`A`)" })).toEqual([
      'the router "b" never gets a connection: "a" is asked first and matches all that "b" would match (both have priority 12, and then the more exact rule and the name decide). Give "b" a higher priority, or remove what is double',
    ]);
  });

  test("which names of a router are never reached", () => {
    const rule = "HostSNI(`b`) || HostSNI(`a`) || HostSNI(`c`)";
    expect(warnings({ many: { rule, priority: 1 }, a: "HostSNI(`a`)", b: "HostSNI(`b`)" })).toEqual([
      'the router "many" never gets b and a: "b" and "a" are asked first and match them (the priority of "many" is 1). Give "many" a higher priority, or remove what is double',
    ]);
  });

  test("that a router which is off takes its names, and refuses them", () => {
    const off: RouterAction = { kind: "off", tls: true };
    expect(warnings({ a: { rule: "HostSNI(`x`)", action: off }, b: "HostSNI(`x`)" })).toEqual([
      'the router "b" never gets a connection: "a" is asked first and matches all that "b" would match, but "a" is off and refuses its clients. Mend "a", or remove it',
    ]);
    // That it is off is said elsewhere.
    expect(warnings({ a: "HostSNI(`x`)", b: { rule: "HostSNI(`x`)", action: off } })).toEqual([]);
  });

  test("that a rule can never be true", () => {
    expect(warnings({ a: "HostSNI(`a`) && HostSNI(`b`)" }).join()).toContain("what cannot be true at once");
    const plain: RouterAction = { kind: "plain" };
    const never = ["ALPN(`mqtt`)", "HostSNIRegexp(`^a`)", "ClientIP(`10.0.0.1`) && ALPN(`mqtt`)"];
    for (const rule of never) expect(warnings({ a: { rule, action: plain } }).join()).toContain("without TLS");
    for (const rule of ["!ALPN(`mqtt`)", "HostSNIRegexp(`^$`)", "ClientIP(`10.0.0.1`)"])
      expect(warnings({ a: { rule, action: plain } })).toEqual([]);
  });
});

describe("a router is not reached behind", () => {
  const first = (rule: string): Given => ({ rule, priority: 1000 });
  test.each([
    ["a wildcard", "HostSNI(`*.x`)", "HostSNI(`a.x`) && ALPN(`mqtt`)"],
    ["the name without its condition", "HostSNI(`a`)", "HostSNI(`a`) && ClientIP(`10.0.0.1`)"],
    ["a wider network", "ClientIP(`10.0.0.0/8`)", "HostSNI(`a`) && ClientIP(`10.1.0.0/16`)"],
    ["a regexp that finds its name", "HostSNIRegexp(`^sensor-`)", "HostSNI(`sensor-1.x`)"],
    ["the same regexp", "HostSNIRegexp(`^a`)", "HostSNIRegexp(`^a`) && ALPN(`mqtt`)"],
    ["all of its alternatives", "HostSNI(`b`) || HostSNI(`a`)", "HostSNI(`a`) && ALPN(`x`) || HostSNI(`b`)"],
    ["fewer protocols", "ALPN(`mqtt`)", "ALPN(`mqtt`) && ALPN(`h2`)"],
  ])("%s", (_, wide, narrow) => {
    expect(warnings({ wide: first(wide), narrow })).toHaveLength(1);
    // Asked later, it takes nothing.
    const later = warnings({ wide: { rule: wide, priority: 1 }, narrow });
    expect(later.filter((message) => message.startsWith('the router "narrow"'))).toEqual([]);
  });

  test("several together, on each of its entry points", () => {
    const rule = "HostSNI(`a`)";
    const behind = (second: string) =>
      warnings({
        one: { rule, priority: 9, on: ["m"] },
        two: { rule, priority: 9, on: [second] },
        last: { rule, priority: 1, on: ["m", "n"] },
      });
    expect(behind("n").join()).toContain('"one" and "two" are asked first and match all that "last" would match');
    expect(behind("o")).toEqual([]);
  });
});

test("plain and TLS connections do not take each other's place", () => {
  const plain: RouterAction = { kind: "plain" };
  expect(warnings({ a: { rule: "HostSNI(`*`)", priority: 9, action: plain }, b: "HostSNI(`*`)" })).toEqual([]);
});

test("what is usual is not told of", () => {
  expect(
    warnings({
      all: "HostSNI(`*`)",
      wild: "HostSNI(`*.x`)",
      a: "HostSNI(`a.x`)",
      office: "HostSNI(`a.x`) && ClientIP(`10.0.0.0/8`)",
      mqtt: "HostSNI(`a.x`) && ALPN(`mqtt`)",
      other: "HostSNI(`a.x`) && ALPN(`http`)",
      both: "HostSNI(`b`) || HostSNI(`c`)",
      regexp: "HostSNIRegexp(`^d`)",
    }),
  ).toEqual([]);
});

test("matchers of MQTT are compared like the others", () => {
  const wide = (rule: string): Given => ({ rule, priority: 1000 });
  const behind = (first: string, narrow: string) => warnings({ wide: wide(first), narrow }).length;
  expect(behind("HostSNI(`a`)", "HostSNI(`a`) && MQTTClientID(`x`)")).toBe(1);
  expect(behind("HostSNI(`a`) && MQTTClientIDRegexp(`^s`)", "HostSNI(`a`) && MQTTClientID(`s1`)")).toBe(1);
  expect(behind("MQTTUsernameRegexp(`.*`)", "HostSNI(`a`) && MQTTUsername(`u`)")).toBe(1);
  expect(behind("HostSNI(`a`) && !MQTTVersion(`5`)", "HostSNI(`a`) && MQTTVersion(`3.1`)")).toBe(1);
  expect(behind("HostSNI(`a`) && MQTTClientID(`x`)", "HostSNI(`a`)")).toBe(0);
  expect(behind("HostSNI(`a`) && MQTTClientID(`x`)", "HostSNI(`a`) && MQTTClientID(`X`)")).toBe(0);
  expect(behind("MQTTUsernameRegexp(`.*`)", "HostSNI(`a`)")).toBe(0); // a client may have no user name
  // Plain clients send a CONNECT as well.
  const plain: RouterAction = { kind: "plain" };
  expect(warnings({ a: { rule: "MQTTClientID(`x`)", action: plain } })).toEqual([]);
  expect(warnings({ a: { rule: "MQTTVersion(`5`) && MQTTVersion(`3.1`)", action: plain } })).toHaveLength(1);
});

const CONNECTS = ["s1", "s2", "x"].flatMap((clientId) =>
  ([null, "u"] as const).flatMap((username) =>
    (["5", "3.1"] as const).map((version) => ({ clientId, username, version })),
  ),
);

test("whatever is told of is so: no connection reaches the router, or by that name", () => {
  const names = ["", "a", "b", "a.d", "b.d", "a.b.d"];
  const connections = names.flatMap((sni) =>
    ["10.1.2.3", "10.2.0.1", "::1"].flatMap((ip) =>
      [[], ["mqtt"], ["h2", "mqtt"]].flatMap((alpn) =>
        CONNECTS.map((mqtt) => ({ sni, alpn, address: parseAddress(ip), mqtt })),
      ),
    ),
  );
  const rounds = sized(1500, 500);
  let told = 0;
  for (let seed = 1; seed <= rounds; seed++) {
    const dice = random(seed);
    const leaf = () =>
      dice.pick([
        ...[
          "HostSNI(`a`)",
          "HostSNI(`a.d`)",
          "HostSNI(`b.d`)",
          "HostSNI(`*.d`)",
          "HostSNI(`*`)",
          "HostSNIRegexp(`d$`)",
        ],
        ...["ClientIP(`10.0.0.0/8`)", "ClientIP(`10.1.0.0/16`)", "ALPN(`mqtt`)", "!ALPN(`h2`)", "!HostSNI(`a.d`)"],
        ...[
          "MQTTClientIDRegexp(`^s`)",
          "MQTTClientID(`s1`)",
          "!MQTTUsername(`u`)",
          "MQTTUsernameRegexp(`.*`)",
          "MQTTVersion(`5`)",
        ],
      ]);
    const given = Object.fromEntries(
      Array.from({ length: 2 + dice.below(5) }, (_, index): [string, Given] => [
        `r${index}`,
        {
          rule: Array.from({ length: 1 + dice.below(3) }, leaf).join(dice.pick([" && ", " || "])),
          priority: dice.below(4),
          on: dice.pick([["m"], ["n"], ["m", "n"]]),
        },
      ]),
    );
    const all = routers(given);
    const order = orderRoutes(all.map((value) => ({ ...value.row, name: value.name, value }))).map(
      ({ value, rule }) => ({
        value,
        matches: compile(rule),
      }),
    );
    const seen = new Set<string>();
    for (const point of ["m", "n"])
      for (const facts of connections) {
        const found = order.find(({ value, matches }) => value.row.entryPoints.includes(point) && matches(facts));
        if (found === undefined) continue;
        seen.add(`${found.value.name} a connection`);
        seen.add(`${found.value.name} ${facts.sni}`);
      }
    for (const message of warnings(given)) {
      told++;
      const [, name, lost] = /^the router "(\w+)" never gets (.*?):/.exec(message)!;
      for (const each of lost!.split(/, | and /))
        if (!each.startsWith("*") && seen.has(`${name} ${each}`) && !hasOtherWay(given[name!]!.rule, each))
          throw new Error(`seed ${seed}: ${message} ${JSON.stringify(given)}`);
    }
  }
  expect(told).toBeGreaterThan(rounds / 5);
});

/** A name may be reached through a part of the rule that does not say it. */
function hasOtherWay(rule: string, name: string): boolean {
  return name !== "a connection" && rule.split(" || ").some((part) => !part.includes(`HostSNI(\`${name}\`)`));
}

test("of very many the rest is one warning", () => {
  const behind = Array.from({ length: 150 }, (_, index): [string, string] => [`r${index}`, `HostSNI(\`h${index}\`)`]);
  const told = warnings({ all: { rule: "HostSNI(`*`)", priority: 1000 }, ...Object.fromEntries(behind) });
  expect(told).toHaveLength(101);
  expect(told.at(-1)).toBe("50 more routers never get a connection, or some of their names; this is the last of them");
});

/** Rules of one condition for each of `count` networks. */
function networks(count: number): string {
  return Array.from({ length: count }, (_, n) => `!ClientIP(\`10.${n >> 8}.${n & 255}.0/24\`)`).join(" && ");
}

test("tens of thousands of routers, and as many regexps, or rules made to be slow, cost little", () => {
  const make = (kind: (index: number) => string, count: number): Record<string, Given> =>
    Object.fromEntries(
      Array.from({ length: count }, (_, index) => [kind(index), { rule: kind(index), priority: index % 7 }]),
    );
  const part = sized(1, 5);
  const many = [
    make((index) => `HostSNI(\`h${index}.example\`)`, 30_000 / part),
    make((index) => `HostSNIRegexp(\`^h${index}\\.\`)`, 15_000 / part),
    make((index) => `HostSNI(\`one.example\`) && ALPN(\`p${index}\`)`, 10_000 / part),
    make((index) => `HostSNI(\`*\`) && ALPN(\`p${index}\`)`, 15_000 / part),
  ];
  const slow = [
    // Each comparison of two of these goes through all their conditions and fails with the last.
    make((index) => `${networks(300)} && ALPN(\`p${index}\`)`, 300),
    make((index) => `HostSNI(\`a.example\`) && ${networks(300)} && ALPN(\`p${index}\`)`, 100),
    // Regexps of a thousand states, each asked for each name.
    {
      ...make((index) => `HostSNIRegexp(\`^(([a-z]{1,30}){1,30}x|y)${index}$\`)`, 50),
      ...make((index) => `HostSNI(\`${"a".repeat(63)}${index}.${"b".repeat(63)}.example\`)`, 5000),
    },
  ];
  for (const [given, limit] of [
    ...many.map((given) => [given, sized(4000, 1500)] as const),
    ...slow.map((given) => [given, 4000] as const),
  ]) {
    const checked = routers(given);
    const diagnostics = new Diagnostics();
    const cost = cpuMs(() => warnShadowed(checked, diagnostics));
    expect(diagnostics.warnings).toBe(0);
    // Measured under a second; comparing each with each takes minutes.
    expect(cost).toBeLessThan(limit);
  }
});
