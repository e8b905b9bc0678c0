// The blocks of a PEM text (RFC 7468), in order, whatever stands between them. In linear time: the text may be anybody's.

export interface PemBlock {
  readonly label: string;
  /** From BEGIN to END. */
  readonly pem: string;
  /** What is between them. */
  readonly body: string;
}

export interface PemText {
  readonly blocks: readonly PemBlock[];
  /** There is a beginning without its end, or the like: the text is cut off or damaged. */
  readonly isCut: boolean;
}

const DASHES = "-----";
const BEGIN = /-----BEGIN ([A-Z0-9 ]{1,40})-----/y;

export function readPem(text: string): PemText {
  const blocks: PemBlock[] = [];
  const lastLine = text.lastIndexOf("\n");
  let isCut = false;
  for (let at = text.indexOf(DASHES); at >= 0; ) {
    BEGIN.lastIndex = at;
    const [begin, label] = BEGIN.exec(text) ?? [];
    if (begin === undefined || label === undefined) {
      // A line of dashes is a comment; an end without its beginning, or dashes that the text ends with, are not.
      isCut ||= text.startsWith("-----END ", at) || at > lastLine;
      at = text.indexOf(DASHES, at + 1);
      continue;
    }
    // Neither base64 nor the headers of RFC 1421 (`Proc-Type: 4,ENCRYPTED`) hold so many hyphens.
    const start = at + begin.length;
    const end = text.indexOf(DASHES, start);
    const closing = `-----END ${label}-----`;
    if (end < 0 || !text.startsWith(closing, end)) {
      isCut = true;
      at = end;
      continue;
    }
    const after = end + closing.length;
    blocks.push({ label, pem: text.slice(at, after), body: text.slice(start, end) });
    at = text.indexOf(DASHES, after);
  }
  return { blocks, isCut };
}

export function pemBlocks(text: string): readonly PemBlock[] {
  return readPem(text).blocks;
}
