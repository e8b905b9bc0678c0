// An error about a field that is or may be secret never repeats its value, whatever stands there instead of what is wanted, in the field
// itself or in what it is part of: every secret field of both configurations.

import { describe, expect, test } from "bun:test";
import type { z } from "zod";
import { fieldsOf } from "../../../scripts/generate/fields.ts";
import { CertificateFiles } from "../../../src/certs/files.ts";
import { decode } from "../../../src/config/decode.ts";
import { Diagnostics, formatDiagnostic } from "../../../src/config/diagnostics.ts";
import { dynamicSchema } from "../../../src/config/dynamic.ts";
import { SourceFile } from "../../../src/config/source.ts";
import { parseStatic } from "../../../src/config/static.ts";
import { staticSchema } from "../../../src/config/static-schema.ts";

/** A key in bare base64, a password as people make them, and one with everything that YAML takes for its own. */
const SECRETS = ["MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQZqWx", "hunter2-Correct.Horse", "Pa55word"];

/** What somebody may write behind the colon. */
const WRITTEN: [what: string, write: (secret: string) => string][] = [
  ["a plain value", (secret) => secret],
  ["an alias", (secret) => `*${secret}`],
  ["an anchor", (secret) => `&${secret}`],
  ["a tag", (secret) => `!${secret}`],
  ["a tag of YAML's", (secret) => `!!${secret} x`],
  ["an escape sequence", (secret) => `"\\q${secret}"`],
  ["an escape sequence at its end", (secret) => `"${secret}\\u"`],
  ["a quote that does not end", (secret) => `"${secret}`],
  ["a quote that ends too early", (secret) => `"a" ${secret}`],
  ["a single quote that does not end", (secret) => `'${secret}`],
  ["a reserved character", (secret) => `@${secret}`],
  ["a percent sign", (secret) => `%${secret}`],
  ["a back-tick", (secret) => `\`${secret}`],
  ["a block's header", (secret) => `|${secret}`],
  ["a folded block's header", (secret) => `>${secret}`],
  ["a list", (secret) => `[${secret}]`],
  ["a list that does not end", (secret) => `[${secret}`],
  ["a mapping", (secret) => `{${secret}: ${secret}}`],
  ["a mapping with the secret within", (secret) => `{x: [${secret}, {y: ${secret}}]}`],
  ["a mapping that does not end", (secret) => `{x: ${secret}`],
  ["a colon within", (secret) => `${secret}: ${secret}`],
  ["a dash", (secret) => `- ${secret}`],
  ["a question mark", (secret) => `? ${secret}`],
];

/** In the place of a mapping these make the secret the name of a field or of an entry, which a message must say. */
const NAMES = ["a mapping", "a colon within", "a question mark"];
/** A text in the place of this mapping is the broker's address. */
const isAddress = (text: string) => /^sidecar: [^\n]+\n$/.test(text);

interface Secret {
  readonly schema: z.ZodType;
  readonly which: string;
  readonly path: readonly string[];
}

const secrets: Secret[] = Object.entries({ static: staticSchema, dynamic: dynamicSchema }).flatMap(([which, schema]) =>
  [...fieldsOf(schema)]
    .filter(({ meta }) => meta.secret === true)
    .map(({ path }) => ({ schema, which, path: path.replaceAll("[]", ".[]").replace(/<\w+>/g, "x").split(".") })),
);

/** `path: written` as a YAML text in which a name of lists is `[]`. */
function yamlOf(path: readonly string[], written: string): string {
  let [text, indent] = ["", ""];
  for (const [index, step] of path.entries()) {
    const last = index === path.length - 1;
    if (step === "[]") {
      text = `${text.trimEnd()}\n${indent}-${last ? ` ${written}\n` : " "}`;
      indent += "  ";
    } else {
      const glued = text.endsWith("- ");
      text += `${glued ? "" : indent}${step}:${last ? ` ${written}\n` : "\n"}`;
      indent += "  ";
    }
  }
  return text;
}

/** Everything that decoding says. */
function said({ schema, which }: Secret, text: string): string {
  const diagnostics = new Diagnostics();
  const source = new SourceFile("f.yml", text, diagnostics);
  if (diagnostics.errors === 0) decode(schema, source, diagnostics);
  if (which === "static") parseStatic("f.yml", text, diagnostics);
  return diagnostics.list.map(formatDiagnostic).join("\n");
}

test("both configurations have secret fields, and the texts are where they should be", () => {
  expect(secrets.length).toBeGreaterThan(12);
  for (const secret of secrets) expect(said(secret, yamlOf(secret.path, "[1]"))).toContain(secret.path.at(-1)!);
});

for (const secret of secrets)
  describe(`${secret.which}: ${secret.path.join(".")}`, () => {
    for (const [what, write] of WRITTEN)
      test(what, () => {
        for (const value of SECRETS)
          for (let length = secret.path.length; length > 0; length--) {
            // The field itself, then each mapping and list that it is in.
            const text = yamlOf(secret.path.slice(0, length), write(value));
            if (length === secret.path.length || !(NAMES.includes(what) || isAddress(text)))
              expect({ text, said: said(secret, text) }).toEqual({ text, said: expect.not.stringContaining(value) });
          }
      });

    test("a colon without a space behind it", () => {
      const parent = secret.path.slice(0, -1);
      for (const value of SECRETS)
        for (const written of [`{${secret.path.at(-1)}:${value}}`, `{${secret.path.at(-1)}=${value}}`]) {
          const text = yamlOf(parent, written);
          expect({ text, said: said(secret, text) }).toEqual({ text, said: expect.not.stringContaining(value) });
        }
    });
  });

test("a key, or a password, in the place of a path is not repeated by who looks for the file, nor called a source", () => {
  for (const value of [...SECRETS.filter((each) => !each.includes(".")), "two words of a password", "line\nfeed"]) {
    const files = new CertificateFiles();
    const outcomes = [
      files.pair({ certFile: value, keyFile: value }),
      files.pair({ certFile: import.meta.path, keyFile: value }),
      files.authorities(value),
    ];
    for (const outcome of outcomes) {
      expect(outcome.kind).toBe("error");
      expect(JSON.stringify(outcome)).not.toContain(value);
    }
    expect(JSON.stringify(files.failures)).not.toContain(value);
  }
  const path = "/nowhere/at/all/mqtt.key";
  const named = new CertificateFiles().pair({ certFile: import.meta.path, keyFile: path });
  expect(named).toMatchObject({ message: `${path}: no such file` });
});
