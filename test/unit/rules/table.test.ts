// The route table gives what a sorted linear scan would give, only faster.
import { describe, expect, test } from "bun:test";
import { parseAddress } from "../../../src/ip/address.ts";
import type { Facts } from "../../../src/rules/ast.ts";
import { asksMqtt } from "../../../src/rules/ast.ts";
import { compile } from "../../../src/rules/matchers.ts";
import { defaultPriority, parseRule, type Rule } from "../../../src/rules/parser.ts";
import { orderRoutes, type RouteEntry, RouteTable, ruleNames } from "../../../src/rules/table.ts";
import { ALL_CONNECTS, randomMqttLeaf } from "../../support/mqtt-rules.ts";
import { type Random, random } from "../../support/random.ts";

function rule(text: string): Rule {
  const parsed = parseRule(text);
  if (parsed.kind === "error") throw new Error(`${text}: ${parsed.message}`);
  return parsed.rule;
}

function entry(name: string, text: string, priority?: number): RouteEntry<string> {
  const parsed = rule(text);
  return { name, rule: parsed, priority: priority ?? defaultPriority(text, parsed), value: name };
}

const facts = (sni: string, more: Partial<Facts> = {}): Facts => ({
  ...{ sni, alpn: [], address: null, mqtt: null },
  ...more,
});

function winner(sni: string, ...entries: RouteEntry<string>[]): string | null {
  const forwards = new RouteTable(entries).match(facts(sni));
  // The order in the file never matters.
  expect(new RouteTable(entries.toReversed()).match(facts(sni))).toBe(forwards);
  return forwards;
}

describe("order", () => {
  test("the longer rule goes first, not the more specific one", () => {
    const long = entry("long", "HostSNIRegexp(`^[a-z]+\\.example\\.com$`)");
    expect(winner("a.example.com", entry("short", "HostSNI(`a.example.com`)"), long)).toBe("long");
  });

  test("a set priority beats length, and a negative one loses", () => {
    const exact = entry("exact", "HostSNI(`a.example.com`)");
    expect(winner("a.example.com", exact, entry("all", "HostSNI(`*`)", 1000))).toBe("all");
    expect(winner("a.example.com", entry("low", "HostSNI(`a.example.com`)", -2), entry("all", "HostSNI(`*`)"))).toBe(
      "all",
    );
  });

  test("of equal priority: exact, wildcard, regexp, anything else, then the name", () => {
    const equal = [
      entry("e", "ClientIP(`0.0.0.0/0`) || HostSNI(`a.example.com`)", 24),
      entry("d", "HostSNI(`*`)", 24),
      entry("c", "HostSNIRegexp(`a`)", 24),
      entry("b", "HostSNI(`*.example.com`)", 24),
      entry("a2", "HostSNI(`a.example.com`)", 24),
      entry("a1", "HostSNI(`a.example.com`) && HostSNI(`*`)", 24),
    ];
    for (const best of ["a1", "a2", "b", "c", "d", "e"]) {
      expect(winner("a.example.com", ...equal)).toBe(best);
      equal.splice(
        equal.findIndex(({ name }) => name === best),
        1,
      );
    }
    expect(winner("a.example.com")).toBeNull();
  });

  test("names are ordered by code point", () => {
    const entries = ["\u{1f512}", "\uffee", "z", "Z", "z2"].map((name) => entry(name, "HostSNI(`a`)"));
    for (const best of ["Z", "z", "z2", "\uffee", "\u{1f512}"]) {
      expect(winner("a", ...entries)).toBe(best);
      entries.splice(
        entries.findIndex(({ name }) => name === best),
        1,
      );
    }
  });
});

test("no SNI reaches only rules that do not need one", () => {
  const table = new RouteTable([entry("a", "HostSNI(`a`)"), entry("w", "HostSNI(`*.a`)"), entry("n", "!HostSNI(`a`)")]);
  expect(table.match(facts(""))).toBe("n");
  expect(table.size).toBe(3);
  expect(new RouteTable([]).match(facts(""))).toBeNull();
});

test("a rule that fails on its other conditions leaves the connection to the next one", () => {
  const table = new RouteTable([
    entry("office", "HostSNI(`a`) && ClientIP(`10.0.0.0/8`)"),
    entry("mqtt", "HostSNI(`a`) && ALPN(`mqtt`)"),
    entry("rest", "HostSNI(`*`)"),
  ]);
  expect(table.match(facts("a", { address: parseAddress("10.0.0.1"), alpn: ["mqtt"] }))).toBe("office");
  expect(table.match(facts("a", { alpn: ["mqtt"] }))).toBe("mqtt");
  expect(table.match(facts("a"))).toBe("rest");
});

