// The rule language is Traefik's, and every mistake in it is an error with the column where it is.
import { describe, expect, test } from "bun:test";
import { defaultPriority, MAX_RULE_DEPTH, MAX_RULE_LENGTH, parseRule, type Rule } from "../../../src/rules/parser.ts";
import { random } from "../../support/random.ts";

const sni = (name: string): Rule => ({ kind: "hostSNI", name });
const not = (rule: Rule): Rule => ({ kind: "not", rule });
const and = (...rules: Rule[]): Rule => ({ kind: "and", rules });
const or = (...rules: Rule[]): Rule => ({ kind: "or", rules });
const [a, b, c, d] = ["a", "b", "c", "d"].map(sni) as [Rule, Rule, Rule, Rule];

describe("a rule is read", () => {
  const cases: [string, Rule][] = [
    ["HostSNI(`a.example.com`)", sni("a.example.com")],
    ["HostSNI(`A.Example.COM.`)", sni("a.example.com")],
    ["HostSNI(`my_device-1:8883`)", sni("my_device-1:8883")],
    ["HostSNI(`192.0.2.1`)", sni("192.0.2.1")],
    ["HostSNI(`2001:DB8::1`)", sni("2001:db8::1")],
    ["HostSNI(`*`)", { kind: "any" }],
    ["HostSNI(`*.Example.com.`)", { kind: "hostSNIWildcard", suffix: ".example.com" }],
    ["HostSNIRegexp(`^[a-z]+\\.Example\\.com$`)", { kind: "hostSNIRegexp", source: "^[a-z]+\\.Example\\.com$" }],
    ["ClientIP(`192.0.2.1`)", { kind: "clientIP", cidr: "192.0.2.1/32" }],
    ["ClientIP(`10.1.2.3/8`)", { kind: "clientIP", cidr: "10.0.0.0/8" }],
    ["ClientIP(`2001:DB8:0:0:0:0:0:1`)", { kind: "clientIP", cidr: "2001:db8::1/128" }],
    ["ClientIP(`2001:db8::ffff/33`)", { kind: "clientIP", cidr: "2001:db8::/33" }],
    ["ClientIP(`::/0`)", { kind: "clientIP", cidr: "::/0" }],
    ["ClientIP(`::ffff:10.1.2.3/104`)", { kind: "clientIP", cidr: "10.0.0.0/8" }],
    ["ALPN(`mqtt`)", { kind: "alpn", protocol: "mqtt" }],
    ["MQTTClientID(`Sensor-7 é`)", { kind: "mqttClientId", value: "Sensor-7 é" }],
    ["MQTTClientIDRegexp(`^Sensor-[0-9]+$`)", { kind: "mqttClientIdRegexp", source: "^Sensor-[0-9]+$" }],
    ["MQTTUsername(`{a:b}*`)", { kind: "mqttUsername", value: "{a:b}*" }],
    ["MQTTUsernameRegexp(`^ä`)", { kind: "mqttUsernameRegexp", source: "^ä" }],
    ["MQTTVersion(`3.1`)", { kind: "mqttVersion", version: "3.1" }],
    ["mqttversion(`3.1.1`)", { kind: "mqttVersion", version: "3.1.1" }],
    ["Mqttversion(`5`)", { kind: "mqttVersion", version: "5" }],
    // The four casings of a matcher.
    ["hostsni(`a`)", a],
    ["HOSTSNI(`a`)", a],
    ["Hostsni(`a`)", a],
    ["Clientip(`::1`) && alpn(`x`)", and({ kind: "clientIP", cidr: "::1/128" }, { kind: "alpn", protocol: "x" })],
    // Go's string literals.
    ['HostSNI("a")', a],
    ['HostSNI("\\x61.\\u0062\\056c")', sni("a.b.c")],
    ['HostSNIRegexp("^a\\\\.b\\"$")', { kind: "hostSNIRegexp", source: '^a\\.b"$' }],
    ["HostSNI(`a\r`)", a],
    ["HostSNI(`a`,)", a],
    // Precedence: ! before && before ||.
    ["HostSNI(`a`) || HostSNI(`b`) && HostSNI(`c`)", or(a, and(b, c))],
    ["HostSNI(`a`) && HostSNI(`b`) || HostSNI(`c`) && HostSNI(`d`)", or(and(a, b), and(c, d))],
    ["(HostSNI(`a`) || HostSNI(`b`)) && HostSNI(`c`)", and(or(a, b), c)],
    ["!HostSNI(`a`) && HostSNI(`b`)", and(not(a), b)],
    ["!(HostSNI(`a`) && HostSNI(`b`))", not(and(a, b))],
    ["!!HostSNI(`a`)", not(not(a))],
    ["((HostSNI(`a`)))", a],
    ["HostSNI(`a`)||HostSNI(`b`)||HostSNI(`c`)", or(a, b, c)],
    // White space and comments, also where Go would end the expression.
    ["\n HostSNI ( `a` )\n\t|| HostSNI(`b`) \r\n", or(a, b)],
    ["HostSNI(`a`) // one\n || /* two\n */ HostSNI(`b`)", or(a, b)],
  ];
  test.each(cases)("%s", (text, rule) => {
    expect(parseRule(text)).toEqual({ kind: "ok", rule });
    expect(JSON.parse(JSON.stringify(rule))).toEqual(rule);
  });
});

