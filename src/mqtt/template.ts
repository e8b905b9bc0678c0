// Templates such as `{cert.cn}`: text with placeholders, of which a client's own values make a user name, a client id or a password.

import { suggestion } from "../text/spelling.ts";
import { isMqttText, MAX_FIELD } from "./text.ts";

/** What a client may be asked for. Those of the certificate count only where it has been verified. */
export const PLACEHOLDERS = [
  "cert.cn",
  "cert.san.dns",
  "cert.san.uri",
  "cert.san.email",
  "cert.serial",
  "cert.fingerprint",
  "cert.subject",
  "sni",
  "client.ip",
  "mqtt.clientId",
  "mqtt.username",
] as const;
export type Placeholder = (typeof PLACEHOLDERS)[number];

type Piece = { readonly text: string } | { readonly placeholder: Placeholder };

/** Compiled once, and plain data. */
export type Template = readonly Piece[];

export type TemplateRead =
  | { readonly kind: "ok"; readonly template: Template }
  /** `message` quotes nothing but the name of a placeholder, and `unquoted` not even that. */
  | { readonly kind: "error"; readonly message: string; readonly unquoted: string };

/** Braces are placeholders' alone: `{{` begins a template of Go's, which a configuration file may not hold. */
const PARTS = /\{([^{}]*)\}|[{}]|[^{}]+/g;
const MAX_SHOWN = 40;

/** Reads `dev-{cert.cn}`. The text around placeholders must be such as MQTT takes. */
export function parseTemplate(source: string): TemplateRead {
  const pieces: Piece[] = [];
  for (const { 0: part, 1: name, index } of source.matchAll(PARTS)) {
    const wrong = (message: string, unquoted = message): TemplateRead => {
      const place = `at character ${index + 1}, `;
      return { kind: "error", message: place + message, unquoted: place + unquoted };
    };
    if (part === "{") return wrong('a "{" begins a placeholder, and there is no "}" behind it');
    if (part === "}") return wrong('there is a "}" without its "{"');
    if (name === undefined) {
      if (!isMqttText(part)) return wrong("there is text that MQTT does not allow, such as a control character");
      pieces.push({ text: part });
    } else if (isPlaceholder(name)) pieces.push({ placeholder: name });
    else {
      const known = `there are ${PLACEHOLDERS.map((each) => `{${each}}`).join(", ")}`;
      const meant = suggestion(name, PLACEHOLDERS);
      const shown = name.length > MAX_SHOWN ? `${name.slice(0, MAX_SHOWN)}...` : name;
      return wrong(
        `{${shown}} is no placeholder${meant === "" ? `: ${known}` : meant}`,
        `what stands in braces is no placeholder: ${known}`,
      );
    }
  }
  return pieces.length === 0
    ? { kind: "error", message: "it is empty", unquoted: "it is empty" }
    : { kind: "ok", template: pieces };
}

function isPlaceholder(name: string): name is Placeholder {
  return (PLACEHOLDERS as readonly string[]).includes(name);
}

/** As it was written. */
export function formatTemplate(template: Template): string {
  return template.map((piece) => ("text" in piece ? piece.text : `{${piece.placeholder}}`)).join("");
}

export function placeholdersOf(template: Template): Placeholder[] {
  return template.flatMap((piece) => ("text" in piece ? [] : [piece.placeholder]));
}

/** A client's value for a placeholder. */
export type Value =
  | { readonly kind: "ok"; readonly text: string }
  | { readonly kind: "missing" }
  /** It has one that not everybody would read alike. `why` is a fixed text that continues "its value ...". */
  | { readonly kind: "unusable"; readonly why: string };

export type Filled =
  | { readonly kind: "ok"; readonly text: string }
  /** `placeholder` null: each value is one, and what they make together is none. */
  | { readonly kind: "missing" | "unusable"; readonly placeholder: Placeholder | null; readonly why: string };

const NOT_MQTT: Filled = {
  kind: "unusable",
  placeholder: null,
  why: `is longer than ${MAX_FIELD} bytes, or has what MQTT does not allow`,
};

/** What a template comes to for a client: never empty, and always such as MQTT takes for a string (`isMqttText`). */
export function fill(template: Template, lookUp: (placeholder: Placeholder) => Value): Filled {
  let text = "";
  for (const piece of template) {
    if ("text" in piece) {
      text += piece.text;
      continue;
    }
    const { placeholder } = piece;
    const value = lookUp(placeholder);
    if (value.kind === "unusable") return { ...value, placeholder };
    // An empty text is no name: two clients without one would be the same.
    if (value.kind === "missing" || value.text === "") return { kind: "missing", placeholder, why: "is missing" };
    text += value.text;
  }
  return isMqttText(text) ? { kind: "ok", text } : NOT_MQTT;
}
