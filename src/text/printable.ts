// Text from outside (file names, certificates) for a terminal or a log: nothing in it may move the cursor or hide what is said.

/** Control characters, and those that are invisible or turn the direction of writing. */
const UNPRINTABLE = /[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/** On one line; what cannot be printed is written \uXXXX, as JSON has it. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
