// Tables, code and links in Markdown.

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [row(head), row(head.map(() => "---")).replaceAll(" ", ""), ...rows.map(row)].join("\n");
}

function row(cells: readonly string[]): string {
  const padded = cells.map((cell) => (cell === "" ? " " : ` ${cell.replaceAll("|", "\\|")} `));
  return `|${padded.join("|")}|`;
}

/** As code; text with backticks is put between two of them, with a space where its own would touch. */
export function code(text: string): string {
  if (!text.includes("`")) return `\`${text}\``;
  const pad = text.startsWith("`") || text.endsWith("`") ? " " : "";
  return `\`\`${pad}${text}${pad}\`\``;
}

/** Links of the descriptions are relative to docs/, and the pages are one deeper. */
export function link(markdown: string): string {
  return markdown.replace(/\]\((?![a-z]+:)([^)\s]+)\)/g, (_, target: string) =>
    target.startsWith("reference/") ? `](${target.slice("reference/".length)})` : `](../${target})`,
  );
}
