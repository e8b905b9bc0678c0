// check --print: what is printed is YAML, and the same configuration when it is loaded again.

import { describe, expect, test } from "bun:test";
import type { z } from "zod";
import { renderDynamic, renderStatic } from "../../../src/cli/print.ts";
import { merge } from "../../../src/compile/merge.ts";
import { Diagnostics } from "../../../src/config/diagnostics.ts";
import { dynamicSchema, parseDynamic } from "../../../src/config/dynamic.ts";
import { type FieldMeta, unwrap } from "../../../src/config/field.ts";
import { parseStatic } from "../../../src/config/static.ts";
import { staticSchema } from "../../../src/config/static-schema.ts";
import { sized } from "../../support/full-size.ts";
import { type Random, random } from "../../support/random.ts";

const ODD = [
  ...[
    "true",
    "null",
    "~",
    "1",
    "0x1f",
    "1e3",
    ".inf",
    "2026-11-24",
    "<<",
    "=",
    "-",
    "?",
    ":",
    "- a",
    "? a",
    "a: b",
    "a:",
    "a #b",
  ],
  ...[
    "#a",
    "&a",
    "*a",
    "!a",
    "%a",
    "@a",
    "`a`",
    "|",
    ">",
    "'",
    '"',
    "''",
    "a'b\"c",
    "[a",
    "a]",
    "{a",
    "a}",
    "a,b",
    ",",
    "?a",
    "-a",
    "--- a",
  ],
  ...[
    " a",
    "a ",
    "a\tb",
    "a\nb",
    "a\n",
    "\r",
    "\x1b[2J",
    "\u202e",
    "\u2028",
    "\ufeff",
    "\x85",
    "\x7f",
    "\0",
    "é",
    "😀",
    "a\\b",
    "...",
    "---",
  ],
  ...[
    "constructor",
    "toString",
    "HostSNI(`*`)",
    "x".repeat(200),
    "a b ".repeat(50),
    "${A}",
    "y",
    "No",
    "a:b",
    "::",
    "[::1]:1",
  ],
];

/** Sections whose fields depend on one another so that hardly any random ones would load. */
const TOGETHER = new Set(["api", "docker", "swarm", "etcd", "consul", "zooKeeper", "redis", "http"]);

const SEEDS = sized(600, 150);

class Maker {
  readonly #random: Random;
  #port = 1;
  readonly names: string[];

  constructor(seed: number) {
    this.#random = random(seed);
    const { pick } = this.#random;
    this.names = [pick(ODD), pick(ODD), "mqtts"];
  }

  /** A value as one would write it, or undefined where the field can be left out and is. */
  value(schema: z.ZodType, meta = unwrap(schema).meta): unknown {
    const { type } = unwrap(schema);
    switch (type.def.type) {
      case "object": {
        const shape = (type as z.ZodObject).shape as Record<string, z.ZodType>;
        // Most sidecars have two sources of the same, or none.
        const wanted = ([name, field]: [string, z.ZodType]) =>
          this.#wanted(field) && (name !== "sidecar" || this.#random.chance(0.2));
        const fields = Object.entries(shape).filter(wanted);
        return Object.fromEntries(
          fields.map(([name, field]) => [name, TOGETHER.has(name) ? this.#example(field) : this.value(field)]),
        );
      }
      case "record":
        return Object.fromEntries(
          this.names.map((name) => [name, this.value((type as z.ZodRecord).valueType as z.ZodType)]),
        );
      case "array": {
        const element = (type as z.ZodArray).element as z.ZodType;
        // Without a network nobody would be trusted, which is an error.
        const length = meta.kind === "network" ? 2 : this.#random.below(4);
        return Array.from({ length }, () => this.value(element, { ...meta, ...unwrap(element).meta }));
      }
      case "boolean":
        return this.#random.chance(0.5);
      case "number":
        return meta.duration ? this.#duration() : this.#number(type as z.ZodNumber);
      case "enum":
        return this.#random.pick((type as z.ZodEnum).options as string[]);
      default:
        return this.#text(meta);
    }
  }

  /** All fields of a section, as they would be written. */
  #example(schema: z.ZodType): unknown {
    const { type, meta } = unwrap(schema);
    if (meta.example !== undefined || type.def.type !== "object") return meta.example;
    const fields = Object.entries((type as z.ZodObject).shape as Record<string, z.ZodType>);
    // Of entry points there are others here than in examples.
    const own = fields.filter(([name]) => name !== "entryPoint");
    return Object.fromEntries(own.map(([name, field]) => [name, this.#example(field)]));
  }

  #wanted(field: z.ZodType): boolean {
    const { type, meta } = unwrap(field);
    if (type.def.type === "unknown") return false;
    if (meta.kind === "network") return true;
    return field.def.type !== "optional" && field.def.type !== "default" && field.def.type !== "prefault"
      ? true
      : meta.otherwise === "required" || this.#random.chance(0.5);
  }

  /** Mostly one that every field takes: there are so many that hardly a configuration would load otherwise. */
  #duration(): string {
    if (this.#random.chance(0.95)) return this.#random.pick(["1500ms", "1.5s", "2s", "10s", "0.5m"]);
    return this.#random.pick(["0", "1", "3h", "100ns", "0.1ns", "1us", "1.1s", "90m", "-1s"]);
  }

  #number({ minValue, maxValue }: z.ZodNumber): number {
    const fits = (number: number) => number >= (minValue ?? number) && number <= (maxValue ?? number);
    return this.#random.pick([1, 7, 16, 32, 4096, 65536, minValue ?? 1, maxValue ?? 1].filter(fits));
  }

  #text({ kind, numbers }: FieldMeta): string {
    if (kind === "address" || kind === "address or port")
      return `${this.#random.pick(["", "h", "[::1]", "127.0.0.1"])}:${this.#port++}`;
    if (kind === "network") return this.#random.pick(["10.0.0.0/8", "::1", "192.0.2.7"]);
    if (kind === "port" || numbers !== undefined) return String(this.#port++);
    if (kind === "https URL") return "https://a.example.com/x";
    // Several lines would be the content, which is not printed.
    return this.#random.pick(kind === "file or content" ? ODD.filter((text) => !text.includes("\n")) : ODD);
  }
}

/** Secrets are not printed, so they are not the same. */
const comparable = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (key, each) => {
      if (/^(hmacEncoded|certFile|keyFile|token|Authorization|\w*[pP]assword)$/.test(key)) return "hidden";
      return each instanceof Map ? [...each].map(([name, item]) => [name, item.value]) : each;
    }),
  );
