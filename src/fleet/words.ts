// Names and addresses as the languages of the READMEs write them. A name is anything that `certs client` takes: quotes, `, CJK, emoji.

/** A word of a POSIX shell. */
export function shellWord(text: string): string {
  return /^[\w.@%+=:,/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A string of Python: JSON's are Python's too, as long as letters stand for themselves. */
export const pythonString = (text: string): string => JSON.stringify(text);

/** A string of Java or JavaScript in ASCII alone: what javac makes of other letters hangs on the machine. */
export function javaString(text: string): string {
  return JSON.stringify(text).replace(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A string of C or C++ in ASCII alone. Octal escapes have three digits, so what follows cannot become a part of one. */
export function cString(text: string): string {
  const escaped = [...Buffer.from(text)].map((byte) => {
    const character = String.fromCharCode(byte);
    // Not ?, which begins a trigraph, nor what ends or escapes.
    return /[\w .,:;@/+=()-]/.test(character) ? character : `\\${byte.toString(8).padStart(3, "0")}`;
  });
  return `"${escaped.join("")}"`;
}

/** Code within a line of Markdown, also in a cell of a table. */
export function inline(text: string): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  const gap = text.startsWith("`") || text.endsWith("`") ? " " : "";
  return `${fence}${gap}${text.replaceAll("|", "\\|")}${gap}${fence}`;
}

/** Text of Markdown that is nothing but text. */
export function plain(text: string): string {
  return text.replace(/[\\`*_{}[\]<>#|~&]/g, "\\$&");
}

/** A block of code. */
export function block(language: string, lines: readonly string[]): string[] {
  return [`\`\`\`${language}`, ...lines, "```"];
}

/** A table of two columns. */
export function table(head: readonly [string, string], rows: readonly (readonly [string, string])[]): string[] {
  return [head, ["---", "---"] as const, ...rows].map(([left, right]) => `| ${left} | ${right} |`);
}
