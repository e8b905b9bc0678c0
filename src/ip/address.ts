// IP addresses and networks as bytes. Strict as Go's net package is, since ClientIP() is an access rule: 010.0.0.1 is an error,
// not a guess between octal and decimal.

/** A network: `address` has 4 or 16 bytes with the host bits cleared, `prefix` is in bits. */
export interface Network {
  address: Uint8Array;
  prefix: number;
}

const PERCENT = 0x25;
const DOT = 0x2e;
const COLON = 0x3a;

/**
 * Reads an IP address: 4 bytes for IPv4 and for IPv4-mapped IPv6 (::ffff:1.2.3.4), else 16; null if it is not one.
 * A zone (fe80::1%eth0) is dropped, because it names an interface of this host and not a network. Called once per connection:
 * it scans character codes and allocates nothing but its result.
 */
export function parseAddress(text: string): Uint8Array | null {
  // 45 is the longest IPv6 text (with dotted quad), 16 the longest interface name on Linux.
  if (text.length > 64) return null;
  for (let at = 0; at < text.length && at < 5; at++) {
    const code = text.charCodeAt(at);
    if (code === COLON) return parseV6(text);
    if (code === DOT) {
      const bytes = new Uint8Array(4);
      return readV4(text, 0, text.length, bytes, 0) ? bytes : null;
    }
  }
  return null;
}

function readV4(text: string, start: number, end: number, out: Uint8Array, offset: number): boolean {
  let at = start;
  for (let part = 0; part < 4; part++) {
    const first = at;
    let value = 0;
    while (at < end) {
      const digit = text.charCodeAt(at) - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      if (value > 255) return false;
      at++;
    }
    const digits = at - first;
    if (digits === 0 || (digits > 1 && text.charCodeAt(first) === 0x30)) return false;
    out[offset + part] = value;
    if (part < 3) {
      if (at >= end || text.charCodeAt(at) !== DOT) return false;
      at++;
    }
  }
  return at === end;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function parseV6(text: string): Uint8Array | null {
  let end = text.length;
  for (let at = 0; at < end; at++) {
    if (text.charCodeAt(at) !== PERCENT) continue;
    if (at === end - 1) return null;
    end = at;
  }
  const bytes = new Uint8Array(16);
  let filled = 0;
  let gap = -1;
  let at = 0;
  if (end >= 2 && text.charCodeAt(0) === COLON && text.charCodeAt(1) === COLON) {
    gap = 0;
    at = 2;
  }
  while (at < end) {
    if (filled === 16) return null;
    const first = at;
    let value = 0;
    while (at < end) {
      const digit = hexDigit(text.charCodeAt(at));
      if (digit < 0) break;
      if (at - first === 4) return null;
      value = (value << 4) | digit;
      at++;
    }
    if (at === first) return null;
    if (at < end && text.charCodeAt(at) === DOT) {
      if (filled > 12 || !readV4(text, first, end, bytes, filled)) return null;
      filled += 4;
      at = end;
      break;
    }
    bytes[filled++] = value >> 8;
    bytes[filled++] = value & 0xff;
    if (at === end) break;
    if (text.charCodeAt(at) !== COLON) return null;
    at++;
    if (at === end) return null;
    if (text.charCodeAt(at) === COLON) {
      if (gap >= 0) return null;
      gap = filled;
      at++;
    }
  }
  if (gap >= 0) {
    if (filled === 16) return null;
    bytes.copyWithin(16 - (filled - gap), gap, filled);
    bytes.fill(0, gap, 16 - (filled - gap));
  } else if (filled !== 16) {
    return null;
  }
  return isMapped(bytes) ? bytes.subarray(12) : bytes;
}

/** Whether 16 bytes are an IPv4 address in IPv6 clothes, ::ffff:0:0/96 (RFC 4291 2.5.5.2). */
export function isMapped(bytes: Uint8Array): boolean {
  if (bytes.length !== 16 || bytes[10] !== 0xff || bytes[11] !== 0xff) return false;
  for (let at = 0; at < 10; at++) if (bytes[at] !== 0) return false;
  return true;
}

/**
 * Reads an address or a CIDR network; an address is a network of one. Null if it is neither. Zones are refused here. An
 * IPv4-mapped network of /96 or longer is IPv4; a shorter one stays IPv6 and so holds no IPv4 client, as in Go.
 */
export function parseNetwork(text: string): Network | null {
  if (text.includes("%")) return null;
  const slash = text.indexOf("/");
  const addressText = slash < 0 ? text : text.slice(0, slash);
  const address = parseAddress(addressText);
  if (address === null) return null;
  if (slash < 0) return { address, prefix: address.length * 8 };
  const digits = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(digits)) return null;
  const prefix = Number(digits);
  if (!addressText.includes(":")) return prefix <= 32 ? masked(address, prefix) : null;
  if (prefix > 128) return null;
  if (address.length === 16) return masked(address, prefix);
  if (prefix >= 96) return masked(address, prefix - 96);
  const wide = new Uint8Array(16).fill(0xff, 10, 12);
  wide.set(address, 12);
  return masked(wide, prefix);
}

/**
 * Whether this network, which `parseNetwork` reads, is written as IPv4 in IPv6 clothes and has no IPv4 address in it: its prefix is below 96.
 * Nobody means that, and a list or a rule with it says something else than it seems to.
 */
export function isLostIpv4(text: string): boolean {
  return parseAddress(text.split("/", 1)[0]!)?.length === 4 && parseNetwork(text)?.address.length === 16;
}

/** What is wrong with such a network, behind "which is". */
export const LOST_IPV4 =
  "IPv4 in the form of IPv6 with a prefix below 96, and has no IPv4 address in it: write it as IPv4";

function masked(address: Uint8Array, prefix: number): Network {
  const bytes = address.slice();
  for (let at = 0; at < bytes.length; at++) {
    const kept = Math.min(8, Math.max(0, prefix - at * 8));
    bytes[at] = bytes[at]! & (0xff00 >> kept);
  }
  return { address: bytes, prefix };
}

/** Whether `network` holds the `length` bytes of `bytes` from `offset`. IPv4 and IPv6 never hold each other. */
export function networkHolds(network: Network, bytes: Uint8Array, offset: number, length: number): boolean {
  const { address, prefix } = network;
  if (address.length !== length) return false;
  const whole = prefix >> 3;
  for (let at = 0; at < whole; at++) if (bytes[offset + at] !== address[at]) return false;
  const rest = prefix & 7;
  return rest === 0 || ((bytes[offset + whole]! ^ address[whole]!) & (0xff00 >> rest) & 0xff) === 0;
}

/** Writes a network as address/prefix. */
export function formatNetwork({ address, prefix }: Network): string {
  return `${formatIp(address)}/${prefix}`;
}

/** Writes an address of 4 or 16 bytes; IPv6 as RFC 5952 says, except that an IPv4 tail is written in hex. */
export function formatIp(address: Uint8Array): string {
  if (address.length === 4) return address.join(".");
  const groups: number[] = [];
  for (let at = 0; at < 16; at += 2) groups.push((address[at]! << 8) | address[at + 1]!);
  let zeros = 0;
  let zerosAt = -1;
  for (let from = 0; from < 8; from++) {
    let to = from;
    while (to < 8 && groups[to] === 0) to++;
    // RFC 5952 4.2: the longest run, the first of equals, and never a single group.
    if (to - from > zeros && to - from > 1) [zeros, zerosAt] = [to - from, from];
  }
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(":");
  return zerosAt < 0 ? hex(groups) : `${hex(groups.slice(0, zerosAt))}::${hex(groups.slice(zerosAt + zeros))}`;
}
