// What the configuration of docker and swarm says in little languages: where the daemon is, which containers count, the rule of all others.

import { describe, expect, test } from "bun:test";
import { parseConstraints } from "../../../src/config/providers/constraints.ts";
import { normalize, parseTemplate } from "../../../src/config/providers/default-rule.ts";
import { parseDockerEndpoint } from "../../../src/config/providers/docker-endpoint.ts";

describe("constraints", () => {
  const holds = (text: string, labels: Record<string, string> = {}) => {
    const parsed = parseConstraints(text);
    if (parsed.kind === "error") throw new Error(`${parsed.column}: ${parsed.message}`);
    return parsed.holds(labels);
  };

  test("are Traefik's language: Label and LabelRegex, !, && before ||, parentheses", () => {
    const labels = { edge: "mqtt", stage: "test-2" };
    expect(holds("", labels)).toBe(true);
    expect(holds("Label(`edge`, `mqtt`)", labels)).toBe(true);
    expect(holds('Label("edge","http")', labels)).toBe(false);
    expect(holds("LabelRegex(`stage`, `^test`)", labels)).toBe(true);
    expect(holds("!Label(`edge`,`mqtt`)", labels)).toBe(false);
    expect(holds("Label(`a`,`b`) || Label(`edge`,`mqtt`) && !LabelRegex(`stage`,`prod`)", labels)).toBe(true);
    expect(holds("(Label(`a`,`b`) || Label(`edge`,`mqtt`)) && Label(`stage`,`prod`)", labels)).toBe(false);
  });

  test("a label that is missing is empty, and names are case-sensitive", () => {
    expect(holds("Label(`edge`, ``)")).toBe(true);
    expect(holds("!Label(`edge`, `mqtt`)", { Edge: "mqtt" })).toBe(true);
    expect(holds("Label(`toString`, ``)")).toBe(true);
  });

  for (const [text, column, message] of [
    ["Label(`a`)", 10, "Label takes two values"],
    ["Lable(`a`,`b`)", 1, 'did you mean "Label"'],
    ["Label(`a`,`b`) Label(`c`,`d`)", 16, 'expected "&&" or "||"'],
    ["LabelRegex(`a`,`(`)", 16, "regular expression"],
    ["Label(`a`,`b`", 14, 'expected ")"'],
    ["Label('a','b')", 7, "backticks"],
    ["(".repeat(200), 102, "levels"],
  ] as const)
    test(`${text.slice(0, 40)} is an error with its column`, () => {
      const parsed = parseConstraints(text);
      expect(parsed).toMatchObject({ kind: "error", column });
      expect((parsed as { message: string }).message).toContain(message);
    });
});

describe("the default rule", () => {
  const of = { name: "mqtt_app", containerName: "app-mqtt-1", labels: { domain: "example.com", "edge.zone": "a`b" } };
  const rendered = (text: string) => {
    const parsed = parseTemplate(text);
    if (parsed.kind === "error") throw new Error(parsed.message);
    return parsed.render(of);
  };

  test("has names, labels, pipelines and functions", () => {
    expect(rendered("HostSNI(`{{ normalize .Name }}.example.com`)")).toBe("HostSNI(`mqtt-app.example.com`)");
    expect(rendered('{{ .ContainerName | trimSuffix "-1" | upper }}.{{index .Labels "domain"}}')).toBe(
      "APP-MQTT.example.com",
    );
    expect(rendered('{{ index .Labels "none" | default "x" }}{{ .Labels.domain }}')).toBe("xexample.com");
    expect(rendered('{{ replace "_" "." .Name | trimPrefix "mqtt." }}')).toBe("app");
    expect(rendered("HostSNI(`*`)")).toBe("HostSNI(`*`)");
    expect(rendered("{{- .Name -}}".replace("{{-", "{{- ").replace("-}}", " -}}"))).toBe("mqtt_app");
  });

  for (const [text, message] of [
    ["{{ .Nme }}", 'did you mean ".Name"'],
    ["{{ normalise .Name }}", 'did you mean "normalize"'],
    ["{{ if .Name }}x{{ end }}", "conditions and loops"],
    ["{{ .Name", "never closed"],
    ["a }}", "closes nothing"],
    ["{{ }}", "nothing in it"],
    ["{{ .Name | }}", 'before or after a "|"'],
    ["{{ trimPrefix .Name }}", "takes 2 values"],
    ['{{ index .Name "x" }}', "index is for labels"],
    ["{{ (lower .Name) }}", "is not understood"],
  ] as const)
    test(`${text} is an error in words`, () => {
      const parsed = parseTemplate(text);
      expect(parsed.kind).toBe("error");
      expect((parsed as { message: string }).message).toContain(message);
    });

  test("normalize is Traefik's", () => {
    expect(normalize("mqtt_app")).toBe("mqtt-app");
    expect(normalize("/Mqtt..App-1/")).toBe("Mqtt-App-1");
    expect(normalize("größe_ü")).toBe("größe-ü");
  });
});

describe("the endpoint", () => {
  test("is a Unix socket or TCP, with Docker's ports", () => {
    expect(parseDockerEndpoint("unix:///var/run/docker.sock")).toEqual({
      kind: "ok",
      endpoint: { kind: "unix", path: "/var/run/docker.sock" },
    });
    const tcp = (text: string) => {
      const parsed = parseDockerEndpoint(text);
      return parsed.kind === "ok" ? parsed.endpoint : parsed.message;
    };
    expect(tcp("tcp://socket-proxy:2375")).toEqual({ kind: "tcp", host: "socket-proxy", port: 2375, secure: null });
    expect(tcp("https://10.0.0.1")).toEqual({ kind: "tcp", host: "10.0.0.1", port: 2376, secure: true });
    expect(tcp("http://[::1]:99/")).toEqual({ kind: "tcp", host: "::1", port: 99, secure: false });
  });

  for (const [text, message] of [
    ["/var/run/docker.sock", "write unix:///var/run/docker.sock"],
    ["unix://docker.sock", "absolute path"],
    ["tcp://user:secret@host:1", "must not have a user"],
    ["ssh://host", "ssh -L"],
    ["npipe:////./pipe/docker", "Windows"],
    ["ftp://x", "unknown scheme"],
    ["tcp://", "host"],
    ["docker", "must be unix:///"],
  ] as const)
    test(`${text} is an error in words`, () => {
      const parsed = parseDockerEndpoint(text);
      expect(parsed.kind).toBe("error");
      expect((parsed as { message: string }).message).toContain(message);
      expect((parsed as { message: string }).message).not.toContain("secret");
    });
});
