// The dynamic file is decoded as Traefik decodes it, traps included (reference: paerser's rules), and without surprises from YAML.

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Diagnostics, describeDiagnostic, formatDiagnostic } from "../../../src/config/diagnostics.ts";
import { type DynamicFile, parseDynamic } from "../../../src/config/dynamic.ts";
import { cpuMs } from "../../support/cpu.ts";
import { exec, temporaryDirectory } from "../../support/tools.ts";

function problems(text: string): string[] {
  const diagnostics = new Diagnostics();
  const file = parseDynamic("f.yml", text, diagnostics);
  expect(file === null).toBe(diagnostics.errors > 0);
  return diagnostics.list.map(describeDiagnostic);
}

function parse(text: string): DynamicFile {
  const diagnostics = new Diagnostics();
  const file = parseDynamic("f.yml", text, diagnostics);
  expect(diagnostics.list.filter(({ code }) => code !== "section-empty").map(describeDiagnostic)).toEqual([]);
  return file!;
}

const routerOf = (fields: string) => parse(`tcp: { routers: { r: { ${fields} } } }`).value.tcp.routers.r!;

describe("tls of a router", () => {
  test.each([
    ["", undefined],
    ["tls:", undefined], // YAML null: the key is absent, so the router is for plain MQTT
    ["tls: null", undefined],
    ["tls: ~", undefined],
    ["tls: false", undefined],
    ["tls: {}", { passthrough: false, domains: [] }],
    ["tls: true", { passthrough: false, domains: [] }],
    ["tls: { passthrough: }", { passthrough: false, domains: [] }],
    ["tls: { passthrough: True }", { passthrough: true, domains: [] }],
    ['tls: { passthrough: "1" }', { passthrough: true, domains: [] }],
    ["tls: { options: strong@file }", { passthrough: false, domains: [], options: "strong@file" }],
  ])("%j", (text, tls) => expect(routerOf(text).tls).toEqual(tls as never));
});

describe("lists", () => {
  test.each([
    ["entryPoints: mqtts", ["mqtts"]],
    ['entryPoints: "mqtts, other ,third"', ["mqtts", "other", "third"]],
    ["entryPoints: [mqtts, other]", ["mqtts", "other"]],
    ["entryPoints: [8883]", ["8883"]],
    ["", undefined],
  ])("%j", (text, list) => expect(routerOf(text).entryPoints).toEqual(list as never));

  test("a list of scalars where objects belong is an error, not Traefik's silent empty list", () => {
    expect(problems('tcp: { services: { s: { loadBalancer: { servers: ["10.0.0.1:1883"] } } } }')).toEqual([
      'f.yml:1:51: tcp.services.s.loadBalancer.servers.0 must be a mapping, not "10.0.0.1:1883"',
    ]);
  });

  test("an entry of nothing is an error", () => {
    expect(problems("tls:\n  certificates:\n    -\n")).toEqual(["f.yml:3:6: tls.certificates.0 is empty"]);
  });
});

describe("keys", () => {
  test("are compared without case, names are not", () => {
    const { value } = parse("TCP: { ROUTERS: { Mqtt: { RULE: a, EntryPoints: b }, mqtt: { rule: c } } }");
    expect(Object.keys(value.tcp.routers)).toEqual(["Mqtt", "mqtt"]);
    expect(value.tcp.routers.Mqtt).toMatchObject({ rule: "a", entryPoints: ["b"] });
  });

  test("an unknown one is an error where it stands, at the root too", () => {
    expect(problems("tcp:\n  routers:\n    r:\n      servce: s\n")).toEqual([
      'f.yml:4:7: unknown field "servce" in tcp.routers.r (did you mean "service"?)',
    ]);
    expect(problems("router: {}\n")).toEqual(['f.yml:1:1: unknown field "router"']);
  });

  test("those of the static configuration may stand in the same file", () => {
    expect(parse("entryPoints: { mqtts: { nonsense: 1 } }\nPING: {}\n").value.tcp.routers).toEqual({});
  });

  test.each([
    ["tcp: { routers: { r: { rule: a, Rule: b } } }", '"Rule" is given twice in tcp.routers.r'],
    ["tcp: { routers: { r: { tls: , tls: {} } } }", '"tls" is given twice in tcp.routers.r'],
    ["tcp: { routers: { r: {}, r: {} } }", '"r" is given twice in tcp.routers'],
    ["tcp: {}\ntcp: {}\n", '"tcp" is given twice'],
  ])("given twice are an error: %j", (text, message) => {
    expect(problems(text).join()).toContain(message);
  });

  test.each(["__proto__", ""])("%j cannot be a name", (name) => {
    expect(problems(`tcp: { services: { "${name}": {} } }`)).toEqual([
      `f.yml:1:20: "${name}" cannot be a name in tcp.services`,
    ]);
    expect(Object.getPrototypeOf(parse("tcp: { services: { constructor: {} } }").value.tcp.services)).toBe(
      Object.prototype,
    );
  });
});

