// Text from outside (file names, certificates) for a terminal or a log: nothing in it may move the cursor or hide what is said.

/** Control characters, line and paragraph ends, and all that is invisible or turns the direction of writing (Unicode's Cf). */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** On one line; what cannot be printed is written \uXXXX, as JSON has it. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    let escaped = "";
    for (let at = 0; at < character.length; at++)
      escaped += `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`;
    return escaped;
  });
}
