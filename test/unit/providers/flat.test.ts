// Entries of a store as dynamic configuration: Traefik's layout and conversions, and each part for itself.

import { describe, expect, test } from "bun:test";
import { Diagnostics, formatDiagnostic } from "../../../src/config/diagnostics.ts";
import type { Entry } from "../../../src/providers/engine.ts";
import { FlatConfiguration } from "../../../src/providers/flat.ts";

const entries = (values: Readonly<Record<string, string>>): Entry[] =>
  Object.entries(values).map(([path, value]) => ({ path, value, place: `store root/${path}` }));

const configuration = () => new FlatConfiguration("store", "store", new Set(["mqtts", "mqtt"]));

function read(values: Readonly<Record<string, string>>, flat = configuration()) {
  const diagnostics = new Diagnostics();
  const file = flat.read(entries(values), diagnostics);
  return { file, value: file.value, said: diagnostics.list.map(formatDiagnostic) };
}

const ROUTER = {
  "tcp/routers/mqtt/rule": "HostSNI(`a.example.com`)",
  "tcp/routers/mqtt/tls": "true",
  "tcp/routers/mqtt/service": "brokers",
};
const SERVICE = { "tcp/services/brokers/loadBalancer/servers/0/address": "127.0.0.1:1883" };

describe("the layout of Traefik", () => {
  test("every kind of part, with lists by index and by comma, and fields without case", () => {
    const { value, said } = read({
      ...ROUTER,
      ...SERVICE,
      "TCP/Routers/mqtt/EntryPoints/0": "mqtts",
      "tcp/routers/mqtt/entrypoints/1": "mqtt",
      "tcp/routers/mqtt/middlewares": "ip, few",
      "tcp/routers/mqtt/priority": "10",
      "tcp/routers/mqtt/tls/domains/0/main": "a.example.com",
      "tcp/routers/mqtt/tls/domains/0/sans/0": "b.example.com",
      "tcp/services/all/weighted/services/0/name": "brokers",
      "tcp/services/all/weighted/services/0/weight": "3",
      "tcp/middlewares/ip/ipallowlist/sourcerange/0": "10.0.0.0/8",
      "tcp/middlewares/few/inflightconn/amount": "5",
      "tcp/serverstransports/t/dialtimeout": "3s",
      "tcp/serverstransports/t/terminationdelay": "2",
      "tls/certificates/0/certfile": "a.crt",
      "tls/certificates/0/keyfile": "a.key",
      "tls/options/mtls/minversion": "VersionTLS12",
      "tls/options/mtls/clientauth/cafiles/0": "ca.crt",
      "tls/options/mtls/clientauth/clientauthtype": "RequireAndVerifyClientCert",
      "tls/stores/default/defaultcertificate/certfile": "d.crt",
      "tls/stores/default/defaultcertificate/keyfile": "d.key",
    });
    expect(said).toEqual([]);
    expect(value.tcp.routers.mqtt).toMatchObject({
      rule: "HostSNI(`a.example.com`)",
      entryPoints: ["mqtts", "mqtt"],
      middlewares: ["ip", "few"],
      priority: 10,
      tls: { domains: [{ main: "a.example.com", sans: ["b.example.com"] }] },
    });
    expect(value.tcp.services.brokers!.loadBalancer!.servers[0]!.address).toBe("127.0.0.1:1883");
    expect(value.tcp.services.all!.weighted!.services).toEqual([{ name: "brokers", weight: 3 }]);
    expect(value.tcp.middlewares.ip).toMatchObject({ ipAllowList: { sourceRange: ["10.0.0.0/8"] } });
    expect(value.tcp.middlewares.few).toMatchObject({ inFlightConn: { amount: 5 } });
    expect(value.tcp.serversTransports.t).toMatchObject({ dialTimeout: 3000, terminationDelay: 2000 });
    expect(value.tls.certificates).toMatchObject([{ certFile: "a.crt", keyFile: "a.key" }]);
    expect(value.tls.options.mtls).toMatchObject({ minVersion: "VersionTLS12" });
    expect(value.tls.stores.default!.defaultCertificate).toMatchObject({ certFile: "d.crt" });
  });

  test("indexes in brackets, with gaps, in the order of their numbers", () => {
    const { value, said } = read({
      ...ROUTER,
      "tcp/routers/mqtt/entrypoints[10]": "mqtt",
      "tcp/routers/mqtt/entrypoints[2]": "mqtts",
      "tcp/routers/mqtt/tls/domains[0]/main": "a.example.com",
      "tls/certificates[4]/certFile": "b.crt",
      "tls/certificates[3]/certFile": "a.crt",
      "tls/certificates[3]/keyFile": "a.key",
      "tls/certificates[4]/keyFile": "b.key",
    });
    expect(said).toEqual([]);
    expect(value.tcp.routers.mqtt!.entryPoints).toEqual(["mqtts", "mqtt"]);
    expect(value.tcp.routers.mqtt!.tls).toMatchObject({ domains: [{ main: "a.example.com" }] });
    expect(value.tls.certificates.map(({ certFile }) => certFile)).toEqual(["a.crt", "b.crt"]);
  });

  test("items win over a value of their list; a router may have a number for a name", () => {
    const { value, said } = read({
      "tcp/routers/123/rule": "HostSNI(`*`)",
      "tcp/routers/123/service": "s",
      "tcp/routers/123/entrypoints": "mqtt",
      "tcp/routers/123/entrypoints/0": "mqtts",
    });
    expect(said).toEqual([]);
    expect(value.tcp.routers["123"]!.entryPoints).toEqual(["mqtts"]);
  });

  test("a section is switched on by true, by nothing, and by what is in it; other words are taken with a warning", () => {
    const tls = (value: string) => {
      const { value: read_, said } = read({ ...ROUTER, "tcp/routers/mqtt/tls": value });
      return { tls: read_.tcp.routers.mqtt!.tls !== undefined, said: said.join() };
    };
    expect(tls("true")).toEqual({ tls: true, said: "" });
    expect(tls("TRUE")).toEqual({ tls: true, said: "" });
    expect(tls("")).toEqual({ tls: true, said: "" });
    expect(tls("false")).toEqual({ tls: false, said: "" });
    for (const word of ["1", "yes", "on"])
      expect(tls(word)).toMatchObject({ tls: true, said: expect.stringContaining("taken for true") });
    for (const word of ["0", "no"])
      expect(tls(word)).toMatchObject({ tls: false, said: expect.stringContaining("taken for false") });
  });

  test("folders are nothing", () => {
    const { value, said } = read({
      ...ROUTER,
      "tcp/": "",
      "tcp/routers": "",
      "tcp/routers/mqtt": "",
      "tcp/services/": "",
      tcp: "",
    });
    expect(said).toEqual([]);
    expect(Object.keys(value.tcp.routers)).toEqual(["mqtt"]);
  });

  test("what is not for TCP is told of once for each root", () => {
    const { said } = read({
      ...ROUTER,
      "http/routers/a/rule": "x",
      "http/routers/b/rule": "x",
      "tpc/routers/x/rule": "y",
    });
    expect(said).toEqual([
      expect.stringMatching(/^store root\/http\/routers\/a\/rule: warning: http is not TCP.*\[entry-ignored\]$/),
      expect.stringMatching(
        /^store root\/tpc\/routers\/x\/rule: warning: "tpc" .*did you mean "tcp".*\[entry-ignored\]$/,
      ),
    ]);
  });
});

