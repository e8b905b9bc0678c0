// The strings of ASN.1 as text, each by its type (X.680 41): the same bytes are another name in another type.

/** Types of strings by their tags. Others (Videotex, Graphic, General) no certificate has, and OpenSSL reads none of them either. */
const TYPES = {
  12: "utf8",
  18: "ascii", // NumericString
  19: "ascii", // PrintableString
  /** T.61 in the standard. Everybody writes Latin-1 into it, and OpenSSL reads it so. */
  20: "latin1",
  22: "ascii", // IA5String
  26: "ascii", // VisibleString
  28: "universal",
  30: "bmp",
} as const;

export type StringType = (typeof TYPES)[keyof typeof TYPES];

/** null: a tag of no string. */
export function stringType(tag: number): StringType | null {
  return TYPES[tag as keyof typeof TYPES] ?? null;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const LONE_SURROGATE = /\p{Cs}/u;
const MAX_CODE_POINT = 0x10ffff;

/** The text of such a string; null when its bytes are none of that type. */
export function decodeString(type: StringType, content: Buffer): string | null {
  switch (type) {
    case "utf8":
      try {
        return utf8.decode(content);
      } catch {
        return null;
      }
    case "ascii":
      return content.some((byte) => byte > 0x7f) ? null : content.toString("latin1");
    case "latin1":
      return content.toString("latin1");
    case "bmp":
      return content.length % 2 === 0 ? whole(Buffer.from(content).swap16().toString("utf16le")) : null;
    case "universal":
      return universal(content);
  }
}

/** BMPString has no characters beyond 16 bits, but Windows writes UTF-16 into it: pairs of surrogates are taken, single ones are not. */
function whole(text: string): string | null {
  return LONE_SURROGATE.test(text) ? null : text;
}

function universal(content: Buffer): string | null {
  if (content.length % 4 !== 0) return null;
  let text = "";
  for (let at = 0; at < content.length; at += 4) {
    const code = content.readUInt32BE(at);
    if (code > MAX_CODE_POINT || (code >= 0xd800 && code <= 0xdfff)) return null;
    text += String.fromCodePoint(code);
  }
  return text;
}
