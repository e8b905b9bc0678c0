// The blocks of a PEM text (RFC 7468), in order, whatever stands between them.

/** RFC 1421 headers (`Proc-Type: 4,ENCRYPTED`) hold hyphens; the base64 behind them does not. */
const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----((?:[A-Za-z-]{1,20}:[^\r\n]{1,200}\r?\n|[^-])*)-----END \1-----/g;

export interface PemBlock {
  readonly label: string;
  /** From BEGIN to END. */
  readonly pem: string;
  /** What is between them. */
  readonly body: string;
}

export function pemBlocks(text: string): PemBlock[] {
  return [...text.matchAll(BLOCK)].map((match) => ({ label: match[1]!, pem: match[0], body: match[2]! }));
}