describe("nothing", () => {
  test.each(["", "# only a comment\n", "---\n", "tcp:\n", "tcp: {}\n", "tcp: { routers: {} }", "tls:\ntcp:\n"])(
    "%j is an empty configuration",
    (text) => {
      const { tcp, tls } = parse(text).value;
      expect([tcp.routers, tcp.services, tcp.serversTransports, tls.certificates, tls.options, tls.stores]).toEqual([
        {},
        {},
        {},
        [],
        {},
        {},
      ]);
    },
  );

  test("a section with nothing behind it counts as not given, with a warning where that is not the same", () => {
    const lines = (text: string) => {
      const diagnostics = new Diagnostics();
      return [parseDynamic("f.yml", text, diagnostics), diagnostics.list.map(formatDiagnostic)] as const;
    };
    const [file, said] = lines("tcp:\n  routers:\n    r:\n      tls:\n");
    expect(file!.value.tcp.routers.r!.tls).toBeUndefined();
    expect(said).toEqual([
      "f.yml:4:7: warning: tcp.routers.r.tls has nothing behind it, and counts as not given: remove it, or write  tls: {}  to have it with defaults [section-empty]",
    ]);
    expect(lines("tcp:\ntls: ~\n")[1]).toEqual([]);
    expect(lines("tcp: { routers: { r: { tls: {} } } }")[1]).toEqual([]);
  });

  test("clientAuth with nothing behind it is not taken for absent", () => {
    const { value } = parse("tls: { options: { a: { clientAuth: }, b: {} } }");
    expect([value.tls.options.a!.clientAuth, value.tls.options.b!.clientAuth]).toMatchObject([
      { caFiles: [] },
      undefined,
    ]);
  });

  test.each([
    ["tcp: { routers: { r: { middlewares: } } }", "tcp.routers.r.middlewares"],
    ["tcp: { routers: { r: { entryPoints: } } }", "tcp.routers.r.entryPoints"],
    ["tcp: { routers: { r: { tls: { options: } } } }", "tcp.routers.r.tls.options"],
    [
      "tcp: { services: { s: { loadBalancer: { serversTransport: } } } }",
      "tcp.services.s.loadBalancer.serversTransport",
    ],
    ["tcp: { services: { s: { loadBalancer: { proxyProtocol: } } } }", "tcp.services.s.loadBalancer.proxyProtocol"],
    [
      "tcp: { services: { s: { loadBalancer: { servers: [{ tls: }] } } } }",
      "tcp.services.s.loadBalancer.servers.0.tls",
    ],
    ["tcp: { serversTransports: { t: { proxyProtocol: } } }", "tcp.serversTransports.t.proxyProtocol"],
    ["tcp: { serversTransports: { t: { tls: { rootCAs: } } } }", "tcp.serversTransports.t.tls.rootCAs"],
    ...["minVersion", "cipherSuites", "alpnProtocols", "sniStrict"].map((field) => [
      `tls: { options: { o: { ${field}: } } }`,
      `tls.options.o.${field}`,
    ]),
    ["tls: { options: { o: { clientAuth: { closeRevoked: } } } }", "tls.options.o.clientAuth.closeRevoked"],
    ...[
      ...["versions", "clientId", "maxKeepAlive", "cleanOnly", "allowWill", "bridges", "idleTimeout"],
      ...["clientId: { pattern", "clientId: { maxLength", "clientId: { allowEmpty"],
    ].map((field) => [
      `tcp: { middlewares: { m: { mqttConnect: { ${field}: ${field.includes("{") ? "}" : ""} } } } }`,
      `tcp.middlewares.m.mqttConnect.${field.replace(": { ", ".")}`,
    ]),
  ])("%s: what keeps clients out is not taken for absent when there is nothing behind it", (text, field) => {
    const diagnostics = new Diagnostics();
    expect(parseDynamic("f.yml", text!, diagnostics)).toBe(null);
    expect(diagnostics.list.map(({ code, message }) => [code, message])).toEqual([
      ["field-missing", `${field} has nothing behind it: give it a value, or remove the line`],
    ]);
  });

  test("a null entry is an entry with defaults", () => {
    expect(parse("tcp: { services: { s: } }").value.tcp.services).toEqual({ s: {} });
    expect(parse("tls: { options: { strong: ~ } }").value.tls.options).toEqual({ strong: { sniStrict: false } });
  });
});