const NAMES = ["a", "b", "a.d", "b.d", "a.b.d", "a.e", "x.y.d", "d"];

function randomRule(dice: Random, depth: number, mqtt = 0): Rule {
  if (mqtt > 0 && dice.chance(mqtt)) return randomMqttLeaf(dice);
  const kind = dice.below(depth > 0 ? 11 : 8);
  if (kind < 3) return { kind: "hostSNI", name: dice.pick(NAMES) };
  if (kind === 3) return { kind: "hostSNIWildcard", suffix: dice.pick([".d", ".e", ".b.d"]) };
  if (kind === 4) return { kind: "hostSNIRegexp", source: dice.pick(["^a", "d$", "^$", "b"]) };
  if (kind === 5) return { kind: "clientIP", cidr: dice.pick(["10.0.0.0/8", "0.0.0.0/0", "::/0"]) };
  if (kind === 6) return { kind: "alpn", protocol: dice.pick(["mqtt", "h2"]) };
  if (kind === 7) return { kind: "any" };
  if (kind === 8) return { kind: "not", rule: randomRule(dice, depth - 1, mqtt) };
  const rules = Array.from({ length: 2 + dice.below(dice.chance(0.1) ? 7 : 3) }, () =>
    randomRule(dice, depth - 1, mqtt),
  );
  return { kind: kind === 9 ? "and" : "or", rules };
}

test("on random rules and connections the table answers as a linear scan in order does", () => {
  for (let seed = 1; seed <= 4000; seed++) {
    const dice = random(seed);
    const entries = Array.from({ length: 1 + dice.below(12) }, (_, index): RouteEntry<number> => {
      return { name: `r${index}`, rule: randomRule(dice, 3, 0.2), priority: dice.below(4), value: index };
    });
    const table = new RouteTable(entries);
    const scan = orderRoutes(entries).map((one) => ({ value: one.value, matches: compile(one.rule) }));
    for (let round = 0; round < 12; round++) {
      const connection: Facts = {
        sni: dice.pick(["", "zz", "c.d", ...NAMES]),
        alpn: dice.pick([[], ["mqtt"], ["h2", "mqtt"]]),
        address: dice.pick([null, parseAddress("10.1.1.1"), parseAddress("192.0.2.1"), parseAddress("2001:db8::1")]),
        mqtt: dice.pick([null, ...ALL_CONNECTS]),
      };
      const expected = scan.find((one) => one.matches(connection))?.value ?? null;
      if (table.match(connection) !== expected) throw new Error(`seed ${seed}, round ${round}: expected ${expected}`);
    }
  }
});

/** The matchers of MQTT in a rule. */
function leavesOf(rule: Rule): Rule[] {
  if (rule.kind === "not") return leavesOf(rule.rule);
  if (rule.kind === "and" || rule.kind === "or") return rule.rules.flatMap(leavesOf);
  return rule.kind.startsWith("mqtt") ? [rule] : [];
}

/** Whether there is a way to make each matcher of MQTT true or false with which the rule is true: an independent statement of "could". */
function couldBe(rule: Rule, facts: Facts): boolean {
  const leaves = leavesOf(rule);
  const given = (part: Rule, bits: number): Rule => {
    const at = leaves.indexOf(part);
    if (at >= 0) return (bits >> at) & 1 ? { kind: "any" } : { kind: "not", rule: { kind: "any" } };
    if (part.kind === "not") return { kind: "not", rule: given(part.rule, bits) };
    return part.kind === "and" || part.kind === "or"
      ? { kind: part.kind, rules: part.rules.map((child) => given(child, bits)) }
      : part;
  };
  return Array.from({ length: 1 << leaves.length }, (_, bits) => compile(given(rule, bits))(facts)).some(Boolean);
}

test("before the CONNECT is read the first router that could be right is found, and one that asks nothing of MQTT is right", () => {
  let provisional = 0;
  let rounds = 0;
  for (let seed = 1; seed <= 1500; seed++) {
    const dice = random(seed);
    const entries = Array.from({ length: 1 + dice.below(6) }, (_, index): RouteEntry<number> => {
      let made = randomRule(dice, 2, 0.3);
      while (leavesOf(made).length > 8) made = randomRule(dice, 2, 0.3);
      return { name: `r${index}`, rule: made, priority: dice.below(3), value: index };
    });
    const table = new RouteTable(entries);
    const connection = facts(dice.pick(["", ...NAMES]), { alpn: dice.pick([[], ["mqtt"]]) });
    const found = table.match(connection);
    const possible = orderRoutes(entries).find((each) => couldBe(each.rule, connection));
    if (found !== (possible?.value ?? null)) throw new Error(`seed ${seed}: expected ${possible?.name}`);
    const order = orderRoutes(entries).map(({ value }) => value);
    rounds++;
    if (found !== null && asksMqtt(possible!.rule)) provisional++;
    for (const mqtt of ALL_CONNECTS) {
      const final = table.match({ ...connection, mqtt });
      if (found === null || !asksMqtt(possible!.rule)) expect(final).toBe(found);
      // Whoever wins in the end is no one that was passed over.
      else if (final !== null) expect(order.indexOf(final)).toBeGreaterThanOrEqual(order.indexOf(found));
    }
  }
  expect(provisional / rounds).toBeGreaterThan(0.2);
});

