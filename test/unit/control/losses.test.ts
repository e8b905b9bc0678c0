// What a reload removes: what connections lose by it, whose onRemove decides, and that no mistake in a configuration closes any of them.

import { describe, expect, test } from "bun:test";
import { Accepted, load } from "../../../src/compile/load.ts";
import { Diagnostics } from "../../../src/config/diagnostics.ts";
import { parseDynamic } from "../../../src/config/dynamic.ts";
import { parseStatic } from "../../../src/config/static.ts";
import { discovered } from "../../../src/control/discovered.ts";
import { Losses } from "../../../src/control/losses.ts";
import type { Row } from "../../../src/protocol/messages.ts";
import { Authority } from "../../support/certs.ts";

const config = parseStatic(
  "s.yml",
  "entryPoints: { a: { address: ':1' }, b: { address: ':2' } }\nproviders: { file: { filename: x.yml } }",
  new Diagnostics(),
)!;

/** Configurations that come into force one after another: what is lost after each, as `id: policy`. */
function reloads(resolve: (row: Row) => Row = (row) => row) {
  const accepted = new Accepted();
  const losses = new Losses();
  let version = 0;
  return (text: string): string[] => {
    const diagnostics = new Diagnostics();
    const file = parseDynamic("file.yml", text, diagnostics, "file");
    const offer = file === null ? ([...accepted.offers.values()][0] ?? null) : [file];
    const { compiled } = load(
      {
        config,
        providers: new Map([["file", { offer, fresh: file !== null, diagnostics }]]),
        selfSigned: null,
        accepted,
      },
      new Diagnostics(),
    );
    const configured = compiled!.rows;
    const rows = new Map([...configured].map(([key, row]) => [key, resolve(row)]));
    return losses.take({ rows, configured, named: compiled!.named }, ++version).map(({ id, policy, which }) => {
      const pace = policy.kind === "spread" ? ` ${policy.perSecond}` : "";
      const servers = which.by !== "server" && which.servers !== undefined ? ` (${which.servers.join(", ")})` : "";
      return `${id.trim()}${servers}: ${policy.kind}${pace}`;
    });
  };
}

interface Parts {
  readonly router?: string;
  readonly entryPoints?: string;
  readonly service?: string;
  readonly tls?: string;
  readonly routerRemove?: string;
  readonly servers?: readonly string[];
  readonly serviceRemove?: string;
  readonly more?: string;
  readonly moreServices?: string;
}

const on = (remove: string | undefined) => (remove === undefined ? "" : `onRemove: ${remove}, `);
const servers = (ports: readonly string[]) => `[${ports.map((port) => `{ address: "h:${port}" }`).join(", ")}]`;

function text(parts: Parts = {}): string {
  const { router = "r", entryPoints = "[a, b]", service = "s", tls, routerRemove, serviceRemove, more = "" } = parts;
  const rule = tls === undefined ? "HostSNI(`*`)" : "HostSNI(`x.test`)";
  return `
tcp:
  routers:
    ${router}: { ${on(routerRemove)}entryPoints: ${entryPoints}, rule: '${rule}', service: ${service}${tls === undefined ? "" : `, tls: ${tls}`} }
  services:
    s: { loadBalancer: { ${on(serviceRemove)}servers: ${servers(parts.servers ?? ["1", "2"])} } }
    ${parts.moreServices ?? ""}
${more}`;
}

describe("a server", () => {
  test("that is taken out of its service is lost, by what the service says now", () => {
    const reload = reloads();
    expect(reload(text())).toEqual([]);
    expect(reload(text({ servers: ["1"], serviceRemove: "close" }))).toEqual(["server s@file h:2: close"]);
  });

  test("is kept without onRemove, also when that is added later", () => {
    const reload = reloads();
    reload(text());
    expect(reload(text({ servers: ["1"] }))).toEqual([]);
    expect(reload(text({ servers: ["1"], serviceRemove: "close" }))).toEqual([]);
  });

  test("that comes back is lost no more, and a policy that changes meanwhile counts", () => {
    const reload = reloads();
    reload(text({ serviceRemove: "spread" }));
    expect(reload(text({ serviceRemove: "spread", servers: ["1"] }))).toEqual(["server s@file h:2: spread 10"]);
    expect(reload(text({ serviceRemove: "{ spread: 7 }", servers: ["1"] }))).toEqual(["server s@file h:2: spread 7"]);
    expect(reload(text({ serviceRemove: "{ spread: 7 }" }))).toEqual([]);
  });

  test("that is left out for a mistake is not lost; one that is missing when that is mended is", () => {
    const reload = reloads();
    reload(text({ serviceRemove: "close" }));
    expect(reload(text({ serviceRemove: "close", servers: ["1", "x y"] }))).toEqual([]);
    expect(reload(text({ serviceRemove: "close", servers: ["x y"] }))).toEqual([]);
    expect(reload(text({ serviceRemove: "close", servers: ["1"] }))).toEqual(["server s@file h:2: close"]);
  });
});