describe("scalars are read by the type that is wanted", () => {
  test("a number may be a name, and a quoted number a number", () => {
    expect(routerOf('rule: "x", service: 8080, priority: "-7"')).toMatchObject({ service: "8080", priority: -7 });
  });

  test("the written form counts, not YAML's reading of it", () => {
    // 1883 in octal, a date, and hexadecimal are text to Traefik, which stringifies before it parses.
    expect(routerOf("service: 0o17")).toMatchObject({ service: "0o17" });
    expect(routerOf("service: 2026-01-01")).toMatchObject({ service: "2026-01-01" });
  });

  test("durations: a bare number is seconds, also where Traefik's documentation talks of milliseconds", () => {
    const transport = (fields: string) =>
      parse(`tcp: { serversTransports: { t: { ${fields} } } }`).value.tcp.serversTransports.t!;
    expect(transport("terminationDelay: 100")).toMatchObject({ terminationDelay: 100_000 });
    expect(transport("terminationDelay: 100ms")).toMatchObject({ terminationDelay: 100 });
    expect(transport("terminationDelay: -1, dialKeepAlive: -1s")).toMatchObject({
      terminationDelay: -1000,
      dialKeepAlive: -1000,
    });
    expect(transport("dialTimeout: 1500ms")).toMatchObject({ dialTimeout: 1500 });
    expect(transport("")).toMatchObject({ dialTimeout: 30_000, dialKeepAlive: 15_000, terminationDelay: 100 });
  });

  test("an enumeration is read without case", () => {
    const { value } = parse("tls: { options: { o: { minVersion: versiontls13 } } }");
    expect(value.tls.options.o!.minVersion).toBe("VersionTLS13");
  });
});

describe("fields that Sluice knows and lacks", () => {
  const lacking = (text: string) => parse(text).unsupported.map(({ path, effect }) => `${effect} ${path.join(".")}`);

  test("are told with their effect", () => {
    expect(lacking("tls: { options: { o: { disableSessionTickets: true } } }")).toEqual([
      "warn tls.options.o.disableSessionTickets",
    ]);
    expect(lacking("tcp: { serversTransports: { t: { tls: { peerCertURI: x, spiffe: {} } } } }")).toEqual([
      "off tcp.serversTransports.t.tls.peerCertURI",
      "off tcp.serversTransports.t.tls.spiffe",
    ]);
  });

  test("are nothing when they are null, false or an empty list", () => {
    expect(lacking("tls: { options: { o: { disableSessionTickets: [] } } }")).toEqual([]);
    expect(lacking("tls: { options: { o: { disableSessionTickets: } } }")).toEqual([]);
    expect(lacking("tcp: { serversTransports: { t: { tls: { spiffe: false } } } }")).toEqual([]);
  });
});

