// What a CONNECT decides: an explanation names the router that is right for it, and where it is not known all that may be, with what they
// depend on.

import { describe, expect, test } from "bun:test";
import { readClient } from "../../../src/explain/client.ts";
import type { Explanation } from "../../../src/explain/explanation.ts";
import { textOf, verdictOf } from "../../../src/explain/text.ts";
import { parseAddress } from "../../../src/ip/address.ts";
import type { MiddlewareRow } from "../../../src/middlewares/row.ts";
import type { RouterAction } from "../../../src/protocol/messages.ts";
import type { Facts, MqttFacts, Rule } from "../../../src/rules/ast.ts";
import { compile } from "../../../src/rules/matchers.ts";
import { parseRule } from "../../../src/rules/parser.ts";
import { orderRoutes } from "../../../src/rules/table.ts";
import { DEFAULT_OPTIONS } from "../../../src/tls/options.ts";
import { ALL_CONNECTS } from "../../support/mqtt-rules.ts";
import { random } from "../../support/random.ts";
import { clientOf, explainerOf, point, routerRow, SERVICE } from "./explainers.ts";

const TLS: RouterAction = { kind: "terminate", options: "default" };
const PLAIN: RouterAction = { kind: "plain" };
const OPTIONS = { kind: "options", name: "default", value: DEFAULT_OPTIONS } as const;

const RULES = [
  ...["HostSNI(`a.x`)", "HostSNI(`*.x`)", "HostSNI(`*`)", "HostSNI(`b.x`)", "ALPN(`mqtt`)"],
  ...["HostSNI(`a.x`) && MQTTClientIDRegexp(`^sensor-`)", "HostSNI(`*`) && !MQTTVersion(`5`)", "MQTTUsername(`anna`)"],
  ...["HostSNI(`a.x`) && (MQTTClientID(`sensor-1`) || ALPN(`mqtt`))", "!(MQTTUsernameRegexp(`.*`) && HostSNI(`a.x`))"],
  ...["HostSNI(`a.x`) && ClientIP(`10.0.0.0/8`) && MQTTVersion(`3.1`)", "MQTTClientID(`sensor-2`) || HostSNI(`b.x`)"],
];

function ruleOf(text: string): Rule {
  const parsed = parseRule(text);
  if (parsed.kind === "error") throw new Error(`${text}: ${parsed.message}`);
  return parsed.rule;
}

const words = ({ clientId, username, version }: Partial<MqttFacts>) => ({
  ...(clientId === undefined ? {} : { clientId }),
  ...(username === undefined ? {} : { username: username ?? (false as const) }),
  ...(version === undefined ? {} : { mqttVersion: version }),
});

