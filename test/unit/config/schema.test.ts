// The JSON Schemas say what the decoder does, and all that is made from the code is what the code says now.

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Ajv, { type ErrorObject, type ValidateFunction } from "ajv";
import { parse } from "yaml";
import type { z } from "zod";
import { fieldsOf, isRequired, within } from "../../../scripts/generate/fields.ts";
import { generate } from "../../../scripts/generate.ts";
import { decode } from "../../../src/config/decode.ts";
import { Diagnostics } from "../../../src/config/diagnostics.ts";
import { dynamicSchema, parseDynamic } from "../../../src/config/dynamic.ts";
import { unwrap } from "../../../src/config/field.ts";
import { SourceFile } from "../../../src/config/source.ts";
import { parseStatic } from "../../../src/config/static.ts";
import { staticSchema } from "../../../src/config/static-schema.ts";
import { sized } from "../../support/full-size.ts";
import { ROOT } from "../../support/sluice.ts";

type Which = "static" | "dynamic";
type Json = Record<string, unknown>;

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const files = generate();
const schemas: Record<Which, Json> = {
  static: JSON.parse(files.get("config/schema/static.json")!),
  dynamic: JSON.parse(files.get("config/schema/dynamic.json")!),
};
/** As editors validate: draft-07, with words of their own such as deprecationMessage let through. */
const ajv = new Ajv({ allErrors: true, strict: false });
const validators: Record<Which, ValidateFunction> = {
  static: ajv.compile(schemas.static),
  dynamic: ajv.compile(schemas.dynamic),
};

function problems(which: Which, yaml: string): ErrorObject[] {
  const validate = validators[which];
  return validate(parse(yaml, { merge: true, logLevel: "silent" })) ? [] : [...validate.errors!];
}

