// How protocols begin that are taken for neither TLS nor MQTT, so that a stranger can be named.

export interface Opening {
  readonly protocol: "http" | "proxy";
  readonly bytes: Uint8Array;
}

const HTTP = ["GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "OPTIONS ", "CONNECT ", "TRACE ", "PATCH ", "PRI "];
const PROXY = ["PROXY ", "\r\n\r\n\0\r\nQUIT\n"];

/** A request of HTTP/1 and HTTP/2 (RFC 9110 9, RFC 9113 3.4), and a PROXY protocol header, versions 1 and 2. */
export const OPENINGS: readonly Opening[] = [
  ...HTTP.map((text) => ({ protocol: "http" as const, bytes: Buffer.from(text) })),
  ...PROXY.map((text) => ({ protocol: "proxy" as const, bytes: Buffer.from(text) })),
];

/** How many bytes from `offset` on are those of `expected`. */
export function commonPrefix(bytes: Uint8Array, offset: number, expected: Uint8Array): number {
  let same = 0;
  while (same < expected.length && offset + same < bytes.length && bytes[offset + same] === expected[same]) same++;
  return same;
}
