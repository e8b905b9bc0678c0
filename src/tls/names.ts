// Go's names for cipher suites and curves, which Traefik's configuration uses, as OpenSSL's names.

const MAC: Record<string, string> = {
  RC4_128_SHA: "RC4-SHA",
  "3DES_EDE_CBC_SHA": "DES-CBC3-SHA",
  AES_128_CBC_SHA: "AES128-SHA",
  AES_256_CBC_SHA: "AES256-SHA",
  AES_128_CBC_SHA256: "AES128-SHA256",
  AES_128_GCM_SHA256: "AES128-GCM-SHA256",
  AES_256_GCM_SHA384: "AES256-GCM-SHA384",
  CHACHA20_POLY1305: "CHACHA20-POLY1305",
  CHACHA20_POLY1305_SHA256: "CHACHA20-POLY1305",
};

const suites = (go: string, openssl: string, names: readonly string[]) =>
  names.map((name) => [`TLS_${go}_WITH_${name}`, `${openssl}${MAC[name]}`]);

/** Go name to OpenSSL name (crypto/tls/cipher_suites.go). TLS 1.3 suites keep their name. */
export const CIPHERS: Record<string, string> = Object.fromEntries([
  ...suites("RSA", "", [
    "RC4_128_SHA",
    "3DES_EDE_CBC_SHA",
    "AES_128_CBC_SHA",
    "AES_256_CBC_SHA",
    "AES_128_CBC_SHA256",
    "AES_128_GCM_SHA256",
    "AES_256_GCM_SHA384",
  ]),
  ...suites("ECDHE_ECDSA", "ECDHE-ECDSA-", [
    "RC4_128_SHA",
    "AES_128_CBC_SHA",
    "AES_256_CBC_SHA",
    "AES_128_CBC_SHA256",
    "AES_128_GCM_SHA256",
    "AES_256_GCM_SHA384",
    "CHACHA20_POLY1305",
    "CHACHA20_POLY1305_SHA256",
  ]),
  ...suites("ECDHE_RSA", "ECDHE-RSA-", Object.keys(MAC)),
  ...["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"].map((name) => [name, name]),
  ["TLS_FALLBACK_SCSV", "TLS_FALLBACK_SCSV"],
]);

/** Traefik's curve names to OpenSSL's. */
export const CURVES: Record<string, string> = {
  CurveP256: "P-256",
  secp256r1: "P-256",
  CurveP384: "P-384",
  secp384r1: "P-384",
  CurveP521: "P-521",
  secp521r1: "P-521",
  X25519: "X25519",
  X25519MLKEM768: "X25519MLKEM768",
  SecP256r1MLKEM768: "SecP256r1MLKEM768",
  SecP384r1MLKEM1024: "SecP384r1MLKEM1024",
};

/**
 * The suites before TLS 1.3 where none are configured: forward secrecy in all of them. Those with CBC and SHA-1 are for clients of TLS 1.2
 * that have no AEAD, and are all that TLS 1.0 and 1.1 have.
 */
export const DEFAULT_CIPHERS = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
  "ECDHE-ECDSA-AES128-SHA",
  "ECDHE-RSA-AES128-SHA",
  "ECDHE-ECDSA-AES256-SHA",
  "ECDHE-RSA-AES256-SHA",
].join(":");

/** In the order of preference; null is what remains. */
const CLASSES: readonly (RegExp | null)[] = [/^ECDHE-.*(GCM|CHACHA20)/, /^ECDHE-/, /GCM/, /^AES/, null];

/**
 * A list of suites in the order in which the server prefers them: AEAD before CBC, forward secrecy before none. Among equals the client's
 * order counts ("[A|B]" in BoringSSL), because it knows which cipher its hardware has.
 */
export function inPreference(ciphers: string): string {
  const left = new Set(ciphers.split(":"));
  const groups: string[] = [];
  for (const pattern of CLASSES) {
    const group = [...left].filter((name) => pattern === null || pattern.test(name));
    for (const name of group) left.delete(name);
    if (group.length > 0) groups.push(`[${group.join("|")}]`);
  }
  return groups.join(":");
}

/** What is weak about a suite that BoringSSL has, by its OpenSSL name; null: nothing. */
export function weaknessOf(cipher: string): "static-rsa" | "cbc" | null {
  if (cipher.startsWith("TLS_")) return null;
  if (!cipher.startsWith("ECDHE-")) return "static-rsa";
  return /GCM|CHACHA20/.test(cipher) ? null : "cbc";
}
