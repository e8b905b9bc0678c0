// Addresses that guess: after so many wrong passwords or tokens an address is not listened to for a while.

import { addressKey, type Key } from "../admission/keys.ts";
import { parseAddress } from "../ip/address.ts";

/** So many failures within this time. Milliseconds. */
const FAILURES = 5;
const WITHIN_MS = 5 * 60_000;
/** How long nobody of the address is listened to then. Milliseconds. */
const LOCKED_MS = 10 * 60_000;
/** Addresses that are known at a time; the one that failed longest ago goes. */
const MAX_ADDRESSES = 4096;
/** Bits of an IPv6 address: one customer. */
const IPV6_PREFIX = 64;

interface Failed {
  count: number;
  since: number;
  lockedUntil: number;
}

export class LockOut {
  readonly #now: () => number;
  readonly #addresses = new Map<Key, Failed>();

  /** @param now the clock, in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** For how long it is not listened to, in milliseconds; 0: it is. */
  lockedFor(address: string): number {
    const failed = this.#addresses.get(keyOf(address));
    return failed === undefined ? 0 : Math.max(0, failed.lockedUntil - this.#now());
  }

  /** @returns whether it is locked out by this. */
  failed(address: string): boolean {
    const key = keyOf(address);
    const now = this.#now();
    const known = this.#addresses.get(key);
    const failed =
      known !== undefined && now - known.since < WITHIN_MS ? known : { count: 0, since: now, lockedUntil: 0 };
    failed.count++;
    // To the end of the line: it has failed last.
    this.#addresses.delete(key);
    this.#addresses.set(key, failed);
    if (this.#addresses.size > MAX_ADDRESSES) this.#addresses.delete(this.#addresses.keys().next().value!);
    if (failed.count < FAILURES) return false;
    failed.lockedUntil = now + LOCKED_MS;
    failed.count = 0;
    failed.since = now;
    return true;
  }

  succeeded(address: string): void {
    this.#addresses.delete(keyOf(address));
  }
}

function keyOf(address: string): Key {
  return addressKey(parseAddress(address), 32, IPV6_PREFIX);
}