describe("YAML", () => {
  test("merge keys bring in what the mapping does not have itself", () => {
    const { routers } = parse(`
tcp:
  routers:
    a: &a { rule: one, service: s, tls: {} }
    b: { <<: *a, rule: two }
    c: { <<: [{ service: other }, *a] }
`).value.tcp;
    expect(routers.b).toMatchObject({ rule: "two", service: "s", tls: {} });
    expect(routers.c).toMatchObject({ rule: "one", service: "other" });
  });

  test("an alias means the last anchor of its name before it", () => {
    const { routers } = parse(`
tcp:
  routers:
    a: { rule: &x one }
    b: { rule: *x, service: &x two }
    c: { rule: *x }
`).value.tcp;
    expect([routers.b!.rule, routers.c!.rule]).toEqual(["one", "two"]);
  });

  test("an alias without an anchor is an error", () => {
    expect(problems("tcp: *x\n")).toEqual([
      "f.yml:1:6: YAML: a value that begins with * is an alias, and no anchor (&) of its name is before it: put a value that is none in quotes",
    ]);
  });

  test.each([
    ["an alias inside its own anchor", "tcp:\n  routers: &r\n    a: *r\n"],
    ["a mapping that merges itself", "tcp:\n  routers:\n    a: &a\n      <<: *a\n      rule: [x]\n"],
  ])("%s ends", (_, text) => expect(problems(text).length).toBeGreaterThan(0));

  test("aliases that unfold without end are refused before they have cost much", () => {
    const lines = ["tcp:", "  services:", "    s: &s", "      weighted:", "        services: &list"];
    lines.push(
      ...Array<string>(1500).fill("          - name: x"),
      "    t:",
      "      weighted:",
      "        services: *list",
    );
    for (let i = 0; i < 1000; i++) lines.push(`    s${i}: *s`);
    const cost = cpuMs(() =>
      expect(problems(lines.join("\n")).join()).toContain("the file unfolds into more than Sluice reads"),
    );
    expect(cost).toBeLessThan(20_000);
  });

  test("reading costs CPU time in proportion to the number of routers", () => {
    const time = (count: number) => {
      const lines = ["tcp:", "  routers:"];
      for (let i = 0; i < count; i++)
        lines.push(`    r${i}:`, `      rule: HostSNI(\`h${i}.example\`)`, "      service: s", "      tls: {}");
      return cpuMs(() => expect(Object.keys(parse(lines.join("\n")).value.tcp.routers).length).toBe(count));
    };
    time(500);
    // 8 when it is; the library's own search for equal keys made it 24, and 10 000 routers took 7 s. What seems too much is measured again.
    let ratio = Number.POSITIVE_INFINITY;
    for (let tries = 0; tries < 4 && ratio >= 16; tries++)
      ratio = Math.min(ratio, time(8000) / Math.min(time(1000), time(1000)));
    expect(ratio).toBeLessThan(16);
  }, 60_000);

  test("CRLF, a byte-order mark and tabs in values change nothing", () => {
    expect(parse("\uFEFFtcp:\r\n  routers:\r\n    r:\r\n      rule: a\tb\r\n").value.tcp.routers.r!.rule).toBe("a\tb");
  });
});

test("Go templates are refused where they stand, but not in comments", () => {
  expect(problems("# {{ env }}\ntcp:\n  routers: {} # {{\n")).toEqual([]);
  expect(problems('tcp:\n  routers:\n    r: { rule: "{{ env `X` }}" }\n')).toEqual([
    expect.stringMatching(/^f\.yml:3:17: Go templates .* write the values out/) as unknown as string,
  ]);
});

test("TOML is refused by its name, and the command that is named makes YAML of it", async () => {
  const cwd = temporaryDirectory();
  writeFileSync(
    join(cwd, "a.toml"),
    '[tcp.routers.mqtt]\nrule = "HostSNI(`a`)"\nservice = "s"\n[tcp.routers.mqtt.tls]\n',
  );
  const diagnostics = new Diagnostics();
  expect(parseDynamic("a.toml", "", diagnostics)).toBeNull();
  const said = describeDiagnostic(diagnostics.list[0]!);
  expect(said).toStartWith("a.toml: TOML is not read by Sluice: write the same keys as YAML.");
  const command = / {2}(python3 .*) {2}/.exec(said)![1]!;
  expect(await exec(["sh", "-c", command], { cwd })).toEqual({ code: 0, stdout: "", stderr: "" });
  const read = parseDynamic("a.yml", readFileSync(join(cwd, "a.yml"), "utf8"), new Diagnostics());
  expect(read?.value.tcp.routers.mqtt).toMatchObject({
    rule: "HostSNI(`a`)",
    service: "s",
    tls: { passthrough: false },
  });
  // A name that a shell would not take as it is.
  parseDynamic("$(a).TOML", "", diagnostics);
  expect(describeDiagnostic(diagnostics.list[1]!)).toContain("<FILE.toml >FILE.yml");
});
