// What is wrong with a text that shall be YAML: what both of its parsers say in the same words, and how it is said what js-yaml refuses.

export interface Mistake {
  /** Characters from the beginning of the text. */
  readonly at: number;
  readonly message: string;
}

/** Values in values: a configuration has ten. */
export const MAX_NESTED = 64;

export const NESTED_TOO_DEEP = `values are nested deeper than ${MAX_NESTED} levels here`;
export const NO_ANCHOR =
  "a value that begins with * is an alias, and no anchor (&) of its name is before it: put a value that is none in quotes";

/** js-yaml's reasons that say too little to who writes a configuration. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/^tab characters/, "tabs are not allowed as indentation: use spaces"],
  [
    /^end of the stream or a document/,
    "this belongs to nothing before it: mostly a quote, a bracket or the indentation is wrong",
  ],
  [
    /^deficient indentation/,
    "this line is part of a value that began above, and must be indented further than its key",
  ],
  [
    /^can not read a block mapping entry/,
    "a key must stand on one line: mostly a colon is missing here, or a quote above",
  ],
  [/within a (single|double) quoted scalar$/, "a value in quotes has no end: it began somewhere above"],
  [/within a flow collection$/, "a bracket is not closed: it was opened somewhere above"],
];

/** Why js-yaml refuses a text, without anything that is written in it: that may be a secret. */
export function refusalInWords(reason: string): string {
  const known = WORDS.find(([pattern]) => pattern.test(reason));
  return known === undefined ? reason.replace(/(?<=\S): [\s\S]*$/, "") : known[1];
}