describe("one bad entry costs its own part alone, and is named", () => {
  const GOOD = {
    "tcp/routers/other/rule": "HostSNI(`b.example.com`)",
    "tcp/routers/other/tls": "true",
    "tcp/routers/other/service": "brokers",
    ...SERVICE,
  };

  for (const [what, bad, place] of [
    ["an unknown field", { "tcp/routers/mqtt/sevrice": "x" }, "tcp/routers/mqtt/sevrice"],
    ["a value of the wrong kind", { "tcp/routers/mqtt/priority": "high" }, "tcp/routers/mqtt/priority"],
    [
      "a section that is off and has fields",
      { "tcp/routers/mqtt/tls": "false", "tcp/routers/mqtt/tls/options": "x" },
      "tcp/routers/mqtt/tls",
    ],
  ] as const)
    test(`${what}: the router keeps its names, and is off`, () => {
      const { file, value, said } = read({ ...ROUTER, ...GOOD, ...bad });
      expect(Object.keys(value.tcp.routers).sort()).toEqual(["mqtt", "other"]);
      expect(value.tcp.routers.mqtt).toMatchObject({ rule: "HostSNI(`a.example.com`)", tls: {} });
      expect(file.unsupported).toMatchObject([
        { path: ["tcp", "routers", "mqtt"], effect: "off", code: "entry-refused" },
      ]);
      expect(said).toHaveLength(1);
      expect(said[0]).toStartWith(`store root/${place}: `);
    });

  test("a rule that cannot be read: the router is left out, and others are not", () => {
    for (const rule of ["HostSNI(", ""]) {
      const { value, said } = read({ ...ROUTER, ...GOOD, "tcp/routers/mqtt/rule": rule });
      expect(Object.keys(value.tcp.routers)).toEqual(["other"]);
      expect(said.join("\n")).toContain("it is left out");
      expect(said[0]).toContain("tcp/routers/mqtt");
    }
  });

  test("a former version goes on serving, until the entry is mended or gone", () => {
    const flat = configuration();
    const good = { ...ROUTER, ...GOOD };
    const { file } = read(good, flat);
    for (const bad of [
      { "tcp/routers/mqtt/rule": "HostSNI(" },
      { "tcp/routers/mqtt/entrypoints": "mqtst" },
      { "tcp/routers/mqtt/tsl": "x" },
    ] as Record<string, string>[]) {
      const { value, said } = read({ ...good, ...bad }, flat);
      expect(value.tcp.routers.mqtt).toEqual(file.value.tcp.routers.mqtt!);
      expect(said.join("\n")).toContain("what it was before goes on serving");
      expect(read({ ...good, ...bad }, flat).said).toEqual(said);
    }
    expect(read(good, flat).said).toEqual([]);
    expect(Object.keys(read(GOOD, flat).value.tcp.routers)).toEqual(["other"]);
  });

  test("TLS options that cannot be read are there and off, so nobody gets weaker ones", () => {
    const { file, value } = read({ ...GOOD, "tls/options/default/clientauth/clientauthtype": "Perhaps" });
    expect(value.tls.options.default).toBeDefined();
    expect(file.unsupported).toMatchObject([{ path: ["tls", "options", "default"], effect: "off" }]);
  });

  test("a name with @, and a path that is none", () => {
    const { said } = read({
      ...GOOD,
      "tcp/routers/a@b/rule": "x",
      "tcp//x": "y",
      "tcp/routrs/x/rule": "y",
      "tls/certificates/x/certFile": "y",
    });
    expect(said).toHaveLength(4);
    expect(said.join("\n")).toContain('did you mean "routers"');
  });
});

