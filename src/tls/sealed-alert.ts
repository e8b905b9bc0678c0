// A fatal alert after the handshake of TLS 1.3 (RFC 8446 5.2, 7.3), encrypted here: BoringSSL has no call that sends a chosen alert, and
// Bun accepts every client certificate in the handshake and judges it afterwards, so the library has no reason to send one itself.

import { createCipheriv } from "node:crypto";
import { ALERT_RECORD, ALERTS, type Alert, FATAL } from "../wire/alert.ts";
import { sealBlock } from "./chacha20-poly1305.ts";
import { expandLabel, type SuiteHash } from "./expand-label.ts";

interface Suite {
  readonly hash: SuiteHash;
  readonly keyLength: number;
  readonly seal: (key: Buffer, nonce: Buffer, additional: Buffer, message: Buffer) => Buffer;
}

const gcm = (cipher: "aes-128-gcm" | "aes-256-gcm"): Suite["seal"] => {
  return (key, nonce, additional, message) => {
    const sealing = createCipheriv(cipher, key, nonce);
    sealing.setAAD(additional);
    return Buffer.concat([sealing.update(message), sealing.final(), sealing.getAuthTag()]);
  };
};

/** All that BoringSSL has for TLS 1.3. */
const SUITES: ReadonlyMap<string, Suite> = new Map([
  ["TLS_AES_128_GCM_SHA256", { hash: "sha256", keyLength: 16, seal: gcm("aes-128-gcm") }],
  ["TLS_AES_256_GCM_SHA384", { hash: "sha384", keyLength: 32, seal: gcm("aes-256-gcm") }],
  ["TLS_CHACHA20_POLY1305_SHA256", { hash: "sha256", keyLength: 32, seal: sealBlock }],
]);

const APPLICATION_DATA = 23;
const TAG_LENGTH = 16;
const IV_LENGTH = 12;

/**
 * The record that carries `alert` to the client, or null for a suite of another version. `secret` is SERVER_TRAFFIC_SECRET_0; the
 * record is the first under it, which is right because BoringSSL sends no session ticket before the first write.
 */
export function sealedAlert(suiteName: string, secret: Buffer, alert: Alert): Buffer | null {
  const suite = SUITES.get(suiteName);
  if (suite === undefined) return null;
  const key = expandLabel(suite.hash, secret, "key", suite.keyLength);
  // The nonce is the IV xor the sequence number, which is 0.
  const nonce = expandLabel(suite.hash, secret, "iv", IV_LENGTH);
  const content = Buffer.from([FATAL, ALERTS[alert], ALERT_RECORD]);
  const header = Buffer.from([APPLICATION_DATA, 3, 3, 0, content.length + TAG_LENGTH]);
  const sealed = suite.seal(key, nonce, header, content);
  key.fill(0);
  return Buffer.concat([header, sealed]);
}
