// A load over what several providers offer: names do not clash, each provider's mistake is its own, and its last good offer stands in.

import { describe, expect, test } from "bun:test";
import { Accepted, load } from "../../../src/compile/load.ts";
import { Diagnostics, formatDiagnostic } from "../../../src/config/diagnostics.ts";
import { parseDynamic } from "../../../src/config/dynamic.ts";
import { parseStatic } from "../../../src/config/static.ts";
import type { Current } from "../../../src/providers/provider.ts";

const STATIC = "entryPoints: { mqtts: { address: ':8883' } }\nproviders: { file: { filename: x.yml } }\n";

function offer(provider: string, text: string): Current {
  const diagnostics = new Diagnostics();
  const file = parseDynamic(`${provider}.yml`, text, diagnostics, provider);
  return { offer: file === null ? null : [file], fresh: file !== null, diagnostics };
}

/** Loads one after the other what providers offer, as a reloader does. */
function loads(extra = "") {
  const accepted = new Accepted();
  const config = parseStatic("s.yml", STATIC + extra, new Diagnostics())!;
  return (providers: Readonly<Record<string, Current>>) => {
    const diagnostics = new Diagnostics();
    const input = { config, providers: new Map(Object.entries(providers)), selfSigned: null, accepted };
    const { compiled, refused } = load(input, diagnostics);
    const names = [...(compiled?.rows.keys() ?? [])].filter((key) => /^(router|service)\//.test(key)).sort();
    return { compiled, refused, names, problems: diagnostics.list.map(formatDiagnostic) };
  };
}

const router = (name: string, host: string, more = "tls: { passthrough: true }", service = "s") =>
  `tcp: { routers: { ${name}: { rule: 'HostSNI(\`${host}\`)', service: ${service}, ${more} } }, services: { s: { loadBalancer: { servers: [{ port: 1 }] } } } }`;

describe("names", () => {
  test("of two providers do not clash, and a bare reference means the own provider", () => {
    const { compiled, names, problems } = loads()({
      file: offer("file", router("r", "a")),
      docker: offer("docker", router("r", "b")),
    });
    expect(names).toEqual(["router/r@docker", "router/r@file", "service/s@docker", "service/s@file"]);
    expect(compiled!.rows.get("router/r@docker")!.value).toMatchObject({ service: "s@docker" });
    expect(compiled!.rows.get("router/r@file")!.value).toMatchObject({ service: "s@file" });
    expect(problems).toEqual([]);
  });

  test("with a provider mean that one, the sidecar's too", () => {
    const { compiled } = loads("sidecar: { address: 'broker:1883', certDirectory: certs }\n")({
      file: offer("file", router("r", "a", "tls: {}", "sidecar@internal")),
      docker: offer("docker", router("r", "b", "tls: { passthrough: true }", "s@File")),
    });
    expect(compiled!.rows.get("router/r@file")!.value).toMatchObject({ service: "sidecar@internal" });
    expect(compiled!.rows.get("router/r@docker")!.value).toMatchObject({ service: "s@file" });
    expect(compiled!.rows.get("service/sidecar@internal")).toBeDefined();
  });

  test("of another provider are proposed where there is none of one's own", () => {
    const { problems } = loads("sidecar: { address: 'broker:1883', certDirectory: certs }\n")({
      file: offer("file", router("r", "a", "tls: {}", "sidecar")),
    });
    expect(problems.join("\n")).toContain('the service "sidecar" does not exist (did you mean "sidecar@internal"?)');
  });

  test("the TLS options called default are for all providers, and given once", () => {
    const options = (more = "") => `${router("r", "a", "tls: {}")}\ntls: { options: { default: {}, own: {} } }${more}`;
    const both = loads()({ file: offer("file", options()), docker: offer("docker", options()) });
    expect(both.compiled).toBeNull();
    expect(both.problems.join("\n")).toContain('the TLS option "default" is for all providers, and "docker" has it');
    const one = loads()({ file: offer("file", options()), docker: offer("docker", router("r", "b", "tls: {}")) });
    const optionsOf = (name: string) => (one.compiled!.rows.get(name)!.value as { action: object }).action;
    expect(optionsOf("router/r@docker")).toEqual({ kind: "terminate", options: "default" });
    expect([...one.compiled!.rows.keys()].filter((key) => key.startsWith("options/")).sort()).toEqual([
      "options/default",
      "options/own@file",
    ]);
  });
});

describe("the TLS options called default", () => {
  const strict = "{ minVersion: VersionTLS13 }";
  const options = (text: string) => `${router("r", "a", "tls: {}")}\ntls: { options: { ${text} } }`;
  const optionsIn = ({ compiled }: ReturnType<ReturnType<typeof loads>>) =>
    compiled!.rows.get("options/default")!.value as { minVersion: string };

  for (const [what, text] of [
    ["misspelled", `defualt: ${strict}`],
    ["in another case", `Default: ${strict}`],
    ["with a provider in their name", `default@file: ${strict}`],
    ["removed", ""],
  ] as const)
    test(`${what} at a reload leave what served: no router asks for less`, () => {
      const next = loads();
      next({ file: offer("file", options(`default: ${strict}`)) });
      const after = next({ file: offer("file", options(text)) });
      expect(after.refused).toEqual(["file"]);
      expect(optionsIn(after).minVersion).toBe("TLSv1.3");
      expect(after.problems.join("\n")).toMatch(/\[default-options-gone\]/);
      const meant = next({ file: offer("file", options("default: {}")) });
      expect([meant.refused, optionsIn(meant).minVersion]).toEqual([[], "TLSv1.2"]);
      expect(next({ file: offer("file", options("")) }).refused).toEqual([]);
    });

  test("are missed for the routers of another provider too, and it is not refused for that", () => {
    const next = loads();
    const docker = offer("docker", router("d", "b", "tls: {}"));
    next({ file: offer("file", options(`default: ${strict}`)), docker });
    const after = next({ file: offer("file", "{}"), docker });
    expect([after.refused, optionsIn(after).minVersion]).toEqual([["file"], "TLSv1.3"]);
  });

  test("may be gone where no router has them", () => {
    const next = loads();
    next({ file: offer("file", options(`default: ${strict}`)) });
    expect(next({ file: offer("file", router("r", "a")) }).refused).toEqual([]);
  });

  test("misspelled at a start are a warning, and with a provider in their name no start", () => {
    const { compiled, problems } = loads()({ file: offer("file", options(`Default: ${strict}`)) });
    expect(compiled).not.toBeNull();
    expect(problems.join("\n")).toContain('the TLS option "Default": did you mean "default"?');
    expect(loads()({ file: offer("file", options(`default@file: ${strict}`)) }).compiled).toBeNull();
  });
});

describe("precedence", () => {
  const ranks = (extra: string) => {
    const { compiled } = loads(extra)({
      file: offer("file", router("r", "a")),
      docker: offer("docker", router("r", "a")),
      mine: offer("mine", router("r", "a")),
    });
    return ["docker", "file", "mine"].map(
      (name) => (compiled!.rows.get(`router/r@${name}`)!.value as { rank?: number }).rank ?? 0,
    );
  };
  test("is Traefik's, or the list's; what is not in it comes last", () => {
    expect(ranks("")).toEqual([0, 1, 2]);
    const precedence = (list: string) => STATIC.replace("file: {", `precedence: [${list}], file: {`);
    const of = (list: string) => {
      const config = parseStatic("s.yml", precedence(list), new Diagnostics())!;
      const providers = new Map(["docker", "file", "mine"].map((name) => [name, offer(name, router("r", "a"))]));
      const { compiled } = load({ config, providers, selfSigned: null }, new Diagnostics());
      return ["docker", "file", "mine"].map(
        (name) => (compiled!.rows.get(`router/r@${name}`)!.value as { rank?: number }).rank ?? 0,
      );
    };
    expect(of("file, docker")).toEqual([1, 0, 2]);
    expect(of("redis")).toEqual([0, 0, 0]);
  });
});

describe("a provider that fails", () => {
  const failed = (former: Current): Current => {
    const diagnostics = new Diagnostics();
    diagnostics.error("file-unreadable", { file: "docker", line: 0, column: 0 }, "is away");
    return { ...former, fresh: false, diagnostics };
  };

  test("keeps its last good offer in force, and others go on", () => {
    const next = loads();
    const docker = offer("docker", router("d", "b"));
    next({ file: offer("file", router("r", "a")), docker });
    const after = next({ file: offer("file", router("r2", "c")), docker: failed(docker) });
    expect(after.refused).toEqual(["docker"]);
    expect(after.names).toContain("router/r2@file");
    expect(after.names).toContain("router/d@docker");
    expect(after.problems).toEqual(["docker: is away [file-unreadable]"]);
  });

  test("with a rule that cannot be read keeps what it had in force, and others go on", () => {
    const next = loads();
    next({ file: offer("file", router("r", "a")), docker: offer("docker", router("d", "b")) });
    const broken = offer("docker", router("d", "b`, `c"));
    const after = next({ file: offer("file", router("r2", "c")), docker: broken });
    expect(after.refused).toEqual(["docker"]);
    expect(after.compiled!.rows.get("router/d@docker")!.value).toMatchObject({ rule: { kind: "hostSNI", name: "b" } });
    expect(after.names).toContain("router/r2@file");
    // Also when it cannot be reached after that: what it said last was never in force.
    const away = next({ file: offer("file", router("r3", "c")), docker: failed(broken) });
    expect(away.names).toContain("router/d@docker");
    expect(away.names).toContain("router/r3@file");
    const mended = next({ file: offer("file", router("r3", "c")), docker: offer("docker", router("e", "e")) });
    expect([mended.refused, mended.names.includes("router/e@docker")]).toEqual([[], true]);
  });

  test("with a certificate that was never good keeps what it had in force, and others go on", () => {
    const next = loads();
    next({ file: offer("file", router("r", "a")), docker: offer("docker", router("d", "b")) });
    const text = `${router("d2", "b")}\ntls: { certificates: [{ certFile: /nowhere.crt, keyFile: /nowhere.key }] }`;
    const after = next({ file: offer("file", router("r2", "c")), docker: offer("docker", text) });
    expect(after.refused).toEqual(["docker"]);
    expect(after.names.filter((name) => name.startsWith("router"))).toEqual(["router/d@docker", "router/r2@file"]);
  });

  test("and has never offered anything refuses a start, and nothing after it", () => {
    const nothing: Current = { ...failed(offer("docker", router("d", "b"))), offer: null };
    expect(loads()({ file: offer("file", router("r", "a")), docker: nothing }).compiled).toBeNull();
    const next = loads();
    next({ file: offer("file", router("r", "a")) });
    const after = next({ file: offer("file", router("r2", "a")), docker: nothing });
    expect([after.refused, after.names.includes("router/r2@file")]).toEqual([["docker"], true]);
  });
});