describe("only what has changed is read again", () => {
  test("the same entries give the same object; a changed one leaves the others as they are", () => {
    const flat = configuration();
    const many = { ...ROUTER, ...SERVICE };
    const first = read(many, flat).file;
    expect(read(many, flat).file).toBe(first);
    const second = read(
      { ...many, "tcp/services/brokers/loadBalancer/servers/0/address": "127.0.0.1:1884" },
      flat,
    ).file;
    expect(second).not.toBe(first);
    expect(second.value.tcp.routers.mqtt).toBe(first.value.tcp.routers.mqtt!);
    expect(second.source.locate(["tcp", "services", "brokers", "loadBalancer", "servers", 0, "address"]).file).toBe(
      "store root/tcp/services/brokers/loadBalancer/servers/0/address",
    );
  });

  test("one that is wrong among many is found, and the rest is read", () => {
    const many: Record<string, string> = {};
    for (let n = 0; n < 300; n++) many[`tcp/services/s${n}/loadBalancer/servers/0/address`] = "127.0.0.1:1883";
    const { value, said } = read({ ...many, "tcp/services/s77/loadBalancer/oops": "1" });
    expect(Object.keys(value.tcp.services)).toHaveLength(299);
    expect(said.every((line) => line.includes("s77"))).toBe(true);
  });
});
