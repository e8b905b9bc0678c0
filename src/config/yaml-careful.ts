// YAML that is wrong or unusual, read by a parser that says all that is wrong with it, each with its place. It makes a tree of objects, a
// hundred times as large as the text, and takes long over nonsense: so it gets small texts only.

import { type Document, isAlias, isMap, isScalar, isSeq, type Node, parseDocument, type YAMLError } from "yaml";
import { MAX_NESTED, type Mistake, NESTED_TOO_DEEP, NO_ANCHOR } from "./yaml-mistakes.ts";
import { LIST, MAP, YamlText } from "./yaml-text.ts";

/** What is wrong with a text goes to `mistakes`, and null comes back. */
export function parseCarefully(source: string, mistakes: Mistake[]): YamlText | null {
  // Keys given twice are found where they are decoded: the library compares each with each.
  const document = parseDocument(source, { prettyErrors: false, uniqueKeys: false });
  for (const error of document.errors) mistakes.push({ at: error.pos[0], message: inWords(error) });
  const before = mistakes.length;
  const text = build(source, document, mistakes);
  return before === 0 && mistakes.length === 0 ? text : null;
}

function build(source: string, document: Document.Parsed, mistakes: Mistake[]): YamlText {
  // Each node takes a character at least, but for those that are not there: behind a key, between commas.
  const text = new YamlText(source, 2 * source.length + 2);
  const add = (node: Node | null, at: number, depth: number): void => {
    const start = node?.range?.[0] ?? at;
    const end = node?.range?.[1] ?? start;
    if (depth > MAX_NESTED) {
      mistakes.push({ at: start, message: NESTED_TOO_DEEP });
      text.addScalar(start, end, "plain", "", null, true);
    } else if (isAlias(node)) {
      if (!text.addAlias(start, node.source)) mistakes.push({ at: start, message: NO_ANCHOR });
    } else if (isMap(node) || isSeq(node)) {
      const index = text.begin(isMap(node) ? MAP : LIST, start, node.flow === true, node.anchor ?? null);
      if (isMap(node))
        for (const { key, value } of node.items) {
          add(key as Node | null, start, depth + 1);
          add(value as Node | null, (key as Node | null)?.range?.[1] ?? start, depth + 1);
        }
      else for (const item of node.items) add(item as Node | null, start, depth + 1);
      text.end(index);
    } else {
      const scalar = isScalar(node) ? node : null;
      const style = scalar?.type?.startsWith("QUOTE")
        ? "quoted"
        : scalar?.type?.startsWith("BLOCK")
          ? "block"
          : "plain";
      text.addScalar(
        start,
        end,
        style,
        scalar?.source ?? "",
        scalar?.anchor ?? null,
        scalar === null || scalar.value === null,
      );
    }
  };
  if (document.contents !== null) add(document.contents as Node, 0, 1);
  return text;
}

/** The library's words where they help an operator, and ours where they speak to a programmer, or quote the file: that may be a secret. */
function inWords(error: YAMLError): string {
  const [message] = error.message.split("\n") as [string];
  switch (error.code) {
    case "MULTIPLE_DOCS":
      return "a second document begins here (---), and one file holds one";
    case "TAG_RESOLVE_FAILED":
    case "BAD_COLLECTION_TYPE":
      return "a value that begins with ! is a tag, and this one is unknown: put the value in quotes";
    case "BAD_SCALAR_START":
      return "a plain value cannot begin with this character: put the value in quotes";
    case "BAD_DQ_ESCAPE":
      return "the escape sequence is unknown: in double quotes write \\\\ for a backslash, or use single quotes";
    default:
      if (message.startsWith("Block scalar header"))
        return "a value that begins with | or > has its text on the lines below: put one of a single line in quotes";
      // What stands behind a colon is of the file.
      return message.replace(/(?<=\S): [\s\S]*$/, "");
  }
}
