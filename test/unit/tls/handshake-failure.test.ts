// Why a handshake failed is one word of a fixed set, whatever BoringSSL says.

import { describe, expect, test } from "bun:test";
import { HANDSHAKE_CAUSES, handshakeCause } from "../../../src/tls/handshake-failure.ts";
import { random } from "../../support/random.ts";

const error = (message: string, code = "EPROTO") => ({ code, message });
/** As BoringSSL has it: the packed code, the library, "OPENSSL_internal" for the function, the name of the reason. */
const ssl = (number: number, name: string) =>
  error(`error:10000${number.toString(16).padStart(3, "0")}:SSL routines:OPENSSL_internal:${name}`);

describe("what BoringSSL says", () => {
  test.each([
    [1048, "TLSV1_ALERT_UNKNOWN_CA", "alert-unknown-ca"],
    [1042, "SSLV3_ALERT_BAD_CERTIFICATE", "alert-bad-certificate"],
    [1046, "SSLV3_ALERT_CERTIFICATE_UNKNOWN", "alert-certificate-unknown"],
    [1045, "SSLV3_ALERT_CERTIFICATE_EXPIRED", "alert-certificate-expired"],
    [1109, "reason(1109)", "alert-other"],
    [1200, "reason(1200)", "alert-other"],
    [1000, "SSLV3_ALERT_CLOSE_NOTIFY", "client-gone"],
    [1090, "TLSV1_ALERT_USER_CANCELLED", "client-gone"],
    [0xb8, "NO_SHARED_CIPHER", "no-shared-cipher"],
    [0xf0, "UNSUPPORTED_PROTOCOL", "no-shared-version"],
    [0x10a, "NO_SHARED_GROUP", "no-shared-group"],
    [0xf3, "WRONG_CURVE", "no-shared-group"],
    [0xfd, "NO_COMMON_SIGNATURE_ALGORITHMS", "no-shared-signature"],
    [0x133, "NO_APPLICATION_PROTOCOL", "no-shared-protocol"],
    [0x93, "DECRYPTION_FAILED_OR_BAD_RECORD_MAC", "decrypt-error"],
    [0x92, "ENCRYPTED_LENGTH_TOO_LONG", "bad-record"],
    [0xdf, "UNEXPECTED_MESSAGE", "bad-message"],
    [0x999, "reason(2457)", "alert-other"],
    [0x44, "INTERNAL_ERROR", "other"],
  ] as const)("%d %s is %s", (number, name, cause) => {
    expect(handshakeCause(ssl(number, name), 0)).toBe(cause);
  });
});

test("an alert in the clear says more than what BoringSSL makes of it", () => {
  expect(handshakeCause(ssl(0x70, "BAD_PACKET_LENGTH"), 48)).toBe("alert-unknown-ca");
  expect(handshakeCause(null, 42)).toBe("alert-bad-certificate");
});

test("a client that leaves without a word has gone", () => {
  expect(handshakeCause(null, 0)).toBe("client-gone");
  expect(
    handshakeCause(error("Client network socket disconnected before secure TLS connection", "ECONNRESET"), 0),
  ).toBe("client-gone");
});

test("any text gives one of the set", () => {
  const dice = random(9);
  const pieces = [
    "error:",
    "10000",
    "418",
    ":",
    "SSL routines",
    "TLSV1_ALERT_UNKNOWN_CA",
    "constructor",
    "__proto__",
    "\n",
    "x",
  ];
  for (let round = 0; round < 5000; round++) {
    const message = Array.from({ length: dice.below(8) }, () => dice.pick(pieces)).join("");
    expect(HANDSHAKE_CAUSES).toContain(handshakeCause(error(message), dice.chance(0.2) ? dice.below(256) : 0));
  }
  for (let alert = 1; alert < 256; alert++) expect(HANDSHAKE_CAUSES).toContain(handshakeCause(null, alert));
});
