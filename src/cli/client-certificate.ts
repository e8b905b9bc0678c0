// The certificate that a client shows, from a file, for `sluice explain`.

import { X509Certificate } from "node:crypto";
import { ownCertificates } from "../certs/pem.ts";
import { isBinary } from "../certs/trust-store.ts";
import { readFileBytes } from "../system/files.ts";

/** More are no file of one client. Bytes. */
const MAX_FILE = 1024 * 1024;

/** In DER, the client's own first and behind it what it sends with it; a text is a line for the operator. PEM, or one certificate in DER. */
export function readClientChain(file: string): readonly Buffer[] | string {
  const read = readFileBytes(file, MAX_FILE);
  if (read.kind === "error") return read.message;
  try {
    const certificates = isBinary(read.bytes)
      ? [new X509Certificate(read.bytes)]
      : ownCertificates(read.bytes.toString("latin1"));
    if (certificates.length > 0) return certificates.map(({ raw }) => raw);
  } catch {
    // Damaged, or a key store.
  }
  return `${read.path}: give the client's certificate in PEM, or in DER`;
}