test("a server that DNS names no more is not lost; those of a name that is taken out of the service are", () => {
  const answers: Record<string, string[]> = { "one.test": ["10.0.0.1", "10.0.0.2"], "two.test": ["10.0.0.3"] };
  const names = { addresses: (host: string) => answers[host], located: () => undefined };
  const reload = reloads((row) => {
    if (row.kind !== "service" || row.value.kind !== "loadBalancer") return row;
    return { ...row, value: { ...row.value, servers: discovered(row.value.servers, names) } };
  });
  const named = (...hosts: string[]) =>
    text({ serviceRemove: "close" }).replace(
      /servers: \[.*\]/,
      `servers: [${hosts.map((host) => `{ address: "${host}:1", resolve: all }`).join(", ")}]`,
    );
  reload(named("one.test", "two.test"));
  answers["one.test"] = ["10.0.0.2", "10.0.0.4"];
  expect(reload(named("one.test", "two.test"))).toEqual([]);
  expect(reload(named("one.test", "two.test", "three.test"))).toEqual([]);
  expect(reload(named("two.test", "three.test"))).toEqual([
    "server s@file 10.0.0.2:1: close",
    "server s@file 10.0.0.4:1: close",
    "server s@file 10.0.0.1:1: close",
  ]);
});

describe("a service", () => {
  const other = "t: { loadBalancer: { servers: [{ address: 'h:9' }] } }";
  const without = (service: string, more = "") =>
    `tcp:\n  routers: { r: { entryPoints: [a, b], rule: 'HostSNI(\`*\`)', service: ${service} } }\n  services: { ${other}${more} }`;

  test("that is gone and that nobody names is lost with all of its servers, by what it said last", () => {
    const reload = reloads();
    reload(text({ serviceRemove: "close", moreServices: other }));
    expect(reload(without("t"))).toEqual(["server s@file h:1: close", "server s@file h:2: close"]);
  });

  test("that a router still names is not lost: its name may be misspelled", () => {
    const reload = reloads();
    reload(text({ serviceRemove: "close", routerRemove: "close", moreServices: other }));
    expect(reload(without("s"))).toEqual([]);
    expect(reload(without("s").replace("services: {", "services: { S: { loadBalancer: {} }, "))).toEqual([]);
    expect(reload(without("t"))).toEqual(["server s@file h:1: close", "server s@file h:2: close"]);
  });

  test("that is off by an error is not lost, nor is what was in it before", () => {
    const reload = reloads();
    reload(text({ serviceRemove: "close", routerRemove: "close" }));
    const broken = text().replace("loadBalancer: { ", "loadBalancer: { serversTransport: nobody, ");
    expect(reload(broken)).toEqual([]);
    expect(reload(text({ serviceRemove: "close", servers: ["2"] }))).toEqual(["server s@file h:1: close"]);
  });

  const weighted = (...children: string[]) =>
    text({
      service: "w",
      serviceRemove: "{ spread: 3 }",
      moreServices: `${other}\n    w: { weighted: { services: [${children.map((name) => `{ name: ${name} }`).join(", ")}] } }`,
    });

  test("that a weighted service leads to no more is lost for the routers of that one, by what it says itself", () => {
    const reload = reloads();
    reload(weighted("s", "t"));
    expect(reload(weighted("t"))).toEqual(["service w@file s@file (s@file h:1, s@file h:2): spread 3"]);
    expect(reload(weighted("t", "s"))).toEqual([]);
  });

  test("of a failover that is not in it any more is lost like one of a weighted service", () => {
    const failover = (fallback: string) =>
      text({
        service: "f",
        serviceRemove: "close",
        moreServices: `${other}\n    u: { loadBalancer: { servers: [{ address: 'h:8' }] } }\n    f: { failover: { service: t, fallback: ${fallback} } }`,
      });
    const reload = reloads();
    reload(failover("s"));
    expect(reload(failover("u"))).toEqual(["service f@file s@file (s@file h:1, s@file h:2): close"]);
  });

  test("of a weighted service is not lost while another one in it is missing", () => {
    const reload = reloads();
    reload(weighted("s", "t"));
    expect(reload(weighted("s", "u"))).toEqual([]);
  });
});