describe("a rule in another form is answered with the same in this one", () => {
  const template = '"{name:...}" is a template of Traefik v2 and can never match here: write';
  const cases: [string, string][] = [
    ["HostSNI(a.example.com)", "a value is written in `backticks`: HostSNI(`a.example.com`)"],
    ["HostSNI(*)", "a value is written in `backticks`: HostSNI(`*`)"],
    ["HostSNI( a , *.b )", "a value is written in `backticks`: (HostSNI(`a`) || HostSNI(`*.b`))"],
    ["ClientIP(10.0.0.0/8)", "a value is written in `backticks`: ClientIP(`10.0.0.0/8`)"],
    ["HostSNIRegexp(^.+\\.b$)", "a value is written in `backticks`: HostSNIRegexp(`^.+\\.b$`)"],
    // Where the expression ends is not known.
    ["HostSNIRegexp(^(a|b)$)", "a value is written in `backticks`"],
    ["HostSNI(a b)", "a value is written in `backticks`"],
    ["!HostSNI(`a`, `b`)", 'HostSNI takes one value, several are joined with "||": (HostSNI(`a`) || HostSNI(`b`))'],
    ['HostSNI("a`", `b`)', 'HostSNI takes one value, several are joined with "||"'],
    [
      "HostSNI(`a`, `b`, `c`) && ALPN(`x`)",
      'HostSNI takes one value, several are joined with "||": (HostSNI(`a`) || HostSNI(`b`) || HostSNI(`c`))',
    ],
    ["HostSNIRegexp(`{sub:[a-z]+}.example.com`)", `${template} HostSNIRegexp(\`^[a-z]+\\.example\\.com$\`)`],
    ["HostSNIRegexp(`{sub}.Example.com`)", `${template} HostSNIRegexp(\`^[^.]+\\.example\\.com$\`)`],
    ["HostSNIRegexp(`{a:[A-Z]{3}|x}.b`)", `${template} HostSNIRegexp(\`(?i)^(?:[A-Z]{3}|x)\\.b$\`)`],
    ["HostSNIRegexp(`{a:.+`)", `${template} HostSNIRegexp(\`^[a-z]+\\.example\\.com$\`)`],
    ["HostSNI(`{any:.+}`)", `${template} HostSNIRegexp(\`^.+$\`)`],
    ["HostSNI:a.example.com", "this is how Traefik v1 wrote rules: write for example HostSNI(`example.com`)"],
    [
      "Host:a.example.com,b.example.com",
      "Host is an HTTP matcher, and Sluice routes TCP: use HostSNI, which matches the TLS server name: (HostSNI(`a.example.com`) || HostSNI(`b.example.com`))",
    ],
    [
      "Host(`a`)",
      "Host is an HTTP matcher, and Sluice routes TCP: use HostSNI, which matches the TLS server name: HostSNI(`a`)",
    ],
    [
      "HostRegexp(`{a:.+}.b`)",
      "HostRegexp is an HTTP matcher, and Sluice routes TCP: use HostSNIRegexp, which matches the TLS server name: HostSNIRegexp(`^.+\\.b$`)",
    ],
    ["HostSNI(`a`) && PathPrefix(`/`)", "PathPrefix is an HTTP matcher, and Sluice routes TCP: leave it out"],
  ];
  test.each(cases)("%s", (text, message) => {
    expect(parseRule(text)).toEqual({ kind: "error", column: expect.any(Number) as unknown as number, message });
  });

  test("and that is a rule", () => {
    const suggested = cases.flatMap(
      ([, message]) => /(?:: | write )(\(?(?:HostSNI|ClientIP).*)$/.exec(message)?.[1] ?? [],
    );
    expect(suggested.length).toBeGreaterThan(10);
    for (const text of suggested) expect(parseRule(text)).toMatchObject({ kind: "ok" });
  });

  test("a long list is cut short", () => {
    const names = Array.from({ length: 500 }, (_, index) => `\`name-${index}.example.com\``);
    const result = parseRule(`HostSNI(${names.join(", ")})`);
    expect(result).toMatchObject({ kind: "error", message: expect.stringMatching(/ \|\| \.\.\.\)$/) as unknown });
  });
});

