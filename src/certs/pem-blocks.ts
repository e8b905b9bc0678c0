// The one reader of PEM (RFC 7468): the blocks of a text in order, whatever stands between them, and the first place where one of them is
// not whole. In linear time: the text may be anybody's.

export interface PemBlock {
  readonly label: string;
  /** From BEGIN to END. */
  readonly pem: string;
  /** What is between them. */
  readonly body: string;
  /** Of its BEGIN, counted from 1. */
  readonly line: number;
}

/** Where a text is only half of what it was: cut off, or a line of it is gone. */
export interface PemFlaw {
  readonly line: number;
  /** For an operator; it quotes nothing of the text. */
  readonly message: string;
}

export interface PemText {
  readonly blocks: readonly PemBlock[];
  /** The first flaw; null when everything is whole. */
  readonly flaw: PemFlaw | null;
}

const DASHES = "-----";
const BEGIN = /-----BEGIN ([A-Z0-9 ]{1,40})-----/y;
/** A last line that ends within its BEGIN. */
const CUT_BEGIN = /^-{1,5}$|^-----B(?:E(?:G(?:I(?:N(?: .*)?)?)?)?)?$/;
/** A line of a body: long, and no digest in hexadecimal, which some tools write as a comment. */
const BASE64_LINE = /^(?![0-9A-Fa-f]+$)[A-Za-z0-9+/]{48,}={0,2}$/;

const CERTIFICATES: readonly string[] = ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];

export function readPem(text: string): PemText {
  return new PemReader(text).read();
}

/** Whether there is any PEM in a text or a file, whole or not. */
export function looksLikePem(content: string | Buffer): boolean {
  return content.includes("-----BEGIN ") || content.includes("-----END ");
}

export function isCertificate({ label }: PemBlock): boolean {
  return CERTIFICATES.includes(label);
}

export function isPrivateKey({ label }: PemBlock): boolean {
  return label.endsWith("PRIVATE KEY");
}

/** What stands behind a BEGIN line is a secret, or may be one: such a text without it. */
export function withoutPemBodies(text: string): string {
  return text.replace(/(-----BEGIN [A-Z0-9 ]+-----)[\s\\A-Za-z0-9+/=:,-]{8,}/g, "$1...");
}

class PemReader {
  readonly #text: string;
  readonly #blocks: PemBlock[] = [];
  #flaw: { readonly at: number; readonly message: string } | null = null;
  /** How many lines there are before an offset that was asked for last. */
  #counted = { at: 0, line: 1 };

  constructor(text: string) {
    this.#text = text;
  }

  read(): PemText {
    const gaps: (readonly [from: number, to: number])[] = [];
    let between = 0;
    for (let at = this.#text.indexOf(DASHES); at >= 0; ) {
      const end = this.#blockAt(at);
      if (end !== null) {
        gaps.push([between, at]);
        between = end;
      }
      at = this.#text.indexOf(DASHES, end ?? at + 1);
    }
    const lastLine = this.#text.lastIndexOf("\n") + 1;
    if (CUT_BEGIN.test(this.#text.slice(Math.max(lastLine, between))))
      this.#found(lastLine, "a BEGIN line is cut off, and the text ends there");
    const zeros = this.#text.indexOf("\0");
    if (zeros >= 0) this.#found(zeros, "bytes that are zero stand there: the file was never written to its end");
    // Base64 beside a flaw that has a name is a part of it.
    for (const [from, to] of [...gaps, [between, this.#text.length] as const])
      if (this.#flaw === null) this.#readGap(from, to);
    const flaw = this.#flaw;
    return {
      blocks: this.#blocks,
      flaw: flaw === null ? null : { line: this.#lineOf(flaw.at), message: flaw.message },
    };
  }

  /** Takes the block whose BEGIN is at an offset; where it ends, or null when there is none in whole. */
  #blockAt(at: number): number | null {
    BEGIN.lastIndex = at;
    const [begin, label] = BEGIN.exec(this.#text) ?? [];
    if (begin === undefined || label === undefined) {
      // A line of dashes is a comment.
      if (this.#text.startsWith("-----END ", at))
        this.#found(at, "an END line has no BEGIN line: that is missing or damaged, or the beginning is cut off");
      else if (this.#text.startsWith("-----BEGIN", at) && (at === 0 || this.#text[at - 1] === "\n"))
        this.#found(at, "a BEGIN line is damaged");
      return null;
    }
    // Neither base64 nor the headers of RFC 1421 (`Proc-Type: 4,ENCRYPTED`) hold so many hyphens.
    const start = at + begin.length;
    const end = this.#text.indexOf(DASHES, start);
    const closing = `-----END ${label}-----`;
    if (end < 0 || !this.#text.startsWith(closing, end)) {
      this.#found(at, `what begins as ${label} has no end: it is cut off, or its END line is missing`);
      return null;
    }
    const after = end + closing.length;
    const [pem, body] = [this.#text.slice(at, after), this.#text.slice(start, end)];
    this.#blocks.push({ label, pem, body, line: this.#lineOf(at) });
    return after;
  }

  /** What stands between blocks, which may be anything but a block that has lost its first and its last line. */
  #readGap(from: number, to: number): void {
    for (let at = from; at < to; ) {
      const next = this.#text.indexOf("\n", at);
      const end = next < 0 || next > to ? to : next;
      if (BASE64_LINE.test(this.#text.slice(at, end).trim()))
        return this.#found(at, "base64 stands outside of any block: its BEGIN and END lines are missing");
      at = end + 1;
    }
  }

  #found(at: number, message: string): void {
    if (this.#flaw === null || at < this.#flaw.at) this.#flaw = { at, message };
  }

  /** Offsets are asked for in rising order, except for the flaw's. */
  #lineOf(at: number): number {
    let { at: from, line } = this.#counted;
    if (at < from) [from, line] = [0, 1];
    for (let next = this.#text.indexOf("\n", from); next >= 0 && next < at; next = this.#text.indexOf("\n", next + 1))
      line++;
    this.#counted = { at, line };
    return line;
  }
}