test("the router is the first in order that matches; where less is known, exactly one of the answers is for each client", () => {
  let depended = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const dice = random(seed);
    const rows = Array.from({ length: 1 + dice.below(7) }, (_, index) =>
      routerRow(`r${index}`, dice.pick(RULES), dice.chance(0.5) ? undefined : dice.below(4), TLS),
    );
    const explainer = explainerOf(rows, [SERVICE, OPTIONS]);
    const order = orderRoutes(rows.map(({ name, value }) => ({ ...value, name, value: name })));
    const sni = dice.pick(["a.x", "b.x", "c.y"]);
    const alpn = dice.pick([[], ["mqtt"]]);
    const from = dice.pick(["10.1.2.3", "192.0.2.1"]);
    const facts = (mqtt: MqttFacts | null): Facts => ({ sni, alpn, address: parseAddress(from), mqtt });
    const first = (mqtt: MqttFacts | null) => order.find(({ rule }) => compile(rule)(facts(mqtt)))?.name ?? null;
    const known = dice.pick([
      {},
      { version: "5" },
      { clientId: "sensor-1" },
      { clientId: "x", username: null },
    ] as const);
    const told = explainer.explain(point, clientOf({ sni, alpn, from, ...words(known) }));
    const named = told.map(({ router }) => router?.name ?? null);
    expect(new Set(named).size).toBe(named.length);
    if (told.length > 1) depended++;
    /** Whether an answer is for this CONNECT, by what it says to depend on. */
    const isFor = ({ connect }: Explanation, mqtt: MqttFacts): boolean => {
      const holds = ({ part }: { part: string }) => compile(ruleOf(part))(facts(mqtt));
      return connect === null || ((connect.when === null || holds(connect.when)) && !connect.unless.some(holds));
    };
    for (const { connect } of told) expect(connect?.provisional.name ?? named[0]!).toBe(first(null)!);
    for (const connect of ALL_CONNECTS) {
      const [exact, ...more] = explainer.explain(point, clientOf({ sni, alpn, from, ...words(connect) }));
      expect(more).toEqual([]);
      expect(exact!.router?.name ?? null).toBe(first(connect));
      const at = order.findIndex(({ name }) => name === first(connect));
      expect(exact!.before.total).toBe(at < 0 ? order.length : at);
      const other = Object.entries(known).some(([key, value]) => connect[key as keyof MqttFacts] !== value);
      if (!other)
        expect(told.filter((each) => isFor(each, connect)).map(({ router }) => router?.name)).toEqual([
          first(connect) ?? undefined,
        ]);
    }
  }
  expect(depended).toBeGreaterThan(50);
});

const ROWS = [
  routerRow("sensors", "MQTTClientIDRegexp(`^sensor-`)", 3, PLAIN),
  routerRow("anna", "MQTTUsername(`anna`) && MQTTVersion(`5`)", 2, PLAIN),
  routerRow("rest", "HostSNI(`*`)", 1, PLAIN),
];

function explained(options: Parameters<typeof readClient>[0], rows = ROWS): Explanation[] {
  return explainerOf(rows).explain(point, clientOf({ plain: true, from: "192.0.2.1", ...options }));
}