describe("a mistake is an error at its column", () => {
  const cases: [string, number, RegExp][] = [
    ["", 1, /empty/],
    ["   ", 4, /empty/],
    ["// only a comment", 18, /empty/],
    ["HostSNI", 8, /expected "\("/],
    ["HostSNI(", 9, /expected a value/],
    ["HostSNI()", 9, /needs a value/],
    ["HostSNI(``)", 9, /empty/],
    ["HostSNI(a)", 9, /backticks/],
    ["HostSNI('a')", 9, /single quotes/],
    ["HostSNI(`a", 9, /never closed/],
    ['HostSNI("a', 9, /never closed/],
    ['HostSNI("a\nb")', 9, /never closed/],
    ['HostSNI("\\q")', 10, /escape/],
    ['HostSNI("\\ud800")', 10, /escape/],
    ['HostSNI("\\777")', 10, /escape/],
    ["HostSNI(`a`", 12, /expected "\)"/],
    ["HostSNI(`a`,`b`)", 13, /takes one value/],
    ["HostSNI(`a` `b`)", 13, /expected "\)"/],
    ["HostSNI(`a`) HostSNI(`b`)", 14, /expected "&&" or "\|\|", found "HostSNI"/],
    ["HostSNI(`a`) and HostSNI(`b`)", 14, /write "&&"/],
    ["not HostSNI(`a`)", 1, /write "!"/],
    ["HostSNI(`a`) & HostSNI(`b`)", 14, /"&&"/],
    ["HostSNI(`a`) | HostSNI(`b`)", 14, /"\|\|"/],
    ["HostSNI(`a`) + HostSNI(`b`)", 14, /unexpected "\+"/],
    ["HostSNI == `a`", 9, /comparisons/],
    ["HostSNI(`a`) &&", 16, /expected a matcher.*the rule ends/],
    ["&& HostSNI(`a`)", 1, /expected a matcher/],
    ["(HostSNI(`a`)", 14, /expected "\)"/],
    ["HostSNI(`a`))", 13, /closes nothing/],
    ["()", 2, /expected a matcher/],
    ["`a`", 1, /inside a matcher/],
    ["HostSNI(`a`);", 13, /unexpected ";"/],
    ["HostSni(`a`)", 1, /did you mean HostSNI\?/],
    ["HostSNI(`a`) && HostSNl(`b`)", 17, /did you mean HostSNI\?/],
    ["HostSNIRegex(`a`)", 1, /did you mean HostSNIRegexp\?/],
    ["ClientIPs(`::1`)", 1, /did you mean ClientIP\?/],
    ["Path2(`a`)", 1, /unknown matcher "Path2"; there are HostSNI, .*MQTTVersion$/],
    ["Username(`a`)", 1, /did you mean MQTTUsername\?/],
    ["ClientID(`a`)", 1, /did you mean MQTTClientID\?/],
    ["MQTTClientId(`a`)", 1, /did you mean MQTTClientID\?/],
    ["MQTTVersions(`5`)", 1, /did you mean MQTTVersion\?/],
    ["constructor(`a`)", 1, /unknown matcher/],
    ["Host(`a`)", 1, /HTTP matcher.*HostSNI/],
    ["HostSNI(`a`) || PathPrefix(`/x`)", 17, /HTTP matcher/],
    // Characters, not bytes or UTF-16 units.
    ["/* 🔒ü */ HostSNI(`ü`)", 18, /punycode/],
    ["HostSNI(`münchen.example`)", 9, /punycode/],
    ["HostSNIRegexp(`ü`)", 15, /punycode/],
    ["HostSNI(`*.*.example.com`)", 9, /wildcard/],
    ["HostSNI(`a*.example.com`)", 9, /wildcard/],
    ["HostSNI(`*.`)", 9, /wildcard/],
    ["HostSNI(`*..`)", 9, /not a host name/],
    ["HostSNI(`.`)", 9, /not a host name/],
    ["HostSNI(`a b`)", 9, /not a host name/],
    ["HostSNI(`256.1.1.1`)", 9, /neither a host name nor an IPv4 address/],
    ["HostSNI(`1.2.3`)", 9, /neither a host name nor an IPv4 address/],
    ["HostSNI(`1234.`)", 9, /neither a host name nor an IPv4 address/],
    ["HostSNI(`a/b`)", 9, /not a host name/],
    ["HostSNIRegexp(`^a(`)", 15, /missing closing \)/],
    ["HostSNIRegexp(`a(?=b)`)", 15, /Perl syntax/],
    ["HostSNIRegexp(`a{1001}`)", 15, /repeat count/],
    ["HostSNIRegexp(``)", 15, /empty/],
    ["ClientIP(`10.0.0.256`)", 10, /neither an IP address nor a CIDR/],
    ["ClientIP(`010.0.0.1`)", 10, /neither/],
    ["ClientIP(`10.0.0.0/33`)", 10, /neither/],
    ["ClientIP(`10.0.0.0/08`)", 10, /neither/],
    ["ClientIP(`10.0.0.0/`)", 10, /neither/],
    ["ClientIP(`::/129`)", 10, /neither/],
    ["!ClientIP(`::ffff:10.0.0.0/8`)", 11, /^"::ffff:10\.0\.0\.0\/8" is IPv4 in the form of IPv6 .* write it as IPv4$/],
    ["ClientIP(`::ffff:0:0/95`)", 10, /has no IPv4 address in it/],
    ["ClientIP(`fe80::1%eth0`)", 10, /neither/],
    ["ClientIP(`example.com`)", 10, /neither/],
    ["HostSNI(`a`) && ALPN(`acme-tls/1`)", 22, /RFC 8737/],
    ["MQTTClientID(``)", 14, /empty: for clients that send an empty one write MQTTClientIDRegexp\(`\^\$`\)/],
    ["MQTTUsernameRegexp(``)", 20, /this one is empty$/],
    ['MQTTUsername("a\\x00")', 14, /no client can send this/],
    [`MQTTClientID(\`${"é".repeat(40_000)}\`)`, 14, /at most 65535 bytes/],
    ["MQTTClientID(`\ud800`)", 14, /UTF-8/],
    ["MQTTClientIDRegexp(`a(`)", 20, /missing closing \)/],
    ["MQTTClientID(sensor-1)", 14, /backticks`: MQTTClientID\(`sensor-1`\)/],
    ["MQTTUsername(`a`, `b`)", 19, /\(MQTTUsername\(`a`\) \|\| MQTTUsername\(`b`\)\)/],
    ["MQTTVersion(`5.0`)", 13, /"5.0" is no version of MQTT: did you mean 5\?/],
    ["MQTTVersion(`v3.1.1`)", 13, /did you mean 3.1.1\?/],
    ["MQTTVersion(`mqttv311`)", 13, /did you mean 3.1.1\?/],
    ["MQTTVersion(`4`)", 13, /did you mean 3.1.1\?/],
    ["MQTTVersion(`3`)", 13, /did you mean 3.1\?/],
    ["MQTTVersion(`2`)", 13, /no version of MQTT: there are 3.1, 3.1.1, 5$/],
    ["MQTTVersion(`toString`)", 13, /there are/],
    ["ALPN(`mq tt`)", 6, /printable/],
    ['ALPN("\\n\\n")', 6, /printable/],
  ];
  test.each(cases)("%j at %d", (text, column, message) => {
    const result = parseRule(text);
    expect(result).toMatchObject({ kind: "error", column });
    expect(result.kind === "error" && result.message).toMatch(message);
  });
});

test("depth is capped, with the column where it is too deep", () => {
  const nested = (levels: number) => `${"(".repeat(levels)}HostSNI(\`a\`)${")".repeat(levels)}`;
  expect(parseRule(nested(MAX_RULE_DEPTH - 1))).toEqual({ kind: "ok", rule: a });
  expect(parseRule(nested(MAX_RULE_DEPTH))).toMatchObject({ kind: "error", column: MAX_RULE_DEPTH + 1 });
  expect(parseRule("(".repeat(MAX_RULE_LENGTH)).kind).toBe("error");
  expect(parseRule(`${"!".repeat(60_000)}HostSNI(\`a\`)`).kind).toBe("error");
});

test("length is capped, and a long chain below the cap is fine", () => {
  const chain = (count: number) => Array(count).fill("HostSNI(`a`)").join("||");
  expect(parseRule(chain(4000)).kind).toBe("ok");
  expect(parseRule(chain(5000))).toMatchObject({ kind: "error", column: 1 });
});

test("any text gives a rule or an error with a column inside the text, never an exception", () => {
  const dice = random(3);
  const pieces = [
    ..."(),!&|`\"'\\\n\r \t*./é🔒\ud800\0",
    "HostSNI",
    "ALPN",
    "ClientIP",
    "HostSNIRegexp",
    "Host",
    "MQTTClientID",
    "MQTTVersion",
    "`5`",
    "`a`",
    '"b"',
  ];
  pieces.push("&&", "||", "`*`", "`*.d`", "`[`", "`::1/64`", "//", "/*", "*/", "\\x41", "__proto__", "toString");
  const seeds = [
    "HostSNI(`a.b`) && !ClientIP(`10.0.0.0/8`)",
    "(ALPN(`mqtt`) || HostSNIRegexp(`^a$`))",
    'HostSNI("\\u0061")',
  ];
  for (let round = 0; round < 30_000; round++) {
    let text = dice.chance(0.5) ? dice.pick(seeds) : "";
    for (let change = 1 + dice.below(8); change > 0; change--) {
      const at = dice.below(text.length + 1);
      text = text.slice(0, at) + dice.pick(pieces) + text.slice(at + dice.below(3));
    }
    const result = parseRule(text);
    if (result.kind === "ok") continue;
    expect(result.column).toBeGreaterThanOrEqual(1);
    expect(result.column).toBeLessThanOrEqual([...text].length + 1);
    expect(result.message.length).toBeLessThan(300);
  }
});

test.each([
  ["HostSNI(`*`)", -1],
  [" ( hostsni(`*`) ) ", -1],
  ["HostSNI(`a.example.com`)", 24],
  ["HostSNI(`*.example.com`)", 24],
  ["HostSNI(`*`) || HostSNI(`*`)", 28],
  ["!HostSNI(`a`)", 13],
  ["ClientIP(`0.0.0.0/0`)", 21],
  // Bytes: the comment has a two-byte letter.
  ["HostSNI(`a`) //ü", 17],
])("the default priority of %s is %d", (text, priority) => {
  const result = parseRule(text);
  expect(result.kind === "ok" && defaultPriority(text, result.rule)).toBe(priority);
});
