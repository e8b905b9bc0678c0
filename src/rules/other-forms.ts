// How rules are written elsewhere, in Traefik v1 and v2 or without quotes, and the same in the form that is read here. For messages only:
// nothing is guessed when a rule is in force.

/** Characters of what is suggested; a rule may hold a thousand names. */
const MAX_SHOWN = 300;

/**
 * `(HostSNI(a) || HostSNI(b))`, with backticks; null where a value cannot be shown so. In parentheses, because what stands beside it
 * may be an "&&", and without them the rule would admit more than it did.
 */
export function inV3(matcher: string, values: readonly string[]): string | null {
  const calls: string[] = [];
  for (const value of values) {
    const shown = matcher === "HostSNIRegexp" && isTemplate(value) ? templateAsRegexp(value) : value;
    if (shown === null || shown === "" || /[`\r\n]/.test(shown)) return null;
    calls.push(`${matcher}(\`${shown}\`)`);
  }
  if (calls.length === 1) return calls[0]!.length <= MAX_SHOWN ? calls[0]! : null;
  const all = `(${calls.join(" || ")})`;
  if (all.length <= MAX_SHOWN) return all;
  return calls[0]!.length + calls[1]!.length < MAX_SHOWN ? `(${calls[0]} || ${calls[1]} || ...)` : null;
}

/**
 * The values that stand without quotes from `at` up to the closing parenthesis; null where there are quotes, or none. Parentheses may
 * belong to a regular expression: then what is meant is not known.
 */
export function bareValues(text: string, at: number): string[] | null {
  const found = /^\s*([^\s`"'()][^`"'()\n]*)\)/.exec(text.slice(at, at + MAX_SHOWN));
  if (found === null) return null;
  const values = found[1]!.split(",").map((value) => value.trim());
  return values.every((value) => value !== "" && !/\s/.test(value)) ? values : null;
}

/** What follows a matcher of Traefik v1: `Host:a.example.com,b.example.com`. */
export function valuesOfV1(text: string, at: number): string[] | null {
  const found = /^\s*:\s*([^\s`"'();]+)/.exec(text.slice(at, at + MAX_SHOWN));
  return found === null ? null : found[1]!.split(",").filter(Boolean);
}

/** Traefik v2's `{subdomain:[a-z]+}.example.com`. As a regular expression it asks for a brace, which no server name has. */
export function isTemplate(value: string): boolean {
  return /\{[A-Za-z_]\w*[:}]/.test(value);
}

/** The regular expression that matches what a template of v2 matched: the whole name, in any case. null when its braces do not close. */
function templateAsRegexp(template: string): string | null {
  let regexp = "";
  let anyCase = false;
  let at = 0;
  while (at < template.length) {
    if (template[at] !== "{") {
      const end = template.indexOf("{", at);
      const literal = template.slice(at, end < 0 ? template.length : end);
      regexp += literal.toLowerCase().replace(/[\\^$.|?*+()[\]{}]/g, "\\$&");
      at += literal.length;
      continue;
    }
    const end = closingBrace(template, at);
    if (end < 0) return null;
    const pattern = /^\w*(?::([\s\S]*))?$/.exec(template.slice(at + 1, end))?.[1] ?? "[^.]+";
    if (/(?<!\\)[A-Z]/.test(pattern)) anyCase = true;
    regexp += pattern.includes("|") ? `(?:${pattern})` : pattern;
    at = end + 1;
  }
  return `${anyCase ? "(?i)" : ""}^${regexp}$`;
}

/** Where the brace at `open` is closed; those of a repetition, as in {name:[a-z]{3}}, are within it. */
function closingBrace(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === "{") depth++;
    else if (text[at] === "}" && --depth === 0) return at;
  }
  return -1;
}