describe("the answer says", () => {
  test("one line for each router that it may be, and on what that depends", () => {
    expect(explained({}).map(verdictOf)).toEqual([
      'a client without TLS from 192.0.2.1 on mqtts if MQTTClientIDRegexp(`^sensor-`): router "sensors@file" forwards it as it is, service "s"',
      'a client without TLS from 192.0.2.1 on mqtts if MQTTUsername(`anna`) && MQTTVersion(`5`): router "anna@file" forwards it as it is, service "s"',
      'a client without TLS from 192.0.2.1 on mqtts otherwise: router "rest@file" forwards it as it is, service "s"',
    ]);
  });

  test("less, the more of the CONNECT is known", () => {
    const routers = (options: Parameters<typeof readClient>[0]) => explained(options).map(({ router }) => router!.name);
    expect(routers({ clientId: "x" })).toEqual(["anna@file", "rest@file"]);
    expect(routers({ clientId: "x", username: false })).toEqual(["rest@file"]);
    expect(routers({ mqttVersion: "3.1" })).toEqual(["sensors@file", "rest@file"]);
    expect(routers({ clientId: "sensor-7" })).toEqual(["sensors@file"]);
  });

  test("which router is provisional, and why the ones before are not it", () => {
    const [explanation] = explained({ clientId: "x", username: "bob", mqttVersion: "5" });
    const text = textOf(explanation!);
    expect(text[0]).toBe(
      'a client without TLS from 192.0.2.1 on mqtts with client ID "x", user name "bob", MQTT 5: router "rest@file" forwards it as it is, service "s"',
    );
    const at = text.findIndex((line) => line.startsWith("  decided"));
    expect(text.slice(at, at + 2)).toEqual([
      "  decided         by the CONNECT of the client",
      "    until then    sensors@file, the first that could be right",
    ]);
    expect(text.slice(-4).filter((line) => line.startsWith("      "))).toEqual([
      '      MQTTClientIDRegexp(`^sensor-`): it is not found in "x"',
      '      MQTTUsername(`anna`): the client\'s user name is "bob"',
    ]);
  });

  test("nothing of the CONNECT where the first router asks nothing of it", () => {
    const [explanation, ...more] = explained({ clientId: "x" }, [routerRow("all", "HostSNI(`*`)", 9, PLAIN), ...ROWS]);
    expect(more).toEqual([]);
    expect(explanation).toMatchObject({ connect: null, router: { name: "all@file" } });
  });

  test("that a client of a router that is off is refused, and one that only could have been is not", () => {
    const rows = [
      { ...ROWS[0]!, value: { ...ROWS[0]!.value, action: { kind: "off", tls: false } as const } },
      ROWS[2]!,
    ];
    const [off] = explained({ clientId: "sensor-1" }, rows);
    expect(off!.verdict).toMatchObject({ served: false, reason: "router-off" });
    expect(off!.verdict.sees).toContain("CONNACK");
    const [other] = explained({ clientId: "x" }, rows);
    expect(other).toMatchObject({ verdict: { served: true }, router: { name: "rest@file" } });
  });

  test("that mqttConnect refuses it, as soon as enough is known for that", () => {
    const row: MiddlewareRow = {
      ...{ kind: "mqttConnect", timeoutMs: 1000, maxSize: 100, versions: ["5"], clientIdPattern: "dev-[0-9]" },
      ...{ clientIdMaxLength: null, clientIdAllowEmpty: null, maxKeepAlive: null, cleanOnly: false, allowWill: true },
      ...{ bridges: "pass", keepAliveZeroMs: null },
    };
    const explainer = explainerOf(
      [{ ...ROWS[2]!, value: { ...ROWS[2]!.value, middlewares: ["m"] } }],
      [SERVICE, { kind: "middleware", name: "m", value: row }],
    );
    const says = (options: Parameters<typeof readClient>[0]) => {
      const [explanation] = explainer.explain(point, clientOf({ plain: true, from: "192.0.2.1", ...options }));
      return [explanation!.verdict.reason, explanation!.middlewares[0]!.says];
    };
    const reads = "reads CONNECT, of MQTT 5, within 1s and 100 bytes";
    expect(says({})).toEqual([null, reads]);
    expect(says({ clientId: "x" })).toEqual([null, reads]);
    expect(says({ clientId: "dev-1", mqttVersion: "5" })).toEqual([null, reads]);
    expect(says({ mqttVersion: "3.1" })).toEqual(["connect-not-allowed", "refuses it: it takes MQTT 5"]);
    expect(says({ clientId: "x", mqttVersion: "5" })).toEqual([
      "client-id-not-allowed",
      "refuses it: its client id is empty, too long, or does not match dev-[0-9]",
    ]);
  });

  test("what is given is not shown whole when it is long, and what no client can send is refused", () => {
    expect(
      verdictOf(explained({ clientId: "x".repeat(60_000), username: "u", mqttVersion: "5" })[0]!).length,
    ).toBeLessThan(300);
    expect(readClient({ clientId: "a\0" })).toBe(
      '--clientId: "a\\u0000" is no text of MQTT: that is at most 65535 bytes of UTF-8, without control characters',
    );
    expect(readClient({ username: "x".repeat(70_000) })).toContain("--username: ");
    expect(readClient({ mqttVersion: "v5" })).toBe('--mqttVersion: "v5" is no version of MQTT: did you mean 5?');
  });
});

test("more routers than anybody would read are a question for more of the CONNECT", () => {
  const rows = Array.from({ length: 50 }, (_, index) =>
    routerRow(`r${index}`, `MQTTClientID(\`c${index}\`)`, 1, PLAIN),
  );
  expect(() => explained({}, rows)).toThrow("more than 20 routers could be this client's: say more of its CONNECT");
  expect(explained({ clientId: "c7" }, rows)).toHaveLength(1);
});