describe("what is made from the code", () => {
  for (const [path, text] of files)
    test(`${path} is what npm run generate makes`, () => {
      expect(read(path) === text ? "current" : "run npm run generate").toBe("current");
    });

  test("every field says what it means, and every value has an example that the schema accepts", () => {
    const silent: string[] = [];
    for (const schema of [staticSchema, dynamicSchema])
      for (const { path, schema: field, meta } of fieldsOf(schema)) {
        if (meta.unsupported !== undefined || meta.elsewhere !== undefined) continue;
        if (meta.description === undefined) silent.push(`${path}: no description`);
        if (within(field) === null && meta.example === undefined) silent.push(`${path}: no example`);
      }
    expect(silent).toEqual([]);
    const examples = (node: unknown): void => {
      if (typeof node !== "object" || node === null) return;
      const { examples: values, ...rest } = node as Json;
      if (Array.isArray(values))
        for (const value of values)
          if (!ajv.validate(rest, value)) silent.push(`${value}: ${JSON.stringify(ajv.errors)}`);
      for (const child of Object.values(node)) examples(child);
    };
    examples(schemas);
    expect(silent).toEqual([]);
  });

  test("passwords and whatever may hold a private key are marked secret", () => {
    const names = [staticSchema, dynamicSchema].flatMap((schema) =>
      [...fieldsOf(schema)].filter(({ meta }) => meta.secret).map(({ path }) => path.split(/[.[]/).at(-1)!),
    );
    const secrets = new Set([
      "keyFile",
      "certFile",
      "keyPassword",
      "keyStorePassword",
      "caPassword",
      "hmacEncoded",
      "password",
      "token",
      "cert",
      "key",
    ]);
    expect(new Set(names)).toEqual(secrets);
    for (const schema of [staticSchema, dynamicSchema])
      for (const { path, schema: field, meta } of fieldsOf(schema)) {
        // A boolean has no room for one, and of tokens there are only hashes.
        if (unwrap(field).type.def.type === "boolean" || path.startsWith("api.tokens")) continue;
        if (/password$|secret|token/i.test(path)) expect({ path, secret: meta.secret }).toEqual({ path, secret: true });
      }
  });
});

/** YAML that is printed or lies in the repository, and which configuration it is. */
function examples(): { where: string; which: Which; text: string }[] {
  const paths = readdirSync(ROOT, { withFileTypes: true }).flatMap((entry) => {
    if (!entry.isDirectory()) return [entry.name];
    if (["node_modules", ".git", "test", "data"].includes(entry.name)) return [];
    const below = readdirSync(join(ROOT, entry.name), { recursive: true, encoding: "utf8" });
    return below.map((path) => join(entry.name, path));
  });
  const pages = paths.filter((path) => /^(README|docs\/.+)\.md$/.test(path));
  const printed = pages.flatMap((page) => {
    const text = read(page);
    const marked = [...text.matchAll(/^<!-- (?:check|file): (?!compose)(\S+) -->\n```yaml\n([\s\S]*?)^```$/gm)];
    return marked.map((match) => ({
      where: `${page}:${text.slice(0, match.index).split("\n").length}`,
      which: (/\bdynamic\b/.test(match[1]!) ? "dynamic" : "static") as Which,
      text: match[2]!,
    }));
  });
  const ofFiles = paths
    .filter((path) => /\.ya?ml$/.test(path))
    .flatMap((where) => {
      const text = read(where);
      const schema = /^# yaml-language-server: \$schema=(\S+)$/m.exec(text)?.[1];
      if (schema === undefined) return [];
      const path = join(where, "..", schema);
      const which = (["static", "dynamic"] as const).find((each) => path === `config/schema/${each}.json`);
      if (which === undefined) throw new Error(`${where} names the schema ${path}, which is none`);
      return [{ where, which, text }];
    });
  return [...printed, ...ofFiles];
}

describe("JSON Schema", () => {
  test("it accepts every example of the pages, and every file that names it", () => {
    const all = examples();
    const wheres = all.map(({ where }) => where);
    for (const expected of ["config/sluice.yml", "dynamic/mqtt.yml"]) expect(wheres).toContain(expected);
    expect(all.length).toBeGreaterThan(25);
    expect(all.filter(({ where }) => where.startsWith("docs/guides/")).length).toBeGreaterThan(5);
    expect(all.flatMap(({ where, which, text }) => problems(which, text).map((each) => [where, each]))).toEqual([]);
  });

  const FIXTURES = "test/fixtures/broken";
  const configs = (which: Which) =>
    readdirSync(join(ROOT, FIXTURES), { recursive: true, encoding: "utf8" }).filter((path) =>
      which === "static" ? /^[^/]+\/sluice\.yml$/.test(path) : /\/dynamic\/.*\.ya?ml$/.test(path),
    );
  // What the decoder itself says; the rest comes from looking at the whole.
  const OF_THE_DECODER =
    /unknown field|must be (a mapping|a list|a single value|true or false|a whole number|one of|a duration|at least|at most|longer|a number|a port|an https)|must not be empty|is missing|is empty|is not host:port|is a URL|is neither a host name|is neither a port|the protocol must be|UDP|needs certFile/;

  /** The places where decoding finds a mistake, as JSON pointers would name them. */
  function mistakes(which: Which, path: string): string[] {
    const diagnostics = new Diagnostics();
    const text = read(`${FIXTURES}/${path}`);
    if (which === "static") parseStatic(path, text, diagnostics);
    else parseDynamic(path, text, diagnostics);
    return diagnostics.list
      .filter(({ severity, message }) => severity === "error" && OF_THE_DECODER.test(message))
      .map(({ message }) => {
        const unknown = /^unknown field "(.*?)"(?: in ([^\s:]+))?/.exec(message);
        return unknown === null
          ? message.split(" ")[0]!.replace(/^the$/, "")
          : [unknown[2], unknown[1]].filter((part) => part !== undefined).join(".");
      });
  }

  function found(which: Which, path: string): Set<string> {
    const places = problems(which, read(`${FIXTURES}/${path}`)).flatMap(({ instancePath, params }) => {
      const place = instancePath.slice(1).replaceAll("/", ".");
      const below = params.additionalProperty ?? params.missingProperty;
      return below === undefined ? [place] : [place, [place, below].filter((part) => part !== "").join(".")];
    });
    return new Set(places);
  }

  test("it finds what the decoder finds in the broken files, where it is", () => {
    // 600h is over 24 days, and a pattern cannot count.
    const unsayable = new Set<string>([
      "entryPoints.b.transport.lifeCycle.graceTimeOut",
      "entryPoints.mqtts.admission.maxWait",
      "entryPoints.mqtts.ban.window",
    ]);
    let all = 0;
    const missed: string[] = [];
    for (const which of ["static", "dynamic"] as const)
      for (const path of configs(which)) {
        const wrong = mistakes(which, path);
        if (wrong.length === 0) continue;
        all += wrong.length;
        const places = found(which, path);
        // What is missing in an entry with nothing behind its name is found at the entry.
        const seen = (place: string) => places.has(place) || places.has(place.replace(/\.\w+$/, ""));
        missed.push(...wrong.filter((each) => !seen(each) && !unsayable.has(each)).map((each) => `${path}: ${each}`));
      }
    expect(missed).toEqual([]);
    expect(all).toBeGreaterThan(110);
  });

  test("it accepts the files that are sound", () => {
    for (const which of ["static", "dynamic"] as const) {
      const sound = configs(which).filter((each) => each.startsWith("sound"));
      expect(sound.length).toBeGreaterThan(3);
      for (const path of sound)
        expect({ path, found: problems(which, read(`${FIXTURES}/${path}`)) }).toEqual({ path, found: [] });
    }
  });

  /** Each as it would be written in a file. */
  const SCALARS =
    `true false True FALSE t 1 0 "1" yes 10s 250ms 1m30s .5h +3s -1s -1 5 "5" 1.5 "1.5" 24h 0s "" " " a "a, b" "a,,b" "," ~
    [] [a] [~] [""] [1883] [[a]] {} {"zzz":1} :8883 h:mqtt/tcp "[::1]:MQTT" h:65535 h:65536 "::1:80" 8883 65535 65536 "0" "00" mqtt auto AUTO 999 1000
    debug DEBUG v3 EC256 ec256 JKS VersionTLS12 versiontls12 requestclientcert https://a.example/d http://a.example 9007199254739993`
      .split(/\s+(?=(?:[^"]*"[^"]*")*[^"]*$)/)
      .filter((word) => word !== "");

  /** A file in which the field has this value and all else is as it must be. */
  function fileWith(schema: z.ZodObject, path: readonly string[], value: string): string {
    const fields = new Map<string, string>();
    for (const [name, child] of Object.entries(schema.shape as Record<string, z.ZodType>)) {
      const known = unwrap(child).meta.example;
      const needed = isRequired(child) || unwrap(schema).meta.oneOf?.[0] === name;
      if (needed) fields.set(name, JSON.stringify(known));
    }
    const [name, ...rest] = path as [string, ...string[]];
    const key = name.replace("[]", "");
    const child = schema.shape[key] as z.ZodType;
    if (rest.length === 0) fields.set(key, value);
    else {
      const { object, through } = within(child)!;
      const inner = fileWith(object, through === "<name>" ? rest.slice(1) : rest, value);
      fields.set(key, through === "[]" ? `[${inner}]` : through === "<name>" ? `{ n: ${inner} }` : inner);
    }
    return `{ ${[...fields].map(([each, text]) => `${each}: ${text}`).join(", ")} }`;
  }

  test("for every field and many values it accepts what the decoder accepts, and nothing else", () => {
    // Each is about two fields, and not about the value.
    const OF_SEVERAL = /are two sources|are two requirements|is for a keyStore|does not go with|and certFile/;
    // Which of the values a field sees changes from one field to the next, and most kinds of fields come many times.
    const step = sized(1, 10);
    let turn = 0;
    const differences: string[] = [];
    let compared = 0;
    for (const [which, schema] of [
      ["static", staticSchema],
      ["dynamic", dynamicSchema],
    ] as const)
      for (const { path, meta } of fieldsOf(schema)) {
        if (meta.unsupported !== undefined || meta.elsewhere !== undefined) continue;
        turn++;
        for (const [index, value] of SCALARS.entries()) {
          if ((turn + index) % step !== 0) continue;
          const text = fileWith(schema, path.split("."), value);
          const diagnostics = new Diagnostics();
          const source = new SourceFile("x.yml", text, diagnostics);
          const decoded = decode(schema, source, diagnostics);
          const wrong = diagnostics.list.filter(
            ({ severity, message }) => severity === "error" && !OF_SEVERAL.test(message),
          );
          if (decoded === null && wrong.length === 0) continue;
          // The decoder leaves it to what is made of a router to miss these.
          if (value === "~" && meta.otherwise === "required") continue;
          compared++;
          const found = problems(which, text);
          if ((found.length === 0) !== (wrong.length === 0))
            differences.push(`${text}: ${wrong[0]?.message ?? `the schema: ${JSON.stringify(found[0])}`}`);
        }
      }
    expect(differences).toEqual([]);
    expect(compared).toBeGreaterThan(5000 / step);
  });
});
