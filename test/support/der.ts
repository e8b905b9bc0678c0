// What no tool writes of ASN.1: elements with any content, and BER where stores have it.

import { der, octets } from "../../src/asn1/der.ts";

export { der, dottedOid, integer, NULL, octets, sequence, set, tagged } from "../../src/asn1/der.ts";

/** An object identifier, from its content in hexadecimal. */
export const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, "hex"));

/** A constructed element whose length only its end tells (X.690 8.1.3.6). */
export const indefinite = (tag: number, ...parts: Buffer[]) =>
  Buffer.concat([Buffer.from([tag, 0x80]), ...parts, Buffer.alloc(2)]);

/** The content of an octet string in pieces, some of which are in pieces themselves (X.690 8.7.3). */
export function inPieces(tag: number, content: Buffer, size: number): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < content.length; at += size) {
    const piece = octets(content.subarray(at, at + size));
    pieces.push(pieces.length % 3 === 2 ? indefinite(0x24, piece, octets()) : piece);
  }
  return indefinite(tag, ...pieces);
}