const REVEAL = ["********", "c2VjcmV0"] as const;
const withoutOrigins = (printed: string) => printed.replaceAll(/ {2}# .*$/gm, "");
const UNPRINTABLE = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028\ufeff]/;

describe("a configuration that is printed and loaded again is the same", () => {
  test("random static ones", () => {
    let loaded = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const text = JSON.stringify(new Maker(seed).value(staticSchema));
      const diagnostics = new Diagnostics();
      const config = parseStatic("a.yml", text, diagnostics);
      if (config === null) continue;
      loaded++;
      const printed = renderStatic(config);
      expect(printed).not.toMatch(UNPRINTABLE);
      const again = parseStatic("b.yml", printed.replaceAll(...REVEAL), diagnostics);
      if (again === null) throw new Error(`seed ${seed}:\n${printed}\n${JSON.stringify(diagnostics.list)}`);
      expect(comparable(again.value)).toEqual(comparable(config.value));
      expect(withoutOrigins(renderStatic(again))).toBe(withoutOrigins(printed));
    }
    expect(loaded).toBeGreaterThan(sized(20, 5));
  });

  test("random dynamic ones", () => {
    let loaded = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const text = JSON.stringify(new Maker(seed).value(dynamicSchema));
      const diagnostics = new Diagnostics();
      const file = parseDynamic("a.yml", text, diagnostics, "file");
      if (file === null) continue;
      loaded++;
      const merged = merge([file], diagnostics);
      const printed = renderDynamic(merged);
      expect(printed).not.toMatch(UNPRINTABLE);
      const again = parseDynamic("b.yml", printed.replaceAll(...REVEAL), diagnostics, "file");
      if (again === null) throw new Error(`seed ${seed}:\n${printed}\n${JSON.stringify(diagnostics.list)}`);
      const mergedAgain = merge([again], diagnostics);
      expect(comparable(mergedAgain)).toEqual(comparable(merged));
      expect(withoutOrigins(renderDynamic(mergedAgain))).toBe(withoutOrigins(printed));
    }
    expect(loaded).toBeGreaterThan(sized(20, 5));
  });
});

test("the content of certificates and keys is not shown, and of passwords nothing is", () => {
  const key = "-----BEGIN PRIVATE KEY-----\nMIIhunter2\n-----END PRIVATE KEY-----\n";
  const tls = {
    certificates: [
      { certFile: "a.crt", keyFile: key },
      { certFile: "a.crt", keyFile: "hunter2\nhunter2" },
      { certFile: "a.crt", keyFile: "MIIhunter2MIIhunter2" },
      { keyStore: "a.p12", keyStorePassword: "hunter2", keyPassword: "hunter2" },
    ],
    certificateDirectories: ["certs", { directory: "more", keyPassword: "hunter2" }],
    options: { a: { clientAuth: { caFiles: [key, "ca.crt"], caPassword: "hunter2" } } },
  };
  const passwords = { stripped: "strip", kept: "KEEP-hunter2", template: "hunter2{cert.cn}" };
  const middlewares = Object.fromEntries(
    Object.entries(passwords).map(([name, password]) => [name, { mqttIdentity: { password } }]),
  );
  const diagnostics = new Diagnostics();
  const printed = renderDynamic(
    merge([parseDynamic("a.yml", JSON.stringify({ tls, tcp: { middlewares } }), diagnostics, "file")!], diagnostics),
  );
  expect(printed).not.toContain("hunter");
  // What is no password is shown.
  expect(printed).toContain("password: strip  # a.yml:1:");
  expect(printed).toContain("caFiles: [(PEM in its place), ca.crt]  # a.yml:1:");
  expect(printed).toContain("    - directory: certs  # a.yml:1:");
});