test("the tie rules are those of the documented order", () => {
  // An independent statement of the order, on rules without nesting.
  const rank = { hostSNI: 0, hostSNIWildcard: 1, hostSNIRegexp: 2 } as Record<string, number>;
  for (let seed = 1; seed <= 2000; seed++) {
    const dice = random(seed);
    const entries = Array.from({ length: 1 + dice.below(20) }, (_, index): RouteEntry<number> => {
      return { name: `r${(index * 7) % 20}`, rule: randomRule(dice, 0), priority: dice.below(3), value: index };
    });
    const sorted = entries.toSorted(
      (a, b) =>
        b.priority - a.priority || (rank[a.rule.kind] ?? 3) - (rank[b.rule.kind] ?? 3) || (a.name < b.name ? -1 : 1),
    );
    const connection = facts(dice.pick(["", ...NAMES]), { alpn: ["mqtt"], address: parseAddress("10.0.0.1") });
    const expected = sorted.find((one) => compile(one.rule)(connection))?.value ?? null;
    if (new RouteTable(entries).match(connection) !== expected) throw new Error(`seed ${seed}`);
  }
});

test("regexps that no rule of the table has any more are not held", () => {
  const table = new RouteTable<string>();
  const stays = entry("stays", "HostSNIRegexp(`x`) && !HostSNIRegexp(`y`)");
  table.add(stays);
  for (let round = 0; round < 50; round++) {
    // Both those that are asked one by one and those that are found by their name.
    const scanned = entry(`scanned${round}`, `HostSNIRegexp(\`^${round}x\`) || HostSNIRegexp(\`x\`)`, 99);
    const keyed = entry(
      `keyed${round}`,
      `HostSNI(\`ax\`) && (HostSNIRegexp(\`^${round}\`) || !HostSNIRegexp(\`y\`))`,
      100,
    );
    table.add(scanned);
    table.add(keyed);
    expect(table.match(facts("ax"))).toBe(keyed.name);
    expect(table.match(facts(`${round}x`))).toBe(scanned.name);
    table.remove(scanned);
    table.remove(keyed);
    expect(table.match(facts("ax"))).toBe("stays");
    expect(table.compiledRegexps).toBeLessThanOrEqual(2);
  }
  table.remove(stays);
  expect(table.compiledRegexps).toBe(0);
});

test.each([
  ["", (rule: Rule) => rule],
  [" that ask MQTT", (rule: Rule): Rule => ({ kind: "and", rules: [{ kind: "mqttVersion", version: "5" }, rule] })],
])("a name is found among 100 000 routes%s in as few steps as among ten", (_, ruled) => {
  // A route that is asked looks at the facts; one that is passed over in the index does not.
  const looks = (count: number): number => {
    const entries = Array.from({ length: count }, (_, index): RouteEntry<number> => {
      const name = `device-${index}.example.com`;
      return {
        name: `router-${index}@file`,
        rule: ruled({ kind: "hostSNI", name }),
        priority: 20 + name.length,
        value: index,
      };
    });
    const table = new RouteTable(entries);
    let seen = 0;
    let sni = "";
    const counted: Facts = {
      alpn: [],
      address: null,
      mqtt: null,
      get sni() {
        seen++;
        return sni;
      },
    };
    for (let index = 0; index < count; index += count / 10) {
      sni = `device-${index}.example.com`;
      expect(table.match(counted)).toBe(index);
    }
    sni = "nobody.example.com";
    expect(table.match(counted)).toBeNull();
    return seen;
  };
  const few = looks(10);
  expect(few).toBeGreaterThan(0);
  expect(looks(100_000)).toBe(few);
});

test.each([
  ["HostSNI(`b`) || HostSNI(`*.A.d`) || HostSNI(`b`) && ALPN(`x`)", ["b", "*.a.d"]],
  ["HostSNI(`a`) && !(HostSNI(`b`) || HostSNI(`c`))", ["a"]],
  ["!!HostSNI(`a`)", []],
  ["HostSNI(`*`) || HostSNIRegexp(`a`)", []],
])("the names of %s are %j", (text, names) => expect(ruleNames(rule(text))).toEqual(names));
