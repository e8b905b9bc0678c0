// What clients are counted by: a key is small, whatever a client sends, and means the same in every worker.

import { createHash } from "node:crypto";
import { formatIp } from "../ip/address.ts";

/** A number is an IPv4 network; a text that begins with "=" is what a client has said; any other text is an IPv6 network. */
export type Key = string | number;

/** The longest text that is a key as it is; a digest stands for a longer one. */
const MAX_TEXT = 64;

/**
 * The key of an address of 4 or 16 bytes, cut to so many bits. IPv4 is a number, so it allocates nothing. null, which is no address, has a
 * key of its own.
 */
export function addressKey(address: Uint8Array | null, ipv4Prefix: number, ipv6Prefix: number): Key {
  if (address === null) return "";
  if (address.length === 4) {
    const bits = ((address[0]! << 24) | (address[1]! << 16) | (address[2]! << 8) | address[3]!) >>> 0;
    // A shift by 32 is one by 0 in JavaScript.
    return ipv4Prefix === 0 ? 0 : (bits & (-1 << (32 - ipv4Prefix))) >>> 0;
  }
  const cut = address.slice();
  for (let at = 0; at < 16; at++) cut[at] = cut[at]! & (0xff00 >> Math.min(8, Math.max(0, ipv6Prefix - at * 8)));
  return formatIp(cut);
}

/** The key of a text that a client has sent, of any length. */
export function textKey(text: string): Key {
  if (text.length <= MAX_TEXT) return `=${text}`;
  return `=sha256:${createHash("sha256").update(text).digest("hex")}`;
}

/** A key in words, for a log. The prefixes are those that it was made with. */
export function formatKey(key: Key, ipv4Prefix: number, ipv6Prefix: number): string {
  if (typeof key === "number") {
    const address = formatIp(Uint8Array.of(key >>> 24, (key >>> 16) & 255, (key >>> 8) & 255, key & 255));
    return ipv4Prefix === 32 ? address : `${address}/${ipv4Prefix}`;
  }
  if (key.startsWith("=")) return key.slice(1);
  return ipv6Prefix === 128 || key === "" ? key : `${key}/${ipv6Prefix}`;
}