describe("a router", () => {
  const services = "tcp: { services: { s: { loadBalancer: { servers: [{ address: 'h:1' }, { address: 'h:2' }] } } } }";

  test("that is gone is lost, by what it said last; it is kept without onRemove", () => {
    for (const [remove, expected] of [
      ["close", ["router r@file: close"]],
      ["{ spread: 5 }", ["router r@file: spread 5"]],
      ["keep", []],
      [undefined, []],
    ] as const) {
      const reload = reloads();
      reload(text({ ...(remove !== undefined && { routerRemove: remove }) }));
      expect(reload(services)).toEqual([...expected]);
    }
  });

  test("with another name is another one", () => {
    const reload = reloads();
    reload(text({ routerRemove: "close" }));
    expect(reload(text({ routerRemove: "close", router: "q" }))).toEqual(["router r@file: close"]);
  });

  test("that is off by an error loses nothing", () => {
    const reload = reloads();
    reload(text({ routerRemove: "close", serviceRemove: "close" }));
    for (const broken of [
      "service: nobody",
      "service: s, middlewares: [nobody]",
      "service: s, tls: { options: nobody }",
    ])
      expect(reload(text({ routerRemove: "close", serviceRemove: "close" }).replace("service: s", broken))).toEqual([]);
    expect(reload(services)).toEqual(["router r@file: close"]);
  });

  test("whose file cannot be read loses nothing", () => {
    const reload = reloads();
    reload(text({ routerRemove: "close", serviceRemove: "close" }));
    for (const broken of ["tcp: [", "tcp: { routes: {} }", text({ routerRemove: "sometimes" })])
      expect(reload(broken)).toEqual([]);
  });

  test("loses an entry point, for the connections of that one", () => {
    const reload = reloads();
    reload(text({ routerRemove: "close" }));
    expect(reload(text({ routerRemove: "close", entryPoints: "[b]" }))).toEqual(["router r@file entryPoint a: close"]);
    expect(reload(text({ routerRemove: "close" }))).toEqual([]);
  });

  test("that names an entry point that does not exist in place of one loses nothing", () => {
    const reload = reloads();
    reload(text({ routerRemove: "close" }));
    expect(reload(text({ routerRemove: "close", entryPoints: "[b, c]" }))).toEqual([]);
  });

  test("loses the service that it had, for connections to servers that it does not reach any more", () => {
    const moreServices = "t: { loadBalancer: { servers: [{ address: 'h:9' }] } }";
    const reload = reloads();
    reload(text({ routerRemove: "close", moreServices }));
    expect(reload(text({ routerRemove: "close", service: "t", moreServices }))).toEqual([
      "router r@file service s@file (s@file h:1, s@file h:2): close",
    ]);
    const both = `${moreServices}\n    w: { weighted: { services: [{ name: s }, { name: t }] } }`;
    expect(reload(text({ routerRemove: "close", service: "w", moreServices: both }))).toEqual([]);
  });
});

describe("the TLS settings of a router", async () => {
  const [first, second] = await Promise.all([Authority.create(), Authority.create()]);
  const options = (fields: string) => `tls: { options: { o: { ${fields} } } }`;
  const auth = (type: string, ...files: string[]) => `clientAuth: { clientAuthType: ${type}, caFiles: [${files}] }`;
  const required = "RequireAndVerifyClientCert";
  const own = "{ options: o }";
  const none = auth("NoClientCert");

  const cases: [string, string, string, string, string, boolean][] = [
    ["begin to ask for certificates", own, options(none), own, options(auth(required, first.cert)), true],
    ["ask for none any more", own, options(auth(required, first.cert)), own, options(none), false],
    [
      "lose an authority",
      own,
      options(auth(required, first.cert, second.cert)),
      own,
      options(auth(required, first.cert)),
      true,
    ],
    [
      "get an authority",
      own,
      options(auth(required, first.cert)),
      own,
      options(auth(required, first.cert, second.cert)),
      false,
    ],
    ["ask for a newer TLS", own, options("minVersion: VersionTLS12"), own, options("minVersion: VersionTLS13"), true],
    ["have other ALPN names", own, options("alpnProtocols: [a]"), own, options("alpnProtocols: [b]"), false],
    [
      "are others, which ask for more",
      "{}",
      options(auth(required, first.cert)),
      own,
      options(auth(required, first.cert)),
      true,
    ],
    ["are others, which ask for the same", "{}", options(none), own, options(none), false],
    ["pass TLS through now", "{}", "", "{ passthrough: true }", "", true],
  ];
  test.each(cases)("that %s are lost, or not", (_, tls, more, nextTls, nextMore, isLost) => {
    const reload = reloads();
    reload(text({ routerRemove: "close", tls, more }));
    const next = text({ routerRemove: "close", tls: nextTls, more: nextMore });
    expect(reload(next)).toEqual(isLost ? ["router r@file tls: close"] : []);
    if (isLost) expect(reload(text({ routerRemove: "close", tls, more }))).toEqual([]);
  });
});
