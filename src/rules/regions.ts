// Which client addresses rules can tell apart: one address for each, so that a question about an unknown client has few answers.
import { formatNetwork, parseNetwork } from "../ip/address.ts";
import type { Rule } from "./ast.ts";

/** The addresses of a network that no narrower network of the list holds. */
export interface Region {
  /** CIDR, or null: the rest of all addresses of its family. */
  readonly network: string | null;
  readonly family: 4 | 6;
  /** One of them, as `parseAddress` gives it. */
  readonly address: Uint8Array;
}

interface Range {
  readonly network: string | null;
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

/** IPv4 in IPv6 clothes counts as IPv4: no client of IPv6 comes from there. */
const MAPPED: Range = { network: null, family: 6, first: 0xffffn << 32n, last: (0x10000n << 32n) - 1n };

/** The regions of all addresses, given networks as ClientIP has them. Costs their number squared: bound it. */
export function regionsOf(networks: Iterable<string>): Region[] {
  const ranges = [...new Set(networks)].map(rangeOf);
  for (const [family, network] of [
    [4, "0.0.0.0/0"],
    [6, "::/0"],
  ] as const)
    if (!ranges.some((each) => each.network === network)) ranges.push({ ...rangeOf(network), network: null, family });
  // Networks hold one another or have nothing in common; in this order what a network holds comes after it.
  ranges.push(MAPPED);
  ranges.sort((a, b) => a.family - b.family || compare(a.first, b.first) || compare(b.last, a.last));
  const regions: Region[] = [];
  for (const [index, range] of ranges.entries()) {
    if (range === MAPPED) continue;
    const free = firstFree(range, ranges.slice(index + 1));
    if (free !== null)
      regions.push({ network: range.network, family: range.family, address: bytesOf(free, range.family) });
  }
  return regions;
}

/** Every network that a rule names. */
export function networksOf(rule: Rule, into: Set<string>): void {
  if (rule.kind === "clientIP") into.add(rule.cidr);
  else if (rule.kind === "not") networksOf(rule.rule, into);
  else if (rule.kind === "and" || rule.kind === "or") for (const child of rule.rules) networksOf(child, into);
}

function firstFree(range: Range, later: readonly Range[]): bigint | null {
  let at = range.first;
  for (const { family, first, last } of later) {
    if (family !== range.family || first > at || first > range.last) break;
    if (last >= at) at = last + 1n;
  }
  return at <= range.last ? at : null;
}

function rangeOf(cidr: string): Range {
  const network = parseNetwork(cidr);
  if (network === null) throw new Error(`not a network: ${cidr}`);
  const { address, prefix } = network;
  const first = address.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  const size = 1n << BigInt(address.length * 8 - prefix);
  return { network: formatNetwork(network), family: address.length === 4 ? 4 : 6, first, last: first + size - 1n };
}

function bytesOf(value: bigint, family: 4 | 6): Uint8Array {
  const bytes = new Uint8Array(family === 4 ? 4 : 16);
  for (let at = bytes.length - 1, rest = value; at >= 0; at--, rest >>= 8n) bytes[at] = Number(rest & 0xffn);
  return bytes;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
