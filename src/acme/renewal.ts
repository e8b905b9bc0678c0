// When a certificate is renewed, and how its authority knows which one it is (RFC 9773).

import { X509Certificate } from "node:crypto";
import { expect, parse, TAG } from "../asn1/ber.ts";
import { partsOf } from "../certs/x509.ts";

const AUTHORITY_KEY_ID = "2.5.29.35";
const KEY_IDENTIFIER = 0x80;

export interface Lifetime {
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** The dates of a PEM chain's first certificate; null when it cannot be read. */
export function lifetimeOf(pem: string): Lifetime | null {
  try {
    const { validFrom, validTo } = new X509Certificate(pem);
    return { notBefore: Date.parse(validFrom), notAfter: Date.parse(validTo) };
  } catch {
    return null;
  }
}

/**
 * Where the authority suggests nothing: with a third of the lifetime left, up to a tenth of that third earlier, so that the
 * certificates of many do not all come due at once. `random` is from 0 to 1.
 */
export function renewalTime({ notBefore, notAfter }: Lifetime, random: number): number {
  const third = (notAfter - notBefore) / 3;
  return notAfter - third - third * 0.1 * random;
}

/** A moment of the window that the authority suggests (RFC 9773 4.2). */
export function momentOf({ start, end }: { start: number; end: number }, random: number): number {
  return start + (end - start) * random;
}

/** The certificate's name in renewal information: key identifier of its authority and serial number (RFC 9773 4.1); null if it has none. */
export function renewalId(pem: string): string | null {
  try {
    const { serial, extensions } = partsOf(new X509Certificate(pem).raw);
    const extension = extensions.find(({ oid }) => oid === AUTHORITY_KEY_ID);
    const id =
      extension &&
      parse(extension.value)
        .children()
        .find((field) => field.tag === KEY_IDENTIFIER);
    if (!id) return null;
    return `${id.content.toString("base64url")}.${expect(serial, TAG.integer, "the serial").content.toString("base64url")}`;
  } catch {
    return null;
  }
}

/** Pauses after one failure, two, and so on. Minutes. */
const PAUSES = [1, 5, 15, 60, 180, 360, 720, 1440];
const MINUTE = 60_000;
/** An authority that says rateLimited and not until when. */
const RATE_LIMITED_MS = 60 * MINUTE;

/** How long to wait after `failures` in a row; never less than the authority asks for. `random` is from 0 to 1. */
export function pauseAfter(
  failures: number,
  error: { kind: string; retryAfterMs: number | null },
  random: number,
): number {
  const pause = PAUSES[Math.min(failures, PAUSES.length) - 1]! * MINUTE * (1 + 0.2 * random);
  const asked = error.retryAfterMs ?? (error.kind === "rateLimited" ? RATE_LIMITED_MS : 0);
  return Math.max(pause, asked);
}
