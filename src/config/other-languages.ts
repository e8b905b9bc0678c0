// Files in languages that Traefik reads and Sluice does not, TOML and Go's templates: recognised, and answered with how to convert them.

import type { Diagnostics } from "./diagnostics.ts";

/** @returns whether it is YAML; what else it is, and how it becomes YAML, goes to `diagnostics`. */
export function isYaml(file: string, text: string, which: "static" | "dynamic", diagnostics: Diagnostics): boolean {
  if (file.toLowerCase().endsWith(".toml")) {
    const [from, to] = isPlain(file) ? [file, file.replace(/\.toml$/i, ".yml")] : ["FILE.toml", "FILE.yml"];
    diagnostics.error(
      "toml-file",
      { file, line: 0, column: 0 },
      `TOML is not read by Sluice: write the same keys as YAML. This does it, as JSON, which is YAML too:  python3 -c 'import json, sys, tomllib; json.dump(tomllib.load(sys.stdin.buffer), sys.stdout, indent=2)' <${from} >${to}  and then move the .toml file away`,
    );
    return false;
  }
  const template = findTemplate(text, which);
  if (template === null) return true;
  const otherwise =
    which === "static"
      ? ", or leave the field out and give it as a variable (SLUICE_ENTRYPOINTS_MQTTS_ADDRESS=:8883)"
      : ', or make the file beforehand, with ${NAME} in place of {{ env "NAME" }}, for example:  envsubst <mqtt.yml.in >mqtt.yml';
  diagnostics.error(
    "go-template",
    { file, ...template },
    `Go templates ({{ ... }}) are not run by Sluice: write the values out${otherwise}`,
  );
  return false;
}

const DEFAULT_RULE = /\bdefaultRule["']?\s*:/i;
const DEFAULT_RULE_BELOW = /\bdefaultRule["']?\s*:\s*[>|]?[-+]?\s*$/i;

/** Whether a shell takes it as it is. */
function isPlain(path: string): boolean {
  return /^[\w./-]+$/.test(path);
}

/**
 * Where the first `{{` stands outside a comment. Traefik would run it, and `{{` opens nothing useful in YAML. In a provider's defaultRule,
 * or on the line below, it is for that provider.
 */
function findTemplate(text: string, which: "static" | "dynamic"): { line: number; column: number } | null {
  const lines = text.split("\n");
  for (const [index, line] of lines.entries()) {
    const column = line.replace(/(^|\s)#.*$/, "").indexOf("{{");
    if (column < 0) continue;
    const before = [line.slice(0, column), lines[index - 1] ?? ""];
    if (which === "static" && (DEFAULT_RULE.test(before[0]!) || DEFAULT_RULE_BELOW.test(before[1]!))) continue;
    return { line: index + 1, column: column + 1 };
  }
  return null;
}
