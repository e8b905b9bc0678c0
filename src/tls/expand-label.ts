// HKDF-Expand-Label of TLS 1.3 (RFC 8446 7.1).

import { createHmac } from "node:crypto";

/** The hash of a cipher suite of TLS 1.3. */
export type SuiteHash = "sha256" | "sha384";

/** For one block of output (RFC 5869 2.3), which all that TLS derives fits into. */
export function expandLabel(
  hash: SuiteHash,
  secret: Buffer,
  label: string,
  length: number,
  context: Buffer = Buffer.alloc(0),
): Buffer {
  const full = Buffer.from(`tls13 ${label}`, "latin1");
  const lengths = Buffer.from([length >> 8, length & 0xff, full.length]);
  const info = Buffer.concat([lengths, full, Buffer.from([context.length]), context, Buffer.from([1])]);
  return createHmac(hash, secret).update(info).digest().subarray(0, length);
}
