// Templates are read once, and a mistake in one is told with its place.

import { describe, expect, test } from "bun:test";
import { fill, formatTemplate, PLACEHOLDERS, parseTemplate, placeholdersOf } from "../../../src/mqtt/template.ts";

const errorOf = (source: string): string => {
  const read = parseTemplate(source);
  if (read.kind === "ok") throw new Error(`${source} is read`);
  return read.message;
};

test("a template is read, and written as it was", () => {
  for (const source of [
    "{cert.cn}",
    "a{sni}b{client.ip}c",
    "{sni}{sni}",
    "text",
    "ö $&%u \\n \"'",
    ...PLACEHOLDERS.map((each) => `{${each}}`),
  ]) {
    const read = parseTemplate(source);
    if (read.kind === "error") throw new Error(read.message);
    expect(formatTemplate(read.template)).toBe(source);
  }
});

describe("a mistake is told with its place", () => {
  for (const [source, message] of [
    ["dev-{cert.cnn}", 'at character 5, {cert.cnn} is no placeholder (did you mean "cert.cn"?)'],
    ["{mqtt.clientID}", '(did you mean "mqtt.clientId"?)'],
    ["{certcn}", '(did you mean "cert.cn"?)'],
    ["{ cert.cn }", '(did you mean "cert.cn"?)'],
    ["{username}", "{username} is no placeholder: there are {cert.cn}, {cert.san.dns}, "],
    ["{}", "at character 1, {} is no placeholder"],
    ["${NAME}", "at character 2, {NAME} is no placeholder"],
    ["{cert.cn", 'at character 1, a "{" begins a placeholder'],
    ["a}", 'at character 2, there is a "}" without its "{"'],
    ["{{cert.cn}}", 'at character 1, a "{" begins a placeholder'],
    ["a\nb", "at character 1, there is text that MQTT does not allow"],
    ["{sni}\0", "at character 6, there is text"],
    ["", "it is empty"],
  ] as const)
    test(JSON.stringify(source), () => expect(errorOf(source)).toContain(message));

  test("and, where it may be a secret, without what stands there", () => {
    const { unquoted } = parseTemplate("pass{word}") as { unquoted: string };
    expect(unquoted).toContain("at character 5, what stands in braces");
    expect(unquoted).not.toContain("word");
  });
});

test("every placeholder is asked for in its turn, and the first without a value is told", () => {
  const read = parseTemplate("{sni}/{cert.cn}/{client.ip}");
  if (read.kind === "error") throw new Error(read.message);
  expect(placeholdersOf(read.template)).toEqual(["sni", "cert.cn", "client.ip"]);
  expect(fill(read.template, (placeholder) => ({ kind: "ok", text: placeholder }))).toEqual({
    kind: "ok",
    text: "sni/cert.cn/client.ip",
  });
  const asked: string[] = [];
  const filled = fill(read.template, (placeholder) => {
    asked.push(placeholder);
    return placeholder === "sni" ? { kind: "ok", text: "a" } : { kind: "unusable", why: "is odd" };
  });
  expect(filled).toEqual({ kind: "unusable", placeholder: "cert.cn", why: "is odd" });
  expect(asked).toEqual(["sni", "cert.cn"]);
});

test("what values make together is text as MQTT takes it, or nothing", () => {
  const read = parseTemplate("{sni}");
  if (read.kind === "error") throw new Error(read.message);
  const of = (text: string) => fill(read.template, () => ({ kind: "ok", text })).kind;
  expect(of("\u{1f600}")).toBe("ok");
  for (const text of ["\0", "\x7f", "\ud83d", "\uffff", "x".repeat(65_536)]) expect(of(text)).toBe("unusable");
  expect(of("")).toBe("missing");
});
